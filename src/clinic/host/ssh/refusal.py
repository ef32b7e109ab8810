"""What ssh said when it gave up, as an error that tells what would mend it."""

from __future__ import annotations

import re
import shlex

from clinic.errors import Failed, ItemError, Retryable
from clinic.host.ssh.command_line import Login
from clinic.outcome import Reason

OWN_FAILURE = 255
"""The exit status of ssh for its own errors (ssh(1)); any other is what ran there."""

_CHANGED = re.compile(r"REMOTE HOST IDENTIFICATION HAS CHANGED")
_OFFENDING = re.compile(r"Offending (?:\S+ )?key (?:in|for IP in|for \S+ in) (\S+?):(\d+)")
_UNKNOWN_KEY = re.compile(r"No (?:\S+ )?host key is known for|Host key verification failed")
_DENIED = re.compile(r"Permission denied|Too many authentication failures|Authentication failed")
_CROWDED = re.compile(
    r"kex_exchange_identification|ssh_exchange_identification|Connection (?:closed|reset) by|Exceeded MaxStartups"
)
_EXCERPT = 400


def shown(text: str) -> str:
    """The lines that say something, on one line, fit for a terminal."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("@@@")]
    line = "".join(char if char.isprintable() else "?" for char in "; ".join(lines))
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]}..."


def refusal(login: Login, said: str, status: int | None) -> ItemError:
    """Why there is no shell: `said` is what came on standard error, `status` what ssh ended with."""
    if _CHANGED.search(said):
        return _changed(login, said)
    if _UNKNOWN_KEY.search(said):
        return _unknown(login)
    if status != OWN_FAILURE and (status is None or status >= 0):  # a signal is no answer of the node's
        return no_shell(login, said)
    if _DENIED.search(said):
        return Failed(
            Reason.NOT_PERMITTED,
            f"{login.name} does not let us in: {shown(said)}",
            fix=f"name a key with --ssh-key or an account with --ssh-user; try it: ssh {login.shown} true",
        )
    return Retryable(
        Reason.UNREACHABLE,
        f"{login.name} can't be reached over SSH: {shown(said) or 'no answer'}",
        fix=f"try it: ssh {login.shown} true; or run on {login.name} itself: sudo clinic collect local",
    )


def is_passing(said: str) -> bool:
    """Whether the server had too many logins at once and may have room in a moment (MaxStartups, sshd_config(5))."""
    return _CROWDED.search(said) is not None


def no_shell(login: Login, said: str) -> Failed:
    """Logged in, and what answered is no shell: a forced command, an account without one."""
    text = f": {shown(said)}" if said.strip() else ""
    return Failed(
        Reason.BAD_ANSWER,
        f"{login.name} lets us in and gives no shell{text}",
        fix="an account with a shell and without a forced command is needed: name one with --ssh-user",
    )


def _changed(login: Login, said: str) -> Failed:
    place = _OFFENDING.search(said)
    port = login.port or "22"
    host = login.target if port == "22" else f"[{login.target}]:{port}"
    file = f" -f {shlex.quote(place[1])}" if place is not None else ""
    return Failed(
        Reason.UNSAFE,
        f"the host key of {login.name} is another than the known one: a new installation, or somebody in between",
        fix=f"if the change is right: ssh-keygen -R {shlex.quote(host)}{file}, then clinic doctor --cluster NAME",
    )


def _unknown(login: Login) -> Failed:
    return Failed(
        Reason.UNSAFE,
        f"the host key of {login.name} is not known, so it may be any machine",
        fix="look at its key and accept it: clinic doctor --cluster NAME, or --host HOST; or name --known-hosts FILE",
    )
