"""`clinic upload`: show what would leave, ask, send it, and keep a receipt. The only command that sends a bundle."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from clinic.bundle.package import Package
from clinic.bundle.packagefile import require_same
from clinic.cli.consent_prompt import language_option, make_desk, valid_option
from clinic.cli.options import SizeType
from clinic.cli.output import harmless, print_json, say
from clinic.cli.sending import Reaching, reaching_of, reaching_options, stopping
from clinic.cli.transfer import ByteBar, Events
from clinic.cli.upload_carry import carry
from clinic.cli.upload_package import Wanted, as_package, package_of, require_room
from clinic.consent import decide
from clinic.consent.consent import Consent
from clinic.consent.decide import Desk
from clinic.consent.destination import Destination, Protocol
from clinic.consent.destinations import find_destination
from clinic.consent.receipt import Event, Happened, written
from clinic.errors import DiskFull, Interrupted, Refused, Unconfirmed, UsageError
from clinic.progress import Progress
from clinic.read.packagefacts import require_inside
from clinic.secret import Secret
from clinic.upload.choose import Way, uploader
from clinic.upload.expiry import require_current
from clinic.upload.flow import Flow
from clinic.upload.outgoing import Agreed, Outgoing, Sent
from clinic.upload.probe import probe
from clinic.upload.state import Memory


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be done, as it was asked for."""

    destination: Destination
    """Where to."""

    desk: Desk
    """Who is asked."""

    reaching: Reaching
    """How to get there."""

    rate: int | None
    """Most bytes a second."""

    at_once: int
    """Most parts side by side."""

    case: str
    """The case that it is for; empty takes the bundle's."""

    as_json: bool
    """Whether a program reads along."""

    def progress(self) -> Progress:
        """What shows how it goes."""
        return Events() if self.as_json else ByteBar()


@click.command("upload")
@click.argument("source", type=click.Path(path_type=Path), required=False)
@click.option("--to", metavar="DEST", help="A destination's name, or its URL.")
@click.option(
    "--offline", metavar="DEST", help="Ask the same, and write what somebody carries there by hand."
)
@click.option("--check", is_flag=True, help="Only see whether an upload there would work, and SOURCE fits.")
@click.option("--abort", is_flag=True, help="Give up an unfinished upload of the package, here and there.")
@click.option("--without", multiple=True, metavar="PATTERN", help="Leave this out of a bundle; repeatable.")
@click.option("--case", default="", help="The support case that it is for; else the one the bundle names.")
@click.option(
    "--recipient", "recipients", multiple=True, metavar="age1...", help="Encrypt to this one too: yourself."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where the package, or what is carried, goes."
)
@click.option("--protocol", type=click.Choice([one.value for one in Protocol if one is not Protocol.OFFLINE]),
              default="clinic", show_default=True, help="What a destination named by its URL speaks.")  # fmt: skip
@click.option("--limit-rate", type=SizeType(), metavar="SIZE", help="Most bytes a second, as in 2M.")
@click.option("--parallel", type=click.IntRange(1, 4), default=1, help="Parts side by side, to an S3 store.")
@reaching_options
@language_option
@valid_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON, and an event a line meanwhile."
)
def command(
    source: Path | None, to: str | None, offline: str | None, check: bool, abort: bool, **given: Any
) -> int:
    """Send SOURCE, a package or a sealed bundle, to DEST, once a person has read what would leave and said yes.

    The token is read from --token-file, CLINIC_TOKEN, or asked; for --protocol put it is the presigned URL, for s3
    ACCESS:SECRET or a JSON file of presigned URLs. A bundle is looked through for credentials and packed. Then what
    would leave, to whom, and what they may do with it is shown, and the answer is typed; before it nothing is
    connected to, unless --check asks for it. Without a terminal only a yes that was given before holds (clinic
    consent give). A stopped or broken upload goes on with the same command.

    The last line has the link for the ticket, and says whether the server confirmed our digest (exit code 0) or
    only that it took everything (9).

    \b
    Examples:
      clinic upload clinic-db1-20261125T103000Z --to clinic-us --case TS-4711
      clinic upload clinic-db1-20261125T103000Z.tar.zst --to https://support.example.com
      clinic upload --check --to clinic-us
      clinic upload clinic-db1-20261125T103000Z --to clinic-us --without log.slow
      clinic upload clinic-db1-20261125T103000Z --offline clinic-us -o /media/usb
    """
    job = _job(to or offline, given)
    if to and offline:
        raise UsageError("--to and --offline are two ways to the same end", hint="name one of them")
    wanted = None if source is None else _wanted(job, source, given)
    if check:
        return _check(job, wanted)
    if wanted is None:
        raise UsageError("name the package or bundle to send", hint="clinic upload BUNDLE --to DEST")
    if abort:
        return _abort(job, wanted)
    if offline:
        return _offline(job, wanted)
    return _send(job, wanted)


