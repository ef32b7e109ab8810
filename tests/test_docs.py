"""The documents say what the program does: commands, exit codes, links and examples are held to the code."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from clinic.cli.main import cli
from clinic.errors import ClinicError

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
}
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in sorted(DOCUMENTS.items())}
HELP = {"-h", "--help"}
ERRORS: list[type[ClinicError]] = [ClinicError, *ClinicError.__subclasses__()]


def all_commands(command: click.Command = cli, name: str = "clinic") -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name, the group first."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None, f"{name} lists {child} and does not have it"
            yield from all_commands(found, f"{name} {child}")


COMMANDS = dict(all_commands())


def help_of(name: str) -> str:
    """What `--help` prints."""
    return COMMANDS[name].get_help(click.Context(COMMANDS[name], info_name=name, terminal_width=100))


def test_the_reference_is_what_the_commands_say() -> None:
    command = [sys.executable, str(ROOT / "tools" / "cli_reference.py"), "--check"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_documented_and_shows_an_example(name: str) -> None:
    assert f"## `{name}`\n" in TEXTS["docs/cli.md"]
    text = help_of(name)
    assert COMMANDS[name].help
    assert re.search(r"(?m)^ +Examples?:?$", text), f"{name} --help shows no example"
    assert re.search(rf"(?m)^ +(\$ )?{name}\b", text), f"the example in {name} --help is not of that command"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    silent = [
        option.opts[0]
        for option in COMMANDS[name].params
        if isinstance(option, click.Option) and not option.hidden and not option.help
    ]
    assert not silent


def test_exit_codes_are_in_the_reference() -> None:
    """Each error class is a row: its code, its meaning, what to do next."""
    rows = re.findall(r"(?m)^\| +(\d+) \| ([^|]+) \|", TEXTS["docs/cli.md"])
    errors = {(str(error.exit_code), error.meaning) for error in ERRORS}
    assert errors <= set(rows)


def slug(heading: str) -> str:
    """The anchor that a heading gets where the documents are read."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Every anchor of a document, leaving out what only looks like a heading inside a fenced block."""
    prose = re.sub(r"(?ms)^```.*?^```", "", text)
    return {slug(heading) for heading in re.findall(r"(?m)^#+ (.+)$", prose)}


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link names a file that is there, and an anchor names a heading in it."""
    broken: list[str] = []
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[name]):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (DOCUMENTS[name].parent / path).resolve() if path else DOCUMENTS[name]
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            broken.append(target)
    assert not broken


def shown_commands(text: str) -> Iterator[str]:
    """The `clinic ...` command lines in fenced blocks and in inline code."""
    fenced = re.findall(r"(?ms)^```[^\n]*\n(.*?)^```", text)
    for block in fenced:
        for line in block.replace("\\\n", " ").splitlines():
            found = re.match(r"\s*(?:\$ |# )?(clinic [a-z].*)", line)
            if found:
                yield found[1]
    yield from re.findall(r"`(clinic [a-z][^`\n]*)`", re.sub(r"(?ms)^```.*?^```", "", text))


def unknown_in(line: str) -> str | None:
    """What in a command line the program does not know: its command, or one of its options."""
    typed = re.split(r" [|>] | {2}", line, maxsplit=1)[0]
    words = shlex.split(typed, comments=True)
    name = next(
        (
            known
            for known in sorted(COMMANDS, key=len, reverse=True)
            if f"{' '.join(words)} ".startswith(f"{known} ")
        ),
        "clinic",
    )
    if name == "clinic" and len(words) > 1 and not words[1].startswith("-"):
        return f"{line}: there is no command {words[1]}"
    known = HELP | {opt for p in COMMANDS[name].params for opt in (*p.opts, *p.secondary_opts)}
    for word in words:
        option = word.strip("[]").split("=")[0].split("|")[0]
        if re.fullmatch(r"--?[a-z][a-z-]*", option) and option not in known:
            return f"{line}: {name} has no option {option}"
    return None


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "docs/cli.md"])
def test_commands_in_the_documents_exist(name: str) -> None:
    """A command line that a reader may type names a command and options that are there."""
    assert [problem for line in shown_commands(TEXTS[name]) if (problem := unknown_in(line))] == []


def test_commands_in_the_hints_exist() -> None:
    """What an error tells people to type next is there to be typed."""
    for error in ERRORS:
        for line in re.findall(r"clinic [a-z]+(?: --?[a-z-]+)*", error.default_hint):
            assert unknown_in(line) is None


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_in_the_help_exist(name: str) -> None:
    lines = re.findall(r"(?m)^ +(?:\$ )?(clinic\b.*)$", help_of(name).partition("Options:")[0])
    assert [problem for line in lines if (problem := unknown_in(line))] == []


@pytest.mark.parametrize("name", TEXTS)
def test_no_document_installs_a_name_from_an_index_that_is_not_ours(name: str) -> None:
    """Whoever holds that name there decides what it installs."""
    installs = re.findall(r"(?:pip3?|pipx|uv(?: pip| tool)?) install[^\n`]*", TEXTS[name])
    assert [
        line
        for line in installs
        if re.search(r"\bclinic", line) and not re.search(r"\.whl|\.tar\.gz|[./]/", line)
    ] == []


def test_the_check_of_examples_bites() -> None:
    assert unknown_in("clinic frobnicate") is not None
    assert unknown_in("clinic collect --frobnicate") is not None


def test_changelog_fragments_complete_the_sentence() -> None:
    """Each goes on after "This change will", in a file whose name says what kind of change it is."""
    for path in (ROOT / "changelog").iterdir():
        if path.name != "README.md":
            assert re.fullmatch(r"[a-z0-9-]+\.(added|changed|fixed|removed|security)\.md", path.name)
            text = path.read_text(encoding="utf-8").strip()
            assert re.fullmatch(r"[a-z][^\n]*(\n[^\n]+)*\.", text), f"{path.name}: This change will {text}"


@pytest.mark.parametrize("name", TEXTS)
def test_tests_that_are_named_exist(name: str) -> None:
    """A promise that says which test holds it must not outlive that test."""
    for path, test in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXTS[name]):
        assert (ROOT / path).exists(), path
        assert f"def {test or 'test_'}" in (ROOT / path).read_text(encoding="utf-8"), f"{path}::{test}"


@pytest.mark.parametrize("name", TEXTS)
def test_make_targets_in_the_documents_exist(name: str) -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    named = set(re.findall(r"(?m)(?:^ *|`)make ([a-z-]+)", TEXTS[name]))
    assert named <= targets
