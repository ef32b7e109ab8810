"""Collectors are found, not listed; a third party's run only when they are named and nobody else could write them."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from clinic import registry
from clinic.cluster.model import Cluster, Machine
from clinic.collector import Category, Content, Sensitivity, Stage, Target, Volatility, Window
from clinic.errors import Refused, UsageError
from clinic.source.command import Command
from clinic.source.file import File, Files
from clinic.window import resolve
from clinic.yaml_collector import read_collector

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "writing-a-collector.md"


def target() -> Target:
    window: Window = resolve(None, None)
    return Target(Cluster("c", "local", (Machine("h1"), Machine("h2"))), window)


def block(language: str, number: int = 0) -> str:
    """A fenced block of the guide."""
    parts = GUIDE.read_text().split("```")
    blocks = [part.split("\n", 1)[1] for part in parts[1::2] if part.split("\n", 1)[0] == language]
    return blocks[number]


def test_the_built_in_collectors_are_found_through_the_entry_point() -> None:
    found = registry.builtin()
    assert len(found) >= 5
    assert not any(one.foreign for one in found)
    assert registry.duplicates(found) == []


def test_two_collectors_of_one_name_are_seen() -> None:
    found = registry.builtin()
    assert registry.duplicates([*found, found[0]]) == [found[0].collector.name]


def test_an_unknown_name_and_an_absent_file_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no third party's collector is called 'nosuch'"):
        registry.named(["nosuch"])
    with pytest.raises(UsageError, match="there is no collector file"):
        registry.named([str(tmp_path / "absent.yaml")])


def test_a_directory_stands_for_the_files_in_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(block("yaml").replace("pgbouncer", name))
    assert [one.collector.name for one in registry.named([f"{tmp_path}/"])] == ["a", "b"]


def test_a_file_that_others_can_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(block("yaml"))
    path.chmod(0o646)
    with pytest.raises(Refused, match="others can write"):
        registry.named([str(path)])


def test_the_yaml_of_the_guide_declares_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "pgbouncer.yaml"
    path.write_text(block("yaml"))
    collector = read_collector(path)
    assert (collector.name, collector.category) == ("pgbouncer", Category.CONFIG)
    items = list(collector.items(target()))
    assert len(items) == 6
    config, version, logs = items[:3]
    assert config.source == File("h1", "/etc/pgbouncer/pgbouncer.ini")
    assert (config.content, config.stage) == (Content.INI, Stage.LEARN)
    assert version.source == Command("h1", ("pgbouncer", "--version"))
    assert version.sensitivity is Sensitivity.PUBLIC
    assert logs.source == Files("h1", ("/var/log/pgbouncer/*.log",))
    assert (logs.folder, logs.cap, logs.volatility) == (True, 16 * 1024**2, Volatility.DAYS)


def test_every_mistake_in_a_declared_collector_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "name: Bad Name\ncategory: nonsense\nsummary: x\nitems:\n"
        "  - path: a.txt\n    command: [ls]\n    file: /etc/hosts\n"
        "  - command: [ls]\n"
        "  - path: b.txt\n    file: /etc/hosts\n    content: prose\n    cap: huge\n"
        "  - path: c.txt\n    file: relative/path\n"
    )
    with pytest.raises(UsageError) as caught:
        read_collector(path)
    message = caught.value.message
    for part in (
        "bad.yaml:1:",
        "bad.yaml:2:",
        "exactly one of",
        "lacks 'path'",
        "prose",
        "huge",
        "relative/path",
    ):
        assert part in message, message


def run(directory: Path, *words: str, path: str = "") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": path} if path else dict(os.environ)
    argv = [sys.executable, "-m", "clinic", *words]
    return subprocess.run(
        argv, cwd=directory, capture_output=True, text=True, env=env, check=False, timeout=60
    )


def test_the_yaml_of_the_guide_runs_as_the_guide_says(tmp_path: Path) -> None:
    (tmp_path / "pgbouncer.yaml").write_text(block("yaml"))
    shown, collect = block("sh").strip().splitlines()
    listed = run(tmp_path, *shown.split("#")[0].split()[1:])
    assert listed.returncode == 0, listed.stderr
    assert "pgbouncer.version" in listed.stdout
    collected = run(tmp_path, *collect.split()[1:], "--json")
    assert '"bundle"' in collected.stdout, collected.stderr


@pytest.mark.slow
def test_the_package_of_the_guide_is_built_installed_and_run_only_when_it_is_named(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "clinic_uptime").mkdir(parents=True)
    (source / "clinic_uptime" / "__init__.py").write_text(block("python"))
    (source / "pyproject.toml").write_text(block("toml"))
    built = tmp_path / "built"
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(built), str(source)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    site = tmp_path / "site"
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        wheel.extractall(site)
    silent = run(tmp_path, "collect", "local", "--dry-run", "--offline", "--json", path=str(site))
    assert "uptime.uptime" not in silent.stdout
    assert run(tmp_path, "collectors", path=str(site)).stdout.count("uptime") >= 1
    words = ["collect", "local", "-y", "--collector", "uptime", "--include", "uptime", "-o", "bundle"]
    done = run(tmp_path, *words, path=str(site))
    assert done.returncode == 0, done.stderr
    (host,) = [one for one in (tmp_path / "bundle").iterdir() if one.is_dir()]
    assert "load average" in (host / "uptime" / "uptime.txt").read_text()
    assert (host / "uptime" / "loadavg.txt").is_file()
