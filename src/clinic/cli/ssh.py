"""The options of commands that log in at other machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from clinic.cli.options import SizeType
from clinic.cli.output import say
from clinic.cluster.model import Machine
from clinic.errors import UsageError
from clinic.host.ssh.node_load import MOST_HELD, PATIENCE, Thresholds
from clinic.run.reach import Ssh
from clinic.smallfile import read_small
from clinic.units import MIB

NAMED = 6
"""Machines that are reached alike and are named; the rest is counted."""


def ssh_options(command: Callable[..., object]) -> Callable[..., object]:
    """How machines are logged in at, where neither TiUP nor ssh_config says it."""
    for option in (
        click.option(
            "--limit", type=SizeType(), metavar="SIZE", help="Most bytes a second over SSH, of all hosts together."
        ),
        click.option(
            "--max-load", type=click.FloatRange(min=0.1), metavar="LOAD",
            help="Load for each processor past which nothing is begun on a host; 16.",
        ),
        click.option(
            "--known-hosts", multiple=True, metavar="FILE", help="Host keys, besides yours and the system's."
        ),
        click.option(
            "--ssh-option", "ssh_options", multiple=True, metavar="NAME=VALUE",
            help="As ssh -o, for example ProxyJump=bastion.",
        ),
        click.option("--ssh-port", type=click.IntRange(1, 65535), help="Port of sshd; else the topology's."),
        click.option("--ssh-key", default="", metavar="FILE", help="Private key; else TiUP's, and your own."),
        click.option("--ssh-user", default="", metavar="NAME", help="Account on the hosts; else TiUP's."),
        click.option("--hosts-file", default="", metavar="FILE", help="Such hosts, one a line."),
        click.option(
            "--host", "hosts", multiple=True, metavar="[USER@]HOST[:PORT]",
            help="A machine besides those of the cluster, or without one; repeatable.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def say_ways(ssh: Ssh, machines: Sequence[Machine], *, err: bool = False) -> None:
    """Print how each machine is reached, those that are reached alike on one line; nothing for this one alone."""
    if all(machine.local and not machine.login.get("executor") for machine in machines):
        return
    alike: dict[str, list[str]] = {}
    for machine in machines:
        alike.setdefault(ssh.way(machine), []).append(machine.name)
    for way, names in alike.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        say(f"Reached {way}: {', '.join(names[:NAMED])}{more}.", err=err)
    if not all(machine.local for machine in machines):
        say(
            f"A machine over SSH that is past {Thresholds(ssh.max_load)}, is left alone: a command waits up to"
            f" {PATIENCE:g} s before it begins, and a long stream pauses for up to {MOST_HELD:g} s.",
            err=err,
        )


def hosts_in(path: Path) -> tuple[str, ...]:
    """The hosts that a file names, one a line; `#` begins a comment. Raises `UsageError`."""
    hint = "check the path given with --hosts-file"
    try:
        text = read_small(path, MIB, hint).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text", hint=hint) from error
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    found = tuple(line for line in lines if line)
    if not found:
        raise UsageError(f"{path} names no host", hint="write [user@]host[:port], one a line")
    return found