def _wanted(job: _Job, source: Path, given: dict[str, Any]) -> Wanted:
    return Wanted(
        source, job.destination, tuple(given["without"]), tuple(given["recipients"]), given["output"]
    )


def _job(named: str | None, given: dict[str, Any]) -> _Job:
    if named is None:
        raise UsageError("name the destination with --to", hint="clinic upload BUNDLE --to clinic-us")
    destination = find_destination(named, Protocol(given["protocol"]))
    desk = make_desk(given["language"], valid_certificate=given["require_valid_cert"])
    reaching = reaching_of(given)
    reaching.route()
    return _Job(
        destination, desk, reaching, given["limit_rate"], given["parallel"], given["case"], given["as_json"]
    )


def _send(job: _Job, wanted: Wanted) -> int:
    progress = job.progress()
    credential = _ready(job)
    path, facts = as_package(wanted, job.desk, progress)
    with Outgoing(path, progress) as outgoing:
        facts, consent = _decided(job, outgoing, facts)
        agreed = Agreed(outgoing, consent, job.destination, job.desk.clock(), facts.case)
        sent = _deliver(job, agreed, credential, progress)
        _tell(job, agreed, sent)
    return 0 if sent.confirmed else Unconfirmed.exit_code


def _ready(job: _Job) -> Secret:
    """The credential. Whatever is wrong with it and the way there is found before anything is packed or asked.

    As far as that can be told without connecting: the policy, a form that can't be, an end that has passed, files of
    certificates that can't be read.
    """
    job.desk.policy.require_destination(job.destination)
    credential = job.reaching.credential(job.destination)
    require_current(credential, job.desk.clock())
    uploader(job.destination, Way(credential, job.reaching.route(), job.at_once), Flow()).close()
    return credential


def _decided(job: _Job, outgoing: Outgoing, facts: Package) -> tuple[Package, Consent]:
    """What the package is, once that is known to be true, and the yes to it."""
    require_same(facts, outgoing.path, outgoing.size, outgoing.sha256)
    require_inside(outgoing.path, facts)
    facts = replace(facts, case=job.case or facts.case)
    return facts, decide.ask(facts, job.destination, job.desk)


def _deliver(job: _Job, agreed: Agreed, credential: Secret, progress: Progress) -> Sent:
    """Send it; what became of it is on the receipt."""
    with stopping(progress.say) as stop:
        sender = uploader(
            job.destination,
            Way(credential, job.reaching.route(), job.at_once),
            Flow(progress, stop, rate=job.rate),
        )
        _note(job, Happened.STARTED, agreed.consent, Sent("", "", confirmed=False))
        try:
            sent = sender.send(agreed)
        except Interrupted as error:
            raise Interrupted(error.message, hint=f"it goes on with: {_again()}") from error
        finally:
            progress.end()
            sender.close()
    try:
        _note(job, Happened.UPLOADED, agreed.consent, sent)
    except DiskFull as error:
        raise DiskFull(
            f"it was sent ({sent.link or sent.upload}), which could not be put on the receipt: {error.message}",
            hint="free some space there; the same command then writes it down",
        ) from error
    return sent


