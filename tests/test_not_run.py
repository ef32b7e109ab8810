"""In a build, a skip that nobody decided on is a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one test that skips, and a list that allows one reason."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "not_run_allowed.txt").write_text("# nobody has one here\nno abacus*\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run(root: Path, project: Path, test: str, *, ci: bool) -> subprocess.CompletedProcess[str]:
    """Run the one test in the project, in a process of its own."""
    (project / "tests" / "test_one.py").write_text(f"import pytest\n\n{test}\n")
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment |= {"PYTHONPATH": str(root / "tools"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | (
        {"CI": "true"} if ci else {}
    )
    command = [sys.executable, "-m", "pytest", "-p", "not_run", "-p", "no:cacheprovider", "-q", "tests"]
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


SKIPS = {
    "a test": "def test_x():\n    pytest.skip('no moon tonight')",
    "a mark": "@pytest.mark.skip(reason='no moon tonight')\ndef test_x(): pass",
    "a module": "pytest.skip('no moon tonight', allow_module_level=True)",
}


@pytest.mark.parametrize("test", SKIPS.values(), ids=SKIPS.keys())
def test_a_reason_that_is_not_on_the_list_fails_a_build(root: Path, project: Path, test: str) -> None:
    done = run(root, project, f"def test_passes(): pass\n{test}", ci=True)
    assert done.returncode != 0
    assert "did not run, and tests/not_run_allowed.txt does not allow it" in done.stdout
    assert "no moon tonight" in done.stdout


def test_a_reason_on_the_list_passes(root: Path, project: Path) -> None:
    test = "def test_passes(): pass\ndef test_x():\n    pytest.skip('no abacus in this room')"
    assert run(root, project, test, ci=True).returncode == 0


def test_outside_a_build_any_skip_passes(root: Path, project: Path) -> None:
    assert run(root, project, f"def test_passes(): pass\n{SKIPS['a test']}", ci=False).returncode == 0


def test_a_test_that_is_expected_to_fail_did_run(root: Path, project: Path) -> None:
    test = "@pytest.mark.xfail(reason='known')\ndef test_x():\n    assert False"
    assert run(root, project, test, ci=True).returncode == 0
