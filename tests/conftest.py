"""What every test gets: a home of its own, no foreign settings, the lab's servers on demand."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

pytest_plugins = ["tools.not_run", "tests.lab.fixtures", "tests.lab.own_sshd"]

settings.register_profile("local", deadline=None)
# A build must say the same thing twice about the same commit.
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

_FOREIGN = ("CLINIC_", "SUDO_", "TIUP_", "XDG_", "SSH_AUTH_SOCK")
"""Variables, by the beginning of their names, that would make a result depend on who runs the tests."""

_XDG = {"CONFIG": ".config", "STATE": ".local/state", "DATA": ".local/share", "CACHE": ".cache"}

os.environ["CLINIC_CLUSTER"] = "local"
"""A cluster that runs here beside the tests must not be what `clinic collect` asks about."""


WAITING = (
    "cli/test_clusters", "client/test_http", "client/test_mysql", "client/test_wire", "cluster/discovery/test_complete",
    "formats/test_logindex", "formats/test_search", "host/ssh/test_directory", "host/ssh/test_meter",
    "host/ssh/test_shell", "host/test_orphan_watcher", "host/test_process", "host/test_sudo",
    "read/test_logentries", "read/test_logs", "run/test_engine",
    "test_not_run",
)  # fmt: skip
"""Modules that wait, for time-outs and processes, or search megabytes: in `make test`, not among the quick ones."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes long by waiting, before pytest selects by marks."""
    for item in items:
        if item.path.relative_to(ROOT / "tests").with_suffix("").as_posix() in WAITING:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the source tree."""
    return ROOT


@pytest.fixture(scope="session")
def cut_off() -> list[str]:
    """A command prefix that runs the rest where there is no network, and where mounts are its own."""
    for who in ([], ["--map-root-user"]):
        prefix = ["unshare", *who, "--net", "--mount"]
        if (
            shutil.which("unshare")
            and subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode == 0
        ):
            return prefix
    pytest.skip("no network namespaces here: neither root nor unprivileged user namespaces")


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def home(_homes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, which is also where Clinic keeps its state, for this test alone."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            monkeypatch.delenv(name)
    path = Path(tempfile.mkdtemp(dir=_homes))
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.setenv("CLINIC_HOME", str(path / "clinic"))
    monkeypatch.setenv("CLINIC_CLUSTER", "local")
    for variable, folder in _XDG.items():
        monkeypatch.setenv(f"XDG_{variable}_HOME", str(path / folder))
    return path
