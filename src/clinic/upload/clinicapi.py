"""Sends in the Clinic API: to PingCAP's server, which counts parts, and to ours, which says at which byte it is."""

from __future__ import annotations

from contextlib import suppress

from clinic.client.refusal import said
from clinic.errors import BadBundle, ItemError, Refused
from clinic.secret import Secret
from clinic.units import KIB
from clinic.upload.clinicwire import Calls, Place, answer, code, place
from clinic.upload.door import AGAIN, Door, Reply, Stretch, final
from clinic.upload.flow import passing_trouble, retry_after
from clinic.upload.layout import layout
from clinic.upload.outgoing import Agreed, Sent
from clinic.upload.part_size import ChunkSize
from clinic.upload.state import Kept, Memory, name_of
from clinic.upload.uploader import refusal, require_digest, require_possible

RESENT = 3
"""How often a part may arrive changed before something on the way is to blame."""


class ClinicApi:
    """A server that speaks the Clinic API."""

    def __init__(self, door: Door, token: Secret) -> None:
        self._calls = Calls(door, token)

    def check(self) -> Reply:
        reply = self._calls.probe(name_of("check", ""))
        if reply.status in (401, 403) or reply.status >= 500:
            raise refusal(reply)
        return reply

    def send(self, agreed: Agreed) -> Sent:
        with Memory.of(agreed) as memory:
            sent = _Sending(self._calls, agreed, memory).run()
            memory.wipe()
        return sent

    def delete(self, upload: str) -> str:
        reply = self._calls.delete(upload)
        if reply.status in (404, 405, 501):
            raise Refused(
                f"the server does not delete it: {reply.words}", hint="write to its operator instead"
            )
        if not reply.good:
            raise refusal(reply)
        return said(reply.body[: 4 * KIB]) or "deleted"

    def abort(self, kept: Kept) -> None:
        reply = self._calls.delete(kept.upload)
        # One that knows no deletion, as PingCAP's, forgets what is unfinished by itself.
        if not reply.good and reply.status not in (404, 405, 501):
            raise refusal(reply)

    def close(self) -> None:
        self._calls.door.close()


