"""What the tests of uploads share: a package with a yes for it, and servers that do as a test says."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tests.client.servers import Peer, Script

from clinic.client.tls import Tls
from clinic.consent.consent import Consent
from clinic.consent.destination import Destination, Protocol
from clinic.progress import Progress
from clinic.secret import Secret
from clinic.upload.choose import Way, uploader
from clinic.upload.door import Route
from clinic.upload.flow import Flow, Stop
from clinic.upload.outgoing import Agreed, Outgoing, Sent

TOKEN = "token-" + "0123456789abcdef" * 2


class Heard(Progress):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.bytes = 0

    def moved(self, key: str, size: int) -> None:
        """Count what was handed over."""
        self.bytes += size if key == "sent" else 0

    def say(self, message: str) -> None:
        """Keep it."""
        self.said.append(message)


def consent(outgoing: Outgoing, address: str, days: float = 7) -> Consent:
    """A yes, as only the prompt makes one outside of tests."""
    until = datetime.now(timezone.utc) + timedelta(days=days)
    return Consent(outgoing.sha256, "b" * 64, address, "receipt-1", "generic 1 (en)", until)


def agreed(outgoing: Outgoing, destination: Destination, case: str = "") -> Agreed:
    """The package with a yes for that place."""
    yes = consent(outgoing, destination.address)
    return Agreed(outgoing, yes, destination, datetime.now(timezone.utc), case)


def flow(progress: Progress | None = None, stop: Stop | None = None, **more: float) -> Flow:
    """One that does not wait long."""
    return Flow(progress, stop, **{"base": 0.01, "give_up": 20.0, "stall": 5.0, **more})


def send(
    path: Path, endpoint: str, *, protocol: Protocol = Protocol.CLINIC, credential: str = TOKEN, path_there: str = "",
    by: Flow | None = None, case: str = "", at_once: int = 1, proxy: str | None = "", tls: Tls | None = None,
) -> Sent:  # fmt: skip
    """Send the file there."""
    destination = Destination("there", protocol, endpoint, path_there)
    way = Way(Secret(credential), Route(tls or Tls(), proxy), at_once)
    with Outgoing(path) as outgoing:
        sender = uploader(destination, way, by or flow())
        try:
            return sender.send(agreed(outgoing, destination, case))
        finally:
            sender.close()


def package(directory: Path, size: int = 300_000, name: str = "clinic-db1.tar.zst") -> Path:
    """A file of chance."""
    path = directory / name
    path.write_bytes(os.urandom(size))
    return path


Step = Callable[[Peer, bytes], None]
"""What a server does with one request."""


class Scripted:
    """A server that does one step for each request, the last one for all that come after."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = list(steps)
        self.requests: list[bytes] = []

    def __call__(self, peer: Peer) -> None:
        """Serve one connection."""
        while request := peer.head():
            self.requests.append(request)
            step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
            step(peer, request)

    @property
    def script(self) -> Script:
        """For `serve`."""
        return self

    def lines(self) -> list[str]:
        """The first line of each request, without its query."""
        return [" ".join(one.split(b"\r\n")[0].decode().split("?")[0].split()) for one in self.requests]


def say(status: str, body: object = "", *headers: str) -> Step:
    """Answer so."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return lambda peer, request: peer.answer(data, *headers, status=status)


def hang_up(peer: Peer, request: bytes) -> None:
    """Close without a word."""
    del request
    peer.reset()


def place(offset: int = 0, block: int = 1 << 20, **more: object) -> Step:
    """What a server of ours says to an announcement."""
    return say("200 OK", {"sequence": offset // block, "offset": offset, "blockbytes": block, **more})


def numbered(sequence: int = 0, block: int = 100_000) -> Step:
    """What PingCAP's says to it."""
    return say("200 OK", {"sequence": sequence, "blockbytes": block})


def done(sha256: str = "", **more: object) -> Step:
    """The end, with or without a word on the digest."""
    told = {"result": "https://there.example/p/1", **({"sha256": sha256} if sha256 else {}), **more}
    return say("200 OK", told)


@contextmanager
def environment(**values: str) -> Generator[None]:
    """Variables of the environment, for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
