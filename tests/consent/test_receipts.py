"""The store: nobody changes, removes or moves an entry unseen, and no crash costs one."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic.bundle.codec import dump
from clinic.consent.chain import START, Chain, Head, digest, line_of, read_chain
from clinic.consent.receipt import Event, Happened
from clinic.consent.receipts import Receipts
from clinic.errors import BadBundle, Refused, UsageError

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
EVENTS = st.lists(
    st.builds(Event, st.sampled_from(Happened), TEXTS, TEXTS, note=TEXTS), min_size=1, max_size=6
)

few = settings(max_examples=40)


def chained(events: list[Event]) -> tuple[list[bytes], Head]:
    """The lines of a chain, and its head."""
    lines: list[bytes] = []
    head = Head()
    for event in events:
        line = line_of(head, event)
        lines.append(line)
        head = Head(len(lines), digest(line))
    return lines, head


@few
@given(EVENTS)
def test_what_was_written_holds_and_reads_back(events: list[Event]) -> None:
    lines, head = chained(events)
    chain = read_chain(b"".join(lines), head)
    assert (chain.wrong, chain.head) == ((), head)
    assert [entry.event for entry in chain.entries] == events


@few
@given(EVENTS, st.data())
def test_any_changed_byte_is_found(events: list[Event], data: st.DataObject) -> None:
    lines, head = chained(events)
    whole = bytearray(b"".join(lines))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    assert read_chain(bytes(whole), head).wrong


@few
@given(EVENTS, st.data())
def test_any_removed_entry_is_found_also_the_last(events: list[Event], data: st.DataObject) -> None:
    lines, head = chained(events)
    del lines[data.draw(st.integers(0, len(lines) - 1))]
    assert read_chain(b"".join(lines), head).wrong


@few
@given(EVENTS, st.data())
def test_any_added_or_doubled_entry_is_found(events: list[Event], data: st.DataObject) -> None:
    lines, head = chained(events)
    again = data.draw(st.sampled_from(lines))
    lines.insert(data.draw(st.integers(0, len(lines))), again)
    assert read_chain(b"".join(lines), head).wrong


@few
@given(EVENTS, st.data())
def test_any_other_order_is_found(events: list[Event], data: st.DataObject) -> None:
    lines, head = chained(events)
    other = data.draw(st.permutations(lines))
    assert bool(read_chain(b"".join(other), head).wrong) == (other != lines)


@few
@given(EVENTS, st.data())
def test_anything_cut_off_is_found(events: list[Event], data: st.DataObject) -> None:
    lines, head = chained(events)
    whole = b"".join(lines)
    assert read_chain(whole[: data.draw(st.integers(0, len(whole) - 1))], head).wrong


@few
@given(EVENTS, st.data())
def test_a_crash_at_any_byte_of_an_entry_leaves_a_chain_that_holds(
    events: list[Event], data: st.DataObject
) -> None:
    """The head says first what is about to be written; the file may then hold any part of it."""
    lines, _ = chained(events)
    *before, last = lines
    _, head = chained(events[:-1])
    intent = Head(head.count, head.digest, digest(last))
    written = last[: data.draw(st.integers(0, len(last)))]
    chain = read_chain(b"".join(before) + written, intent)
    assert chain.wrong == ()
    assert chain.head.count == len(before) + (written == last)
    assert chain.good == sum(map(len, before)) + (len(last) if written == last else 0)


def event(receipt: str = "one", happened: Happened = Happened.REFUSED) -> Event:
    return Event(happened, receipt, "2026-11-25T12:00:00Z")


def test_its_files_are_the_users_alone(receipts: Receipts) -> None:
    previous = os.umask(0)
    try:
        receipts.append(event())
    finally:
        os.umask(previous)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in receipts.directory.iterdir()}
    assert modes == {"receipts.jsonl": 0o600, "head.json": 0o600, "lock": 0o600}
    for made in (receipts.directory, receipts.directory.parent):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_a_directory_that_others_can_look_into_is_refused(receipts: Receipts) -> None:
    receipts.append(event())
    receipts.directory.chmod(0o750)
    with pytest.raises(Refused, match="not yours alone"):
        receipts.append(event())


def test_nothing_is_made_by_reading(receipts: Receipts) -> None:
    assert receipts.read() == Chain((), Head(0, START), (), 0)
    assert not receipts.directory.exists()


def test_a_torn_entry_makes_room_for_the_next(receipts: Receipts) -> None:
    receipts.append(event("one"))
    chain = receipts.read()
    line = line_of(chain.head, event("torn"))
    path = receipts.directory / "receipts.jsonl"
    (receipts.directory / "head.json").write_bytes(dump(Head(1, chain.head.digest, digest(line))))
    path.write_bytes(path.read_bytes() + line[:40])
    assert receipts.read().wrong == ()
    receipts.append(event("two"))
    assert [entry.event.receipt for entry in receipts.entries()] == ["one", "two"]


@pytest.mark.parametrize("name", ["receipts.jsonl", "head.json"])
@pytest.mark.parametrize("how", ["removed", "emptied", "replaced"])
def test_a_file_that_is_gone_or_another_is_found(receipts: Receipts, name: str, how: str) -> None:
    for receipt in ("one", "two"):
        receipts.append(event(receipt))
    path = receipts.directory / name
    path.unlink()
    if how != "removed":
        path.write_bytes(b"" if how == "emptied" else b"{}\n" * 2)
    for what in (lambda: receipts.append(event()), receipts.entries):
        with pytest.raises(BadBundle, match="can't be relied on"):
            what()


def test_a_link_in_place_of_a_file_is_not_followed(receipts: Receipts, tmp_path: Path) -> None:
    receipts.append(event())
    other = tmp_path / "other"
    other.write_bytes((receipts.directory / "receipts.jsonl").read_bytes())
    (receipts.directory / "receipts.jsonl").unlink()
    (receipts.directory / "receipts.jsonl").symlink_to(other)
    with pytest.raises(Refused):
        receipts.append(event())
    assert other.read_bytes().count(b"\n") == 1


def test_many_at_once_are_one_after_the_other(receipts: Receipts) -> None:
    def add(name: str) -> None:
        for number in range(5):
            receipts.append(event(f"{name}-{number}"))

    threads = [threading.Thread(target=add, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receipts.entries()) == 20


def test_an_id_is_found_by_its_beginning_or_not_at_all(receipts: Receipts) -> None:
    with pytest.raises(UsageError, match="there is no receipt"):
        receipts.find("abc")


WRITER = """
import sys
from pathlib import Path
from clinic.consent.receipt import Event, Happened
from clinic.consent.receipts import Receipts
receipts = Receipts(Path(sys.argv[1]))
for number in range(10_000):
    entry = receipts.append(Event(Happened.REFUSED, str(number), "2026-11-25T12:00:00Z", note="x" * 3000))
    print(entry.number, flush=True)
"""


@pytest.mark.slow
def test_sigkill_at_any_time_loses_nothing_that_was_reported(tmp_path: Path) -> None:
    directory, reported = tmp_path / "receipts", 0
    for run in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, directory], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for _ in range(3 + run):
                reported = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            reported = max([reported, *(int(line) for line in process.stdout.read().split())])
        chain = Receipts(directory).read()
        assert chain.wrong == ()
        assert reported <= chain.head.count <= reported + 1
