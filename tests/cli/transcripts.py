"""What a person sees when a package is to leave, in each case: made by real runs, and written down for the documents.

python -m tests.cli.transcripts      writes docs/transcript.md; tests/cli/test_transcript.py holds it to the program
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.cli.terminal import type_at_terminal
from tests.consent.conftest import BUNDLE
from tests.consent.screens.draw import AGE
from tests.receive.receiving import Receiving

PAGE = Path("docs", "transcript.md")
"""Where they are, from the top of the tree."""

TEXT = """\
# What is seen when a package is to leave

Written by `python -m tests.cli.transcripts` from real runs at a terminal; `tests/cli/test_transcript.py` holds the
program to it. Ids, times and the address are shortened. The whole question is in the first case of each language; in
the others `[the question]` stands for it. What it asks and how an answer is kept: [consent.md](consent.md).
"""

YES, ENTER = BUNDLE[:8].encode() + b"\n", b"\n"
NAME = "orders.tar.zst.age"
QUESTION = {"en": "Bundle id: ", "zh": "数据 id: "}
"""What stands before the answer."""

_QUESTION = r"(?s)(MAY THIS PACKAGE.*means no\.|是否允许将此数据包.*表示不同意。)"
_MASKS = (
    (r"\x1b\[[0-9;]*m", ""),
    (r"\r+\n", "\n"),
    (r"[^\n]*\r", ""),
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


class Desk:
    """Runs the commands of one transcript, and writes down what they show."""

    def __init__(self, place: Path, url: str, language: str, *, whole: bool) -> None:
        """`place` is where the package is; `whole` keeps the question."""
        self.place = place
        self._url = url
        self._language = language
        self._whole = whole
        self.written = ""
        """The transcript so far."""
        make(place / NAME, b"sealed" * 1000)

    def type(self, answer: bytes, *words: str, env: dict[str, str] | None = None) -> None:
        """Run `words` for the package and the destination at a terminal, and answer the question with `answer`."""
        words = (*words, NAME, "--to", self._url, "--lang", self._language)
        asked = [(QUESTION[self._language].encode(), answer)]
        if words[0] == "upload":
            asked.insert(0, (b"Enter for none", b"\n"))
        code, text = type_at_terminal(self.place, list(words), *asked, env={"PYTHONUTF8": "1", **(env or {})})
        self._write(words, text, code)

    def job(self) -> None:
        """Upload the package where there is no terminal."""
        words = ("upload", NAME, "--to", self._url)
        done = subprocess.run(
            [sys.executable, "-m", "clinic", *words], cwd=self.place, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        self._write(words, done.stdout + done.stderr, done.returncode)

    def _write(self, words: tuple[str, ...], text: str, code: int) -> None:
        for pattern, mask in _MASKS if self._whole else ((_QUESTION, "[the question]"), *_MASKS):
            text = re.sub(pattern, mask, text)
        lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
        command = " ".join(("$ clinic", *words)).replace(self._url, "https://in.example.com")
        self.written += f"{command}\n{lines}\n[exit code {code}]\n"


def make(path: Path, data: bytes) -> None:
    """Write a package, as far as anybody without the key can tell, with its facts."""
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    facts = replace(AGE, bundle=BUNDLE, name=path.name, sha256=digest, size=len(data))
    path.with_name(f"{path.name}.json").write_bytes(facts.to_json())


def _yes(at: Desk) -> None:
    at.type(YES, "upload")


def _no(at: Desk) -> None:
    at.type(b"yes\n", "upload")


def _enter(at: Desk) -> None:
    at.type(ENTER, "upload")


def _given_before(at: Desk) -> None:
    at.type(YES, "consent", "give")
    at.job()


def _expired(at: Desk) -> None:
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    at.type(YES, "consent", "give", env={"LD_PRELOAD": str(library), "FAKETIME": "-8d"})
    at.job()
    at.type(ENTER, "upload")


def _changed(at: Desk) -> None:
    at.type(YES, "consent", "give")
    make(at.place / NAME, b"another" * 1000)
    at.job()
    at.type(YES, "upload")


CASES: dict[str, tuple[str, Callable[[Desk], None]]] = {
    "Yes": ("en", _yes), "No": ("en", _no), "Enter": ("en", _enter), "No terminal": ("en", Desk.job),
    "Given before": ("en", _given_before), "Expired": ("en", _expired), "Another package": ("en", _changed),
    "Yes, in Chinese": ("zh", _yes), "No, in Chinese": ("zh", _no), "Enter, in Chinese": ("zh", _enter),
    "Given before, in Chinese": ("zh", _given_before), "Expired, in Chinese": ("zh", _expired),
    "Another package, in Chinese": ("zh", _changed),
}  # fmt: skip
"""By the heading: the language, and what is done."""


def transcript(case: str, place: Path, url: str) -> str:
    """Run one case in the directory `place`, which is empty, with a receiver at `url`."""
    language, does = CASES[case]
    desk = Desk(place, url, language, whole=does is _yes)
    does(desk)
    return desk.written


def section(case: str, text: str) -> str:
    """One case as it stands in the page."""
    return f"\n## {case}\n\n```text\n{text}```\n"


def _page() -> str:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        os.environ.update(HOME=name, CLINIC_CLUSTER="local")
        receiving = Receiving(home / "received").start()
        page = TEXT
        try:
            for number, case in enumerate(CASES):
                place = home / str(number)
                place.mkdir()
                os.environ["CLINIC_HOME"] = str(place / "clinic")
                page += section(case, transcript(case, place, receiving.url))
        finally:
            receiving.kill()
    return page


if __name__ == "__main__":
    PAGE.write_text(_page(), encoding="utf-8")
