"""Command lines are bounded, printable, and give the values of their options however these are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.cluster.discovery.argv import (
    LONGEST_SHOWN,
    MOST_BYTES,
    MOST_SHOWN,
    leading_words,
    options,
    printable,
    shorten,
    shown,
    split,
)

NAMES = ("addr", "log-file", "web.listen-address", "P")
VALUES = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
    lambda text: not text.startswith("-")
)


@given(st.binary(max_size=400))
def test_any_bytes_become_arguments_that_can_be_printed(raw: bytes) -> None:
    for word in split(raw):
        assert printable(word).isprintable()


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_arguments_come_out_as_the_kernel_puts_them_in(words: list[str]) -> None:
    assert split(b"".join(word.encode() + b"\0" for word in words)) == tuple(words)


def test_a_process_that_has_no_arguments_has_none() -> None:
    assert split(b"") == ()


def test_a_cut_argument_is_left_out_whole() -> None:
    """A password whose end is cut off would not be recognised as one."""
    raw = b"tidb-server\0" + b"x" * (MOST_BYTES - 40) + b"\0--path=mysql://root:secret@10.0.1.5:4000/test\0"
    assert len(raw) > MOST_BYTES
    assert [len(word) for word in split(raw)] == [11, MOST_BYTES - 40]


def test_one_argument_longer_than_is_looked_at_leaves_nothing() -> None:
    assert split(b"x" * (2 * MOST_BYTES)) == ()


def test_bytes_that_are_no_text_are_written_out() -> None:
    assert split(b"/data\xff/tidb\0") == ("/data\\xff/tidb",)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("--log-file=/data/日志/tidb.log", "--log-file=/data/日志/tidb.log"),
        ("\x1b[2J\x1b]0;owned\x07", "\\x1b[2J\\x1b]0;owned\\x07"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("gnp\u202e.txt", "gnp\\u202e.txt"),
        ("a\u200bb\u2028c", "a\\u200bb\\u2028c"),
        ("\x85\x9b", "\\x85\\x9b"),
    ],
)
def test_what_a_terminal_would_act_on_is_escaped(text: str, safe: str) -> None:
    assert printable(text) == safe


def test_long_arguments_and_many_arguments_are_cut_and_say_so() -> None:
    assert shorten("x" * LONGEST_SHOWN) == "x" * LONGEST_SHOWN
    assert shorten("x" * 5000) == "x" * LONGEST_SHOWN + "... (5000 characters)"
    assert shown(["a"] * MOST_SHOWN) == ("a",) * MOST_SHOWN
    assert shown(["a"] * 999)[-1] == "... (999 arguments)"
    assert len(shown(["a"] * 999)) == MOST_SHOWN + 1


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), VALUES, st.sampled_from(("-n v", "--n v", "-n=v", "--n=v"))))
)
def test_an_option_is_found_however_it_is_written_and_the_last_one_counts(
    written: list[tuple[str, str, str]],
) -> None:
    words = ["tidb-server"]
    for name, value, style in written:
        head = style.split("n", maxsplit=1)[0] + name
        words += [f"{head}={value}"] if "=" in style else [head, value]
    assert options(words, NAMES) == {name: value for name, value, _ in written}


@given(st.lists(st.text()), st.booleans(), st.booleans())
def test_no_command_line_breaks_the_reading(words: list[str], glued: bool, underscores: bool) -> None:
    found = options(words, NAMES, glued=glued, underscores=underscores)
    assert set(found) <= set(NAMES)


def test_an_option_without_a_value_has_the_empty_one() -> None:
    assert options(["x", "--addr", "--log-file=/a"], NAMES) == {"addr": "", "log-file": "/a"}
    assert options(["x", "--addr"], NAMES) == {"addr": ""}
    assert options(["x", "--addr="], NAMES) == {"addr": ""}


def test_options_end_at_two_dashes() -> None:
    assert options(["x", "--", "--addr=a"], NAMES) == {}


def test_a_short_option_may_stand_before_its_value_where_the_component_allows_it() -> None:
    assert options(["mysqld", "-P3307"], NAMES, glued=True) == {"P": "3307"}
    assert options(["tidb-server", "-P3307"], NAMES) == {}


def test_underscores_are_dashes_where_the_component_says_so() -> None:
    assert options(["mysqld", "--log_file=/a"], NAMES, underscores=True) == {"log-file": "/a"}
    assert options(["tidb-server", "--log_file=/a"], NAMES) == {}


def test_a_setting_of_grafana_stands_without_dashes() -> None:
    names = ("cfg:default.paths.logs", "config")
    words = ["grafana-server", "cfg:default.paths.logs=/var/log/grafana", "config=/no/option"]
    assert options(words, names) == {"cfg:default.paths.logs": "/var/log/grafana"}


def test_the_words_before_the_first_option_say_which_command_it_is() -> None:
    assert leading_words(["pd-server", "services", "tso", "--name=a"], 2) == ("services", "tso")
    assert leading_words(["pd-server", "--name=a", "services"], 2) == ()
    assert leading_words(["pd-server"], 2) == ()
