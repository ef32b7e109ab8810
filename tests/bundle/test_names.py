"""Any name a host may send becomes one path below the root, the same one each time, fit for every system."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.bundle.names import LONGEST_NAME, LONGEST_PATH, Names, fold, is_confined, safe_name, safe_path

_NASTY = st.sampled_from(
    ["..", ".", "", "CON", "nul.txt", "Com1", "lpt¹", "a.", "b ", "C:", "a\\b", "~", "%2E", "x" * 300, "é" * 150,
     "\udcff", "\ud800", "\x1b[2J", "\u202e", "\r\n", "*", "tidb.log", "-rf", " "]
)  # fmt: skip
_PARTS = st.one_of(_NASTY, st.text(max_size=12), st.characters())


def joined(lead: str, parts: list[str], tail: str) -> str:
    """A path of such parts."""
    return lead + "/".join(parts) + tail


PATHS = st.builds(
    joined, st.sampled_from(["", "/", "//"]), st.lists(_PARTS, max_size=12), st.sampled_from(["", "/", "/.."])
)


@given(PATHS)
def test_a_safe_path_stays_below_the_root(path: str) -> None:
    safe = safe_path(path)
    assert is_confined(safe)
    root = os.path.normpath("/bundle")
    assert os.path.normpath(os.path.join(root, safe)).startswith("/bundle/")  # noqa: PTH118 - as any tool joins it
    windows = PureWindowsPath(safe)
    assert not windows.drive
    assert ".." not in windows.parts


@given(PATHS)
def test_a_safe_path_is_its_own_safe_path(path: str) -> None:
    assert safe_path(safe_path(path)) == safe_path(path)


@given(PATHS)
def test_every_part_can_be_a_name_on_windows_and_on_a_terminal(path: str) -> None:
    safe = safe_path(path)
    assert len(safe.encode()) <= LONGEST_PATH
    for part in safe.split("/"):
        assert 0 < len(part.encode()) <= LONGEST_NAME
        assert not part.endswith((".", " "))
        assert part.isprintable()
        assert not set('<>:"|?*\\') & set(part)
        assert part.split(".")[0].rstrip().upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT¹"}


@given(PATHS)
def test_a_safe_path_can_be_made_here(path: str) -> None:
    os.fsencode(safe_path(path)).decode("utf-8")


@given(
    st.lists(st.text(st.sampled_from("ab:\\\x01.é\udcfe"), min_size=1, max_size=4), unique=True, max_size=20)
)
def test_names_that_differ_stay_different_when_they_hold_no_percent(names: list[str]) -> None:
    assert len({safe_name(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("10.0.1.5/tidb-4000/tidb.log", "10.0.1.5/tidb-4000/tidb.log"),
        ("/data/tidb:4000/log", "data/tidb%3A4000/log"),
        ("../../etc/shadow", ".%2E/.%2E/etc/shadow"),
        ("./a//b/./c", "a/b/c"),
        ("CON", "%43ON"),
        ("aux.log", "%61ux.log"),
        ("console.log", "console.log"),
        ("dir./file ", "dir%2E/file%20"),
        ("a\\b", "a%5Cb"),
        ("bad\udcffbyte", "bad%FFbyte"),
        ("\x1b[31mred", "%1B[31mred"),
        ("数据库.log", "数据库.log"),
        ("", "_"),
        ("/", "_"),
        ("..", ".%2E"),
        ("100%", "100%"),
    ],
)
def test_known_names(path: str, safe: str) -> None:
    assert safe_path(path) == safe


def test_a_long_name_keeps_its_beginning_and_ending_and_stays_apart_from_its_like() -> None:
    first, second = (safe_name("slow-query-" + "x" * 300 + tail + ".log") for tail in ("1", "2"))
    assert first.startswith("slow-query-xxx")
    assert first.endswith(".log")
    assert first != second


def test_a_deep_path_keeps_its_first_folders_and_its_name() -> None:
    safe = safe_path("host/" + "d" * 150 + "/" + "deep/" * 400 + "tidb.log")
    assert safe.startswith("host/" + "d" * 150 + "/deep/")
    assert safe.endswith("/tidb.log")
    assert len(safe.encode()) <= LONGEST_PATH


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "C:/x", "a\\b", "a\0b", "a\nb", "a:b"]
)
def test_paths_that_leave_the_root_or_mean_something_else_elsewhere_are_not_confined(path: str) -> None:
    assert not is_confined(path)


def test_equal_names_are_numbered_before_their_endings() -> None:
    names = Names()
    assert [names.claim("h/a.log") for _ in range(3)] == ["h/a.log", "h/a~2.log", "h/a~3.log"]


@pytest.mark.parametrize("other", ["A.LOG", "a.log.zst", "h/a.log"])
def test_names_that_would_collide_somewhere_are_kept_apart(other: str) -> None:
    names = Names(["a.log", "H/A.log"])
    assert names.claim(other) == other.replace("a.log", "a~2.log").replace("A.LOG", "A~2.LOG")


def test_composed_and_decomposed_names_are_the_same_name() -> None:
    assert fold("é") == fold(unicodedata.normalize("NFD", "É"))


def test_a_file_and_a_folder_can_not_share_a_name() -> None:
    names = Names(["conf", "log/tidb.log"])
    assert names.claim("conf/tidb.toml") == "conf~2/tidb.toml"
    assert names.claim("log") == "log~2"


def test_a_released_name_is_free_again_and_a_replaced_one_is_not_numbered() -> None:
    names = Names(["a/b", "c"])
    names.release("a/b")
    assert names.claim("a") == "a"
    assert names.claim("c", replacing={"c"}) == "c"


@given(st.lists(PATHS, max_size=30))
def test_claimed_names_can_all_be_made_at_once(paths: list[str]) -> None:
    names = Names()
    claimed = [fold(names.claim(safe_path(path))) for path in paths]
    assert len(set(claimed)) == len(paths)
    for path in claimed:
        assert not any(other.startswith(path + "/") for other in claimed)


def test_names_survive_this_file_system(tmp_path: Path) -> None:
    safe = safe_path("/x" * 3 + "/CON/" + "é" * 200 + "/\udcfe:")
    target = tmp_path / safe
    target.parent.mkdir(parents=True)
    target.write_bytes(b"")
    assert target.relative_to(tmp_path).as_posix() == safe
