"""Free loopback ports that stay ours from the choice until the server listens, and after."""

from __future__ import annotations

import socket

from tests.lab.program import LOOPBACK


class Ports:
    """Ports that this process keeps for the servers it starts.

    Each is held by a socket that is bound and never listens. With SO_REUSEADDR on both sides Linux lets
    the server bind and listen on the same port, and gives it to nobody who asks for any free one; so two
    labs that start at once can't choose the same. A held port where no server listens refuses connections.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take(self) -> int:
        """A free port, kept until `close`."""
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((LOOPBACK, 0))
        self._held.append(held)
        return int(held.getsockname()[1])

    def close(self) -> None:
        """Gives all of them up."""
        for held in self._held:
            held.close()
        self._held.clear()
