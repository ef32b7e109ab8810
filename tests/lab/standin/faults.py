"""Faults of the stand-in: what there are, and the file by which an instance learns of its own.

An instance looks at its file whenever somebody connects or asks, so a fault comes and goes while it runs. Only
`down` needs the supervisor, which kills the process and starts it anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

HTTP = frozenset({"pd", "tidb", "tikv", "tiflash", "tiproxy", "ticdc"})
"""Every component has an HTTP API."""

FAULTS = "faults"
"""The directory of the files, in the cluster's."""

SLOW_SECONDS = 10.0
"""How long `slow` takes for each answer, unless told otherwise."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of fault."""

    name: str
    """Its name."""

    meaning: str
    """What the instance does."""

    components: frozenset[str] = HTTP
    """Which components can have it."""


def _of(*components: str) -> frozenset[str]:
    return frozenset(components)


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("down", "its process is killed; started anew when the fault is over"),
        Kind("stalled", "accepts connections on every port and never says a word"),
        Kind("slow", "takes 10 s (--seconds) for each HTTP answer and each SQL statement"),
        Kind("http-500", "every HTTP answer is a 500"),
        Kind(
            "error-page", "every HTTP answer is an HTML page with status 200, as a proxy or portal gives it"
        ),
        Kind("other-cluster", "answers with another cluster's id", _of("pd", "ticdc")),
        Kind("client-certificate", "HTTP ports speak TLS and demand a client certificate; SQL demands TLS"),
        Kind("endless-body", "HTTP bodies and SQL results never end"),
        Kind("gzip-bomb", "HTTP bodies are 1 MiB of gzip that unpack to 1 GiB"),
        Kind("redirect", "every HTTP answer redirects to another host, TiKV's status port"),
        Kind("short-body", "promises more bytes than it sends, then closes; SQL results break off"),
        Kind("stalled-body", "sends half of an HTTP body and then nothing more"),
        Kind("trickle", "sends HTTP bodies a byte a second"),
        Kind("garbage", "sends random bytes to whoever connects, HTTP or SQL"),
        Kind("no-leader", "PD without a leader: 503 after 3 s and what else was recorded", _of("pd")),
        Kind("election", "PD while it elects a leader: 500 at once", _of("pd")),
        Kind("not-bootstrapped", "PD of a cluster that never had a TiKV", _of("pd")),
        Kind("store-disconnected", "PD says that tikv-3 sent no heartbeat for minutes", _of("pd")),
        Kind("store-down", "PD says that tikv-3 sent no heartbeat for half an hour", _of("pd")),
        Kind("store-offline", "PD says that two more stores came and one of them is leaving", _of("pd")),
        Kind("store-tombstone", "PD says that a store has left", _of("pd")),
        Kind("wrong-password", "refuses every password (ERROR 1045)", _of("tidb")),
        Kind("no-process", "its users have no privileges (ERROR 1227, 1142, 8121)", _of("tidb")),
        Kind("too-many-connections", "refuses every SQL connection (ERROR 1040)", _of("tidb")),
    )
}

SCENARIOS: Mapping[str, str] = {
    "no-leader": "noleader",
    "election": "election",
    "not-bootstrapped": "fresh",
    "store-disconnected": "disconnected",
    "store-down": "down",
    "store-offline": "scaling",
    "store-tombstone": "tombstone",
}
"""Faults that are what PD was recorded to answer in that state, by the name of the recording."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault that an instance has now."""

    kind: str
    """Which one."""

    seconds: float = SLOW_SECONDS
    """How long `slow` takes."""

    until: float | None = None
    """When it is over, in seconds since 1970; none while it lasts until it is cleared."""

    def over(self) -> bool:
        """Whether its time has passed."""
        return self.until is not None and time.time() >= self.until


class FaultFile:
    """Where the fault of one instance is written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Fault | None:
        """The fault it has now."""
        try:
            fault = Fault(**json.loads(self._path.read_text()))
        except (FileNotFoundError, ValueError):
            return None
        return None if fault.over() else fault

    def kind(self) -> str:
        """The kind of the fault it has now; empty when it has none."""
        fault = self.read()
        return fault.kind if fault else ""

    def write(self, fault: Fault) -> None:
        """Gives it a fault, instead of any other it has."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(dataclasses.asdict(fault)))
        temporary.replace(self._path)

    def clear(self) -> None:
        """Takes its fault away."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def hold(self, kind: str, given_up: Callable[[], bool] = lambda: False) -> None:
        """Returns when it no longer has the fault `kind`, or when `given_up` says so."""
        while self.kind() == kind and not given_up():
            time.sleep(0.05)


def fault_file(directory: Path, name: str) -> FaultFile:
    """The file of the instance called `name`."""
    return FaultFile(directory / f"{name}.json")
