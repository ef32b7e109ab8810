"""One shell on a node at the other end of three pipes: requests go in, streams and marks come out."""

from __future__ import annotations

import os
import re
import select
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Retryable
from clinic.host.process import PIECE, TAIL, widen
from clinic.host.ssh.script import SEPARATOR, loop, request
from clinic.outcome import Reason
from clinic.units import KIB, MIB

CHATTER = MIB
"""Most bytes that a banner and the login shell's own files may print before our shell answers."""

ANSWERS = 30.0
"""Seconds that a shell may take to answer once the login is done."""

HUSH = 5.0
"""Seconds that a stopped command may take to be gone; a shell that does not say so is given up."""

LEAVE = 6.0
"""Seconds that a shell may take to end after its input has."""

_LAST_WORDS = 3.0
"""Seconds in which what is said at the end is still taken."""

_TIME = re.compile(rb"(\d+)m([\d.,]+)s")
_STATUS = re.compile(rb"(\d+) (\d+)([ks]?)\Z")


class Meter(Protocol):
    """Counts what passes, and may hold it up."""

    def came(self, size: int, deadline: Deadline) -> None:
        """So many bytes came over the connection."""

    def went(self, size: int) -> None:
        """So many bytes were sent."""


@dataclass(slots=True)
class _Stream:
    """One of the two streams that come: bytes up to the mark that ends them."""

    mark: bytes
    """What every mark begins with."""

    buffer: bytearray = field(default_factory=bytearray)
    """What came and was not taken yet."""

    ending: bytes | None = None
    """What the mark says, once it has come."""

    def take(self) -> bytes:
        """What certainly belongs to the output. At its end `ending` is set."""
        at = self.buffer.find(self.mark)
        if at < 0:
            at = self._possible_mark()
        elif at == 0:
            self._read_mark()
            return b""
        data = bytes(self.buffer[:at])
        del self.buffer[:at]
        return data

    def _possible_mark(self) -> int:
        """Where the buffer may have the beginning of a mark that has not come whole; its end where nothing has."""
        at = self.buffer.rfind(SEPARATOR.encode(), max(0, len(self.buffer) - len(self.mark)))
        return at if at >= 0 and self.mark.startswith(self.buffer[at:]) else len(self.buffer)

    def _read_mark(self) -> None:
        end = self.buffer.find(b"\n")
        if end >= 0:
            self.ending = bytes(self.buffer[len(self.mark) : end])
            del self.buffer[: end + 1]


class Ended(Exception):
    """The shell's streams ended: with them its connection, or whatever stood in its place."""


