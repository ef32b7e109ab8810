"""A composed source reads its inputs in turn, bounds each, and says which of them it had to do without."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

import pytest

from clinic.cluster.model import Cluster, Machine
from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Partial, Skip, TimedOut
from clinic.kinds import Privilege
from clinic.outcome import Reason
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import SecretRegister
from clinic.source import composed
from clinic.source.base import Chunk, Doors, Estimate, Gap, Part, Source
from clinic.source.composed import Composed
from clinic.window import Window

WINDOW = Window(datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2026, 1, 2, tzinfo=timezone.utc))
ABSENT = Skip(Reason.TOOL_ABSENT, "chronyc is not installed")
BROKEN = Failed(Reason.READ_ERROR, "the disk is gone")


@dataclass(frozen=True)
class Given(Source):
    """Gives what a test says, then raises what a test says."""

    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    error: ItemError | None = None
    hangs: bool = False
    seconds: float = 30.0
    needs_root: bool = False

    @property
    def lane(self) -> str:
        return "host:db-1"

    @property
    def what(self) -> str:
        return "given " + " ".join(self.files)

    @property
    def deadline(self) -> float | None:
        return self.seconds

    @property
    def privilege(self) -> Privilege:
        return Privilege.ROOT if self.needs_root else Privilege.NONE

    def plan(self, doors: Doors) -> Estimate:
        return Estimate(None, impossible=self.error)

    def open(self, doors: Doors) -> Iterator[Part]:
        for name, data in self.files.items():
            yield Part(iter([data]), name)
        if self.hangs:
            yield Part(_never(doors.deadline))
        if self.error is not None:
            raise self.error


def _never(deadline: Deadline) -> Iterator[Chunk]:
    for _ in itertools.repeat(None):
        deadline.pause(0.005)
        yield b""


def text(data: bytes) -> Given:
    """A source of one file."""
    return Given({"": data})


def join(inputs: Mapping[str, bytes]) -> bytes:
    """Everything that came, by name."""
    return b";".join(name.encode() + b"=" + data for name, data in inputs.items())


def make(**inputs: Source) -> Composed:
    return Composed("db-1", tuple(inputs.items()), join)


def doors(seconds: float = 30.0) -> AttemptDoors:
    def connect(_: Machine) -> object:
        raise AssertionError("no machine is needed here")

    common = Common(Cluster("lab", "local", ()), WINDOW, SecretRegister(), connect)  # type: ignore[arg-type] # never called
    return AttemptDoors(common, Deadline(seconds))


def read(source: Source, seconds: float = 30.0) -> tuple[bytes, ItemError | None]:
    """What came, and what it ended with."""
    data = b""
    try:
        for part in source.open(doors(seconds)):
            for chunk in part.chunks:
                data += chunk if isinstance(chunk, bytes) else b""
    except ItemError as error:
        return data, error
    return data, None


def test_the_document_is_made_of_all_inputs_in_their_order() -> None:
    assert read(make(first=text(b"1"), second=text(b"2"))) == (b"first=1;second=2", None)


def test_files_of_one_input_come_under_its_name_and_their_own() -> None:
    assert read(make(**{"before:": Given({"/proc/stat": b"1", "/proc/uptime": b"2"})}))[0] == (
        b"before:/proc/stat=1;before:/proc/uptime=2"
    )


@pytest.mark.parametrize("error", [ABSENT, Failed(Reason.NOT_FOUND, "no such file")])
def test_a_tool_or_file_that_is_not_there_is_no_loss(error: ItemError) -> None:
    assert read(make(gone=Given(error=error), here=text(b"1"))) == (b"here=1", None)


def test_a_fault_of_an_input_is_named_after_the_document() -> None:
    data, error = read(make(broken=Given({"": b"half"}, error=BROKEN), here=text(b"1")))
    assert data == b"broken=half;here=1"
    assert isinstance(error, Partial)
    assert "the disk is gone" in error.message


def test_without_an_input_that_it_needs_there_is_no_document() -> None:
    source = Composed("db-1", (("log", Given(error=ABSENT)),), join, needs=frozenset({"log"}))
    assert read(source) == (b"", ABSENT)
    assert source.plan(doors()).impossible is ABSENT


def test_it_needs_root_where_an_input_that_it_needs_does() -> None:
    inputs = (("log", Given(needs_root=True)), ("more", text(b"")))
    assert Composed("db-1", inputs, join).privilege is Privilege.NONE
    assert Composed("db-1", inputs, join, needs=frozenset({"log"})).privilege is Privilege.ROOT


def test_an_input_that_hangs_costs_its_own_time_only() -> None:
    data, error = read(make(stuck=Given(hangs=True, seconds=0.02), here=text(b"1")))
    assert data == b"here=1"
    assert isinstance(error, Partial)
    assert "0.02 s" in error.message


def test_the_time_of_the_whole_ends_it() -> None:
    data, error = read(make(stuck=Given(hangs=True), here=text(b"1")), seconds=0.02)
    assert data == b""
    assert isinstance(error, TimedOut)


def test_what_is_too_long_to_hold_is_cut_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composed, "INPUT_CAP", 4)
    data, error = read(make(long=text(b"123456")))
    assert data == b"long=1234"
    assert isinstance(error, Partial)


def test_an_input_with_a_gap_is_used_up_to_the_gap() -> None:
    @dataclass(frozen=True)
    class Holed(Given):
        def open(self, doors: Doors) -> Iterator[Part]:
            yield Part(iter([b"head", Gap(10), b"tail"]))

    data, error = read(make(holed=Holed()))
    assert data == b"holed=head"
    assert isinstance(error, Partial)


def test_the_plan_shows_each_input_once() -> None:
    look: Callable[[], Given] = lambda: Given({"/proc/stat": b""})  # noqa: E731 - two equal sources
    assert make(before=look(), after=look()).what == "given /proc/stat"


def test_inputs_can_follow_from_what_the_first_ones_said(doors: Doors) -> None:
    """The files that a configuration names are known only once it was read."""

    def named(held: Mapping[str, bytes]) -> Iterator[tuple[str, Source]]:
        yield from ((name, text(name.upper().encode())) for name in held["names"].decode().split())

    source = Composed("db-1", (("names", text(b"a b")),), join, then=named)
    [part] = source.open(doors)
    assert b"".join(chunk for chunk in part.chunks if isinstance(chunk, bytes)) == b"names=a b;a=A;b=B"
