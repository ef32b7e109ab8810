"""`clinic consent`: give it, list it, show it, check it, take it back."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

import click

from clinic.bundle.codec import encode
from clinic.bundle.packagefile import read_package
from clinic.cli.consent_prompt import language_option, make_desk, valid_option
from clinic.cli.deletion import ask_for_deletion
from clinic.cli.output import print_json, say, table
from clinic.cli.progress import Bars
from clinic.cli.sending import reaching_of, reaching_options
from clinic.cli.upload_package import Wanted, as_package
from clinic.consent import decide, withdrawal
from clinic.consent.destination import Destination, Protocol
from clinic.consent.destinations import find_destination
from clinic.consent.receipt import Event, Record
from clinic.consent.receipts import Receipts, state_of
from clinic.errors import BadBundle
from clinic.newfile import put
from clinic.read.packagefacts import require_inside
from clinic.units import plural

PROTOCOLS = [one.value for one in Protocol if one is not Protocol.OFFLINE]
"""What can be spoken with a destination."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group("consent")
def command() -> None:
    """Decide where a package may go, and see and take back what was decided.

    A yes is for exactly one package and one destination, is typed at a terminal, and holds for seven days. What was
    shown and answered is kept as a receipt in the state directory, refusals too; it stays on this machine.

    \b
    Examples:
      clinic consent give for-support.tar.zst.age --to https://in.example.com
      clinic consent list
      clinic consent withdraw 3f2a91c2
    """


@command.command("give")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--to", "destination", required=True, metavar="DEST", help="A destination's name, or its URL.")
@click.option("--case", default="", help="The support case that it is for; else the one the bundle names.")
@click.option(
    "--protocol", type=click.Choice(PROTOCOLS), default=PROTOCOLS[0], show_default=True,
    help="What a destination named by its URL speaks.",
)  # fmt: skip
@click.option("--without", multiple=True, metavar="PATTERN", help="Leave this out of a bundle; repeatable.")
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="age1...",
    help="Encrypt a bundle to this one too: yourself.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where the package of a bundle goes.",
)
@language_option
@valid_option
@json_option
def give(
    source: Path, destination: str, case: str, protocol: str, language: str | None, require_valid_cert: bool,
    as_json: bool, **given: Any,
) -> int:  # fmt: skip
    """Answer now, at a terminal, whether SOURCE may go to DEST; nothing is sent.

    SOURCE is a package, or a sealed bundle, of which the package is made that clinic upload would make. For a job that
    uploads later, where nobody can type: clinic upload finds the receipt. It is good for exactly this file,
    destination, operator, notice, policy, case, format and keys, for seven days, and until you take it back.
    Run it as the account that the job runs as, with the same options.

    \b
    Examples:
      clinic consent give clinic-db1-20261125T103000Z.diag --to clinic-us
      clinic consent give for-support.tar.zst.age --to https://in.example.com --lang zh
      clinic consent give clinic-db1-20261125T103000Z --to https://in.example.com --recipient age1...
    """
    there = find_destination(destination, Protocol(protocol))
    desk = make_desk(language, valid_certificate=require_valid_cert)
    desk.policy.require_destination(there)
    if source.is_dir():
        decide.require_person(desk)  # before it is packed
    with Bars() as bars:
        path, _ = as_package(_wanted(source, there, given), desk, bars)
        facts = read_package(path, bars)
    require_inside(path, facts)
    consent = decide.give(replace(facts, case=case or facts.case), there, desk)
    if as_json:
        print_json({
            "receipt": consent.receipt, "file": str(path), "package": consent.package, "bundle": consent.bundle,
            "destination": consent.destination, "notice": consent.notice, "expires": consent.expires.isoformat(),
        })  # fmt: skip
        return 0
    say(f"Yes for {consent.destination}, until {consent.expires:%Y-%m-%d %H:%M} UTC. Nothing was sent.")
    say(f"Receipt {consent.receipt}")
    say(f"Next: clinic upload {path} --to {destination}")
    say(f"To take it back: clinic consent withdraw {consent.receipt[:8]}")
    return 0


