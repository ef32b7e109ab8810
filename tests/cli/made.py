"""A real bundle of a collector that a test declares."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml


def make_bundle(folder: Path, items: Sequence[object], *more: str, code: int = 0) -> Path:
    """Collect `items` of a collector of their own into `folder`/bundle; `code` is the exit code that has to come."""
    document = {"name": "made", "category": "debug", "summary": "for a test", "items": items}
    (folder / "made.yaml").write_text(yaml.safe_dump(document))
    words = ["collect", "local", "-y", "--collector", "./made.yaml", "--include", "made", "-o", "bundle"]
    command = [sys.executable, "-m", "clinic", *words, *more]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert done.returncode == code, done.stderr.decode()
    return folder / "bundle"
