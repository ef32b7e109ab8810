"""Root's rights for one command: asked of sudo without a password, or told how to allow just that."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.lab.packages import obtain
from tests.lab.program import Launch, Place, Program, Tool
from tests.lab.state import Server

from clinic.deadline import Deadline
from clinic.errors import Skip, TimedOut
from clinic.host.local import LocalHost
from clinic.host.sudo import sudoers_line
from clinic.outcome import Reason

_CLONE_NEWNS = 0x20000
"""From sched.h."""

WithSudoers = Callable[[str, Callable[[LocalHost], Any]], Any]


def test_a_line_allows_one_command_and_nothing_else() -> None:
    assert sudoers_line("tidb", ["/usr/bin/dmidecode"]) == 'tidb ALL=(root) NOPASSWD: /usr/bin/dmidecode ""'
    line = sudoers_line("dom\\user", ["/bin/x", "a=b,c:d", "*.log", "[0-9]?", "two words", "#1"])
    assert line == r"dom\\user ALL=(root) NOPASSWD: /bin/x a\=b\,c\:d \*.log \[0-9\]\? two\ words \#1"


def test_without_rights_the_record_says_what_would_allow_it(as_nobody: Callable[..., Any]) -> None:
    """The same where sudo is missing and where it refuses."""

    def run() -> object:
        host = LocalHost("here")
        assert not host.is_root
        return host.run(["id", "-u"], Deadline(5), root=True)

    reason, message, fix = as_nobody(run)
    assert reason is Reason.NOT_PERMITTED
    assert "/id needs root, and nobody may not run it with sudo" in message
    assert fix.endswith(f"nobody ALL=(root) NOPASSWD: {LocalHost('here').which('id')} -u")


class Sudo(Program):
    """Only what the lab needs to install it."""

    name = "sudo"
    tools = (Tool("sudo", ("sudo",)),)

    def prepare(self, place: Place) -> Launch:
        """It is no server."""
        raise NotImplementedError

    def check(self, server: Server) -> None:
        """As above."""
        raise NotImplementedError


@pytest.fixture(scope="module")
def sudo() -> None:
    """Skips where there can be no sudo."""
    reasons = obtain([Sudo()], lambda _: None)
    if reasons:
        pytest.skip(f"not run: {reasons['sudo']}")


@pytest.fixture
def with_sudoers(sudo: None, as_nobody: Callable[..., Any], place: Path) -> WithSudoers:
    """Calls a function as `nobody` where sudo has these rules: in a mount namespace of that child alone."""
    del sudo
    if ctypes.CDLL(None).unshare(0) or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        pytest.skip("no mount namespaces here")
    rules_file, empty = place / "sudoers", place / "empty"
    empty.mkdir()

    def mount() -> None:
        ctypes.CDLL(None).unshare(_CLONE_NEWNS)
        for arguments in (
            ["--make-rprivate", "/"],
            ["--bind", str(rules_file), "/etc/sudoers"],
            ["--bind", str(empty), "/etc/sudoers.d"],
        ):
            subprocess.run(["mount", *arguments], check=True)

    def with_sudoers(rules: str, call: Callable[[LocalHost], Any]) -> Any:
        rules_file.write_text(f"Defaults !fqdn\n{rules}\n")
        rules_file.chmod(0o440)
        return as_nobody(lambda: call(LocalHost("here")), mount)

    return with_sudoers


def _run(host: LocalHost, argv: tuple[str, ...], seconds: float = 10) -> tuple[int, bytes, str]:
    with host.run(argv, Deadline(seconds), root=True) as process:
        output = b"".join(process.chunks())
        return process.status, output, process.stderr


ARGUMENTS = [("-u",), (), ("-c", "a=b,c:d"), ("x*[?]",), ("two words", "#1", "!"), ('"', "'", "$HOME", "\\")]


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_the_printed_line_is_the_one_that_sudo_needs(
    with_sudoers: WithSudoers, here: LocalHost, arguments: tuple[str, ...]
) -> None:
    """It allows exactly these arguments: not one more, and no others."""
    echo = here.which("echo")
    assert echo is not None

    def run(host: LocalHost) -> list[object]:
        answers: list[object] = [_run(host, ("echo", *arguments))]
        for others in ((*arguments, "more"), ("other",)):
            with pytest.raises(Skip) as caught:
                _run(host, ("echo", *others))
            answers.append(caught.value.reason)
        return answers

    said = " ".join(arguments).encode() + b"\n"
    refused = [Reason.NOT_PERMITTED] * 2
    assert with_sudoers(sudoers_line("nobody", (echo, *arguments)), run) == [(0, said, ""), *refused]


def test_sudo_gives_root(with_sudoers: WithSudoers) -> None:
    rules = "nobody ALL=(root) NOPASSWD: ALL"
    assert with_sudoers(rules, lambda host: (host.is_root, _run(host, ("id", "-u")))) == (
        True,
        (0, b"0\n", ""),
    )


def test_one_allowed_command_is_not_taken_for_all(with_sudoers: WithSudoers, here: LocalHost) -> None:
    echo = here.which("echo")
    assert echo is not None
    asked = [(echo, "x"), (echo, "y"), (echo,)]
    allowed = with_sudoers(sudoers_line("nobody", asked[0]), lambda host: [*map(host.may_run_as_root, asked)])
    assert allowed == [True, False, False]


def test_a_password_is_never_waited_for(with_sudoers: WithSudoers) -> None:
    assert (
        with_sudoers("nobody ALL=(root) ALL", lambda host: _run(host, ("id", "-u")))[0]
        is Reason.NOT_PERMITTED
    )


@pytest.mark.parametrize("pty", ["!use_pty", "use_pty"])
def test_what_sudo_started_is_killed_at_the_deadline(
    with_sudoers: WithSudoers, nap: str, asleep: Callable[[int], int], pty: str
) -> None:
    """Though it is root's, and we are not: sudo kills it for us where it may."""

    def run(host: LocalHost) -> str:
        with pytest.raises(TimedOut):
            _run(host, ("sh", "-c", f"sleep {nap} & sleep {nap}"), seconds=0.5)
        return "ended"

    assert with_sudoers(f"Defaults {pty}\nnobody ALL=(root) NOPASSWD: ALL", run) == "ended"
    assert asleep(0) == 0
