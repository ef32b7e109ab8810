"""Taking a decision back: what is written down, the letter to the operator, and what it can and can't do."""

from __future__ import annotations

from datetime import datetime

from clinic.consent.notice import read_notice
from clinic.consent.receipt import Event, Happened, Record, written
from clinic.consent.receipts import Receipts, was_confirmed, was_sent, was_withdrawn
from clinic.errors import UsageError
from clinic.formats.page import plain

CAN = "From now on nothing more is sent under this receipt. The operator is asked to delete what it has."
"""What a withdrawal does."""

CANNOT = (
    "It can't undo what was read, copied, learned or done with the data before, and Clinic can't see whether the "
    "operator deletes anything: the state stays `requested` until you record its confirmation."
)
"""What no withdrawal does."""

NOTHING_SENT = "as far as these receipts know, nothing had been sent"
"""Why a withdrawal can be confirmed at once."""


def withdraw(receipts: Receipts, record: Record, events: tuple[Event, ...], who: str, now: datetime) -> bool:
    """Write down that the decision is taken back; whether the operator has to be asked to delete something.

    Where nothing was sent that is all there is to it. Raises `UsageError` for a no, which nobody takes back.
    """
    if record.answer != "yes":
        raise UsageError(f"receipt {record.id} is a no, so there is nothing to take back")
    moment = written(now)
    if not was_withdrawn(events):
        receipts.append(Event(Happened.WITHDRAWAL_REQUESTED, record.id, moment, who))
    if was_sent(events):
        return not was_confirmed(events)
    if not was_confirmed(events):
        receipts.append(Event(Happened.WITHDRAWAL_CONFIRMED, record.id, moment, who, note=NOTHING_SENT))
    return False


def confirm(
    receipts: Receipts, record: Record, events: tuple[Event, ...], note: str, who: str, now: datetime
) -> None:
    """Write down that the operator confirmed the deletion, in whose words. Raises `UsageError` before the request."""
    if not was_withdrawn(events):
        raise UsageError(
            f"receipt {record.id} was not withdrawn", hint=f"clinic consent withdraw {record.id[:8]} does"
        )
    receipts.append(Event(Happened.WITHDRAWAL_CONFIRMED, record.id, written(now), who, note=note))


def letter(record: Record, events: tuple[Event, ...], now: datetime) -> str:
    """What to write to the operator, in the language of the notice. Names no account of the customer's."""
    sent = [event for event in events if event.happened in (Happened.UPLOADED, Happened.CARRIED)]
    disclosed, parties = record.disclosed, record.parties
    asked = next((one for one in events if one.happened is Happened.WITHDRAWAL_REQUESTED), None)
    facts = {
        "operator": parties.operator or parties.destination or parties.name, "answered": record.answered,
        "now": asked.time if asked else written(now), "receipt": record.id, "endpoint": parties.destination,
        "name": disclosed.name, "size": f"{disclosed.size:,}", "package": disclosed.package,
        "bundle": disclosed.bundle, "case": disclosed.case or "-",
        "sent": ", ".join(event.time for event in sent) or "-",
        "upload": ", ".join(event.upload for event in sent if event.upload) or "-",
        "link": ", ".join(event.link for event in sent if event.link) or "-",
    }  # fmt: skip
    words = read_notice("letter", record.notice.language).words
    return words.format(**{name: plain(value) for name, value in facts.items()}) + "\n"
