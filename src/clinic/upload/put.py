"""One presigned PUT: the whole package in one request, to a URL that is the permission."""

from __future__ import annotations

import hashlib

from clinic.consent.origin import is_within, place
from clinic.errors import ItemError, Refused, UsageError
from clinic.secret import Secret
from clinic.upload.door import AGAIN, Door, Reply, Route, Stretch, final
from clinic.upload.flow import Flow, passing_trouble, retry_after
from clinic.upload.outgoing import Agreed, Sent
from clinic.upload.state import Kept, Memory, name_of
from clinic.upload.uploader import refusal


class Put:
    """A URL that takes one PUT. It can't be gone on with: a break begins anew."""

    def __init__(self, url: Secret, address: str, route: Route, flow: Flow) -> None:
        """Raises `Refused` for a URL that leads elsewhere than to `address`, which is what consent was for."""
        require_within(url, address)
        self._door = Door(url.reveal(), route, flow)

    def check(self) -> Reply:
        # A signature for PUT opens nothing else, so that the status says nothing of it.
        return self._door.ask("OPTIONS", self._door.path.split("?", maxsplit=1)[0])

    def send(self, agreed: Agreed) -> Sent:
        outgoing = agreed.outgoing
        with Memory.of(agreed) as memory:
            memory.note(upload=name_of(outgoing.sha256, agreed.destination.address), sent=outgoing.size)
            reply = self._put(agreed)
            if not reply.good:
                raise _refused(reply)
            memory.wipe()
        return Sent("", self._door.path.split("?", maxsplit=1)[0], _same_tag(reply, agreed))

    def delete(self, upload: str) -> str:
        raise Refused(
            f"a URL for one PUT can't delete {upload}", hint="write to the destination's operator instead"
        )

    def abort(self, kept: Kept) -> None:
        del kept  # nothing is kept there of a PUT that broke off

    def close(self) -> None:
        self._door.close()

    def _put(self, agreed: Agreed) -> Reply:
        outgoing, flow = agreed.outgoing, self._door.flow
        while True:
            flow.stop.check()
            outgoing.require_unchanged()
            flow.begin(outgoing.size)
            try:
                reply = self._door.ask("PUT", self._door.path, Stretch(outgoing, 0, outgoing.size))
            except ItemError as error:
                if not passing_trouble(error):
                    raise final(error) from error
                flow.patience.wait(error.message)
                continue
            if reply.status not in AGAIN:
                return reply
            flow.patience.wait(reply.words, retry_after(reply.headers))


def require_within(url: Secret, address: str) -> None:
    """Raise `Refused` when a presigned URL leads to another place than the one that was agreed to."""
    try:
        leads = "".join(place(url.reveal()))
    except ValueError as error:
        raise UsageError(f"the presigned URL can't be used: {error}") from error
    if not is_within(leads, address):
        raise Refused(
            f"the presigned URL leads to {leads}, and the destination is {address}",
            hint="ask for a URL of that destination, or name the other one with --to",
        )


def _refused(reply: Reply) -> Exception:
    if reply.status == 403:
        return Refused(
            f"the URL was not accepted: {reply.words}",
            hint="it may have expired: ask for a new one, then try again",
        )
    return refusal(reply)


def _same_tag(reply: Reply, agreed: Agreed) -> bool:
    """Whether the ETag is the MD5 of what was sent, as S3 makes it; anything else says nothing."""
    tag = reply.headers.get("ETag", "").strip('"').lower()
    if len(tag) != 32:
        return False
    return tag == md5_of(agreed, 0, agreed.outgoing.size)


def md5_of(agreed: Agreed, start: int, end: int) -> str:
    """MD5 of a stretch, hexadecimal: against accidents only, since that is what S3 answers with."""
    digest = hashlib.md5(usedforsecurity=False)
    while start < end:
        data = agreed.outgoing.read(start, min(1 << 20, end - start))
        digest.update(data)
        start += len(data)
    return digest.hexdigest()
