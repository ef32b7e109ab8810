"""What the plan and the prompt say of a level agrees with what the level does."""

from __future__ import annotations

import pytest

from clinic.kinds import Category
from clinic.redact.privacy import Level
from clinic.redact.readable import readable


@pytest.mark.parametrize("level", Level)
def test_every_category_has_one_line(level: Level) -> None:
    lines = readable(level)
    assert set(lines) == {str(category) for category in Category}
    assert all(text and "\n" not in text for text in lines.values())


def test_a_higher_level_leaves_less() -> None:
    sizes = [
        sum(map(len, readable(level).values())) for level in (Level.NONE, Level.IDENTIFIERS, Level.STRICT)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3


@pytest.mark.parametrize(
    ("level", "stays", "gone"),
    [
        (Level.NONE, "values in SQL", "nothing of this"),
        (Level.IDENTIFIERS, "names of databases", "addresses"),
        (Level.STRICT, "messages", "names of databases"),
    ],
)
def test_logs(level: Level, stays: str, gone: str) -> None:
    line = readable(level)["logs"]
    assert stays in line
    assert gone not in line


def test_values_in_sql_alone() -> None:
    line = readable(Level.NONE, ["logs"], literals=True)["logs"]
    assert "values in SQL" not in line
    assert "host names" in line


def test_only_what_is_in_the_plan() -> None:
    assert list(readable(Level.NONE, ["metrics", "logs"])) == ["logs", "metrics"]
