"""The list of where diag's files are names items that exist, and the paths that they have."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic.collector import Item

ROW = re.compile(r"^\| (.+?) \| (.+?) \| `([a-z.-]+)` \|$", re.MULTILINE)
FOLDERS = {
    "config.files",
    "log.std",
    "log.error",
    "log.slow",
    "log.audit",
    "log.rocksdb",
    "changes.tiup",
    "metrics.samples",
}
"""Items of which the list names a file in their folder, or the folder."""


def rows(root: Path) -> list[tuple[str, str, str]]:
    """diag's file, where it is here, and the item."""
    text = (root / "docs" / "bundle-format.md").read_text().partition("files of PingCAP's diag")[2]
    return ROW.findall(text.partition("\n## ")[0])


def test_the_list_is_read(root: Path) -> None:
    assert len(rows(root)) > 20


def test_every_item_of_the_list_exists_and_is_where_it_says(
    root: Path, items: Callable[[str, str], list[Item]]
) -> None:
    for theirs, ours, name in rows(root):
        found = items("tiup", name)
        assert found, f"{name} is declared for no instance of the recorded cluster"
        path = theirs if ours.startswith("the same") else ours
        wanted = re.findall(r"`([^`]+)`", path)[0].rstrip("/").rpartition("/")[2]
        if ours.startswith("not collected") or name.startswith("debug"):
            continue
        paths = [item.path for item in found]
        if name in FOLDERS:
            folder = re.findall(r"`([^`]+)`", path)[0].rstrip("/").split("/")[-2 if "." in wanted else -1]
            folder = "metrics" if folder == "<server>" else folder
            assert any(folder in each.split("/") for each in paths), (theirs, paths)
        else:
            assert any(each.endswith(f"/{wanted}") or each == wanted for each in paths), (theirs, paths)


@pytest.mark.parametrize(
    "name", ["cluster.json", "meta.yaml", "insight.json", "store.json", "placement-rule.json"]
)
def test_what_diags_readers_need_is_in_the_list(root: Path, name: str) -> None:
    assert any(name in theirs for theirs, _, _ in rows(root))
