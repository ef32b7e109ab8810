"""The one place that makes a `Consent`: from a person's answer, or from the receipt of one."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Protocol

import clinic
from clinic.bundle.package import Package
from clinic.consent.consent import Consent
from clinic.consent.destination import Destination
from clinic.consent.destinations import certificate_of, require_fits
from clinic.consent.notice import read_notice
from clinic.consent.policy import Policy
from clinic.consent.receipt import SCHEMA, Disclosed, Event, Happened, Parties, Record, moment, written
from clinic.consent.receipts import Receipts, was_withdrawn
from clinic.consent.screen import DAYS, Question, draw, matches, prompt
from clinic.errors import BadBundle, Interrupted, Refused
from clinic.home import calling_user

TOOL = f"clinic {clinic.__version__}"
"""What a record calls this program."""


_NEVER = "nobody answered for it before"
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Person(Protocol):
    """Somebody at a terminal. Only `clinic.cli` has one."""

    def show(self, text: str) -> None:
        """Print the text as it is. Raises `Refused` where the terminal can't show all of it."""
        ...

    def answer(self, prompt: str) -> str:
        """What is typed after `prompt` in one line; empty for Enter and for the end of input."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a decision is made: what does not belong to the package or the destination."""

    receipts: Receipts
    """The store."""

    policy: Policy
    """What the organisation allows."""

    person: Person | None
    """Who can be asked; None where there is no terminal."""

    language: str = "en"
    """In which language to ask."""

    valid_certificate: bool = False
    """Whether a certificate that has expired is refused."""

    clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    """What time it is; aware."""


def ask(package: Package, destination: Destination, desk: Desk) -> Consent:
    """The consent to send `package` to `destination`: given before for exactly this, or by the person at the desk now.

    The package must be the file that its facts tell of; who sends it makes sure (`Consent.require`). Raises
    `Refused` where the policy, the destination or the person is against it, where nobody can be asked, and
    `BadBundle` where the receipts can't be relied on.
    """
    require_possible(package, destination, desk)
    earlier, why_not = _earlier(package, destination, desk)
    if earlier is not None:
        return earlier
    if desk.person is None:
        raise _nobody(package, destination, why_not)
    if why_not != _NEVER:
        desk.person.show(f"You are asked anew: {why_not}.\n")
    return give(package, destination, desk)


def give(package: Package, destination: Destination, desk: Desk) -> Consent:
    """Ask the person at the desk, whatever was answered before. Raises as `ask` does."""
    require_possible(package, destination, desk)
    person = require_person(desk)
    question = _question(package, destination, desk, desk.language)
    asked = desk.clock()
    person.show(text := draw(question))
    try:
        typed = person.answer(prompt(question))
    except KeyboardInterrupt as stopped:
        receipt = _record(question, desk, text, asked, "stopped")
        raise Interrupted(
            f"stopped, which is a no (receipt {receipt.id})",
            hint="nothing was sent and nothing connected to; the same command asks anew",
        ) from stopped
    if matches(typed, package.bundle):
        return _consent(_record(question, desk, text, asked, ""))
    how = "Enter" if not typed.strip() else "something else was typed"
    receipt = _record(question, desk, text, asked, how)
    raise Refused(
        f"not sent: you did not type {package.bundle[:8]} (receipt {receipt.id})",
        hint="nothing was sent and nothing connected to; the same command asks anew",
    )


def require_person(desk: Desk) -> Person:
    """Who can say yes. Raises `Refused` where there is no terminal."""
    if desk.person is None:
        raise Refused(
            "a yes is given at a terminal, and there is none",
            hint="no option, configuration or variable says yes; run it where you can type",
        )
    return desk.person


def require_worth_packing(foreseen: Package, destination: Destination, desk: Desk) -> None:
    """Raise `Refused` before a package is made in vain: the policy or a certificate is against it, nobody can answer.

    `foreseen` is what the package will be; its name is that of the bundle, its digest is not known yet.
    """
    desk.policy.require(foreseen, destination)
    _require_certificate(foreseen, destination, desk)
    if desk.person is None and not _said_yes(foreseen.bundle, destination, desk):
        raise _nobody(foreseen, destination, _NEVER)


def _said_yes(bundle: str, destination: Destination, desk: Desk) -> bool:
    """Whether somebody allowed any package of the bundle to go there; which one, and until when, is looked at later."""
    records = (one.event.record for one in desk.receipts.entries())
    return any(
        record is not None and record.answer == "yes"
        and (record.disclosed.bundle, record.parties.destination) == (bundle, destination.address)
        for record in records
    )  # fmt: skip


def _nobody(package: Package, destination: Destination, why_not: str) -> Refused:
    return Refused(
        f"nobody is at a terminal to answer for {package.name}, and {why_not}",
        hint=f"a person answers once, at a terminal: clinic consent give {package.name} --to {destination.name}",
    )


