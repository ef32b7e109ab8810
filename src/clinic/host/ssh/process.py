"""A command on a node: what it says as it comes, and an end that it can't escape."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from clinic.deadline import Deadline
from clinic.errors import ItemError, TimedOut
from clinic.host.base import Process
from clinic.host.ssh.connection import Connection
from clinic.host.ssh.shell import HUSH, Ended, RemoteShell


class SSHProcess(Process):
    """One body that runs in one shell, which is given back at its end."""

    def __init__(
        self,
        connection: Connection,
        body: bytes,
        deadline: Deadline,
        hold: Callable[[Deadline], None] = lambda deadline: None,
    ) -> None:
        """`body` starts it, as `RemoteShell.begin` wants it; `hold` may wait before a piece is taken.

        Raises `ItemError`.
        """
        self._connection = connection
        self._deadline = deadline
        self._hold = hold
        self._shell: RemoteShell | None = None
        self._status: int | None = None
        self._tail = b""
        shell = self._shell = connection.take(deadline)
        try:
            shell.begin(body, deadline)
        except Ended as error:
            raise self._lost(shell) from error
        except ItemError:
            self.close()
            raise

    @property
    def status(self) -> int:
        if self._status is None:
            raise RuntimeError("the command has not ended yet")
        return self._status

    @property
    def stderr(self) -> str:
        return self._tail.decode(errors="replace")

    @property
    def separator(self) -> bytes:
        """What stands between the parts of an output that has some."""
        assert self._shell is not None
        return self._shell.separator

    def chunks(self) -> Iterator[bytes]:
        shell = self._shell
        try:
            while shell is not None and (data := shell.read(self._deadline)) is not None:
                yield data
                self._deadline.moved()  # After, so that our own slowness is not taken for the command's.
                self._hold(self._deadline)
        except Ended as error:
            assert shell is not None
            raise self._lost(shell) from error
        except TimedOut as error:
            self.close()
            if shell is None or not shell.mute:
                raise
            raise self._connection.silent(error) from error
        finally:
            self.close()

    def close(self) -> None:
        shell, self._shell = self._shell, None
        if shell is None:
            return
        self._deadline.ending(HUSH)
        shell.stop()
        self._status = shell.status
        self._tail = shell.tail
        self._connection.give(shell)

    def _lost(self, shell: RemoteShell) -> ItemError:
        error = self._connection.lost(shell)
        self.close()
        return error