def _wanted(source: Path, there: Destination, given: dict[str, Any]) -> Wanted:
    return Wanted(source, there, tuple(given["without"]), tuple(given["recipients"]), given["output"])


@command.command("list")
@json_option
def list_(as_json: bool) -> int:
    """List what was decided, the newest last.

    \b
    Examples:
      clinic consent list
      clinic consent list --json
    """
    now, decisions = datetime.now(timezone.utc), _decisions(Receipts())
    if as_json:
        print_json([_short(record, events, now) for record, events in decisions])
        return 0
    if not decisions:
        say("Nothing was decided here yet.")
        return 0
    rows = [tuple(_short(record, events, now).values()) for record, events in decisions]
    heads = ("RECEIPT", "ANSWERED", "ANSWER", "STATE", "EXPIRES", "BUNDLE", "PACKAGE", "DESTINATION")
    table(heads, [(row[0][:8], *row[1:5], row[5][:8], *row[6:]) for row in rows])
    return 0


def _decisions(receipts: Receipts) -> list[tuple[Record, tuple[Event, ...]]]:
    events = [entry.event for entry in receipts.entries()]
    return [
        (event.record, tuple(one for one in events if one.receipt == event.receipt))
        for event in events
        if event.record is not None
    ]


def _short(record: Record, events: tuple[Event, ...], now: datetime) -> dict[str, str]:
    return {
        "receipt": record.id, "answered": record.answered, "answer": record.answer,
        "state": state_of(record, events, now), "expires": record.expires, "bundle": record.disclosed.bundle,
        "package": record.disclosed.name, "destination": record.parties.destination,
    }  # fmt: skip


@command.command("show")
@click.argument("receipt")
@click.option("--text", is_flag=True, help="Print the exact text that was shown, and nothing else.")
@json_option
def show(receipt: str, text: bool, as_json: bool) -> int:
    """Show one RECEIPT: what was decided, by whom, and what happened since. The beginning of its id is enough.

    \b
    Examples:
      clinic consent show 3f2a91c2
      clinic consent show 3f2a91c2 --text | sha256sum
      clinic consent show 3f2a91c2 --json
    """
    record, events = Receipts().find(receipt)
    if text:
        if sys.stdout.isatty():
            say(record.text.removesuffix("\n"))
        else:
            click.echo(record.text, nl=False)
        return 0
    if as_json:
        print_json({"record": encode(record), "events": [_event(one) for one in events]})
        return 0
    for name, value in _facts(record, events).items():
        say(f"{name:<14}{value}")
    say()
    rows = [(one.time, one.happened.value, one.entity, one.upload, one.link, one.note) for one in events]
    table(("TIME", "WHAT", "BY", "UPLOAD", "LINK", "NOTE"), rows)
    say(f"The text that was shown: clinic consent show {record.id[:8]} --text")
    return 0


def _event(event: Event) -> dict[str, Any]:
    found = cast("Mapping[str, Any]", encode(event))
    return {name: value for name, value in found.items() if name != "record"}


def _facts(record: Record, events: tuple[Event, ...]) -> dict[str, str]:
    what, where = record.disclosed, record.parties
    return {
        "Receipt": record.id, "State": state_of(record, events, datetime.now(timezone.utc)),
        "Answer": f"{record.answer}, {record.how}, {record.answered}", "By": record.principal,
        "Expires": record.expires or "never used", "Package": f"{what.name}, {what.size:,} bytes, {what.container}",
        "SHA-256": what.package, "Bundle id": what.bundle, "Keys": ", ".join(what.recipients) or "none: not encrypted",
        "Destination": f"{where.destination}, run by {where.operator or 'OPERATOR UNKNOWN'}",
        "Notice": f"{record.notice}, SHA-256 {record.notice.sha256}", "Text": f"SHA-256 {record.text_sha256}",
        "Policy": record.policy or "none", "Tool": record.tool,
    }  # fmt: skip


