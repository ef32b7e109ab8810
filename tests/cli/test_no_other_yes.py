"""Nothing but a person at a terminal says yes: every option, variable and key of a file is tried."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.consent.conftest import BUNDLE

from clinic.bundle.package import Package
from clinic.cli.main import COMMANDS, cli, run
from clinic.consent.consent import Consent
from clinic.consent.decide import Desk
from clinic.consent.destination import Destination
from clinic.consent.policy import Policy
from clinic.consent.receipts import Receipts
from clinic.profile import Config, Profile

ASKING = [name for name in (("consent", "give"), ("upload",)) if name[0] in COMMANDS]
"""The commands that ask."""

YES_WORDS = (
    "y", "yes", "force", "f", "batch", "accept", "agree", "consent", "confirm", "approve", "assume-yes", "no-confirm",
    "no-prompt", "non-interactive", "quiet", "q", "i-agree", "answer",
)  # fmt: skip
"""What such an option is called elsewhere."""

YES_NAME = re.compile(
    r"(?i)(^|[_-])(yes|force|batch|accept|agree|confirm|approve|assume|consent|noninteractive)"
)


def command(words: tuple[str, ...]) -> click.Command:
    """The command that these words call."""
    found: click.Command = cli
    for word in words:
        assert isinstance(found, click.Group)
        inner = found.get_command(click.Context(found), word)
        assert inner is not None
        found = inner
    return found


def options(words: tuple[str, ...]) -> Iterator[click.Option]:
    """Every option of a command, and of those around it."""
    for length in range(len(words) + 1):
        yield from (one for one in command(words[:length]).params if isinstance(one, click.Option))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with its facts."""
    path = tmp_path / "db1.tar.zst.age"
    path.write_bytes(b"x" * 100)
    facts = Package(
        bundle=BUNDLE, name=path.name, sha256=hashlib.sha256(b"x" * 100).hexdigest(), size=100,
        container="tar.zst.age", recipients=("age1theirs",),
        created="2026-11-25T11:00:00Z", complete=True, cluster="db1",
    )  # fmt: skip
    path.with_name("db1.tar.zst.age.json").write_bytes(facts.to_json())
    return path


@pytest.fixture(autouse=True)
def _typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input holds the right answer, and is no terminal."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{BUNDLE[:8]}\nyes\ny\n"))


def nobody_said_yes(words: tuple[str, ...], package: Path, *more: str) -> None:
    """Run it with `more`; it must not have got a yes."""
    code = run([*words, str(package), "--to", "https://127.0.0.1:9", *more])
    assert code in (2, 5), (code, more)
    assert not [one for one in Receipts().entries() if one.event.record and one.event.record.answer == "yes"]


def sample(option: click.Option) -> list[str]:
    """The option as somebody would write it who hopes that it says yes."""
    if option.is_flag:
        return [option.opts[0]]
    values = list(option.type.choices) if isinstance(option.type, click.Choice) else [BUNDLE[:8]]
    return [option.opts[0], str(values[0])]


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_no_option_says_yes(words: tuple[str, ...], package: Path) -> None:
    tried = [one for one in options(words) if not {"--help", "--version", "--to"} & set(one.opts)]
    assert tried
    for option in tried:
        own = option in command(words).params
        if own:
            nobody_said_yes(words, package, *sample(option))
    flags = [one.opts[0] for one in command(words).params if isinstance(one, click.Option) and one.is_flag]
    for pair in itertools.combinations(flags, 2):
        nobody_said_yes(words, package, *pair)
    nobody_said_yes(words, package, *flags)


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_no_usual_spelling_of_such_an_option_exists(words: tuple[str, ...], package: Path) -> None:
    names = {name.lstrip("-") for one in options(words) for name in (*one.opts, *one.secondary_opts)}
    assert not names & set(YES_WORDS)
    assert not [name for name in names if YES_NAME.search(name)]
    for word in YES_WORDS:
        nobody_said_yes(words, package, f"--{word}" if len(word) > 1 else f"-{word}")


def test_no_option_is_read_from_the_environment() -> None:
    """click could take any option from a variable; here it takes none."""
    for name in COMMANDS:
        for one in command((name,)).params:
            assert one.envvar is None
        assert "auto_envvar_prefix" not in command((name,)).context_settings
    assert "auto_envvar_prefix" not in cli.context_settings


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_no_variable_says_yes(
    words: tuple[str, ...], package: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (root / "src").rglob("*.py"))
    known = set(re.findall(r"[\"'](CLINIC_[A-Z_]+)[\"']", sources)) - {"CLINIC_HOME"}
    assert {"CLINIC_SQL_USER"} <= known
    for name in (*known, "CLINIC_YES", "CLINIC_CONSENT", "CLINIC_ASSUME_YES", "YES", "DEBIAN_FRONTEND", "CI"):
        monkeypatch.setenv(name, BUNDLE[:8])
    nobody_said_yes(words, package)


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
@pytest.mark.parametrize("file", ["config.yaml", "destinations.yaml", "profiles/default.yaml"])
def test_no_file_says_yes(words: tuple[str, ...], package: Path, home: Path, file: str) -> None:
    path = home / "clinic" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("yes: true\nconsent: yes\n")
    nobody_said_yes(words, package)
    path.write_text("destinations:\n  x: {endpoint: 'https://127.0.0.1:9', consent: true}\n")
    nobody_said_yes(words, package)


def test_no_value_that_steers_a_decision_has_a_place_for_a_yes() -> None:
    """Neither profile nor configuration, policy, destination nor the desk has a field for one."""
    names = {
        field.name
        for kind in (Config, Profile, Policy, Destination, Desk)
        for field in dataclasses.fields(kind)
    }
    assert not [name for name in names if YES_NAME.search(name)]
    assert "person" in names
    assert {field.name for field in dataclasses.fields(Consent)} >= {
        "package",
        "destination",
        "receipt",
        "expires",
    }
