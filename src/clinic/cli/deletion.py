"""Asks a destination to delete what was sent to it, when the yes for it is taken back."""

from __future__ import annotations

from dataclasses import replace

from clinic.cli.sending import Reaching
from clinic.consent.destination import Destination, Protocol
from clinic.consent.destinations import find_destination
from clinic.consent.receipt import Event, Happened, Record
from clinic.errors import ClinicError, UsageError
from clinic.upload.choose import Way, uploader
from clinic.upload.flow import Flow
from clinic.upload.state import name_of

PATIENCE = 30.0
"""Seconds for a server that does not answer; the letter does the same."""


def ask_for_deletion(reaching: Reaching, record: Record, events: tuple[Event, ...]) -> tuple[str, str]:
    """What the destination said when it had deleted everything, else empty, and then why it could not be asked."""
    destination = _destination(record)
    try:
        if not reaching.has_credential(destination):
            raise UsageError(f"it was not asked: there is no token for {destination.name} (--token-file)")
        way = Way(reaching.credential(destination), reaching.route())
        sender = uploader(destination, way, Flow(give_up=PATIENCE))
        try:
            return "; ".join(sender.delete(upload) for upload in _uploads(record, events)), ""
        finally:
            sender.close()
    except ClinicError as error:
        return "", error.message


def _destination(record: Record) -> Destination:
    parties = record.parties
    found = find_destination(parties.destination, Protocol(parties.protocol))
    # What was agreed to counts, also where a file of destinations says something else by now.
    return replace(found, endpoint=parties.destination, path="", protocol=Protocol(parties.protocol))


def _uploads(record: Record, events: tuple[Event, ...]) -> list[str]:
    """What the destination calls it; an upload that did not end is known by what it would have been called."""
    ended = [event.upload for event in events if event.happened is Happened.UPLOADED and event.upload]
    return list(dict.fromkeys(ended)) or [name_of(record.disclosed.package, record.parties.destination)]
