"""What a person sees in each case, written down: docs/consent.md shows it, and the code is held to it here."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.terminal import type_at_terminal
from tests.consent.conftest import BUNDLE
from tests.receive.receiving import Receiving, receiving

from clinic.bundle.package import Kept, Package

__all__ = ["receiving"]

pytestmark = pytest.mark.slow

YES, ENTER = BUNDLE[:8].encode() + b"\n", b"\n"
NAME = "orders.tar.zst.age"

_MASKS = (
    (r"\x1b\[[0-9;]*m", ""),
    (r"\r+\n", "\n"),
    (r"[^\n]*\r", ""),
    (r"(?s)MAY THIS PACKAGE.*means no\.", "[the question]"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "3f2a91c2-..."),
    (r"withdraw [0-9a-f]{8}", "withdraw 3f2a91c2"),
    (r"[0-9a-f]{16}-[0-9a-f]{16}-[0-9a-f]{16}", "5e1b..."),
    (r"http://127\.0\.0\.1:\d+", "https://in.example.com"),
    (r"SHA-256 [0-9a-f]{64}", "SHA-256 9b1c..."),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-12-02T12:00:00Z"),
    (r"answer of \S+", "answer of 2026-11-25T12:00:00Z"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "2026-12-02 12:00 UTC"),
)
"""What differs from run to run, and what it is shown as."""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package as `clinic pack --recipient` makes one, as far as anybody without the key can tell."""
    path = tmp_path / NAME
    make(path, b"sealed" * 1000)
    return path


def make(path: Path, data: bytes) -> None:
    """Write the package with its facts."""
    path.write_bytes(data)
    facts = Package(
        bundle=BUNDLE, name=path.name, sha256=hashlib.sha256(data).hexdigest(), size=len(data),
        container="tar.zst.age", recipients=("age1theirs",), created="2026-11-25T11:00:00Z", complete=True,
        cluster="orders", kept=(Kept("logs", "user-data", 1, 20_000, 20_000),),
    )  # fmt: skip
    path.with_name(f"{path.name}.json").write_bytes(facts.to_json())


def shown(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, mask in _MASKS:
        text = re.sub(pattern, mask, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


class Desk:
    """Runs the commands of a transcript, and writes down what they show."""

    def __init__(self, place: Path, url: str) -> None:
        self._place = place
        self._url = url
        self.written = ""
        """The transcript so far."""

    def type(self, answer: bytes, *words: str, env: dict[str, str] | None = None) -> None:
        """At a terminal."""
        token = (b"Enter for none", b"\n")
        code, text = type_at_terminal(
            self._place, [*words, "--lang", "en"], (b"Bundle id: ", answer), token, env=env
        )
        self._write(words, text, code)

    def job(self, *words: str) -> None:
        """Where there is no terminal."""
        done = subprocess.run(
            [sys.executable, "-m", "clinic", *words], cwd=self._place, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        self._write(words, done.stdout + done.stderr, done.returncode)

    def _write(self, words: tuple[str, ...], text: str, code: int) -> None:
        command = shown(" ".join(("$ clinic", *words)))
        self.written += f"{command}\n{shown(text)}\n[exit code {code}]\n"


@pytest.fixture
def at(package: Path, receiving: Receiving) -> Desk:
    """A desk before the package, and a receiver."""
    return Desk(package.parent, receiving.url)


def upload(receiving: Receiving) -> tuple[str, ...]:
    return ("upload", NAME, "--to", receiving.url)


def give(receiving: Receiving) -> tuple[str, ...]:
    return ("consent", "give", NAME, "--to", receiving.url)


def yes(at: Desk, receiving: Receiving) -> None:
    at.type(YES, *upload(receiving))


def no(at: Desk, receiving: Receiving) -> None:
    at.type(b"yes\n", *upload(receiving))


def enter(at: Desk, receiving: Receiving) -> None:
    at.type(ENTER, *upload(receiving))


def no_terminal(at: Desk, receiving: Receiving) -> None:
    at.job(*upload(receiving))


def given_before(at: Desk, receiving: Receiving) -> None:
    at.type(YES, *give(receiving))
    at.job(*upload(receiving))


def expired(at: Desk, receiving: Receiving) -> None:
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("not run: faketime: not installed, and there is no apt-get here to install it")
    at.type(YES, *give(receiving), env={"LD_PRELOAD": str(library), "FAKETIME": "-8d"})
    at.job(*upload(receiving))


def changed(at: Desk, receiving: Receiving, package: Path) -> None:
    at.type(YES, *give(receiving))
    make(package, b"another" * 1000)
    at.job(*upload(receiving))
    at.type(YES, *upload(receiving))


CASES: dict[str, Callable[..., None]] = {
    "Yes": yes, "No": no, "Enter": enter, "No terminal": no_terminal, "Given before": given_before,
    "Expired": expired, "Another package": changed,
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_transcript_is_what_is_shown(
    case: str, at: Desk, receiving: Receiving, package: Path, root: Path
) -> None:
    function = CASES[case]
    more = {"package": package} if case == "Another package" else {}
    function(at, receiving, **more)
    text = (root / "docs" / "consent.md").read_text(encoding="utf-8")
    section = text.partition(f"\n### {case}\n")[2].partition("```text\n")[2].partition("```")[0]
    assert at.written == section
