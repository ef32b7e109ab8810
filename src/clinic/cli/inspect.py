"""`clinic inspect`: what is inside a bundle, what is missing and why, and any of its files."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from shlex import quote

import click

from clinic.bundle.record import FileEntry, Record
from clinic.bundle.verify import content_defects
from clinic.cli.output import harmless, print_json, say, table
from clinic.cli.reading import identity_option, key_option, read_bundle
from clinic.cli.show_diag import show
from clinic.errors import BadBundle
from clinic.formats.page import COLUMNS
from clinic.outcome import Status
from clinic.read.ask import questions
from clinic.read.coverage import coverage_lines
from clinic.read.describe import contents, describe, of_all_hosts
from clinic.read.diagfile import is_diag
from clinic.read.fact import Findings, alike
from clinic.read.find import find_file
from clinic.read.heading import heading
from clinic.read.loudest import find, reading
from clinic.read.missing import NO_LOSS, Group, group_lines, groups, is_missing, not_here
from clinic.read.open import Opened
from clinic.read.places import places
from clinic.read.summary import fact_lines
from clinic.units import MIB, human_size, plural

FACTS = 12
"""How many of the loudest facts are shown."""

HOSTS = 3
"""So many hosts are told one by one; of more, all together."""


@click.command("inspect")
@click.argument("bundle", type=click.Path(path_type=Path))
@identity_option
@key_option
@click.argument("path", required=False)
@click.option("--missing", is_flag=True, help="List every item that is not there, with reason and fix.")
@click.option("--files", is_flag=True, help="List every file.")
@click.option("--facts", "facts", is_flag=True, help="List every fact that stood out, the loudest first.")
@click.option("--hosts", "by_host", is_flag=True, help="Tell the contents host by host.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, in a stable shape.")
def command(
    bundle: Path, identities: tuple[Path, ...], key: Path | None, path: str | None, as_json: bool, **lists: bool
) -> int:  # fmt: skip
    """Show what is inside BUNDLE, what is missing, why, and what to do about it.

    With PATH, print that file, whatever its compression: its path or the end of that, with or without .zst,
    or the id of its item. Works on a bundle that was not sealed, too; clinic verify checks every byte.

    \b
    Examples:
      clinic inspect clinic-db1-20261125T103000Z
      clinic inspect clinic-db1-20261125T103000Z --missing
      clinic inspect clinic-db1-20261125T103000Z --facts
      clinic inspect clinic-db1-20261125T103000Z storage.df
      clinic inspect clinic-db1-20261125T103000Z dmesg.log | grep -i error
      clinic inspect clinic-db1-20261125T103000Z --json | jq .missing
      clinic inspect clinic-db1-20261125T103000Z.tar.zst.age --identity key.txt
      clinic inspect diag-db1-fqGzMPLCgT1.diag dmesg.log --key key.pem
    """
    if is_diag(bundle) and (key is None or path is None):
        return show(bundle, key, as_json)
    with _verify_tells(bundle):
        return _command(read_bundle(bundle, identities, key), path, as_json, **lists)


@contextlib.contextmanager
def _verify_tells(bundle: Path) -> Generator[None, None, None]:
    """Says of a damaged bundle what lists all the damage."""
    try:
        yield
    except BadBundle as error:
        if error.hint != BadBundle.default_hint:
            raise
        hint = f"clinic verify {quote(str(bundle))} lists what differs"
        raise BadBundle(error.message, hint=hint) from error


def _command(
    opened: Opened, path: str | None, as_json: bool, *, missing: bool, files: bool, facts: bool, by_host: bool
) -> int:
    if path is not None:
        _print_file(opened, find_file(opened, path))
    elif files:
        _show_files(opened)
    elif missing:
        _show_missing(opened.records)
    else:
        findings = find(opened.run, opened.records, reading(opened.root), opened.root)
        if as_json:
            print_json(describe(opened, findings))
        elif facts:
            _print_lines(_fact_lines(findings))
        else:
            _show(opened, findings, by_host)
    return 0


def _show(opened: Opened, findings: Findings, by_host: bool) -> None:
    about = heading(opened.run, opened.records, findings, ended=opened.ended, interrupted=opened.interrupted)
    _print_lines(about)
    say()
    _show_contents(opened, by_host)
    _section("Hosts and instances", places(opened.run, opened.records, findings))
    _section("Logs, from the beginning of the window to its end", coverage_lines(opened.run, opened.records))
    _section("Loudest facts", _loudest(opened, findings))
    _section("Missing, and what would bring it", _missing_lines(groups(opened.records), opened))
    _section("Longer than their cap, head and tail kept", _cut_lines(opened.files()))
    next_steps = questions(opened.run, opened.records, findings, opened.name)
    _section("Ask next", (f"  {number}. {step}" for number, step in enumerate(next_steps, 1)))
    say()
    if opened.foreign:
        say(
            "Collected by diag: nothing in it has a digest, and Clinic masked nothing in it.", colour="yellow"
        )
    elif opened.sealed:
        say(f"Bundle id {opened.id}")
    else:
        say("Not sealed: its run did not come to an end.", colour="yellow")
        say(f"Next: clinic collect --resume {opened.root}, or clinic seal {opened.root}")


def _loudest(opened: Opened, findings: Findings) -> Iterator[str]:
    yield from _fact_lines(findings, FACTS)
    rest = len(alike(findings.facts)) - FACTS
    if rest > 0:
        yield f"  and {rest} more: clinic inspect {quote(opened.name)} --facts"


def _fact_lines(findings: Findings, most: int | None = None) -> Iterator[str]:
    for fact in alike(findings.facts)[:most]:
        yield from fact_lines(fact, _columns())


def _show_contents(opened: Opened, by_host: bool) -> None:
    every = contents(opened.records)
    one_by_one = by_host or len({one.host for one in every if one.host}) <= HOSTS
    rows = [
        (
            one.category,
            one.host,
            one.items,
            one.files,
            human_size(one.plain),
            human_size(one.stored),
            one.missing or "",
        )
        for one in (every if one_by_one else of_all_hosts(every))
    ]
    table(
        ("CATEGORY", "HOST" if one_by_one else "HOSTS", "ITEMS", "FILES", "BYTES", "ON DISK", "MISSING"),
        rows,
        right=(2, 3, 4, 5, 6),
    )
    files = opened.files()
    masked = f"; {plural(opened.masked, 'credential')} masked" if opened.masked else ""
    say(f"{plural(len(files), 'file')}, {human_size(sum(file.stored for file in files))} on disk{masked}")


def _section(title: str, lines: Iterable[str]) -> None:
    listed = list(lines)
    if listed:
        say()
        say(title, bold=True)
        _print_lines(listed)


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


def _missing_lines(found: tuple[Group, ...], opened: Opened) -> Iterator[str]:
    for group in found:
        yield from group_lines(group, _columns())
    rest = not_here(opened.records)
    if rest:
        yield f"  {rest}"
    if found or rest:
        yield f"  each with its reason: clinic inspect {opened.name} --missing"


def _columns() -> int:
    """How wide a line may be."""
    terminal = shutil.get_terminal_size((COLUMNS, 24)).columns if sys.stdout.isatty() else COLUMNS
    return max(terminal, COLUMNS // 2)


def _cut_lines(files: Iterable[FileEntry]) -> Iterator[str]:
    for file in files:
        if file.dropped:
            lost = human_size(file.dropped) if file.dropped > 0 else "an unknown part"
            yield f"  {file.path}: {lost} left out of the middle"


def _show_missing(records: Iterable[Record]) -> None:
    """Every item that is not plain ok: those that somebody should hear of first, the others by reason."""
    wanting = [record for record in records if record.status is not Status.OK]
    for record in sorted(wanting, key=_quietness):
        place = record.entry.instance or record.entry.host
        reason = f" ({record.reason})" if record.reason is not None else ""
        say(f"{record.entry.id} {place}: {record.status}{reason}: {record.message}")
        if record.fix:
            say(f"    fix: {record.fix}")
        for name in record.missing:
            say(f"    {name}")
    if not wanting:
        say("Nothing is missing.")


def _quietness(record: Record) -> tuple[bool, int]:
    """What is missing first; what does not apply, is not there, is empty, or was not wanted, after it in this order."""
    quiet = [reason is record.reason for reason in NO_LOSS]
    return not record.incomplete, 0 if is_missing(record) else 1 + quiet.index(True)


def _show_files(opened: Opened) -> None:
    owners = {file.path: record.entry.id for record in opened.records for file in record.files}
    rows = (
        (human_size(file.plain), human_size(file.stored), owners.get(file.path, ""), file.path)
        for file in sorted(opened.files(), key=lambda file: file.path)
    )
    table(("BYTES", "ON DISK", "ITEM", "FILE"), rows, right=(0, 1))


def _print_file(opened: Opened, file: FileEntry) -> None:
    """The plain bytes to standard output; on a terminal what could steer it is written out."""
    for defect in () if opened.foreign else content_defects(opened.root, [file]):
        raise BadBundle(f"{opened.name}: {defect}")
    with opened.member(file.path) as stream:
        if not sys.stdout.isatty():
            shutil.copyfileobj(stream, sys.stdout.buffer, MIB)
            return
        text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
        while part := text.read(MIB):
            click.echo(harmless(part, lines=True), nl=False)
