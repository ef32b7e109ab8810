"""The Debian packages that bring the servers: found, or installed where that is possible."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import subprocess
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from tests.lab.program import SYSTEM_PATH, Program, Tool, find_tool

LISTS = Path("/var/lib/apt/lists")
LOCK = Path("/run/clinic-lab-packages.lock")
POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian's packages ask it before they start a service; exit status 101 forbids it (invoke-rc.d(8))."""

POLICY_KEPT = POLICY.with_name("policy-rc.d.kept-by-clinic-lab")
POLICY_TEXT = """\
#!/bin/sh
# Put here by Clinic's lab while it installs packages, and removed after: no service is started.
exit 101
"""
SETPRIV = Tool("setpriv", ("util-linux",))
"""What starts every server."""

APT_SECONDS = 600


class CannotInstall(Exception):
    """Packages can't be installed; the text completes the sentence "it is not installed, and ..."."""


def obtain(programs: Sequence[Program], say: Callable[[str], None]) -> dict[str, str]:
    """Installs what `programs` lack where that is possible, and gives those that can't run, with the reason.

    `say` is told what will be installed before it is.
    """
    obstacles = {each.name: f"{each.name}: {why}" for each in programs if (why := each.obstacle())}
    lacking = [each for each in programs if each.name not in obstacles and _absent_tools(each)]
    why = ""
    if lacking:
        try:
            _install(lacking, say)
            why = "no package that apt-get knows here brings it"
        except CannotInstall as error:
            why = str(error)
    still = {each.name: _reason(each, why) for each in lacking if _absent_tools(each)}
    return {**obstacles, **still}


def _reason(program: Program, why: str) -> str:
    wanted = ", ".join(sorted({each.packages[0] for each in program.tools}))
    return f"{program.name}: not installed, and {why} (Debian packages: {wanted})"


def _absent_tools(program: Program) -> list[Sequence[str]]:
    """For each tool that `program` lacks, the packages that may bring it."""
    return [packages for name, packages in (SETPRIV, *program.tools) if find_tool(name) is None]


def _install(programs: Sequence[Program], say: Callable[[str], None]) -> None:
    if find_tool("apt-get") is None:
        raise CannotInstall("there is no apt-get here")
    if os.geteuid() != 0:
        raise CannotInstall("installing it needs root")
    with _alone():
        if not any(LISTS.glob("*_Packages*")):
            _update(say)
        choices = [packages for program in programs for packages in _absent_tools(program)]
        chosen = sorted(_known(choices))
        if not chosen:
            return
        say(f"installing Debian packages (their services stay off): {' '.join(chosen)}")
        with _services_kept_off():
            try:
                _apt(["install", *chosen], say)
            except CannotInstall:
                # The lists may be older than the archive, which keeps no old versions.
                _update(say)
                _apt(["install", *chosen], say)
        _disable_services(chosen)


def _known(choices: Sequence[Sequence[str]]) -> set[str]:
    """The first package of each choice that apt could install."""
    names = sorted({name for packages in choices for name in packages})
    text = _run(["apt-cache", "policy", *names]).stdout
    known = set(re.findall(r"(?m)^(\S+):\n(?:  .*\n)*?  Candidate: (?!\(none\))", text))
    return {found[0] for packages in choices if (found := [name for name in packages if name in known])}


def _update(say: Callable[[str], None]) -> None:
    say("reading Debian's lists of packages")
    _apt(["update"], say)


def _apt(arguments: Sequence[str], say: Callable[[str], None]) -> None:
    options = ["-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
    options += ["-o", "Dpkg::Options::=--force-confold"]  # a changed configuration file is no question to ask
    try:
        done = _run(["apt-get", *options, *arguments])
    except subprocess.TimeoutExpired as error:
        raise CannotInstall(f"apt-get did not end in {APT_SECONDS} s") from error
    if done.returncode != 0:
        for line in done.stderr.splitlines()[-5:]:
            say(f"apt-get {arguments[0]}: {line}")
        raise CannotInstall("apt-get could not install it")


def _run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
    return subprocess.run(
        argv,
        env={**os.environ, **quiet, "PATH": SYSTEM_PATH, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=APT_SECONDS,
        check=False,
    )


@contextlib.contextmanager
def _alone() -> Generator[None, None, None]:
    """One lab installs at a time: they share the guard that keeps services off."""
    with LOCK.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _services_kept_off() -> Generator[None, None, None]:
    """While it lasts no package starts a service. An administrator's own policy is put aside and back."""
    if POLICY.exists() and POLICY.read_text() != POLICY_TEXT:
        POLICY.rename(POLICY_KEPT)
    POLICY.write_text(POLICY_TEXT)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
        if POLICY_KEPT.exists():
            POLICY_KEPT.rename(POLICY)


def _disable_services(packages: Sequence[str]) -> None:
    """Takes back what the packages arranged for the next boot: the lab wants programs, not services."""
    if find_tool("systemctl") is None:
        return
    listed = _run(["dpkg", "-L", *packages]).stdout.splitlines()
    units = {Path(line).name for line in listed if "/systemd/system/" in line}
    services = sorted(unit for unit in units if unit.endswith((".service", ".socket", ".timer")))
    if services:
        _run(["systemctl", "disable", "--quiet", *services])
