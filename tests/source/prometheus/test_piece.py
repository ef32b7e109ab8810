"""Halves of a piece: together they are the whole, and nothing is in both."""

from __future__ import annotations

import re

from clinic.formats.remoteread import LabelMatch, Match
from clinic.source.prometheus.piece import Piece, quoted


def test_selectors_are_promqls() -> None:
    piece = Piece(("a", "b.c"), 0, 1000, (LabelMatch(Match.NOT_EQUAL, "x", 'say "\\"'),))
    assert piece.selector == r'{__name__=~"a|b\\.c",x!="say \"\\\""}'
    assert Piece(("a",), 5, 1000).range_selector == '{__name__="a"}[996ms]'


def test_halves_by_label_are_complements() -> None:
    values = ["a|b", "(x)", "10.0.0.1:1", ""]
    first, second = Piece(("m",), 0, 9).by_label("l", values)
    (one,), (other,) = first.matches, second.matches
    assert (one.kind, other.kind, one.value) == (Match.REGEX, Match.NOT_REGEX, other.value)
    assert [re.fullmatch(one.value, value) is not None for value in values] == [True, True, False, False]
    assert Piece(("m",), 0, 9).by_label("l", ["only"]) == []


def test_halves_by_time_meet_and_keep_to_the_step() -> None:
    first, second = Piece(("m",), 7, 100_006).by_time(1)
    assert (first.start, first.end + 1, second.end) == (7, second.start, 100_006)
    first, second = Piece(("m",), 7, 100_007, step=15_000).by_time(1)
    assert (second.start - 7) % 15_000 == 0 and first.end + 1 == second.start
    assert Piece(("m",), 0, 100).by_time(60) == [], "too short"
    assert Piece(("m",), 0, 20_000, step=15_000).by_time(1) == [], "less than two steps"


def test_halves_by_names() -> None:
    assert [one.names for one in Piece(("a", "b", "c"), 0, 1).by_names()] == [("a",), ("b", "c")]
    assert Piece(("a",), 0, 1).by_names() == []


def test_a_quoted_text_matches_itself_alone() -> None:
    text = r"a.b+c*d?(e)|[f]{g}^$\\"
    assert re.fullmatch(quoted(text), text) and not re.fullmatch(quoted("a.b"), "axb")
