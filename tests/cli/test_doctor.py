"""`clinic doctor` from the outside: what can't be collected here, and what would change that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinic.cli.main import run

Doctor = Callable[..., tuple[int, str, str]]


@pytest.fixture
def doctor(capfd: pytest.CaptureFixture[str]) -> Doctor:
    """Run `clinic doctor` in this process: exit code, output, errors."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        code = run(["doctor", *map(str, words)])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def test_it_says_who_runs_it_and_what_is_in_reach(doctor: Doctor) -> None:
    code, out, err = doctor()
    assert code in (0, 3)
    assert err == ""
    for label in ("Account", "Versions", "Room", "Clock", "Settings", "Databases", "Items"):
        assert f"\n{label} " in f"\n{out}"
    assert "Nothing was collected or sent." in out


def test_json_and_the_exit_code_say_the_same(doctor: Doctor) -> None:
    code, out, _ = doctor("--json")
    found: Any = json.loads(out)
    assert (code == 0) is found["good"]
    assert found["root"] is (os.geteuid() == 0)
    assert found["versions"]["zstandard"]
    assert found["room"]["free"] > 0
    assert found["items"] > 10
    assert all(blocked["reason"] != "not_applicable" for blocked in found["blocked"])


def test_a_tool_that_is_absent_is_named(doctor: Doctor, declared: Callable[..., Path]) -> None:
    path = declared([{"path": "x.txt", "command": ["nosuchtool", "-v"]}])
    code, out, _ = doctor("--json", "--collector", path)
    (blocked,) = [one for one in json.loads(out)["blocked"] if one["id"] == "made.x"]
    assert blocked["reason"] == "tool_absent"
    assert "nosuchtool" in blocked["message"]
    assert code == doctor("--json")[0], "a tool that is absent is named, and changes no exit code"
    assert "made.x" in doctor("--collector", path)[1]


def test_nothing_that_it_names_is_run(doctor: Doctor, declared: Callable[..., Path], tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    doctor("--collector", declared([{"path": "x.txt", "command": ["touch", str(touched)]}]))
    assert [path.name for path in tmp_path.iterdir()] == ["made.yaml"]


def test_a_mistake_in_the_configuration_is_told_with_its_fix(doctor: Doctor, home: Path) -> None:
    folder = home / "clinic"
    folder.mkdir()
    (folder / "config.yaml").write_text("profil: quick\n")
    code, out, _ = doctor("--json")
    assert code == 3
    assert any("profil" in mistake for mistake in json.loads(out)["configuration_mistakes"])


def test_another_account_learns_what_it_lacks_and_the_line_that_grants_it() -> None:
    """Everything is imported before the account changes: the interpreter itself may be root's alone."""
    code = (
        "import grp, os, pwd, sys; from clinic.cli.main import run;"
        "run(['doctor', '--json']); print('---', flush=True);"
        "os.geteuid() or (os.setgroups([]), os.setgid(65534), os.setuid(65534));"
        "sys.exit(run(['doctor', '--json']))"
    )
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "CLINIC_HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd="/", env=env, check=False
    )
    found = json.loads(done.stdout.partition("---")[2])
    denied = [one for one in found["blocked"] if one["reason"] == "not_permitted"]
    assert (done.returncode, found["root"]) == (3, False)
    assert any("sudoers" in one["fix"] for one in denied)
