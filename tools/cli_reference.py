"""Write docs/cli.md from the commands themselves, and the table of exit codes from the error classes.

python tools/cli_reference.py            write it anew (`make docs`)
python tools/cli_reference.py --check    fail when what is there differs
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from clinic.cli.main import cli
from clinic.errors import ClinicError

TARGET = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
WIDTH = 100
"""Columns of the help texts, whatever terminal this runs in."""

INTRODUCTION = """\
# Command line

This file is written by `make docs` from the commands themselves; change their help, not this.
"""

EXIT_CODES = """\
## Exit codes

Scripts can rely on these; the message on standard error says what happened and what to do next.

| code | meaning | error | next |
| ---: | --- | --- | --- |
| 0 | done; a bundle, if one was made, is complete | | |
"""


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command, click.Context]]:
    """The command and all below it, each with its full name and the context that its help is made in."""
    context = click.Context(command, info_name=name, terminal_width=WIDTH, **command.context_settings)
    yield name, command, context
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                yield from commands(found, f"{name} {child}")


def errors(base: type[ClinicError]) -> Iterator[type[ClinicError]]:
    """The error class and all derived from it."""
    yield base
    for child in base.__subclasses__():
        yield from errors(child)


def reference() -> str:
    """The whole text of docs/cli.md."""
    parts = [INTRODUCTION]
    for name, command, context in commands(cli, "clinic"):
        parts.append(f"## `{name}`\n\n```text\n{command.get_help(context)}\n```\n")
    rows = (
        f"| {error.exit_code} | {error.meaning} | `{error.__name__}` | {error.default_hint} |\n"
        for error in sorted(errors(ClinicError), key=lambda error: error.exit_code)
    )
    return "\n".join([*parts, EXIT_CODES + "".join(rows)])


def main(arguments: list[str]) -> int:
    """Write the file, or compare it."""
    text = reference()
    if "--check" not in arguments:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    print("docs/cli.md is not what the commands say; run `make docs` and commit it", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
