"""The corpus: secrets and look-alikes in real formats, in all the places where they turn up."""

from __future__ import annotations

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
    raw: str
    clean: str
    secrets: tuple[str, ...]


def _blocks(name: str) -> Iterator[tuple[Content, str]]:
    text = (CORPUS / name).read_text(encoding="utf-8")
    for block in re.split(r"(?m)^== ", text)[1:]:
        head, _, body = block.partition("\n")
        content, *flags = head.split()
        body = body.rstrip("\n") + "\n"
        for one in body.splitlines() if "each" in flags else [body]:
            yield Content(content), one


def _cases(name: str) -> list[Case]:
    return [
        Case(
            content,
            _MARK.sub(lambda mark: mark[1], text),
            _MARK.sub(lambda mark: mark[2] or "***", text),
            tuple(mark[1] for mark in _MARK.finditer(text)),
        )
        for content, text in _blocks(name)
    ]


SECRETS = _cases("secrets.txt")
LOOKALIKES = _cases("lookalikes.txt")


def _named(case: Case) -> str:
    return f"{case.content}: {case.raw.strip().splitlines()[0][:60]}"


def test_the_corpus_is_large_enough() -> None:
    """At least 150 of each, and every secret is marked."""
    assert sum(len(case.secrets) for case in SECRETS) >= 150
    assert all(case.secrets for case in SECRETS)
    assert sum(len(case.raw.splitlines()) for case in LOOKALIKES) >= 150
    assert not any(case.secrets for case in LOOKALIKES)


@pytest.mark.parametrize("case", SECRETS, ids=_named)
def test_a_secret_in_output_is_masked_and_nothing_else_changes(case: Case, redact: Redact) -> None:
    assert redact(case.raw.encode(), case.content).decode() == case.clean


@pytest.mark.parametrize("case", SECRETS, ids=_named)
def test_a_secret_is_masked_when_it_comes_byte_by_byte(case: Case, redact: Redact) -> None:
    assert redact(case.raw.encode(), case.content, piece=1).decode() == case.clean


@pytest.mark.parametrize("case", LOOKALIKES, ids=_named)
def test_a_look_alike_in_output_stays(case: Case, redact: Redact) -> None:
    assert redact(case.raw.encode(), case.content).decode() == case.raw