@command.command("verify")
@click.option("--head", metavar="DIGEST", help="A digest that you noted earlier: it must be in the chain.")
@json_option
def verify(head: str | None, as_json: bool) -> int:
    """Check that no receipt was changed, removed or moved since it was written.

    Note the digest that it prints somewhere else: with --head it shows later that nothing before it was cut off,
    which the files alone can't show once somebody has written all of them anew.

    \b
    Examples:
      clinic consent verify
      clinic consent verify --head 9b1c...e4
    """
    receipts = Receipts()
    chain = receipts.read()
    wrong = list(chain.wrong)
    if head is not None and head not in {chain.head.digest, *(one.previous for one in chain.entries)}:
        wrong.append(f"no entry has the digest {head}: what was there when you noted it is gone")
    if as_json:
        print_json({"entries": chain.head.count, "head": chain.head.digest, "wrong": wrong})
        return BadBundle.exit_code if wrong else 0
    if wrong:
        raise BadBundle(
            f"the receipts in {receipts.directory} are not as they were written: " + "; ".join(wrong),
            hint="keep the directory as it is for whoever looks into it, and move it away to begin anew",
        )
    say(f"{plural(chain.head.count, 'entry', 'entries')}, each as it was written. Head {chain.head.digest}")
    return 0


@command.command("withdraw")
@click.argument("receipt")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the letter to this file."
)
@click.option(
    "--confirmed", metavar="WORDS", help="Record that the operator confirmed the deletion, and how."
)
@reaching_options
@json_option
def withdraw(receipt: str, output: Path | None, confirmed: str | None, as_json: bool, **reaching: Any) -> int:
    """Take back the yes of RECEIPT, and have what was sent deleted, or get the letter that asks for it.

    From then on nothing is sent under it. Where a token is at hand (--token-file, CLINIC_TOKEN) the destination is
    asked to delete it, and what it answers is on record. Where it can't be asked the state is `withdrawal-requested`
    until you record with --confirmed what the operator answered to the letter. Nothing can undo what was read before.

    \b
    Examples:
      clinic consent withdraw 3f2a91c2 -o letter.txt
      clinic consent withdraw 3f2a91c2 --confirmed "mail of 2026-12-01, ticket 4711"
    """
    receipts, now = Receipts(), datetime.now(timezone.utc)
    record, events = receipts.find(receipt)
    text = ""
    if confirmed is not None:
        withdrawal.confirm(receipts, record, events, confirmed, decide.principal(), now)
    elif withdrawal.withdraw(receipts, record, events, decide.principal(), now):
        said, why_not = ask_for_deletion(reaching_of(reaching), record, events)
        events = receipts.find(record.id)[1]
        if said:
            withdrawal.confirm(receipts, record, events, said, record.parties.destination, now)
        else:
            say(f"The destination did not delete it: {why_not}", err=True, colour="yellow")
            text = withdrawal.letter(record, events, now)
    if output is not None and text:
        put(output, text.encode())
    _tell(receipts, record, text, output, as_json=as_json)
    return 0


def _tell(receipts: Receipts, record: Record, letter: str, output: Path | None, *, as_json: bool) -> None:
    state = state_of(record, receipts.find(record.id)[1], datetime.now(timezone.utc))
    if as_json:
        print_json({"receipt": record.id, "state": state, "letter": letter})
        return
    say(f"Receipt {record.id}: {state}.")
    if not letter:
        return
    for line in textwrap.wrap(f"{withdrawal.CAN} {withdrawal.CANNOT}", 100):
        say(line)
    if output is None:
        say()
        say(letter)
    contact = record.parties.contact or "the operator; nobody said whom to write to"
    say(f"Send the letter{f' in {output}' if output else ''} to: {contact}")
