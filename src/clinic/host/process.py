"""A command that runs here: both of its pipes read by one loop, an end that it can't escape."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from clinic.deadline import Deadline
from clinic.errors import Cancelled
from clinic.host.base import Process
from clinic.host.descendants import Kin, family, kill
from clinic.outcome import Reason
from clinic.units import KIB, MIB

PIECE = 256 * KIB
"""Most bytes of one chunk."""

TAIL = 16 * KIB
"""How much of standard error is kept."""

GRACE = 0.3
"""Seconds between SIGTERM and SIGKILL."""

HELD = 0.5
"""Seconds that a pipe may stay open after the command itself has ended: a grandchild holds it."""

_REAP = 2.0
"""Seconds to wait for a killed process; one that is stuck in the kernel is left to be reaped later."""

_PIPE = MIB
"""Room in the standard output's pipe: fewer turns of the loop for much output."""


class LocalProcess(Process):
    """One child. The thread that reads its chunks closes it; `kill` may be called from any."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        deadline: Deadline,
        *,
        stdin: bytes,
        mark: str,
        since: int,
        denied: Callable[[list[int]], None],
        dead: Callable[[LocalProcess], None],
    ) -> None:
        """`mark` and `since` are how its children are known, `denied` kills what we may not, `dead` is told."""
        self._child = child
        self._deadline = deadline
        self._mark = mark
        self._since = since
        self._denied = denied
        self._dead = dead
        self._lock = threading.Lock()
        self._closed = False
        self._called_off = False
        self._held = False
        self._ended_at: float | None = None
        self._late = 0
        self._tail = b""
        self._input = stdin
        self._open_pipes()

    @property
    def pid(self) -> int:
        """Its number, which is also that of its process group and session."""
        return self._child.pid

    @property
    def status(self) -> int:
        if not self._closed:
            raise RuntimeError("the command has not ended yet")
        code = self._child.returncode
        return code if code is not None else -signal.SIGKILL

    @property
    def stderr(self) -> str:
        return self._tail.decode(errors="replace")

    def chunks(self) -> Iterator[bytes]:
        try:
            while not self._over():
                self._deadline.check()
                if data := self._turn():
                    yield data
                    self._deadline.moved()  # After, so that our own slowness is not taken for the command's.
        finally:
            self.close()
        if self._called_off:
            raise Cancelled(Reason.INTERRUPTED, "stopped before it ended")

    def kill(self) -> None:
        """Kill it and all it started, from another thread; whoever reads its chunks gets `Cancelled`."""
        with self._lock:
            if not self._closed:
                self._called_off = True
                kill(self._family, self._denied)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._end()
        self._dead(self)
        self._reap()
        self._release()

    # -- the pipes

    def _open_pipes(self) -> None:
        self._poll = select.poll()
        self._out, self._err, self._in = (
            -1 if pipe is None else pipe.fileno()
            for pipe in (self._child.stdout, self._child.stderr, self._child.stdin)
        )
        for fd, event in ((self._out, select.POLLIN), (self._err, select.POLLIN), (self._in, select.POLLOUT)):
            if fd >= 0:
                os.set_blocking(fd, False)
                self._poll.register(fd, event)
        widen(self._out)
        try:
            self._pidfd = os.pidfd_open(self._child.pid)
            self._poll.register(self._pidfd, select.POLLIN)
        except OSError:
            self._pidfd = -1  # Linux before 5.3: the end is looked for at each turn instead.

    def _over(self) -> bool:
        if self._ended_at is None:
            return False
        if self._out < 0 and self._err < 0:
            return True
        if time.monotonic() - self._ended_at < HELD or self._still_to_read():
            return False
        self._held = True
        return True

    def _still_to_read(self) -> bool:
        """Whether the pipe still holds what the command itself had written: no more than fits into it."""
        return self._late < _PIPE and any(fd in (self._out, self._err) for fd, _ in self._poll.poll(0))

    def _turn(self) -> bytes:
        """Wait for something to happen and deal with it; what came on standard output."""
        data = b""
        for fd, _ in self._poll.poll(self._pause() * 1000):
            if fd == self._out:
                data = self._read(fd, PIECE)
                if not data:
                    self._out = self._drop(fd)
            elif fd == self._err:
                text = self._read(fd, 64 * KIB)
                self._tail = (self._tail + text)[-TAIL:]
                if not text:
                    self._err = self._drop(fd)
            elif fd == self._in:
                self._feed()
        self._look()
        return data

    def _pause(self) -> float:
        wait = self._deadline.wait()
        if self._ended_at is not None:
            return max(0.0, min(wait, self._ended_at + HELD - time.monotonic()))
        quiet = self._out < 0 and self._err < 0 and self._pidfd < 0
        return min(wait, 0.005) if quiet else wait

    def _read(self, fd: int, size: int) -> bytes:
        data = os.read(fd, size)
        self._late += len(data) if self._ended_at is not None else 0
        return data

    def _feed(self) -> None:
        try:
            self._input = self._input[os.write(self._in, self._input) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._input = b""  # It does not want the rest.
        if not self._input:
            self._in = self._drop(self._in)
            if self._child.stdin is not None:
                self._child.stdin.close()

    def _drop(self, fd: int) -> int:
        self._poll.unregister(fd)
        return -1

    # -- the end

    def _look(self) -> None:
        """Note when it has ended. It stays unreaped, so that its number and its group remain its own."""
        if self._ended_at is None and self._has_ended():
            self._ended_at = time.monotonic()
            if self._pidfd >= 0:
                self._poll.unregister(self._pidfd)

    def _has_ended(self) -> bool:
        try:
            return os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def _end(self) -> None:
        """Leave nothing of it alive. A command that ended by itself costs one call, not a look at /proc."""
        if self._has_ended() and not self._held and not self._called_off:
            self._signal(signal.SIGKILL)
            return
        if not self._has_ended():
            self._signal(signal.SIGTERM)
            self._await_end()
        kill(self._family, self._denied)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)

    def _await_end(self) -> None:
        until = time.monotonic() + GRACE
        while not self._has_ended() and time.monotonic() < until:
            time.sleep(0.005)

    def _family(self) -> list[Kin]:
        return family(self._child.pid, self._mark, self._since)

    def _reap(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(_REAP)

    def _release(self) -> None:
        for pipe in (self._child.stdout, self._child.stderr, self._child.stdin):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)


def widen(pipe: int) -> None:
    """Give a pipe as much room as is of use, where the system lets us."""
    import fcntl  # Linux only; readers of bundles import this package elsewhere too

    with suppress(OSError):  # This user has all the pipe room that the system gives: it stays as it is.
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
