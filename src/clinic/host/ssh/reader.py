"""An open file of a node: held open there by a process that sleeps, so that rotation and deletion change nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Partial, Retryable, Skip
from clinic.formats.compressed import BadPacking, Packing, packing_of, unpack
from clinic.host.base import Process, Reader
from clinic.host.keys import is_key, is_key_name
from clinic.host.reader import NO_ANSWER, SPECIAL
from clinic.host.ssh.files import NOT_REGULAR, Answer, Ask, Files, Looked
from clinic.host.ssh.quoting import script, word
from clinic.host.ssh.script import BLOCK, HEAD
from clinic.host.walk import PSEUDO, check_path, shown
from clinic.outcome import Reason
from clinic.units import KIB, MIB

PACKED = 256 * KIB
"""Bytes from which on a stretch is compressed on its way."""

LITTLE = 16 * KIB
"""Bytes of ranges up to which they come as they are."""

MANY = 32
"""Ranges from which on two of them are read at once."""

LARGEST = 64 * MIB
"""Most bytes of an answer that is taken whole."""

_BLOCK = 64 * KIB
_DELETED = " (deleted)"
_PROGRAMS = {Packing.ZSTD: "zstd -q -1 -c", Packing.GZIP: "gzip -1 -c"}

Start = Callable[[Sequence[str], Deadline], Process]
"""Runs words in a shell of their own, with little claim to the node's time and disks."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What a reader does things with on its node."""

    ask: Ask
    """Small requests."""

    start: Start
    """Big streams."""

    let_go: Callable[[int], None]
    """Ends the process that holds a file open."""

    packing: Packing | None
    """How big streams are compressed on their way."""