def require_possible(package: Package, destination: Destination, desk: Desk) -> None:
    """Raise `Refused` for what no answer could allow: the policy, the destination's limits, a certificate."""
    if not (_DIGEST.fullmatch(package.bundle) and _DIGEST.fullmatch(package.sha256)):
        raise BadBundle(f"what is said of {package.name} names no bundle id or no digest")
    desk.policy.require(package, destination)
    require_fits(package, destination)
    _require_certificate(package, destination, desk)


def _require_certificate(package: Package, destination: Destination, desk: Desk) -> None:
    certificate = certificate_of(destination)
    used = certificate is not None and certificate.sha256 in package.recipients
    if desk.valid_certificate and used and certificate and certificate.expires < desk.clock():
        raise Refused(
            f"the certificate of {destination.name} expired on {certificate.expires:%Y-%m-%d}",
            hint="--require-valid-cert refuses it; ask the operator for a valid one",
        )


def _question(package: Package, destination: Destination, desk: Desk, language: str) -> Question:
    return Question(
        package, destination, read_notice(destination.notice, language), desk.policy, desk.clock()
    )


def _earlier(package: Package, destination: Destination, desk: Desk) -> tuple[Consent | None, str]:
    """The consent of the last answer for this package and address where that holds, else why it does not.

    Only the last one counts: a no, or a withdrawal, takes back every yes before it.
    """
    entries = desk.receipts.entries()
    records = [one.event.record for one in reversed(entries) if one.event.record is not None]
    about = [record for record in records if record.disclosed.package == package.sha256]
    if not about:  # the answer to an earlier package of the bundle is no answer, and worth a word
        about = [record for record in records if record.disclosed.bundle == package.bundle]
    there = [record for record in about if record.parties.destination == destination.address]
    record = next(iter((*there, *about)), None)
    if record is None:
        return None, _NEVER
    events = tuple(one.event for one in entries if one.event.receipt == record.id)
    against = next(_against(record, events, package, destination, desk), None)
    if against is None:
        return _consent(record), ""
    return None, f"the answer of {record.answered} (receipt {record.id}) does not hold: {against}"


def _against(
    record: Record, events: tuple[Event, ...], package: Package, destination: Destination, desk: Desk
) -> Iterator[str]:
    """Every reason why an earlier answer is not one to this question."""
    if record.disclosed.package != package.sha256:
        yield "it was for another package of this bundle"
    if record.answer != "yes":
        yield "it was a no"
        return
    if was_withdrawn(events):
        yield "it was withdrawn"
    now = desk.clock()
    if now > moment(record.expires):
        yield f"it expired at {record.expires}"
    if now < moment(record.answered):
        yield "it comes from the future; one of the clocks is wrong"
    question = _question(package, destination, desk, record.notice.language)
    if record.parties != _parties(question):
        yield f"it was for another destination, or another operator ({record.parties.destination})"
    if record.disclosed != _disclosed(package):
        yield "what is said of the package has changed"
    if record.policy != desk.policy.digest:
        yield "the policy has changed"
    if record.notice != question.notice.notice:
        yield f"the notice was {record.notice}, and is {question.notice.notice} with other words"
    if record.text_sha256 != _digest(record.text) or record.text != draw(question):
        yield "the text that was shown is not the one that would be shown now"


def _consent(record: Record) -> Consent:
    return Consent(
        record.disclosed.package, record.disclosed.bundle, record.parties.destination, record.id,
        str(record.notice), moment(record.expires),
    )  # fmt: skip


def _record(question: Question, desk: Desk, text: str, asked: datetime, refused: str) -> Record:
    """Write down what was answered: yes, or why it is a no. Only what is on the disk counts."""
    answered = desk.clock()
    expires = "" if refused else written(answered + timedelta(days=DAYS))
    record = Record(
        SCHEMA, str(uuid.uuid4()), principal(), question.notice.notice, text, _digest(text),
        _disclosed(question.package), _parties(question), question.policy.digest,
        "no" if refused else "yes", f"at a terminal: {refused or 'the beginning of the bundle id was typed'}",
        written(asked), written(answered), expires, TOOL, question.notice.purpose,
    )  # fmt: skip
    happened = Happened.REFUSED if refused else Happened.GIVEN
    desk.receipts.append(Event(happened, record.id, record.answered, record.principal, record=record))
    return record


def _disclosed(package: Package) -> Disclosed:
    return Disclosed(
        package.bundle, package.sha256, package.name, package.size, package.container, package.recipients,
        package.kept, sum(package.redaction.counts.values()), package.privacy, package.leaks.found,
        len(package.missing), package.case,
    )  # fmt: skip


def _parties(question: Question) -> Parties:
    there = question.destination
    return Parties(
        there.address, there.name, there.protocol.value, there.operator, there.contact, there.region, there.processed,
        there.retention, there.terms, question.notice.recipients,
    )  # fmt: skip


def principal() -> str:
    """Who answers: the account at its machine, under sudo the one that called it."""
    import pwd  # only where there are such accounts

    caller = calling_user()
    number = caller[0] if caller else os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = str(number)
    return f"{name}@{platform.node()}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
