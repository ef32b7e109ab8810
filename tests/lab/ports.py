"""Free loopback addresses and ports that stay ours from the choice until the server listens, and after."""

from __future__ import annotations

import contextlib
import socket

from tests.lab.program import LOOPBACK

NETWORKS = 60
"""How many labs with addresses of their own one machine can have: 127.0, 127.1, ..."""


class NoNetwork(Exception):
    """All networks are taken."""


class Ports:
    """Ports that this process keeps for the servers it starts.

    Each is held by a socket that is bound and never listens. With SO_REUSEADDR on both sides Linux lets
    the server bind and listen on the same port, and gives it to nobody who asks for any free one; so two
    labs that start at once can't choose the same. A held port where no server listens refuses connections.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take(self, host: str = LOOPBACK, usual: int = 0) -> int:
        """A port of `host` that is kept until `close`: the usual one where nobody listens on it, else a free one."""
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.append(held)
        if usual:
            with contextlib.suppress(OSError):
                held.bind((host, usual))
                return usual
        held.bind((host, 0))
        return int(held.getsockname()[1])

    def network(self) -> int:
        """The first N whose addresses 127.N.x.y no other lab on this machine has, kept until `close`.

        Raises `NoNetwork` when there is none.
        """
        for number in range(NETWORKS):
            held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                held.bind(f"\0clinic-lab-network-{number}")
            except OSError:
                held.close()
                continue
            self._held.append(held)
            return number
        raise NoNetwork(f"{NETWORKS} labs are up on this machine")

    def close(self) -> None:
        """Gives all of them up."""
        for held in self._held:
            held.close()
        self._held.clear()
