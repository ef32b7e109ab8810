"""A disk that is full at any step of a consent and an upload: one line, nothing half done, and then it goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.transcripts import NAME, YES, make
from tests.receive.receiving import Receiving, receiving

__all__ = ["receiving"]

pytestmark = pytest.mark.slow

STEPS = """
import json, os, subprocess, sys
from pathlib import Path
from tests.cli.terminal import type_at_terminal

small, place, name, url, answer = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", small], check=True)
os.environ["CLINIC_HOME"] = str(small / "clinic")
(small / "clinic").mkdir(mode=0o700)
filler, ends = small / "filler", {}

def fill(free=0):
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            file.truncate(file.tell() - free)

def run(step, *words):
    asked = (b"Bundle id: ", answer.encode() + b"\\n") if words[1] == "give" else (b"Enter for none", b"\\n")
    language = ["--lang", "en"] if words[1] != "withdraw" else []
    code, shown = type_at_terminal(place, [*words, *language], asked)
    ends[step] = [code, shown]

give, send = ("consent", "give", name, "--to", url), ("upload", name, "--to", url)
fill(), run("no receipt", *give)
filler.unlink(), run("receipt", *give)
fill(), run("no event", *send)
fill(free=4096), run("no state", *send)
filler.unlink(), run("sent", *send)
fill(), run("no copy", "upload", name, "--offline", url, "-o", str(small))
ends["left"] = sorted(one.name for one in small.iterdir())
listed = [sys.executable, "-m", "clinic", "consent", "list", "--json"]
receipt = json.loads(subprocess.run(listed, capture_output=True, check=True).stdout)[-1]["receipt"]
run("no withdrawal", "consent", "withdraw", receipt)
filler.unlink(), run("withdrawn", "consent", "withdraw", receipt)
print(json.dumps(ends))
"""


def test_a_disk_that_is_full_at_any_step_stops_it_in_one_line_and_then_it_goes_on(
    receiving: Receiving, tmp_path: Path, cut_off: list[str], root: Path
) -> None:
    small, place = tmp_path / "small", tmp_path / "place"
    small.mkdir()
    place.mkdir()
    make(place / NAME, b"sealed" * 1000)
    command = [*(word for word in cut_off if word != "--net"), sys.executable, "-c", STEPS]
    words = [str(small), str(place), NAME, receiving.url, YES.decode().strip()]
    done = subprocess.run([*command, *words], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ends = json.loads(done.stdout)
    assert ends.pop("left") == ["clinic", "filler"], "of what was to be carried nothing is left"
    codes = {step: code for step, (code, _) in ends.items()}
    assert codes == {step: 7 if step.startswith("no ") else 0 for step in ends}, ends
    for step, (code, shown) in ends.items():
        assert ("no room left on the disk of" in shown) is (code == 7), (step, shown)
        assert "--resume" not in shown
    assert "withdrawal-confirmed" in ends["withdrawn"][1]
