"""What every way of sending has to offer, and what their refusals mean."""

from __future__ import annotations

import time
from typing import Protocol

from clinic.errors import BadBundle, ClinicError, Refused, Unreachable
from clinic.units import human_size
from clinic.upload.door import Reply, clock_difference
from clinic.upload.outgoing import Agreed, Sent
from clinic.upload.state import Kept

CLOCK = 300.0
"""Seconds by which two clocks may differ before that is worth a word."""


class Uploader(Protocol):
    """One way in which a destination takes a package."""

    def check(self) -> Reply:
        """Ask whether we would be let in, without sending or beginning anything. Raises what `send` would."""
        ...

    def send(self, agreed: Agreed) -> Sent:
        """Send it, going on where an earlier try stopped. Raises `ClinicError`."""
        ...

    def delete(self, upload: str) -> str:
        """Ask for an upload to be deleted: what the server says of it. Raises `Refused` where that can't be asked."""
        ...

    def abort(self, kept: Kept) -> None:
        """Give up what was begun, so that nobody keeps and pays for half of a package. Raises `ClinicError`."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


def refusal(reply: Reply) -> ClinicError:
    """What a final answer that is not good means, in one line, and what to do."""
    if reply.status in (401, 403):
        return Refused(f"the token was not accepted: {reply.words}", hint=_token_hint(reply))
    if reply.status == 413:
        return Refused(
            f"it is too large for the destination: {reply.words}", hint="leave things out with --without"
        )
    if reply.status == 507:
        return Refused(
            f"the destination has no room: {reply.words}",
            hint="tell its operator; the same command then goes on",
        )
    if reply.status == 412:
        return Refused(f"the destination speaks another version: {reply.words}", hint="use the newest clinic")
    if 400 <= reply.status < 500:
        return Refused(reply.words, hint="check the destination, and that it is what it is said to be")
    return Unreachable(reply.words)


def _token_hint(reply: Reply) -> str:
    ahead = clock_difference(reply, time.time())
    if ahead is not None and abs(ahead) > CLOCK:
        way = "ahead of" if ahead > 0 else "behind"
        days = abs(ahead) / 86400
        long = f"{days:.0f} days" if days >= 1 else f"{abs(ahead) / 60:.0f} min"
        return f"this machine's clock is {long} {way} the server's: set it, and try again"
    return "ask the destination's operator for a new one; nothing was lost, the same command goes on"


def require_digest(stated: str, agreed: Agreed) -> bool:
    """Whether the server said our digest; False when it said none. Raises `BadBundle` when it said another."""
    if stated and stated.lower() != agreed.outgoing.sha256:
        raise BadBundle(
            f"the server has another file: it says SHA-256 {stated[:64]!a}, sent was {agreed.outgoing.sha256}",
            hint="send it again; if it happens again, something on the way changes bytes",
        )
    return bool(stated)


def require_possible(offset: int, confirmed: int, sent: int) -> None:
    """Raise `BadBundle` when a server claims bytes that were never sent, or has lost what it had confirmed."""
    if offset > sent:
        raise BadBundle(
            f"the server says that it has {human_size(offset)}, and only {human_size(sent)} were ever sent",
            hint="it is not the server that it was: clinic upload --abort, then again",
        )
    if offset < confirmed:
        raise BadBundle(
            f"the server had confirmed {human_size(confirmed)} and now has {human_size(offset)}",
            hint="tell its operator; clinic upload --abort begins anew",
        )
