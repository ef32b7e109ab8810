"""The clock of a machine of the lab, where it is not this machine's."""

from __future__ import annotations

from pathlib import Path

from tests.lab.machines import kinds
from tests.lab.state import LabError

LIBRARY = "faketime/libfaketime.so.1"


def clock(name: str) -> dict[str, str]:
    """What the environment of every process on the machine `name` has, so that it sees the machine's clock."""
    if name != kinds.SKEWED:
        return {}
    found = sorted(Path("/usr/lib").glob(f"*/{LIBRARY}"))
    if not found:
        raise LabError("libfaketime is not installed (Debian package faketime)")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": f"{kinds.SKEW_SECONDS}s"}
