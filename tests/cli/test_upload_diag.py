"""`clinic upload` to a server of PingCAP's kind: the bundle becomes a `.diag`, and the same file is there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.cli.terminal import type_at_terminal
from tests.read.conftest import instances, run
from tests.read.test_diag import opened
from tests.receive.receiving import Receiving, receiving

from clinic.read.open import Opened

__all__ = ["instances", "opened", "receiving", "run"]

pytestmark = pytest.mark.slow


def test_a_bundle_goes_as_diag_with_its_header_apart(
    receiving: Receiving, opened: Opened, tmp_path: Path, home: Path
) -> None:
    words = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=test -keyout key.pem -out cert.pem"
    subprocess.run(["openssl", *words.split()], cwd=tmp_path, check=True, capture_output=True)
    lines = "".join(f"      {line}\n" for line in (tmp_path / "cert.pem").read_text().splitlines())
    (home / "clinic").mkdir(mode=0o700, exist_ok=True)
    (home / "clinic" / "destinations.yaml").write_text(
        f"destinations:\n  theirs:\n    endpoint: {receiving.url}\n    container: diag\n    certificate: |\n{lines}"
    )
    assert isinstance(opened.root, Path)
    typed = ["upload", opened.root.name, "--to", "theirs", "--lang", "en"]
    answer = (b"Bundle id: ", opened.id[:8].encode() + b"\n")
    code, shown = type_at_terminal(opened.root.parent, typed, answer, env={"CLINIC_TOKEN": "any"})
    assert code == 0, shown
    assert "The server confirmed the digest" in shown
    (package,) = tmp_path.glob("*.diag")
    assert package.read_bytes()[:5] == b"D1ag\x18"
    (arrived,) = receiving.directory.glob("*/package*.diag")
    assert arrived.read_bytes() == package.read_bytes()
