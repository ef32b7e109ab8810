"""What every test gets: a home of its own, no foreign settings, the lab's servers on demand."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("local", deadline=None)
# A build must say the same thing twice about the same commit.
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

_FOREIGN = ("CLINIC_", "SUDO_", "XDG_", "SSH_AUTH_SOCK")
"""Variables, by the beginning of their names, that would make a result depend on who runs the tests."""

_XDG = {"CONFIG": ".config", "STATE": ".local/state", "DATA": ".local/share", "CACHE": ".cache"}


def pytest_configure(config: pytest.Config) -> None:
    """Plug in what lies beside the tests and is no package."""
    for name in ("tools/not_run.py", "tests/lab/fixtures.py"):
        if (ROOT / name).exists():
            config.pluginmanager.register(_load(ROOT / name), name)


def _load(path: Path) -> object:
    name = f"clinic_{path.parent.name}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the source tree."""
    return ROOT


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
    for variable, folder in _XDG.items():
        monkeypatch.setenv(f"XDG_{variable}_HOME", str(path / folder))
    return path