class RemoteShell:
    """A shell and the one command that runs in it. One thread uses it at a time; `hush` may be called from any."""

    def __init__(self, child: subprocess.Popen[bytes], nonce: str, mark: str, meter: Meter) -> None:
        """`child` is what carries the streams: ssh, or in tests a shell itself."""
        self._child = child
        self._nonce = nonce
        self._mark = mark
        self._meter = meter
        self._lock = threading.Lock()
        self._number = 0
        begin = f"{SEPARATOR}{nonce} ".encode()
        self._out, self._err = _Stream(begin), _Stream(begin)
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        self._in, self._out_fd, self._err_fd = (
            pipe.fileno() for pipe in (child.stdin, child.stdout, child.stderr)
        )
        self._poll = select.poll()
        for fd in (self._in, self._out_fd, self._err_fd):
            os.set_blocking(fd, False)
        for fd in (self._out_fd, self._err_fd):
            self._poll.register(fd, select.POLLIN)
        widen(self._out_fd)
        self.broken = False
        """Whether it can't be used any more."""
        self.mute = False
        """Whether it did not even answer that it should stop: the node or the way to it may be dead."""
        self.status = 0
        """Exit status of the command that ran last; minus the signal's number where one killed it."""
        self.tail = b""
        """The end of its standard error."""
        self.chatter = b""
        """What the login printed before the shell answered."""

    @property
    def is_alive(self) -> bool:
        """Whether what carries the streams still runs."""
        return self._child.poll() is None

    @property
    def said(self) -> str:
        """What was said to a person before or instead of our shell's answer."""
        data = b"\n".join((self.tail, self.chatter[:KIB], bytes(self._out.buffer[:KIB])))
        return data.decode(errors="replace").strip()

    @property
    def separator(self) -> bytes:
        """What `cut_` of the loop writes between the parts of an output."""
        return f"{SEPARATOR}{self._nonce},\n".encode()

    # -- the beginning

    def greet(self, deadline: Deadline, inside: Callable[[], bool] = lambda: False) -> bytes:
        """Send the loop and wait for its answer: what it says of the node. Raises `Ended` where none comes.

        `inside` tells whether the login is done: from then on a shell answers soon, or there is none.
        """
        with suppress(Ended):  # it has ended already, and what it said of that is still to be read
            self._send(loop(self._nonce, self._mark), deadline)
        patience: float | None = None
        while self._out.ending is None or self._err.ending is None:
            self.chatter += self._out.take() if self._out.ending is None else b""
            self._keep_tail()
            if len(self.chatter) > CHATTER:
                self.broken = True
                raise Failed(Reason.BAD_ANSWER, "the login prints without an end, and no shell answers")
            if patience is None and inside():
                patience = time.monotonic() + ANSWERS
            if patience is not None and time.monotonic() > patience:
                raise Failed(Reason.BAD_ANSWER, f"no shell answers within {ANSWERS:g} s")
            if self._out.ending is None or self._err.ending is None:
                self._turn(deadline)
        self._out.ending = self._err.ending = None
        self.tail = self.chatter = b""
        return self.rest(deadline)

    def rest(self, deadline: Deadline) -> bytes:
        """All that is still to come of standard output: for what is known to be little."""
        pieces: list[bytes] = []
        while (data := self.read(deadline)) is not None:
            pieces.append(data)
        return b"".join(pieces)

    # -- a command

    def begin(self, body: bytes, deadline: Deadline) -> None:
        """Run `body`, which starts something in the background and leaves its number in `C`."""
        self._next()
        self._send(request(self._number, self._nonce, body), deadline)

    def spent(self, deadline: Deadline) -> float:
        """Seconds of processor that the shell and all it ran have taken there."""
        self._next()
        self._send(b"T %d\n" % self._number, deadline)
        found = _TIME.findall(self.rest(deadline))
        return sum(int(minutes) * 60 + float(seconds.replace(b",", b".")) for minutes, seconds in found)

    def _next(self) -> None:
        self._number += 1
        for stream in (self._out, self._err):
            stream.buffer.clear()
            stream.ending = None
        self.tail = b""

    def read(self, deadline: Deadline) -> bytes | None:
        """The next piece of standard output, None at its end. Raises `Ended`, and what `deadline` raises."""
        while True:
            if self._out.ending is None and (data := self._out.take()):
                return data
            self._keep_tail()
            if self._out.ending is not None and self._err.ending is not None:
                self._read_status(self._out.ending)
                return None
            self._turn(deadline)

    def stop(self) -> None:
        """Kill the command that runs and all it started, and wait until that is so; else the shell is broken."""
        if self.broken or (self._out.ending is not None and self._err.ending is not None):
            return
        deadline = Deadline(HUSH)
        try:
            self._send(b"K %d\n" % self._number, deadline)
            while self.read(deadline) is not None:
                pass
        except Ended:
            self.broken = True
        except ItemError:
            self.broken = self.mute = True

    def hush(self, pid: int) -> None:
        """Kill one process of ours there, in passing: what holds a file open."""
        with suppress(Ended, ItemError):
            self._send(b"H %d\n" % pid, Deadline(HUSH))

    # -- the pipes

    def _send(self, data: bytes, deadline: Deadline) -> None:
        with self._lock:
            rest = memoryview(data)
            while rest:
                try:
                    deadline.check()
                except ItemError:
                    self.broken = (
                        True  # It waits for the rest of a request, and takes what comes next for that.
                    )
                    raise
                rest = rest[self._write(rest, deadline) :]
        self._meter.went(len(data))

    def _write(self, data: memoryview, deadline: Deadline) -> int:
        try:
            return os.write(self._in, data)
        except BlockingIOError:
            select.select((), (self._in,), (), deadline.wait())
            return 0
        except (BrokenPipeError, ValueError) as error:
            self.broken = True
            raise Ended from error

    def _turn(self, deadline: Deadline) -> None:
        """Wait for something to come and keep it."""
        deadline.check()
        for fd, _ in self._poll.poll(deadline.wait() * 1000):
            stream = self._out if fd == self._out_fd else self._err
            data = os.read(fd, PIECE)
            if not data:
                self._drain()
                self.broken = True
                raise Ended
            stream.buffer += data
            self._meter.came(len(data), deadline)
            deadline.moved()

    def _drain(self) -> None:
        """Take what is still said at the end, so that it can be told."""
        until = time.monotonic() + _LAST_WORDS
        left = {self._out_fd: self._out, self._err_fd: self._err}
        while left and time.monotonic() < until:
            for fd in select.select(list(left), (), (), 0.05)[0]:
                data = os.read(fd, 64 * KIB)
                if data and len(left[fd].buffer) < CHATTER:
                    left[fd].buffer += data
                elif not data:
                    del left[fd]
        self._keep_tail()

    def _keep_tail(self) -> None:
        for _ in range(2):  # What is before the mark, then the mark.
            if self._err.ending is None:
                self.tail = (self.tail + self._err.take())[-TAIL:]

    def _read_status(self, ending: bytes) -> None:
        match = _STATUS.match(ending)
        if match is None or int(match[1]) != self._number:
            self.broken = True
            raise Retryable(Reason.BAD_ANSWER, "the shell there answered another question")
        status = int(match[2])
        self.status = 128 - status if 128 < status < 128 + 65 else status
        self.broken = self.broken or match[3] == b"s"

    # -- the end

    def end_input(self) -> None:
        """Let it end: it kills what still runs there, and goes."""
        self.broken = True
        assert self._child.stdin is not None
        with self._lock, suppress(BrokenPipeError):
            self._child.stdin.close()

    def close(self, until: float | None = None) -> int | None:
        """End it; the exit status of what carried the streams. Safe to call twice.

        What has not ended by `until`, on the monotonic clock, is killed: with it the channel ends, and the shell there.
        """
        self.end_input()
        self._flush(until if until is not None else time.monotonic() + (0.0 if self.mute else LEAVE))
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()
        return self._child.returncode

    def _flush(self, until: float) -> None:
        """Read to the end what nobody wants any more: a command that can't write can't end."""
        assert self._child.stdout is not None
        if self._child.stdout.closed:
            return
        while time.monotonic() < until and self._child.poll() is None:
            for fd, _ in self._poll.poll(20):
                if not os.read(fd, PIECE):
                    self._poll.unregister(fd)
