"""The command line as people run it: a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Ended:
    """A finished command."""

    code: int
    """Exit code."""

    out: str
    """Standard output."""

    err: str
    """Standard error."""

    @property
    def json(self) -> Any:
        """Standard output, parsed."""
        return json.loads(self.out)


@pytest.fixture
def clinic(tmp_path: Path) -> Callable[..., Ended]:
    """Run `clinic` with these words in the test's directory."""

    def run(*words: str | Path, env: Mapping[str, str] | None = None, timeout: float = 60) -> Ended:
        argv = [sys.executable, "-m", "clinic", *map(str, words)]
        done = subprocess.run(
            argv,
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, **(env or {})},
            timeout=timeout,
            check=False,
        )
        return Ended(
            done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        )

    return run


@pytest.fixture
def declared(tmp_path: Path) -> Callable[..., Path]:
    """Write a collector of these items as a YAML file."""

    def write(items: Rows, name: str = "made") -> Path:
        path = tmp_path / f"{name}.yaml"
        path.write_text(
            yaml.safe_dump({"name": name, "category": "debug", "summary": "for a test", "items": items})
        )
        return path

    return write