class _Sending:
    """One upload."""

    def __init__(self, calls: Calls, agreed: Agreed, memory: Memory) -> None:
        self._calls = calls
        self._agreed = agreed
        self._memory = memory
        self._flow = calls.door.flow
        self._layout = layout(agreed.outgoing)
        self._uuid = name_of(agreed.outgoing.sha256, agreed.destination.address)
        self._size: ChunkSize | None = None
        self._conflicts = self._changed = self._sessions = 0

    def run(self) -> Sent:
        """All of it, to the server's last word."""
        self._flow.begin(self._layout.length)
        if self._layout.metadata and not self._memory.kept.upload:
            self._require_let_in()
        while True:
            here = self._announce()
            while not here.complete and here.offset < self._layout.length:
                self._flow.stop.check()
                here = self._part(here)
            sent = self._finish()
            if sent is not None:
                return sent

    def _require_let_in(self) -> None:
        """Try the token before an announcement that carries the beginning of the package, as that of a `.diag` does.

        Only a refusal counts: what else a server says to an upload that it does not know is no matter.
        """
        with suppress(ItemError):
            reply = self._calls.probe(name_of("check", ""))
            if reply.status in (401, 403):
                raise refusal(reply)

    def _announce(self) -> Place:
        cut = self._layout
        query = {
            "uuid": self._uuid, "length": str(cut.length), "alias": "", "filename": self._agreed.outgoing.path.name,
            "encryption": cut.encryption, "compression": cut.compression,
        }  # fmt: skip
        reply = self._calls.precreate(query, cut.metadata, self._agreed.outgoing.sha256)
        if not reply.good:
            raise refusal(reply)
        here = place(reply, cut.length)
        kept = self._memory.kept
        if kept.upload and not here.complete:
            require_possible(here.offset, kept.confirmed, kept.sent)
        self._memory.note(upload=self._uuid, confirmed=here.offset, sent=max(kept.sent, here.offset))
        self._flow.resume(here.offset)
        if self._size is None:
            self._size = ChunkSize(here.block)
        return here

    def _part(self, here: Place) -> Place:
        assert self._size is not None, "announced before the first part"
        end = min(here.offset + (here.block if here.numbered else self._size.now), self._layout.length)
        self._memory.note(confirmed=here.offset, sent=max(self._memory.kept.sent, end))
        try:
            reply = self._deliver(here, end)
        except ItemError as error:
            if not passing_trouble(error):
                raise final(error) from error
            return self._again(error.message, None)
        if reply.good:
            return self._went_through(here, end)
        if reply.status in AGAIN:
            return self._again(reply.words, retry_after(reply.headers))
        return self._refused(reply)

    def _deliver(self, here: Place, end: int) -> Reply:
        cut, outgoing = self._layout, self._agreed.outgoing
        query = {
            "uuid": self._uuid, "sequence": str(here.offset // here.block + 1), "length": str(end - here.offset)
        }  # fmt: skip
        first, last = cut.start + here.offset, cut.start + end
        if here.numbered:
            outgoing.require_unchanged()
            return self._calls.part(query, Stretch(outgoing, first, last), None)
        query["offset"] = str(here.offset)
        return self._calls.part(query, Stretch(outgoing, first, last), outgoing.sha256_of(first, last))

    def _went_through(self, here: Place, end: int) -> Place:
        assert self._size is not None, "announced before the first part"
        self._size.clean()
        self._conflicts = self._changed = 0
        self._flow.patience.moved()
        return Place(end, here.block, here.numbered, complete=False)

    def _again(self, why: str, asked: float | None) -> Place:
        """Wait, then ask how far the server is: it may have more of the part than we know."""
        assert self._size is not None, "announced before the first part"
        self._size.trouble()
        before = self._memory.kept.confirmed  # as of the beginning of this part
        self._flow.patience.wait(why, asked)
        here = self._announce()
        if here.offset > before:
            self._flow.patience.moved()
        return here

    def _refused(self, reply: Reply) -> Place:
        assert self._size is not None, "announced before the first part"
        if reply.status == 409 and self._conflicts == 0:
            self._conflicts += 1
            return self._announce()
        if reply.status in (404, 410) and self._sessions == 0:
            self._sessions += 1
            self._memory.forget()
            return self._announce()
        if reply.status == 413 and self._size.limit(_largest(reply)):
            return self._announce()
        if reply.status == 460 or code(reply) == "digest":
            return self._arrived_changed(reply)
        raise refusal(reply)

    def _arrived_changed(self, reply: Reply) -> Place:
        self._changed += 1
        if self._changed > RESENT:
            raise BadBundle(
                f"a part arrived changed {self._changed} times: {reply.words}",
                hint="something on the way changes bytes: try without the proxy, or carry it (--offline)",
            )
        return self._again(reply.words, None)

    def _finish(self) -> Sent | None:
        """The end; None when the server turns out to lack something, and all is done once more."""
        self._agreed.outgoing.require_unchanged()
        reply = self._calls.flush({"uuid": self._uuid, "issue": self._agreed.case})
        if reply.status in (404, 409, 410, 422) and self._sessions == 0:
            self._sessions += 1
            self._memory.forget()
            return None
        if reply.status == 422 and code(reply) == "digest":
            raise BadBundle(
                f"what arrived is not what was sent, twice: {reply.words}",
                hint="something on the way changes bytes: try without the proxy, or carry it (--offline)",
            )
        if not reply.good:
            raise refusal(reply)
        found = answer(reply)
        link, stated = found.get("result"), found.get("sha256")
        confirmed = require_digest(stated if isinstance(stated, str) else "", self._agreed)
        return Sent(link if isinstance(link, str) else "", self._uuid, confirmed)


def _largest(reply: Reply) -> int:
    """The most that a part may have, where the refusal says so."""
    found = answer(reply) if reply.body[:1] == b"{" else {}
    stated = found.get("block")
    return stated if isinstance(stated, int) and stated > 0 else 1 << 62
