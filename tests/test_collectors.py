"""Every collector against every recorded machine: a new one is held by these tests without an edit here."""

from __future__ import annotations

import builtins
import importlib.util
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest

from clinic import registry
from clinic.bundle.names import safe_path
from clinic.client.access import Access
from clinic.client.account import Account
from clinic.collector import Collector, Item, Sensitivity, Source, Target, Volatility
from clinic.deadline import Deadline
from clinic.errors import ItemError
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import Secret, SecretRegister
from clinic.source.base import CONTROL


def _recorded(name: str) -> ModuleType:
    path = Path(__file__).parent / "recorded" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"recorded_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


playback, players = _recorded("playback"), _recorded("servers")

MACHINES: list[str] = playback.names()
ROOM = 3 << 20
"""Bytes that all recordings together may take in the repository."""


COLLECTORS = [found.collector for found in registry.builtin()]
NAMED = pytest.mark.parametrize("collector", COLLECTORS, ids=lambda collector: str(collector.name))


def _target(machine: str) -> Target:
    target: Target = playback.RecordedHost(machine, "").target()
    return target


@pytest.fixture(scope="module", autouse=True)
def _played() -> Iterator[None]:
    """The servers of the instances are played too."""
    with players.played():
        yield


def _play(machine: str, collector: Collector) -> tuple[dict[str, int], list[str]]:
    """Bytes by item, and what was asked that nobody had recorded. Only an `ItemError` may end an item early."""
    host = playback.RecordedHost(machine, collector.name)
    target = host.target()
    common = Common(target.cluster, target.window, SecretRegister(), lambda _: host)
    common.shared(Access, lambda: Access(sql=Account("root", Secret(""))))
    filled: Counter[str] = Counter()
    for item in collector.items(target):
        doors = AttemptDoors(common, Deadline(10))
        filled[item.id] += 0
        try:
            item.source.plan(doors)
            for part in item.source.open(doors):
                filled[item.id] += sum(len(chunk) for chunk in part.chunks if isinstance(chunk, bytes))
        except ItemError as error:
            assert error.message
    common.close()
    return filled, host.unexpected


@NAMED
def test_each_item_gives_something_on_a_recorded_machine(collector: Collector) -> None:
    """Red for a collector without a recording, and for an item that no recorded machine or server answers."""
    total: Counter[str] = Counter()
    notes: list[str] = []
    for machine in MACHINES:
        filled, unexpected = _play(machine, collector)
        total.update(filled)
        notes.append(f"{machine}: {len(unexpected)} questions without a recorded answer {unexpected[:2]}")
    hint = f"record a machine that has an answer: python tools/record_machine.py NAME --collector {collector.name}"
    assert total, "it declares nothing on any machine"
    assert [name for name, size in total.items() if not size] == [], "\n".join([hint, *notes])


def _no(what: str) -> Any:
    def refused(*_: object, **__: object) -> NoReturn:
        raise AssertionError(f"a collector only declares: it must not use {what}")

    return refused


@NAMED
@pytest.mark.parametrize("machine", MACHINES)
def test_declaring_touches_nothing_and_says_the_same_twice(
    collector: Collector, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = _target(machine)
    with monkeypatch.context() as without:
        without.setattr(builtins, "open", _no("open"))
        without.setattr(socket, "socket", _no("sockets"))
        without.setattr(subprocess, "Popen", _no("commands"))
        first, second = (list(collector.items(target)) for _ in range(2))
    assert [_value(item) for item in first] == [_value(item) for item in second]


def _value(item: Item) -> list[Any]:
    """Everything that is told, with sources by what they would do."""
    return [
        item.source.what if isinstance(got := getattr(item, f.name), Source) else got for f in fields(Item)
    ]


@NAMED
@pytest.mark.parametrize("machine", MACHINES)
def test_items_are_named_and_their_sources_name_their_host(collector: Collector, machine: str) -> None:
    target = _target(machine)
    hosts = {known.name for known in target.machines}
    for item in collector.items(target):
        assert re.fullmatch(
            rf"{collector.name}(\.[a-z0-9][a-z0-9_-]*)+", item.id or f"{collector.name}.{item.stem}"
        )
        assert isinstance(item.sensitivity, Sensitivity)
        assert isinstance(item.volatility, Volatility)
        kind, _, place = item.source.lane.partition(":")
        assert (kind == "host" and place in {*hosts, CONTROL}) or (kind == "server" and place)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_item_has_a_path_of_its_own_that_any_system_can_hold(machine: str) -> None:
    target = _target(machine)
    paths = Counter(item.path.lower() for collector in COLLECTORS for item in collector.items(target))
    assert [path for path, count in paths.items() if count > 1 or safe_path(path) != path] == []


@NAMED
def test_a_collector_says_what_it_is(collector: Collector) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_-]*", collector.name)
    assert collector.summary
    assert type(collector).__doc__
    assert [other.name for other in COLLECTORS].count(collector.name) == 1


def test_recordings_say_what_they_are_and_stay_small() -> None:
    files = list(playback.MACHINES.rglob("*.json"))
    assert sum(file.stat().st_size for file in files) < ROOM
    for machine in MACHINES:
        about = playback.RecordedHost(machine, "").about
        assert about["what"] and (about["recorded"] or about["sources"]), (
            "what was never seen names its sources"
        )
