"""A run that is killed at any instant can be opened, gone on with, and sealed whole; gigabytes need no memory."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from clinic.bundle.reader import Bundle
from clinic.bundle.verify import content_defects, defects
from clinic.bundle.writer import BundleWriter
from clinic.errors import BadBundle
from clinic.redact import Redactor
from clinic.units import GIB, MIB

VICTIM = Path(__file__).with_name("victim.py")


@pytest.fixture(scope="module")
def victim() -> ModuleType:
    """The script that is killed, for what it was to write."""
    spec = importlib.util.spec_from_file_location("clinic_tests_bundle_victim", VICTIM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*arguments: object) -> str:
    """What the victim prints."""
    done = subprocess.run(
        [sys.executable, VICTIM, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def storm(place: Path, redactor: Redactor, victim: ModuleType, count: int, seed: str) -> None:
    """Kill as often, and look at each bundle that is left."""
    assert int(run("storm", place, count, seed)) >= count // 5, "the kills came too late to say anything"
    for number in range(count):
        complete(place / str(number), redactor, victim)


def complete(root: Path, redactor: Redactor, victim: ModuleType) -> None:
    """What was left is consistent, and what is missing can be added."""
    if not (root / "journal.jsonl").exists() and not (root / "manifest.json").exists():
        return  # killed before its first line
    if (root / "manifest.json").exists():
        assert defects(root) == ()
    else:
        left = Bundle.unsealed(root)
        assert list(content_defects(root, left.files())) == []
        with pytest.raises(BadBundle, match="is not sealed"):
            Bundle.open(root)
    with BundleWriter.reopen(root, redactor, reserve=0) as writer:
        recorded = {record.entry.path for record in writer.records}
        for planned in writer.header.entries:
            if planned.path not in recorded:
                victim.write(writer, planned, victim.content(planned.path))
        made = writer.seal()
    assert defects(root) == ()
    assert made.manifest.complete
    bundle = Bundle.open(root)
    for record in bundle.records():
        with bundle.member(record.entry.path) as stream:
            assert stream.read() == victim.content(record.entry.path)


@pytest.mark.slow
def test_six_kills_at_random_instants(tmp_path: Path, redactor: Redactor, victim: ModuleType) -> None:
    storm(tmp_path, redactor, victim, 6, "six")


@pytest.mark.soak
@pytest.mark.parametrize("seed", ["one", "two", "three", "four", "five"])
def test_fifty_kills_at_random_instants(
    tmp_path: Path, redactor: Redactor, victim: ModuleType, seed: str
) -> None:
    storm(tmp_path, redactor, victim, 10, seed)


@pytest.mark.soak
@pytest.mark.parametrize(("cap", "disk"), [(32 * MIB, 36 * MIB), (8 * GIB, 3 * GIB)])
def test_4_gib_go_through_in_100_mib_of_memory(tmp_path: Path, cap: int, disk: int) -> None:
    told = json.loads(run("big", tmp_path / "b", 4 * GIB, cap))
    assert told["received"] > 4 * GIB - MIB
    assert told["memory"] < 100 * MIB
    assert told["disk"] < disk
    assert told["plain"] <= cap
    assert told["plain"] + told["dropped"] - told["received"] < 100
    assert defects(tmp_path / "b") == ()


def test_memory_and_disk_stay_small_for_a_file_far_beyond_its_cap(tmp_path: Path) -> None:
    """The same in small, so that a leak shows in every build."""
    told = json.loads(run("big", tmp_path / "b", 48 * MIB, 4 * MIB))
    assert told["memory"] < 100 * MIB
    assert told["disk"] < 8 * MIB
    assert told["plain"] <= 4 * MIB
