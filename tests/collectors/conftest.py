"""Play recorded machines and servers to single items."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Protocol

import pytest

from clinic import registry
from clinic.client.access import Access
from clinic.client.account import Account
from clinic.collector import Content, Item, Target
from clinic.deadline import Deadline
from clinic.errors import ItemError
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import Secret, SecretRegister


def _recorded(name: str) -> ModuleType:
    path = Path(__file__).parent.parent / "recorded" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"recorded_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


playback, players = _recorded("playback"), _recorded("servers")


class Play(Protocol):
    """Gives what the item of an id gives on a recorded machine."""

    def __call__(self, machine: str, name: str, instance: str = "") -> bytes: ...


@pytest.fixture
def target() -> Callable[[str], Target]:
    """What a collector is asked about on a recorded machine."""

    def of(machine: str) -> Target:
        found: Target = playback.RecordedHost(machine, "").target()
        return found

    return of


@pytest.fixture
def items(target: Callable[[str], Target]) -> Callable[[str, str], list[Item]]:
    """The items of an id on a recorded machine."""

    def of(machine: str, name: str) -> list[Item]:
        collectors = {one.collector.name: one.collector for one in registry.builtin()}
        collector = collectors[name.partition(".")[0]]
        return [item for item in collector.items(target(machine)) if item.id == name]

    return of


@contextmanager
def _doors(machine: str, name: str) -> Generator[AttemptDoors, None, None]:
    """Doors to a recorded machine, for the collector of an item; its servers are played too."""
    host = playback.RecordedHost(machine, name.partition(".")[0])
    target = host.target()
    common = Common(target.cluster, target.window, SecretRegister(), lambda _: host)
    common.shared(Access, lambda: Access(sql=Account("root", Secret(""))))
    yield AttemptDoors(common, Deadline(10))
    common.close()


@pytest.fixture
def play(items: Callable[[str, str], list[Item]]) -> Iterator[Play]:
    """Plays items; several files, and those of several instances, come one after another."""

    def played(machine: str, name: str, instance: str = "") -> bytes:
        chosen = [item for item in items(machine, name) if instance in ("", item.instance)]
        assert chosen, f"{machine} has no item {name}"
        with _doors(machine, name) as doors:
            parts = (part for item in chosen for part in item.source.open(doors))
            return b"".join(chunk for part in parts for chunk in part.chunks if isinstance(chunk, bytes))

    with players.played():
        yield played


@pytest.fixture
def files(items: Callable[[str, str], list[Item]]) -> Callable[[str, str], dict[str, tuple[Content, bytes]]]:
    """The files that the items of an id bring from a recorded machine: their formats and bytes by their paths."""

    def brought(machine: str, name: str) -> dict[str, tuple[Content, bytes]]:
        found: dict[str, tuple[Content, bytes]] = {}
        with _doors(machine, name) as doors:
            for item in items(machine, name):
                with suppress(ItemError):
                    for part in item.source.open(doors):
                        path = f"{item.path}/{part.name.lstrip('/')}" if part.name else item.path
                        data = b"".join(chunk for chunk in part.chunks if isinstance(chunk, bytes))
                        found[path] = (part.content or item.content, data)
        return found

    return brought


@pytest.fixture
def machines() -> Path:
    """Where the recorded machines are."""
    return Path(playback.MACHINES)
