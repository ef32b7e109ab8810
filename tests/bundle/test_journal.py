"""The journal says what was planned and what became of it, also when its last line was cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from clinic.bundle.journal import Begun, Header, header_line, line, read_journal
from clinic.bundle.record import Entry, FileEntry, Record
from clinic.errors import BadBundle
from clinic.outcome import Status

NOTHING = "journal.jsonl has no first line: nothing can be said of what was planned"


@pytest.fixture
def header(plan: Callable[..., Header]) -> Header:
    """Two planned items."""
    return plan("h1/a.txt", "h1/b.txt")


def test_the_header_comes_back(header: Header) -> None:
    parented = replace(header, parent="ab" * 32)
    assert read_journal(header_line(parented)).header == parented


def test_the_last_record_of_an_item_counts(header: Header) -> None:
    first, second = header.entries
    lines = [
        header_line(header), line(Record(first, Status.FAILED)), line(Record(second, Status.OK)),
        line(Record(first, Status.OK, message="the second time")),
    ]  # fmt: skip
    journal = read_journal(b"".join(lines))
    assert journal.records["h1/a.txt"].message == "the second time"
    assert journal.records["h1/b.txt"].status is Status.OK


def test_an_item_that_was_begun_and_has_no_record_is_named(header: Header) -> None:
    lines = [
        header_line(header), line(Begun("h1/a.txt", "t1")), line(Begun("h1/b.txt", "t2")),
        line(Record(header.entries[0], Status.OK)),
    ]  # fmt: skip
    assert read_journal(b"".join(lines)).begun == {"h1/b.txt": "t2"}


def test_derived_files_are_listed(header: Header, file: Callable[..., FileEntry]) -> None:
    journal = read_journal(header_line(header) + line(file("SUMMARY.txt", b"x")))
    assert set(journal.derived) == {"SUMMARY.txt"}


@pytest.mark.parametrize("cut", [1, 2, 30])
def test_a_torn_last_line_is_left_out_and_told(header: Header, cut: int) -> None:
    whole = header_line(header) + line(Record(header.entries[0], Status.OK))
    last = line(Record(header.entries[1], Status.OK))
    journal = read_journal(whole + last[:-cut])
    assert journal.torn
    assert set(journal.records) == {"h1/a.txt"}
    assert journal.size == len(whole)
    assert not read_journal(whole + last).torn


def test_bytes_that_a_power_loss_left_unwritten_are_a_torn_line(header: Header) -> None:
    journal = read_journal(header_line(header) + b"\0" * 4096 + b"\n")
    assert journal.torn
    assert journal.records == {}


def test_a_broken_line_in_the_middle_is_refused(header: Header) -> None:
    broken = header_line(header) + b'{"record": \n' + line(Record(header.entries[0], Status.OK))
    with pytest.raises(BadBundle, match=r"^journal.jsonl, line 2 is not JSON"):
        read_journal(broken)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", NOTHING),
        (b'{"format": "clinic-bundle/1", "hea', NOTHING),
        (b'{"format": "clinic-bundle/9"}\n',
         "journal.jsonl is of the format 'clinic-bundle/9', and this version of Clinic reads clinic-bundle/1"),
        (b'{"format": "clinic-bundle/1"}\n', "journal.jsonl, line 1: is not an object"),
        (b'{"format": "clinic-bundle/1", "header": {"entries": []}}\n', "journal.jsonl, line 1: run is missing"),
    ],
)  # fmt: skip
def test_a_journal_without_a_valid_header_is_no_bundle(data: bytes, message: str) -> None:
    with pytest.raises(BadBundle) as caught:
        read_journal(data)
    assert caught.value.message == message


def test_a_line_of_an_unknown_kind_is_passed_over(header: Header, entry: Callable[..., Entry]) -> None:
    journal = read_journal(header_line(header) + b'{"checkpoint": 3}\n' + line(Record(entry("x"), Status.OK)))
    assert set(journal.records) == {"x"}
