"""An organisation's policy in /etc, where it holds: for what may leave, for plug-ins, and in the manifest."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic.bundle.package import Kept, Package

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def under(cut_off: list[str], tmp_path: Path) -> Run:
    """Runs `clinic` where /etc/clinic/policy.yaml has this text: in a mount namespace, with a copy of /etc."""
    if os.geteuid() != 0:
        pytest.skip("needs root to own a policy")

    def run(policy: str, *words: str | Path, owner: int = 0) -> subprocess.CompletedProcess[str]:
        etc = tmp_path / "etc"
        script = 'cp -a /etc "$0" && mkdir -p "$0/clinic" && cp -p "$1" "$0/clinic/policy.yaml"'
        script += ' && mount --bind "$0" /etc'
        (tmp_path / "policy").write_text(policy)
        os.chown(tmp_path / "policy", owner, owner)
        command: list[str | Path] = [*cut_off, "sh", "-c", f'{script} && shift && exec "$@"', etc]
        command += [tmp_path / "policy", sys.executable, "-m", "clinic", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_the_manifest_names_the_policy_that_held(under: Run, tmp_path: Path) -> None:
    policy = "largest: 1G\n"
    done = under(policy, "collect", "local", "-y", "--include", "system.os", "-o", "bundle")
    assert done.returncode in (0, 3), done.stderr
    run = json.loads((tmp_path / "bundle" / "manifest.json").read_text())["run"]
    assert run["options"]["policy"] == hashlib.sha256(policy.encode()).hexdigest()


def test_a_collector_that_it_does_not_name_is_not_loaded(under: Run, declared: Callable[..., Path]) -> None:
    collector = declared([{"path": "hosts.txt", "file": "/etc/hosts"}])
    words = ("collect", "local", "--dry-run", "--offline", "--collector", collector)
    refused = under("plug_ins: [ours]\n", *words)
    assert (refused.returncode, f"does not allow the collector {collector}" in refused.stderr) == (5, True)


def test_a_collector_that_it_names_is(under: Run, declared: Callable[..., Path]) -> None:
    collector = declared([{"path": "hosts.txt", "file": "/etc/hosts"}])
    words = ("collect", "local", "--dry-run", "--offline", "--collector", collector)
    allowed = under(f"plug_ins: [{collector}]\n", *words)
    assert allowed.returncode == 0, allowed.stderr


def test_what_it_forbids_is_not_even_asked(under: Run, tmp_path: Path) -> None:
    data = b"x" * 10
    (tmp_path / "p.tar.zst.age").write_bytes(data)
    facts = Package(
        "a" * 64, "p.tar.zst.age", hashlib.sha256(data).hexdigest(), 10, "tar.zst.age", "", True, "db1",
        recipients=("age1theirs",), kept=(Kept("logs", "user-data", 1, 1, 1),),
    )  # fmt: skip
    (tmp_path / "p.tar.zst.age.json").write_bytes(facts.to_json())
    done = under(
        "never: [logs]\nrecipients: [age1ours]\n",
        "consent",
        "give",
        "p.tar.zst.age",
        "--to",
        "https://x.example.com",
    )
    assert done.returncode == 5
    assert "does not allow this: it is encrypted to age1theirs; it holds logs" in done.stderr
    assert "MAY THIS PACKAGE" not in done.stderr


SUPPORT = "https://support.example.com"


@pytest.mark.parametrize("words", [("--to", SUPPORT), ("--offline", SUPPORT), ("--check", "--to", SUPPORT)])
def test_where_packages_may_go_is_looked_at_before_anything_is_packed_or_connected_to(
    under: Run, words: tuple[str, ...]
) -> None:
    """The bundle is not even there, and nobody is at the other end of a network that does not exist."""
    policy = "destinations: [https://clinic.pingcap.com]\n"
    done = under(policy, "upload", "bundle", *words)
    assert done.returncode == 5
    assert f"the destination {SUPPORT} is not one of https://clinic.pingcap.com" in done.stderr.split("\n")[0]


@pytest.mark.parametrize(
    "words",
    [
        ("upload", "x", "--to"),
        ("upload", "x", "--offline"),
        ("upload", "--check", "--to"),
        ("consent", "give", "x", "--to"),
    ],
)
def test_one_that_another_account_owns_stops_whatever_it_is_about(under: Run, words: tuple[str, ...]) -> None:
    done = under("largest: 1G\n", *words, SUPPORT, owner=1000)
    assert (done.returncode, "policy.yaml belongs to user 1000" in done.stderr) == (5, True), done.stderr


def test_a_category_that_never_leaves_comes_with_how_to_leave_it_out(under: Run, tmp_path: Path) -> None:
    policy = "never: [system]\n"
    made = under(policy, "collect", "local", "-y", "--include", "system.os", "-o", "bundle")
    assert made.returncode in (0, 3), made.stderr
    done = under(policy, "upload", "bundle", "--offline", SUPPORT)
    assert (done.returncode, "--without system" in done.stderr) == (5, True), done.stderr
    assert not list(tmp_path.glob("clinic-*.tar.zst")), "nothing was packed"
