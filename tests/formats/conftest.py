"""Recorded logs for the tests of their formats."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def logs(root: Path) -> Path:
    """The folder of recorded logs; its index tells where each is from."""
    return root / "tests" / "recorded" / "logs"
