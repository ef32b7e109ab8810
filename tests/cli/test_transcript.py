"""What a person sees in each case is what docs/transcript.md shows, which the same runs have written."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.transcripts import CASES, PAGE, TEXT, section, transcript
from tests.lab.packages import obtain
from tests.lab.program import Launch, Place, Program, Tool
from tests.lab.state import Server
from tests.receive.receiving import Receiving, receiving

__all__ = ["receiving"]

pytestmark = pytest.mark.slow


class Faketime(Program):
    """Only what the lab needs to install it."""

    name = "faketime"
    tools = (Tool("faketime", ("faketime",)),)

    def prepare(self, place: Place) -> Launch:
        """It is no server."""
        raise NotImplementedError

    def check(self, server: Server) -> None:
        """As above."""
        raise NotImplementedError


@pytest.mark.parametrize("case", CASES)
def test_the_transcript_is_what_is_shown(case: str, receiving: Receiving, tmp_path: Path, root: Path) -> None:
    """After a change: python -m tests.cli.transcripts, and read what it wrote."""
    if case.startswith("Expired") and (reasons := obtain([Faketime()], lambda text: None)):
        pytest.skip(f"not run: {reasons['faketime']}")
    text = transcript(case, tmp_path, receiving.url)
    assert section(case, text) in (root / PAGE).read_text(encoding="utf-8")


def test_the_page_holds_these_cases_and_no_other(root: Path) -> None:
    page = (root / PAGE).read_text(encoding="utf-8")
    assert page.startswith(TEXT)
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == list(CASES)
