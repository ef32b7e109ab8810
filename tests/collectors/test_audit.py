"""TiUP's audit: which operation ended when, how long it took, and on which cluster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic_collectors._audit import concerns, ended, operations

LONG_AGO = datetime(1971, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        (
            "2TPzw7",
            "2001-09-09T01:46:40+00:00",
        ),  # the example of TiUP's own test, in seconds as old files have it
        ("2TPzw7_diag", "2001-09-09T01:46:40+00:00"),
        ("h4gGw3tPmG4", None),
    ],
)
def test_a_name_tells_when_it_ended(name: str, moment: str | None) -> None:
    found = ended(name)
    assert found is not None
    assert moment is None or found.isoformat() == moment
    assert found.year in (2001, 2026)


@pytest.mark.parametrize("name", ["", "_", "README", "../../etc/passwd", "a", "ZZZZZZZZZZZZZZZZZZZZ"])
def test_other_files_are_none(name: str) -> None:
    assert ended(name) is None


@given(st.text(max_size=30))
def test_no_name_makes_it_fail(name: str) -> None:
    assert ended(name) is None or isinstance(ended(name), datetime)


def build(files: dict[str, bytes], after: datetime = LONG_AGO) -> list[list[str]]:
    """The rows of the operations on `lab`."""
    lines = operations("lab", after)(files).decode().splitlines()
    assert lines[0].split("\t") == ["ended", "seconds", "id", "command"]
    return [line.split("\t") for line in lines[1:]]


def log(*stamps: str) -> bytes:
    """A log of TiUP."""
    return b"".join(f"{stamp}\tINFO\tExecute command\n".encode() for stamp in stamps)


def test_it_took_from_its_first_line_to_its_end() -> None:
    data = b"tiup-cluster reload lab -R tikv\n" + log(
        "2001-09-09T09:45:00.123+0800", "2001-09-09T09:46:40.000+0800"
    )
    assert build({"/a/2TPzw7": data}) == [
        ["2001-09-09T01:46:40Z", "100", "2TPzw7", "tiup-cluster reload lab -R tikv"]
    ]


def test_words_are_escaped_in_the_file_and_not_here() -> None:
    [row] = build({"/a/2TPzw7": b"%2Fbin%2Ftiup-cluster exec lab --command echo+a%09b\n"})
    assert row[3] == "/bin/tiup-cluster exec lab --command echo a?b"
    assert row[1] == "?", "without a line of log nobody knows"


def test_operations_on_other_clusters_stay_out() -> None:
    assert build({"/a/2TPzw7": b"tiup-cluster restart labor\n"}) == []


def test_old_ones_stay_out() -> None:
    files = {"/a/2TPzw7": b"tiup-cluster restart lab\n"}
    moment = datetime(2001, 9, 9, 1, 46, 40, tzinfo=timezone.utc)
    assert len(build(files, moment)) == 1
    assert build(files, moment + timedelta(seconds=1)) == []


def test_of_the_web_interface_the_second_line_counts() -> None:
    [row] = build({"/a/2TPzw7": b"tiup-cluster --ui\ntiup-cluster start lab\n"})
    assert row[3] == "tiup-cluster start lab"


def test_garbage_costs_only_itself() -> None:
    assert build({"/a/2TPzw7": b"\xff\xfe\x00", "/a/x": b"", "/a/2TPzw8": b"tiup-cluster stop lab"}) == [
        ["2001-09-09T01:46:41Z", "?", "2TPzw8", "tiup-cluster stop lab"]
    ]


def test_of_a_recorded_home_the_week_is_told(play: Callable[..., bytes]) -> None:
    lines = play("tiup", "changes.tiup").decode().splitlines()[1:]
    assert [line.split("\t")[3].split(" ")[1] for line in lines] == ["reload", "edit-config"]
    assert [line.split("\t")[1] for line in lines] == ["100", "30"]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"%2Fbin%2Ftiup-cluster reload lab -R tikv\n", True),
        (b"%2Fbin%2Ftiup-cluster reload other -R tikv\n2026-11-24T10:00:00.000+0800\tINFO\tlab\n", False),
        (b"tiup-cluster --ui\ntiup-cluster start other\n", False),
        (
            b'2026-11-24T10:00:00.000+0800\tINFO\tExecute command\t{"command": "tiup cluster stop lab"}\n',
            True,
        ),
        (
            b'2026-11-24T10:00:00.000+0800\tINFO\tExecute command\t{"command": "tiup cluster stop labor"}\n',
            False,
        ),
        (b"2026-11-24T10:00:00.000+0800\tINFO\tanother file\n", True),
        (b"", True),
        (b"\xff\x00", True),
    ],
)
def test_what_tells_of_another_cluster_alone_is_none_of_ours(data: bytes, wanted: bool) -> None:
    assert concerns("lab", data) is wanted
