"""Each of the 22 points of an upload has tests, and they are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

POINTS = 22


def points(root: Path) -> dict[int, list[str]]:
    """Point -> the tests that `docs/upload.md` names for it."""
    rows = re.findall(r"(?m)^\| (\d+) \|.*\| ([^|]*) \|$", (root / "docs" / "upload.md").read_text())
    return {int(number): re.findall(r"`([^`]*)`", tests) for number, tests in rows}


def test_every_point_has_a_test_that_is_there(root: Path) -> None:
    found = points(root)
    assert sorted(found) == list(range(1, POINTS + 1))
    assert all(found.values())
    for name in sorted({one for tests in found.values() for one in tests}):
        file, _, test = name.partition("::")
        tree = ast.parse((root / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, name
