"""The lab for pytest: loaded by the root conftest with `pytest_plugins = ["tests.lab.fixtures"]`."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from _pytest.capture import CaptureManager
from tests.lab.control import running
from tests.lab.machines.machines import Machines
from tests.lab.options import Options
from tests.lab.scraped import await_data
from tests.lab.standin.cluster import Cluster
from tests.lab.state import Lab, LabError, NotHere, Server, load

VARIABLE = "CLINIC_LAB_DIR"
NAMED_LAB = os.environ.get(VARIABLE)
"""The directory of a lab that is up already, for tests to use instead of their own. Read at once: every
single test runs without Clinic's variables."""

OPTIONS = Options(history=13, history_step=20, delay_scale=0.05)
"""A session's own lab: logs with rotated files, and a PD without a leader that says so after 0.15 s."""


class LabOfTests(Lab):
    """A lab whose absent servers end a test as not run, with the reason."""

    def server(self, name: str) -> Server:
        """The server called `name`; where it can't be had the test is skipped as `not run: <reason>`."""
        try:
            return super().server(name)
        except NotHere as error:
            pytest.skip(f"not run: {error}")


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[LabOfTests]:
    """Real servers on loopback: the lab that CLINIC_LAB_DIR names, or one of this session's own."""
    if NAMED_LAB:
        yield _of_tests(_already_up(Path(NAMED_LAB)))
        return
    with (
        tempfile.TemporaryDirectory(prefix="clinic-lab-") as directory,
        running(Path(directory), lambda text: _say(request.config, text), OPTIONS) as own,
    ):
        yield _of_tests(own)


@pytest.fixture(scope="session")
def cluster(lab: LabOfTests) -> Cluster:
    """The lab's stand-in TiDB cluster: 3 PD, 2 TiDB, 3 TiKV, TiFlash, TiProxy, 2 TiCDC; its faults are yours."""
    _ = lab.server("pd-1")  # skips the test where there can't be a cluster
    return Cluster(lab)


@pytest.fixture(scope="module")
def machines_lab(request: pytest.FixtureRequest) -> Iterator[LabOfTests]:
    """A second lab, whose cluster has a machine for each instance: network namespaces, with sshd.

    It ends with the module: who looks at the processes of this machine meanwhile sees those of all machines.
    """
    options = dataclasses.replace(OPTIONS, machines=True)
    with (
        tempfile.TemporaryDirectory(prefix="clinic-lab-") as directory,
        _skipping(),
        running(Path(directory), lambda text: _say(request.config, text), options) as own,
    ):
        yield _of_tests(own)


@pytest.fixture(scope="module")
def machines(machines_lab: LabOfTests) -> Machines:
    """The machines of that lab: what can happen to them is yours."""
    return Machines(machines_lab)


@contextlib.contextmanager
def _skipping() -> Generator[None, None, None]:
    """A lab that can't be had ends a test as not run."""
    try:
        yield
    except NotHere as error:
        pytest.skip(f"not run: {error}")


@pytest.fixture(scope="session")
def scraped_lab(lab: LabOfTests) -> LabOfTests:
    """The lab, once Prometheus has scraped all of it and both alerts have reached Alertmanager."""
    await_data(lab)
    return lab


def _of_tests(lab: Lab) -> LabOfTests:
    return LabOfTests(**{field.name: getattr(lab, field.name) for field in dataclasses.fields(lab)})


def _already_up(directory: Path) -> Lab:
    lab = load(directory)
    if lab is None or not lab.alive():
        raise LabError(f"{VARIABLE} names {directory}, where no lab is up; start it with `make lab-up`")
    return lab


def _say(config: pytest.Config, text: str) -> None:
    """Shown at once, although pytest captures what is printed."""
    capture = config.pluginmanager.getplugin("capturemanager")
    assert isinstance(capture, CaptureManager)
    with capture.global_and_fixture_disabled():
        config.get_terminal_writer().line(f"\n{text}")
