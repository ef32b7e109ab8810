"""The page is as wide as it says, whatever is written on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.formats.page import cut, plain, some, width, wrap


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fine", "fine"),
        ("two\nlines\tand   blanks ", "two lines and blanks"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("right\u202eto left", "right\\u202eto left"),
        ("\U000e0041tag", "\\U000e0041tag"),
        ("数据库 is slow", "数据库 is slow"),
    ],
)
def test_what_could_steer_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_columns_are_counted_as_a_terminal_shows_them() -> None:
    assert width("abc") == 3
    assert width("数据") == 4
    assert width("e\u0301") == 1


@given(st.text(max_size=200), st.integers(8, 120))
def test_cut_text_fits(text: str, columns: int) -> None:
    assert width(cut(text, columns)) <= columns


@given(
    st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=300),
    st.integers(2, 80),
)
def test_wrapped_lines_fit_and_lose_nothing(text: str, columns: int) -> None:
    lines = list(wrap(text, columns))
    assert all(width(line) <= columns for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_list_says_how_much_it_left_out() -> None:
    assert some(["a", "b"], 2) == "a, b"
    assert some(["a", "b", "c", "d"], 2) == "a, b and 2 more"
