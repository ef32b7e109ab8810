"""Sends to an S3-compatible store: a multipart upload whose parts may go side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from clinic.errors import BadBundle, ItemError, Refused
from clinic.upload.door import AGAIN, Reply, Stretch, final
from clinic.upload.flow import passing_trouble, retry_after
from clinic.upload.outgoing import Agreed, Sent
from clinic.upload.put import md5_of
from clinic.upload.state import Done, Kept, Memory, name_of
from clinic.upload.stores import Store, no_store, tag
from clinic.upload.uploader import refusal

MOST_AT_ONCE = 4
"""Most parts that are sent side by side."""

RESENT = 3
"""How often a part may arrive changed before something on the way is to blame."""


class S3:
    """A multipart upload to one store."""

    def __init__(self, store: Store, *, at_once: int = 1, session: str = "") -> None:
        """`session` is what the store was opened with, kept for going on later where URLs were signed for us."""
        self._store = store
        self._at_once = max(1, min(at_once, MOST_AT_ONCE))
        self._session = session

    def check(self) -> Reply:
        reply = self._store.exists("clinic-check")
        if reply is None:
            return self._store.door.ask("OPTIONS", "/")
        if reply.status not in (200, 404):
            raise no_store(reply)
        return reply

    def send(self, agreed: Agreed) -> Sent:
        with Memory.of(agreed) as memory:
            sent = _Sending(self._store, agreed, memory, self._at_once, self._session).run()
            memory.wipe()
        return sent

    def delete(self, upload: str) -> str:
        reply = self._store.delete(upload)
        if reply is None:
            raise Refused("presigned URLs can't delete", hint="write to the destination's operator instead")
        if not reply.good and reply.status != 404:
            raise refusal(reply)
        return "deleted"

    def abort(self, kept: Kept) -> None:
        reply = self._store.abort(kept.name, kept.upload)
        if reply is not None and not reply.good and reply.status != 404:
            raise refusal(reply)

    def close(self) -> None:
        self._store.door.close()


class _Sending:
    """One upload."""

    def __init__(self, store: Store, agreed: Agreed, memory: Memory, at_once: int, session: str) -> None:
        self._store = store
        self._agreed = agreed
        self._memory = memory
        self._at_once = at_once
        self._session = session
        self._flow = store.door.flow
        self._name = object_name(agreed)
        self._sums: dict[int, str] = {}

    def run(self) -> Sent:
        self._begin()
        self._flow.begin(self._agreed.outgoing.size)
        self._flow.resume(
            min(len(self._memory.kept.done) * self._memory.kept.part, self._agreed.outgoing.size)
        )
        self._parts()
        return self._finish()

    def _begin(self) -> None:
        size = self._store.part_size(self._agreed.outgoing.size)
        kept = self._memory.kept
        if kept.upload and kept.part == size and kept.session == self._session:
            held = self._store.held(self._name, kept.upload)
            if held is not None:
                self._memory.note(done=self._known(held))
                return
            if self._session:
                return  # nobody can be asked: what was confirmed counts
        self._memory.forget()
        begun = self._store.begin(self._name)
        self._memory.note(upload=begun, name=self._name, part=size, session=self._session)

    def _known(self, held: tuple[Done, ...]) -> tuple[Done, ...]:
        """Parts that the store has and that are ours: it wins, but what we never saw confirmed is sent again."""
        ours = {one.number: one for one in self._memory.kept.done}
        theirs = {one.number: one.tag.strip('"') for one in held}
        lost = [number for number in ours if number not in theirs]
        if lost:
            raise BadBundle(
                f"the store had confirmed part {lost[0]} and has lost it",
                hint="clinic upload --abort begins anew",
            )
        return tuple(one for number, one in ours.items() if theirs[number] in ("", one.tag.strip('"')))

    def _parts(self) -> None:
        done = {one.number for one in self._memory.kept.done}
        count = -(-self._agreed.outgoing.size // self._memory.kept.part)
        waiting = [number for number in range(1, count + 1) if number not in done]
        in_order(waiting, self._part, self._at_once, self._note)

    def _note(self, done: Done) -> None:
        self._memory.note(done=(*self._memory.kept.done, done))

    def _part(self, number: int) -> Done:
        kept, outgoing = self._memory.kept, self._agreed.outgoing
        start = (number - 1) * kept.part
        end = min(start + kept.part, outgoing.size)
        sha256 = outgoing.sha256_of(start, end)
        changed = 0
        while True:
            self._flow.stop.check()
            reply = self._try(number, Stretch(outgoing, start, end), sha256)
            if reply is None:
                continue
            if reply.good:
                self._flow.patience.moved()
                return Done(number, reply.headers.get("ETag", ""), md5_of(self._agreed, start, end))
            if tag(reply, "Code") not in ("BadDigest", "XAmzContentSHA256Mismatch") or changed >= RESENT:
                raise self._refused(reply, number)
            changed += 1
            self._flow.patience.wait(reply.words)

    def _try(self, number: int, body: Stretch, sha256: bytes) -> Reply | None:
        """One try; None when it is worth another."""
        try:
            reply = self._store.put(self._name, self._memory.kept.upload, number, body, sha256)
        except ItemError as error:
            if not passing_trouble(error):
                raise final(error) from error
            self._flow.patience.wait(error.message)
            return None
        if reply.status in AGAIN:
            self._flow.patience.wait(reply.words, retry_after(reply.headers))
            return None
        return reply

    def _refused(self, reply: Reply, number: int) -> Exception:
        if reply.status == 403 and self._session:
            return Refused(
                f"the URL of part {number} was not accepted: {reply.words}",
                hint="it may have expired: ask for new ones; the same command goes on with them",
            )
        if reply.status == 404 and not self._session:
            self._memory.forget()
            return Refused("the store no longer knows this upload", hint="the same command begins it anew")
        return no_store(reply)

    def _finish(self) -> Sent:
        self._agreed.outgoing.require_unchanged()
        kept = self._memory.kept
        reply = self._store.complete(self._name, kept.upload, kept.done)
        # S3 begins to answer before it is done: 200 may be followed by an error.
        if reply.good and "<CompleteMultipartUploadResult" in reply.body.decode("utf-8", "replace"):
            return self._sent(tag(reply, "ETag"))
        if reply.status == 404 or reply.good:
            return self._ended_before(reply)
        raise no_store(reply)

    def _ended_before(self, reply: Reply) -> Sent:
        """The answer to an earlier try may have been lost: then the object is there."""
        head = self._store.exists(self._name)
        if head is None or head.headers.get("Content-Length") != str(self._agreed.outgoing.size):
            raise no_store(reply)
        return self._sent(head.headers.get("ETag", ""))

    def _sent(self, mark: str) -> Sent:
        return Sent(self._store.link(self._name), self._name, self._same(mark))

    def _same(self, mark: str) -> bool:
        """Whether the store's mark of the object is that of our bytes. One made otherwise says nothing."""
        kept = self._memory.kept
        plain = mark.strip('"').lower()
        if "-" not in plain or len(plain.partition("-")[0]) != 32:
            return False
        sums = b"".join(bytes.fromhex(one.md5) for one in sorted(kept.done, key=lambda one: one.number))
        return plain == f"{hashlib.md5(sums, usedforsecurity=False).hexdigest()}-{len(kept.done)}"


def object_name(agreed: Agreed) -> str:
    """What the object is called: by its content, so that two packages never meet."""
    return f"{name_of(agreed.outgoing.sha256, agreed.destination.address)}/{agreed.outgoing.path.name}"


def in_order(
    numbers: list[int], act: Callable[[int], Done], at_once: int, note: Callable[[Done], None]
) -> None:
    """Do `act` for each number, a few side by side; the first that fails ends it once the others have ended."""
    waiting = list(reversed(numbers))
    running: set[Future[Done]] = set()
    failed: BaseException | None = None
    with ThreadPoolExecutor(at_once, "part") as pool:
        while running or (waiting and failed is None):
            while waiting and failed is None and len(running) < at_once:
                running.add(pool.submit(act, waiting.pop()))
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for one in ended:
                error = one.exception()
                if error is None:
                    note(one.result())
                else:
                    failed = failed or error
    if failed is not None:
        raise failed
