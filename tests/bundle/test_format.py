"""`docs/bundle-format.md` tells the truth: its commands verify a real bundle, its lists are whole."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from clinic.bundle import names
from clinic.bundle.cap import marker
from clinic.bundle.filter import FAILED
from clinic.bundle.manifest import FORMAT, ClusterFacts, Manifest, Run, WindowFacts
from clinic.bundle.record import Action, Attempt, Entry, FileEntry, Record
from clinic.bundle.writer import Sealed
from clinic.outcome import Status

LOG = b"[2026/11/25 10:00:00] one line of a log\n" * 5000
Seal = Callable[[Mapping[str, bytes]], Sealed]


@pytest.fixture(scope="module")
def page() -> str:
    """The document."""
    return (Path(__file__).resolve().parents[2] / "docs/bundle-format.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def commands(page: str) -> list[str]:
    """Its commands, in their order."""
    return re.findall(r"```sh\n(.*?)```", page, re.DOTALL)


def shell(command: str, where: Path) -> tuple[int, str]:
    """How a command of the document ends, and what it prints."""
    done = subprocess.run(["bash", "-c", command], cwd=where, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def root(sealed: Seal, zstd: str) -> Path:
    """A real bundle, and the tools to look at it."""
    assert zstd
    return sealed({"h1/os.txt": b"Debian\n", "h1/tidb.log": LOG, "h1/a b.txt": b"x\n"}).path


def test_every_command_holds_for_a_real_bundle(commands: list[str], root: Path) -> None:
    check, identity, extra, odd, plain, whole = (shell(command, root) for command in commands)
    assert check == (0, "")
    assert identity[0] == 0
    assert re.fullmatch(r"[0-9a-f]{64}  manifest\.json\n", identity[1])
    assert extra == (0, "")
    assert odd == (0, "")
    assert plain == (0, LOG.decode())
    assert whole == (0, "")


def test_the_printed_id_is_the_bundles(commands: list[str], sealed: Seal) -> None:
    made = sealed({"h1/os.txt": b"Debian\n"})
    assert shell(commands[1], made.path)[1].split()[0] == made.bundle_id


def _link(root: Path) -> None:
    (root / "h1/link").symlink_to("/etc/passwd")


DAMAGE: list[tuple[Callable[[Path], object], int, str]] = [
    (lambda root: (root / "h1/os.txt").write_bytes(b"Debiam\n"), 0, "h1/os.txt: FAILED"),
    (lambda root: (root / "h1/os.txt").unlink(), 0, "h1/os.txt"),
    (lambda root: (root / "SHA256SUMS").write_bytes(b"nonsense\n"), 0, "no properly formatted"),
    (lambda root: (root / "h1/more.txt").write_bytes(b""), 2, "h1/more.txt\n"),
    (lambda root: (root / "h1/os.txt").unlink(), 2, "\th1/os.txt\n"),
    (_link, 3, "./h1/link\n"),
    (lambda root: (root / "h1/empty").mkdir(), 3, "./h1/empty\n"),
    (lambda root: (root / "h1/tidb.log.zst").write_bytes(b"not zstd"), 5, "tidb.log.zst"),
]


@pytest.mark.parametrize(("damage", "at", "told"), DAMAGE)
def test_the_commands_find_what_is_wrong(
    commands: list[str], root: Path, damage: Callable[[Path], object], at: int, told: str
) -> None:
    damage(root)
    assert told in shell(commands[at], root)[1]


@pytest.mark.parametrize(
    "kind", [Manifest, Run, ClusterFacts, WindowFacts, Record, Entry, FileEntry, Action, Attempt]
)
def test_every_field_of_the_manifest_is_explained(page: str, kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    unexplained = [field.name for field in dataclasses.fields(kind) if f"`{field.name}`" not in page]
    assert not unexplained


def test_every_fixed_name_status_and_marker_is_explained(page: str) -> None:
    assert FORMAT in page
    for name in (*names.FIXED, names.COMPRESSED, *map(str, Status)):
        assert name in page, name
    for line in (marker(1234), marker(-1), FAILED):
        assert line.decode().strip() in page
