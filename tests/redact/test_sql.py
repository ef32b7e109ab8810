"""SQL in text: which values go, and that no input makes it slow."""

from __future__ import annotations

import time

import pytest

from clinic.redact.sql import SqlStage

HOSTILE = (
    b"\xe2\x80\xb9", b"\xe2", b"'", b"\\'", b'"', b'\\"', b"`", b"`'", b"x'", b"1", b"1.", b"1e", b"0x", b"a ", b"  ",
    b"a(", b"select '", b'"select ', b'"select \\"', b"update ", b"where ", b"with a as ", b"incorrect ",
    b"incorrect a", b"duplicate entry '\\", b"tidb_decode_plan('",
)  # fmt: skip


def _seconds(piece: bytes, times: int, before: bytes) -> float:
    line, best = before + piece * times, 1e9
    for _ in range(3):
        stage, began = SqlStage(bytes, lambda: None), time.process_time()
        stage.is_needed(line)
        stage.line(line)
        best = min(best, time.process_time() - began)
    return best


@pytest.mark.slow
@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("before", [b"", b"select ", b'"select '])
def test_eight_times_the_input_takes_about_eight_times_as_long(piece: bytes, before: bytes) -> None:
    """Not sixty-four times, as where each of many beginnings looks for its end."""
    assert _seconds(piece, 16_000, before) < 32 * max(_seconds(piece, 2_000, before), 0.0002)


def _line(text: str) -> str:
    return SqlStage(None, lambda: None).line(text.encode()).decode()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("select * from t where a = 'x''y' and b = 0x1F", "select * from t where a = ? and b = ?"),
        (
            "set by \u20394711\u203a and \u2039Doe\u203a\u203ax\u203a, done",
            "set by \u2039?\u203a and \u2039?\u203a, done",
        ),
        ("cut short \u20394711 and more", "cut short \u2039?"),
        ("Duplicate entry 'a-1' for key 'uk'", "Duplicate entry '?' for key 'uk'"),
        ("tidb_decode_plan('abc')", "tidb_decode_plan('?')"),
    ],
)
def test_values_go(text: str, clean: str) -> None:
    assert _line(text) == clean


def _lines(text: str) -> str:
    return SqlStage(None, lambda: None).lines(text.encode()).decode()


def test_a_statement_goes_on_over_lines_and_prose_does_not() -> None:
    assert (
        _lines("select *\nfrom t\nwhere a = 5;\nread 7 rows\n")
        == "select *\nfrom t\nwhere a = ?;\nread 7 rows\n"
    )
    assert (
        _lines("where it is, nobody knows:\n7 of 9 files\n") == "where it is, nobody knows:\n7 of 9 files\n"
    )
    assert _lines("select 1\n\n7 of 9 files\n") == "select ?\n\n7 of 9 files\n"
    assert (
        _lines('[2026/1] [sql="select 1\n[2026/11/25] [n=7]\n')
        == '[2026/1] [sql="select ?\n[2026/11/25] [n=7]\n'
    )
