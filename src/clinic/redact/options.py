"""Short options that carry a password, by the program that reads them."""

from __future__ import annotations

from dataclasses import dataclass

from clinic.redact.keys import looks_random
from clinic.redact.pattern import Pattern


@dataclass(frozen=True, slots=True)
class Option:
    """A short option of some programs."""

    flags: str
    """Its letters."""

    programs: str
    """RE2 of the programs' names."""

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
    Option("b", r"curl", spaced=True, userinfo="="),
    Option("U", r"smbclient|rpcclient|net", spaced=True, userinfo="%"),
    Option("P", r"unzip|zip|ipmitool", spaced=True),
    Option("cAX", r"snmp(?:walk|get|bulkwalk|bulkget|set|trap|inform)", spaced=True),
)

FLAGS = "".join(sorted(set("".join(option.flags for option in _OPTIONS)))).encode()
"""Every letter that is a password's for some program."""


def is_option(word: bytes) -> bool:
    """Whether a word behind an option is another option, and not the value of the first: `-Zq1x9abc` may be one."""
    return word[:1] == b"-" and (word[:2] == b"--" or b"=" in word or not looks_random(word[1:], 8))


_BEFORE = r"(?:\A|[\s/\\\"'`;|&(\x00=\[,])"
_AFTER = r"(?:\.exe)?[\"'\s\x00]"
_ANY = Pattern(_BEFORE + "(?:" + "|".join(option.programs for option in _OPTIONS) + ")" + _AFTER)
_PROGRAMS = [(option, Pattern(f"{_BEFORE}(?:{option.programs}){_AFTER}")) for option in _OPTIONS]
# What these run, and their own options, come after the program that was given a password.
_WRAPPED = Pattern(rf"{_BEFORE}(?:ssh|scp|sftp|rsync){_AFTER}")


def option_of(before: bytes, flag: bytes) -> Option | None:
    """What the option `-flag` means after `before`, the command line so far; None where it carries no secret."""
    if _ANY.search(before) is None:
        return None
    command = before[_last_command(before) :]
    for option, program in _PROGRAMS:
        match = program.search(command) if flag.decode("latin-1") in option.flags else None
        if match is not None:
            return None if _WRAPPED.search(command, match.end() - 1) else option
    return None


def _last_command(line: bytes) -> int:
    """Where the last command of a line begins."""
    ends = ((line.rfind(end), len(end)) for end in (b"\n", b";", b"|", b"&&"))
    return max((at + length for at, length in ends if at >= 0), default=0)
