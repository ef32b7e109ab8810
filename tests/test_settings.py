"""Every silenced check and every dependency has its reason beside it, and the floors name every room."""

from __future__ import annotations

import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PYTHON = [
    path for top in ("src", "collectors", "tests", "tools") for path in sorted((ROOT / top).rglob("*.py"))
]
TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
SETTINGS: dict[str, Any] = tomllib.loads(TEXT)

EXCUSE = re.compile(
    r"(?P<excuse>"
    r"type: ?ignore(?:\[[\w, -]+\])?"
    r"|pyright: ?ignore(?:\[[\w, ]+\])?"
    r"|noqa(?:: ?[A-Z]+[0-9]+(?:, ?[A-Z]+[0-9]+)*)?"
    r"|pragma: no cover)"
)


def _comments(path: Path) -> Iterator[tuple[int, str]]:
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def excuse_without_reason(comment: str) -> bool:
    """Whether a comment silences a checker and does not say why, or silences all of it."""
    match = EXCUSE.search(comment)
    if match is None:
        return False
    bare = match["excuse"].replace(" ", "") in {"type:ignore", "pyright:ignore", "noqa"}
    rest = EXCUSE.sub("", comment).strip(" #:-—,")
    return bare or len(rest) < 8


@pytest.mark.parametrize(
    ("comment", "bad"),
    [
        ("# an ordinary comment", False),
        ("# type: ignore[arg-type]  # the stubs lack the bytes overload", False),
        ("# noqa: BLE001 - the one catch", False),
        ("# type: ignore[arg-type]", True),
        ("# noqa", True),
        ("# noqa: everything, because I say so", True),
        ("# pragma: no cover", True),
    ],
)
def test_an_excuse_is_told_from_a_reason(comment: str, bad: bool) -> None:
    assert excuse_without_reason(comment) is bad


def test_every_silenced_check_has_its_reason() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{line} {comment}"
        for path in PYTHON
        if path != Path(__file__)
        for line, comment in _comments(path)
        if excuse_without_reason(comment)
    ]
    assert not silent, "say why on the same line:\n" + "\n".join(silent)


def test_every_ignore_in_the_tool_settings_has_its_reason() -> None:
    """In pyproject.toml a rule that is switched off stands on a line of its own, with a comment."""
    ruff = SETTINGS["tool"]["ruff"]["lint"]
    rules = [*ruff["ignore"], *(rule for rules in ruff["per-file-ignores"].values() for rule in rules)]
    for rule in rules:
        assert re.search(rf'(?m)^  "{rule}",\s+# \w.+', TEXT), f"{rule} is switched off without a reason"
    for option in (
        "disable_error_code",
        "ignore_errors",
        "ignore_missing_imports",
        "exhaustive_ignores",
        "omit",
        "exclude_also",
    ):
        for line in re.findall(rf"(?m)^{option}\b.*", TEXT):
            assert "#" in line, f"{line} has no reason beside it"


def test_every_dependency_says_what_it_is_for() -> None:
    project = SETTINGS["project"]
    wanted = [
        *project["dependencies"],
        *(d for extra in project.get("optional-dependencies", {}).values() for d in extra),
    ]
    for dependency in wanted:
        line = next(line for line in TEXT.splitlines() if f'"{dependency}"' in line)
        assert re.search(r"# \w", line), f"{dependency}: what is it for?"


def test_the_floors_name_every_room_and_no_other() -> None:
    """The layers contract lists what is under src/clinic, each once; only a room in parentheses may be missing."""
    contracts = SETTINGS["tool"]["importlinter"]["contracts"]
    layers = next(contract for contract in contracts if contract["type"] == "layers")
    rooms = [room.strip() for layer in layers["layers"] for room in re.split(r"[|:]", layer)]
    named = [room.strip("()") for room in rooms]
    there = {
        path.stem if path.is_file() else path.name
        for path in (ROOT / "src/clinic").iterdir()
        if _is_room(path)
    }
    assert len(named) == len(set(named))
    assert there - set(named) == set()
    assert {room for room in rooms if not room.startswith("(")} - there == set()
    assert layers["exhaustive"] is True
    drawn = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## Floors")[2]
    assert [room for room in named if f"`{room}`" not in drawn and room != "__main__"] == []


def _is_room(path: Path) -> bool:
    if path.is_dir():
        return (path / "__init__.py").exists()
    return path.suffix == ".py" and path.name != "__init__.py"
