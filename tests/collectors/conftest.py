"""Play recorded machines to single items."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic import registry
from clinic.deadline import Deadline
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import SecretRegister

_SPEC = importlib.util.spec_from_file_location(
    "playback", Path(__file__).parent.parent / "recorded" / "playback.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
playback = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(playback)


@pytest.fixture
def play() -> Callable[[str, str], bytes]:
    """What the item of an id gives on a recorded machine; several files or instances one after another."""

    def played(machine: str, name: str) -> bytes:
        collector = {one.collector.name: one.collector for one in registry.builtin()}[
            name.split(".", maxsplit=1)[0]
        ]
        host = playback.RecordedHost(machine, collector.name)
        target = host.target()
        common = Common(target.cluster, target.window, SecretRegister(), lambda _: host)
        sources = [item.source for item in collector.items(target) if item.id == name]
        assert sources, f"{machine} has no item {name}"
        parts = (part for source in sources for part in source.open(AttemptDoors(common, Deadline(10))))
        return b"".join(chunk for part in parts for chunk in part.chunks if isinstance(chunk, bytes))

    return played


@pytest.fixture
def machines() -> Path:
    """Where the recorded machines are."""
    return Path(playback.MACHINES)
