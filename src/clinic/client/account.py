"""A user and password that open servers, and the promise that a refused one is tried nowhere else."""

from __future__ import annotations

import base64
import threading
from collections.abc import Generator
from contextlib import contextmanager

from clinic.deadline import Deadline
from clinic.errors import Skip
from clinic.outcome import Reason
from clinic.secret import Secret


class Account:
    """What one run logs in with. Every door of the run shares the one object, which remembers refusals.

    A password that one server refuses is tried on no other: it may be mistyped, and each try counts towards a
    lock. Until a server has accepted it, it is tried on one server at a time.
    """

    def __init__(self, user: str, password: Secret, *, bearer: bool = False) -> None:
        """`bearer` makes `password` a token for HTTP, which has no user."""
        self.user = user
        self.password = password
        self.bearer = bearer
        self._trying = threading.Lock()
        self._accepted: set[str] = set()
        self._refused = ""

    def __repr__(self) -> str:
        return f"Account({self.user!r})"

    @property
    def header(self) -> Secret:
        """The value of HTTP's `Authorization`."""
        if self.bearer:
            return Secret(f"Bearer {self.password.reveal()}")
        pair = f"{self.user}:{self.password.reveal()}".encode()
        return Secret("Basic " + base64.b64encode(pair).decode("ascii"))

    @contextmanager
    def trying(self, where: str, deadline: Deadline) -> Generator[None, None, None]:
        """Surrounds a log-in at `where`, which is accepted unless it is `refused` or an error leaves it.

        Raises `Skip` at once for an account that another server refused.
        """
        with self._one_at_a_time(deadline):
            if self._refused and where not in self._accepted:
                raise Skip(
                    Reason.NOT_PERMITTED,
                    f"{self._called} was refused by {self._refused}, so it is not tried on {where}",
                    fix="give an account that every server accepts, or leave out those that do not",
                )
            yield
            if self._refused != where:
                self._accepted.add(where)

    def refused(self, where: str) -> None:
        """Remember that the server at `where` does not know this account, or not with this password."""
        self._refused = self._refused or where
        self._accepted.discard(where)

    @property
    def _called(self) -> str:
        return f"the password of {self.user}" if self.user else "the token"

    @contextmanager
    def _one_at_a_time(self, deadline: Deadline) -> Generator[None, None, None]:
        if self._accepted or self._refused:
            yield
            return
        while not self._trying.acquire(timeout=deadline.wait() or 0.001):
            deadline.check()
        try:
            yield
        finally:
            self._trying.release()
