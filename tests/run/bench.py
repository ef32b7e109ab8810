"""Runs items of a test through the real engine and the real writer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from clinic.bundle.manifest import ClusterFacts, Run, WindowFacts
from clinic.bundle.record import Record
from clinic.bundle.writer import BundleWriter, Header
from clinic.cluster.model import Cluster, Machine
from clinic.collector import Category, Collector, Item, Target, Window
from clinic.host.local import LocalHost
from clinic.plan import Plan, Selection, declare
from clinic.progress import Progress
from clinic.redact import Redactor
from clinic.run.doors import Common
from clinic.run.engine import Bounds, Engine
from clinic.secret import SecretRegister
from clinic.source.base import Chunk, Doors, Estimate, Part, Source

NOW = datetime.now(timezone.utc)
WINDOW = Window(NOW - timedelta(hours=1), NOW)
CLUSTER = Cluster("test", "local", (Machine("here", local=True),))
Action = Callable[[Doors], Iterator[Chunk]]


@dataclass(frozen=True)
class Doing(Source):
    """Does what a test wants a source to do."""

    action: Action
    on: str = "host:here"
    seconds: float | None = 10.0
    parts: tuple[str, ...] = ("",)

    @property
    def lane(self) -> str:
        return self.on

    @property
    def what(self) -> str:
        return "a test"

    @property
    def deadline(self) -> float | None:
        return self.seconds

    def plan(self, doors: Doors) -> Estimate:
        return Estimate(None)

    def open(self, doors: Doors) -> Iterator[Part]:
        for name in self.parts:
            yield Part(self.action(doors), name)


def giving(*chunks: Chunk | Exception) -> Action:
    """Gives chunks, or raises what is no chunk."""

    def action(doors: Doors) -> Iterator[Chunk]:
        del doors
        for chunk in chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    return action


@dataclass
class Outcome:
    """What a run left."""

    records: dict[str, Record]
    engine: Engine
    seconds: float
    directory: Path


@dataclass
class Bench:
    """Runs items through the real engine and the real writer."""

    directory: Path
    register: SecretRegister = field(default_factory=SecretRegister)

    def plan(self, items: list[Item], redactor: Redactor) -> Plan:
        class Made(Collector):
            name = "made"
            category = Category.DEBUG
            summary = "for a test"

            def items(self, target: Target) -> Iterator[Item]:
                del target
                return iter(items)

        return declare([(Made(), False)], Target(CLUSTER, WINDOW), Selection(), redactor)

    def run(
        self, *items: Item, bounds: Bounds | None = None, watch: Callable[[Engine], None] | None = None
    ) -> Outcome:
        redactor = Redactor(self.register)
        plan = self.plan(list(items), redactor)
        facts = ClusterFacts("test", "local", ("here",))
        window = WindowFacts(WINDOW.start.isoformat(), WINDOW.end.isoformat(), "UTC")
        run = Run(
            "clinic",
            "0",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00Z",
            facts,
            window,
            "here",
            "me",
            root=False,
        )
        header = Header(run, tuple(one.entry for one in plan.items))
        common = Common(CLUSTER, WINDOW, self.register, lambda machine: LocalHost(machine.name))
        began = time.monotonic()
        with BundleWriter.create(self.directory, header, redactor, reserve=0) as writer:
            engine = Engine(plan, common, writer, redactor, bounds=bounds or Bounds(), progress=Progress())
            if watch is not None:
                watch(engine)
            engine.execute()
            seconds = time.monotonic() - began
            writer.seal()
        common.close()
        records = {record.entry.id.removeprefix("made."): record for record in engine.records}
        return Outcome(records, engine, seconds, self.directory)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A directory for a bundle."""
    return Bench(tmp_path / "bundle")


def text(ran: Outcome, name: str) -> str:
    """What a file of the bundle holds."""
    return (ran.directory / name).read_text()