def _note(job: _Job, happened: Happened, consent: Consent, sent: Sent) -> None:
    note = "" if happened is Happened.STARTED else _confirmed(sent)
    job.desk.receipts.append(
        Event(
            happened,
            consent.receipt,
            written(datetime.now(timezone.utc)),
            decide.principal(),
            sent.upload,
            sent.link,
            note,
        )
    )


def _confirmed(sent: Sent) -> str:
    return (
        "the server confirmed the digest"
        if sent.confirmed
        else "the server took all of it and said no digest"
    )


def _tell(job: _Job, agreed: Agreed, sent: Sent) -> None:
    outgoing, consent = agreed.outgoing, agreed.consent
    if job.as_json:
        print_json({
            "link": sent.link, "upload": sent.upload, "confirmed": sent.confirmed, "sha256": outgoing.sha256,
            "bytes": outgoing.size, "receipt": consent.receipt, "destination": consent.destination,
        })  # fmt: skip
        return
    say(f"Sent {outgoing.path} to {job.destination.name}. SHA-256 {outgoing.sha256}")
    say(f"Receipt {consent.receipt}. To take it back: clinic consent withdraw {consent.receipt[:8]}")
    colour = "green" if sent.confirmed else "yellow"
    say(f"{_confirmed(sent).capitalize()}: {harmless(sent.link or sent.upload)}", colour=colour)


def _offline(job: _Job, wanted: Wanted) -> int:
    progress = job.progress()
    job.desk.policy.require_destination(job.destination)
    path, facts = as_package(wanted, job.desk, progress)
    with Outgoing(path, progress) as outgoing:
        facts, consent = _decided(job, outgoing, facts)
        agreed = Agreed(outgoing, consent, job.destination, job.desk.clock(), facts.case)
        record, _ = job.desk.receipts.find(consent.receipt)
        folder = carry(agreed, facts, record, wanted.output or path.parent)
    _note(job, Happened.CARRIED, consent, Sent("", "", confirmed=False))
    if job.as_json:
        print_json({"directory": str(folder), "receipt": consent.receipt, "sha256": outgoing.sha256})
    else:
        say(f"Nothing was sent. {folder} holds the package, its receipt and NOTE.txt for whoever carries it.")
    return 0


def _check(job: _Job, wanted: Wanted | None) -> int:
    credential = _ready(job)
    if wanted is not None:
        require_room(wanted, job.desk.policy)
    flow = Flow(job.progress(), give_up=0.0)
    sender = uploader(job.destination, Way(credential, job.reaching.route()), flow)
    try:
        findings = list(probe(sender))
    finally:
        sender.close()
    if job.as_json:
        print_json(
            [{"what": one.what, "good": one.good, "text": one.text, "fix": one.fix} for one in findings]
        )
    for one in () if job.as_json else findings:
        say(f"{'ok' if one.good else 'NO':<3} {one.what}: {one.text}", colour=None if one.good else "yellow")
    bad = [one for one in findings if not one.good]
    if bad:
        raise Refused(f"an upload to {job.destination.name} would not work: {bad[0].text}", hint=bad[0].fix)
    return 0


def _abort(job: _Job, wanted: Wanted) -> int:
    source = package_of(wanted)
    with (
        Outgoing(source) as outgoing,
        Memory(outgoing.sha256, outgoing.size, job.destination.address, "") as memory,
    ):
        if not memory.kept.upload:
            raise UsageError(
                f"nothing unfinished is known of {source} on its way to {job.destination.name}",
                hint="an upload that ended can be taken back: clinic consent withdraw",
            )
        way = Way(job.reaching.credential(job.destination), job.reaching.route())
        sender = uploader(job.destination, way, Flow(job.progress()))
        try:
            sender.abort(memory.kept)
        finally:
            sender.close()
        memory.wipe()
    say("Given up. What had arrived is deleted where the destination can do that.")
    return 0


def _again() -> str:
    return shlex.join(["clinic", *sys.argv[1:]])
