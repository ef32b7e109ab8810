"""What comes first of a server's metrics is documented, glob by glob."""

from __future__ import annotations

from pathlib import Path

from clinic_collectors.metrics import CORE


def test_the_metrics_that_come_first_are_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")
    assert [glob for glob in CORE if f"`{glob}`" not in text] == []