class SSHReader(Reader):
    """Reads one regular file that `open_file` found safe."""

    def __init__(self, hands: Hands, found: Looked, holder: int, head: bytes) -> None:
        """`holder` is the process that holds it open, 0 where `head` is all of it."""
        self.info = found.info
        self._hands = hands
        self._holder = holder
        self._head = head
        self._whole = not holder

    def ranges(self, wanted: Sequence[tuple[int, int]], deadline: Deadline) -> list[bytes]:
        size = len(self._head) if self._whole else self.info.size
        inside = [(offset, max(0, min(length, size - offset))) for offset, length in wanted]
        asked = [one for one in inside if one[1] and sum(one) > len(self._head)]
        found = dict(zip(asked, self._fetch(asked, deadline), strict=True)) if asked else {}
        return [
            found[offset, length] if (offset, length) in found else self._head[offset : offset + length]
            for offset, length in inside
        ]

    def _fetch(self, asked: Sequence[tuple[int, int]], deadline: Deadline) -> list[bytes]:
        """One round trip, in blocks: `dd` reads them without flags that only GNU has."""
        blocks = [(offset // BLOCK, -(-(offset + length) // BLOCK)) for offset, length in asked]
        packing = self._hands.packing if sum(length for _, length in asked) > LITTLE else None
        half = len(blocks) // 2 if packing is not None and len(blocks) >= MANY else 0
        line = self._line(blocks[half:], packing)
        if half:
            # Each range is a process there: what the other half gives, packed, has room in a pipe meanwhile.
            line = f"{{ {line}; }} | {{ {self._line(blocks[:half], packing)}; cat; }}"
        answer = self._hands.ask(script(line.encode()), deadline)
        parts = self._unpacked(answer.data, packing).split(answer.separator)
        if len(parts) != len(asked) + 1:
            raise Retryable(Reason.READ_ERROR, f"{shown(self.info.path)} is no longer held open there")
        return [
            part[offset - begin * BLOCK :][:length]
            for (offset, length), (begin, _), part in zip(asked, blocks, parts, strict=False)
        ]

    def _line(self, blocks: Sequence[tuple[int, int]], packing: Packing | None) -> str:
        """What prints ranges of blocks, compressed or not."""
        line = f"ranges_ {self._holder} " + " ".join(f"{begin} {end - begin}" for begin, end in blocks)
        return line if packing is None else f"{line} | {_PROGRAMS[packing]}"

    def _unpacked(self, data: bytes, packing: Packing | None) -> bytes:
        if packing is None:
            return data
        try:
            pieces, size = list[bytes](), 0
            for piece in unpack(packing, [data]):
                pieces.append(piece)
                size += len(piece)
                if size > LARGEST:
                    raise BadPacking("a small answer expands without an end")
        except BadPacking as error:
            raise Retryable(Reason.BAD_ANSWER, f"{shown(self.info.path)}: {error}") from error
        return b"".join(pieces)

    def stream(self, start: int, end: int | None, deadline: Deadline) -> Iterator[bytes]:
        stop = self.info.size if end is None else min(end, self.info.size)
        if self._whole or (end is not None and end <= len(self._head)):
            stop = len(self._head) if self._whole and end is None else stop
            yield from (
                self._head[at : min(stop, at + _BLOCK)]
                for at in range(start, min(stop, len(self._head)), _BLOCK)
            )
            return
        if start >= stop:
            return
        begin = start // _BLOCK
        packing = self._hands.packing if stop - start > PACKED and packing_of(self._head) is None else None
        skip, left = start - begin * _BLOCK, stop - start
        for data in self._plain(begin, -(-stop // _BLOCK) - begin, packing, deadline):
            piece = data[skip : skip + left]
            skip = max(0, skip - len(data))
            left -= len(piece)
            if piece:
                yield piece
                deadline.moved()
            if not left:
                return

    def _plain(self, begin: int, count: int, packing: Packing | None, deadline: Deadline) -> Iterator[bytes]:
        program = f" | {_PROGRAMS[packing]}" if packing is not None else ""
        line = f'dd if="$1" bs={_BLOCK} skip="$2" count="$3" 2>/dev/null{program}'
        words = ("/bin/sh", "-c", line, "sh", f"/proc/{self._holder}/fd/0", str(begin), str(count))
        with self._hands.start(words, deadline) as process:
            if packing is None:
                yield from process.chunks()
                return
            try:
                yield from unpack(packing, process.chunks())
            except BadPacking as error:
                raise Partial(Reason.READ_ERROR, f"{shown(self.info.path)}: {error}") from error

    def close(self) -> None:
        holder, self._holder = self._holder, 0
        if holder:
            self._hands.let_go(holder)


class PseudoReader(Reader):
    """What the kernel said of itself when it was asked; longer ones are read again from their beginning."""

    def __init__(self, found: Looked, data: bytes, whole: bool, start: Start) -> None:
        self.info = found.info
        self._data = data
        self._whole = whole
        self._start = start

    def ranges(self, wanted: Sequence[tuple[int, int]], deadline: Deadline) -> list[bytes]:
        return [b"".join(self.stream(offset, offset + length, deadline)) for offset, length in wanted]

    def stream(self, start: int, end: int | None, deadline: Deadline) -> Iterator[bytes]:
        if self._whole or (end is not None and end <= len(self._data)):
            data = self._data[start:end]
            yield from (data[at : at + _BLOCK] for at in range(0, len(data), _BLOCK))
            return
        at = 0
        with self._start(("cat", "--", self.info.path), deadline) as process:
            for data in process.chunks():
                piece = data[max(0, start - at) : None if end is None else max(0, end - at)]
                at += len(data)
                if piece:
                    yield piece
                    deadline.moved()
                if end is not None and at >= end:
                    return

    def close(self) -> None:
        pass


def open_file(path: str, files: Files, hands: Hands, deadline: Deadline) -> Reader:
    """Open the regular file that `path` leads to, or say why it must not be read. Raises as `Host.open`."""
    check_path(path)
    answer = hands.ask(script(b"open_ %b" % word(path)), deadline)
    if answer.status and len(answer.parts) < 3:
        raise _unopened(path, answer, files, deadline)
    facts, real_line, number, data = answer.data.split(answer.separator, 3)
    real = os.fsdecode(real_line.removesuffix(b"\n")).removesuffix(_DELETED)
    found = Looked.of(facts.split(b" "), path)
    holder = int(number) if number.isdigit() else 0
    try:
        _require_safe(path, real, found, files, deadline)
        if is_key_name(path) or is_key_name(real) or (not real.startswith(PSEUDO) and is_key(path, data)):
            raise Skip(
                Reason.SECRET_FILE, f"{shown(path)} is a private key or key store, which are never read"
            )
        if real.startswith(PSEUDO):
            return _pseudo(found, data, answer, hands.start)
    except ItemError:
        if holder:
            hands.let_go(holder)
        raise
    return SSHReader(hands, found, holder, data)


def _pseudo(found: Looked, data: bytes, answer: Answer, start: Start) -> PseudoReader:
    if answer.status and not data:
        said = answer.stderr.strip().rpartition(": ")[2]
        if said in {os.strerror(number) for number in NO_ANSWER}:
            raise Skip(Reason.NOT_APPLICABLE, f"{shown(found.info.path)} has nothing to tell here: {said}")
        if said in ("Permission denied", "Operation not permitted"):
            raise Skip(Reason.NOT_PERMITTED, f"{shown(found.info.path)}: {said}")
        raise Failed(Reason.READ_ERROR, f"{shown(found.info.path)}: {said or 'it could not be read'}")
    return PseudoReader(found, data, len(data) <= HEAD, start)


def _unopened(path: str, answer: Answer, files: Files, deadline: Deadline) -> ItemError:
    if answer.status == NOT_REGULAR:
        mode = answer.data.split()
        kind = stat.S_IFMT(int(mode[0], 16)) if mode else 0
        what = SPECIAL.get(kind, "no regular file")
        reason = Reason.READ_ERROR if kind == stat.S_IFDIR else Reason.UNSAFE
        return Failed(reason, f"{shown(path)} is {what}, and only regular files are read")
    if "stat: not found" in answer.stderr or answer.status == 127:
        return Skip(Reason.TOOL_ABSENT, "stat is not installed there, and without it no file is read")
    error = files.closed(path, deadline)
    said = answer.stderr.strip().rpartition(": ")[2]
    if error.reason is Reason.NOT_FOUND and said not in ("", "No such file or directory", "Not a directory"):
        return Failed(Reason.READ_ERROR, f"{shown(path)}: {shown(said)}")
    return error


def _require_safe(path: str, real: str, found: Looked, files: Files, deadline: Deadline) -> None:
    """As for a file of this machine: no foreign link, no second name that another could have planted."""
    if os.path.normpath(path) != real and not real.startswith("/proc/"):
        files.require_own_links(path, real, found.info.uid, deadline)
    if found.names > 1:
        files.require_not_planted(path, real, found.info, deadline)
