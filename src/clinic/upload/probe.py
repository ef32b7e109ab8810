"""Whether an upload would work, before there is an incident: each thing that can be wrong, told apart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from clinic.errors import ClinicError, ItemError
from clinic.units import human_duration
from clinic.upload.door import Reply, clock_difference, final
from clinic.upload.uploader import CLOCK, Uploader


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found."""

    what: str
    """`reached`, `clock`, `accepted`."""

    good: bool
    """Whether an upload can go on from here."""

    text: str
    """In words."""

    fix: str = ""
    """What to do, where something is to be done."""


def probe(uploader: Uploader) -> Iterator[Finding]:
    """Look at the way there (name, proxy, TLS), the clock and the token."""
    try:
        reply = uploader.check()
    except ItemError as error:
        ended = final(error)
        yield Finding("reached", good=False, text=ended.message, fix=ended.hint)
        return
    except ClinicError as error:
        yield Finding("accepted", good=False, text=error.message, fix=error.hint)
        return
    yield Finding("reached", good=True, text=f"{reply.asked} was answered with {reply.status}")
    yield _clock(reply)
    yield Finding("accepted", good=True, text="the token is accepted, as far as can be told without sending")


def _clock(reply: Reply) -> Finding:
    ahead = clock_difference(reply, time.time())
    if ahead is None:
        return Finding("clock", good=True, text="the server does not tell its time")
    if abs(ahead) > CLOCK:
        way = "ahead of" if ahead > 0 else "behind"
        text = f"this machine's clock is {human_duration(abs(ahead))} {way} the server's"
        return Finding("clock", good=False, text=text, fix="set this machine's clock")
    return Finding("clock", good=True, text="this machine's clock agrees with the server's")
