"""The corpus: secrets and look-alikes in real formats, in all the places where they turn up."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from clinic.kinds import Content
from clinic.redact import Redactor

CORPUS = Path(__file__).parent / "corpus"
_MARK = re.compile(r"⟦(.*?)(?:⇒(.*?))?⟧", re.DOTALL)

Redact = Callable[..., bytes]


class Case(NamedTuple):
    content: Content
    flags: frozenset[str]
    raw: str
    clean: str
    secrets: tuple[str, ...]


def _blocks(name: str) -> Iterator[tuple[Content, frozenset[str], str]]:
    text = (CORPUS / name).read_text(encoding="utf-8")
    for block in re.split(r"(?m)^== ", text)[1:]:
        head, _, body = block.partition("\n")
        content, *flags = head.split()
        body = body.rstrip("\n") + "\n"
        for one in body.splitlines() if "each" in flags else [body]:
            yield Content(content), frozenset(flags), one


def _cases(name: str) -> list[Case]:
    return [
        Case(
            content,
            flags,
            _MARK.sub(lambda mark: mark[1], text),
            _MARK.sub(lambda mark: mark[2] or "***", text),
            tuple(mark[1] for mark in _MARK.finditer(text)),
        )
        for content, flags, text in _blocks(name)
        if text.strip()
    ]


SECRETS = _cases("secrets.txt")
LOOKALIKES = _cases("lookalikes.txt")
EVERYWHERE = [case for case in SECRETS if "structure" not in case.flags]


def _named(case: Case) -> str:
    return f"{case.content}: {case.raw.strip().splitlines()[0][:60]}"


def _left(case: Case, out: str) -> list[str]:
    """The secrets of a case that can still be read in `out`, also as the inside of a JSON or Python string."""
    forms = {
        secret: {secret, json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
        for secret in case.secrets
    }
    return [
        secret for secret, all_of_it in forms.items() if any(len(one) > 2 and one in out for one in all_of_it)
    ]


def test_the_corpus_is_large_enough() -> None:
    """At least 150 of each, nearly all of them in every place, and every secret is marked."""
    assert sum(len(case.secrets) for case in SECRETS) >= 200
    assert sum(len(case.secrets) for case in EVERYWHERE) >= 190
    assert all(case.secrets for case in SECRETS)
    assert sum(len(case.raw.splitlines()) for case in LOOKALIKES) >= 200
    assert not any(case.secrets for case in LOOKALIKES)


@pytest.mark.parametrize("case", SECRETS, ids=_named)
def test_a_secret_in_output_is_masked_and_nothing_else_changes(case: Case, redact: Redact) -> None:
    assert redact(case.raw.encode(), case.content).decode() == case.clean


@pytest.mark.parametrize("case", SECRETS, ids=_named)
def test_what_was_masked_stays_as_it_is(case: Case, redact: Redact) -> None:
    assert redact(case.clean.encode(), case.content).decode() == case.clean


def _as_stderr(case: Case, redactor: Redactor, redact: Redact) -> str:
    return redact(f"Error: exit status 1: {case.raw}\nnext line\n".encode()).decode()


def _as_log_field(case: Case, redactor: Redactor, redact: Redact) -> str:
    field = json.dumps(case.raw, ensure_ascii=False)
    line = f'[2026/11/24 10:41:07.513 +08:00] [WARN] [x.go:1] ["it failed"] [error={field}]\n'
    return redact(line.encode(), Content.LOG).decode()


def _as_error_body(case: Case, redactor: Redactor, redact: Redact) -> str:
    body = json.dumps({"error": case.raw, "code": 500}, ensure_ascii=False)
    out = redact(body.encode(), Content.JSON).decode()
    assert json.loads(out)["code"] == 500
    return out


def _as_traceback(case: Case, redactor: Redactor, redact: Redact) -> str:
    return redactor.text(
        f'Traceback (most recent call last):\n  File "x.py", line 1, in f\nValueError: {case.raw}'
    )


def _as_repr(case: Case, redactor: Redactor, redact: Redact) -> str:
    return redactor.text(f"it failed: {case.raw!r}")


def _as_file_name(case: Case, redactor: Redactor, redact: Redact) -> str:
    return redactor.text(f"/var/log/dump/{case.raw}") if "\n" not in case.raw else ""


def _as_command_line(case: Case, redactor: Redactor, redact: Redact) -> str:
    words = ("sh", "-c", case.raw)
    out = redactor.argv(words)
    assert out[:2] == words[:2]
    return "\n".join(out)


@pytest.mark.parametrize(
    "carry",
    [_as_stderr, _as_log_field, _as_error_body, _as_traceback, _as_repr, _as_file_name, _as_command_line],
)
def test_a_secret_is_masked_wherever_it_turns_up(
    carry: Callable[[Case, Redactor, Redact], str], redactor: Redactor, redact: Redact
) -> None:
    left = {
        _named(case): found for case in EVERYWHERE if (found := _left(case, carry(case, redactor, redact)))
    }
    assert not left


@pytest.mark.parametrize("case", LOOKALIKES, ids=_named)
def test_a_look_alike_in_output_stays(case: Case, redact: Redact) -> None:
    assert redact(case.raw.encode(), case.content).decode() == case.raw


@pytest.mark.parametrize("carry", [_as_stderr, _as_traceback])
def test_a_look_alike_in_an_error_stays(
    carry: Callable[[Case, Redactor, Redact], str], redactor: Redactor, redact: Redact
) -> None:
    changed = {case.raw for case in LOOKALIKES if case.raw not in carry(case, redactor, redact)}
    # In a text of no format, what only the format tells apart may be taken for a secret.
    assert len(changed) <= len(LOOKALIKES) // 100, changed


def test_a_command_line_of_words_is_masked_word_by_word(redactor: Redactor) -> None:
    for case in SECRETS:
        if case.content is Content.ARGV:
            out = redactor.argv(shlex.split(case.raw))
            assert not _left(case, "\n".join(out)), case.raw
            assert len(out) == len(shlex.split(case.raw))
