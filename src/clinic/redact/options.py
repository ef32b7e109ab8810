"""Short options that carry a password, by the program that reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """A short option of some programs."""

    flags: str
    """Its letters."""

    programs: str
    """RE of the programs' names."""

    spaced: bool
    """Whether its value may be the next word; where it may not, the next word is something else."""

    userinfo: str = ""
    """What separates a user name from the password in the value; empty where all of it is the password."""


_OPTIONS = (
    Option("p", r"mysql\w*|mariadb(?:-\w+)?|mycli|pt-[\w-]+|7z[ar]?", spaced=False),
    Option(
        "p",
        r"mydumper|myloader|dumpling|sshpass|mongo\w*|(?:docker|podman|nerdctl|helm[\s\x00]+registry)[\s\x00]+login",
        spaced=True,
    ),
    Option("w", r"ldap(?:search|modify|add|delete|whoami|compare|passwd)", spaced=True),
    Option("a", r"(?:redis|valkey|keydb)-(?:cli|benchmark)", spaced=True),
    Option("uU", r"curl|etcdctl|wget", spaced=True, userinfo=":"),
    Option("U", r"smbclient|rpcclient|net", spaced=True, userinfo="%"),
    Option("P", r"unzip|zip|ipmitool", spaced=True),
    Option("cAX", r"snmp(?:walk|get|bulkwalk|bulkget|set|trap|inform)", spaced=True),
)

FLAGS = "".join(sorted(set("".join(option.flags for option in _OPTIONS))))
"""Every letter that is a password's for some program."""

_PROGRAMS = [
    (option, re.compile(rf"(?:^|[\s/\\\"'`;|&(\x00=\[,])(?:{option.programs})(?:\.exe)?[\"'\s\x00]"))
    for option in _OPTIONS
]
_NEXT_COMMAND = re.compile(r"[\n;|]|&&")


def option_of(before: str, flag: str) -> Option | None:
    """What the option `-flag` means after `before`, the command line so far; None where it carries no secret."""
    command = _NEXT_COMMAND.split(before)[-1]
    for option, program in _PROGRAMS:
        if flag in option.flags and program.search(command):
            return option
    return None
