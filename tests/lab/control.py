"""Start, find and stop a lab: what the command line and the tests' fixture both use."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

from tests.lab.directory import LOG_FILE, claim
from tests.lab.machines.kinds import names
from tests.lab.machines.network import obstacle
from tests.lab.machines.sshd import MachineSshd
from tests.lab.options import USUAL, Options
from tests.lab.packages import obtain
from tests.lab.program import Program
from tests.lab.servers import PROGRAMS
from tests.lab.standin.programs import MemberProgram
from tests.lab.state import STATE_FILE, Identity, Lab, LabError, NotHere, load
from tests.lab.supervisor import READY, Plan

Say = Callable[[str], None]

CHECKOUT = Path(__file__).resolve().parents[2]
"""Where `tests.lab` can be imported from."""

STOP_SECONDS = 15
"""How long a supervisor may take to stop its servers; it kills them after a few seconds."""

PAUSE = 0.05


def up(directory: Path, say: Say, options: Options = USUAL) -> Lab:
    """The lab in `directory`: the one that is up already, or a new one that stays until `down`.

    `say` is told, before it is done, what gets installed. Raises `LabError` when a server does not start.
    """
    directory = directory.absolute()
    there = load(directory)
    if there is not None and there.alive():
        return there
    down(directory)
    _spawn(directory, options, stay=True, say=say)
    return _loaded(directory)


@contextlib.contextmanager
def running(directory: Path, say: Say, options: Options = USUAL) -> Generator[Lab, None, None]:
    """A new lab in `directory` that ends with the block, and with this process however that ends."""
    directory = directory.absolute()
    supervisor = _spawn(directory, options, stay=False, say=say)
    try:
        yield _loaded(directory)
    finally:
        _end(supervisor)


def down(directory: Path) -> bool:
    """Stops the lab in `directory`; False when there was none.

    Ends nothing but the processes that `lab.json` names, by pid *and* start. Raises `LabError` when one
    of them is still there after all.
    """
    lab = load(directory)
    if lab is None:
        return False
    _stop(lab.supervisor, signal.SIGTERM)
    for server in lab.servers:
        _stop(server.process, signal.SIGKILL)
    if lab.root != lab.directory:
        shutil.rmtree(lab.root, ignore_errors=True)
    (directory / STATE_FILE).unlink(missing_ok=True)
    return True


def _stop(process: Identity, number: signal.Signals) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while process.alive():
        if time.monotonic() > deadline:
            raise LabError(f"process {process.pid} did not end in {STOP_SECONDS} s; see the lab's logs")
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
        time.sleep(PAUSE)


def _spawn(directory: Path, options: Options, *, stay: bool, say: Say) -> subprocess.Popen[str]:
    """Starts the supervisor and returns when the lab is ready."""
    if options.machines and (why := obstacle()):
        raise NotHere(why)
    claim(directory)
    programs = [each for each in PROGRAMS if _is_wanted(each, options)]
    missing = obtain(programs, say)
    if options.machines and (
        lacking := [missing[each.name] for each in programs if _no_machine(each, missing)]
    ):
        raise NotHere(lacking[0])
    servers = [program.name for program in programs if program.name not in missing]
    if not servers:
        raise LabError("none of the servers can be had here:\n" + "\n".join(missing.values()))
    chosen = dataclasses.asdict(options)
    plan = Plan(str(directory), os.getpid(), stay, servers, missing, chosen)
    with (directory / LOG_FILE).open("ab") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.supervisor"],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        _await_ready(supervisor, plan)
    except BaseException:
        _end(supervisor)
        raise
    return supervisor


def _is_wanted(program: Program, options: Options) -> bool:
    if isinstance(program, MachineSshd):
        return options.cluster and options.machines and program.machine in names(options.spares)
    return options.cluster or not isinstance(program, MemberProgram)


def _no_machine(program: Program, missing: Mapping[str, str]) -> bool:
    return isinstance(program, MachineSshd) and program.name in missing


def _await_ready(supervisor: subprocess.Popen[str], plan: Plan) -> None:
    assert supervisor.stdin is not None
    assert supervisor.stdout is not None
    with supervisor.stdout as answers:
        with supervisor.stdin as orders:
            json.dump(dataclasses.asdict(plan), orders)
        first = answers.readline()
        if first != READY + "\n":
            log = Path(plan.directory) / LOG_FILE
            said = (first + answers.read()).strip()
            raise LabError(said or f"the lab's supervisor ended early; see {log}")


def _end(supervisor: subprocess.Popen[str]) -> None:
    supervisor.terminate()
    supervisor.wait()


def _loaded(directory: Path) -> Lab:
    lab = load(directory)
    if lab is None:
        raise LabError(f"the lab in {directory} was stopped while it started")
    return lab
