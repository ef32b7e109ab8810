"""Which machines a lab with machines of its own has, and what is special about each."""

from __future__ import annotations

from collections.abc import Mapping

from tests.lab.standin.members import RECORDED_HOSTS

JUMP = "jump"
"""The machine that runs nothing of the cluster: another is reached by ssh through it only."""

SPARES: Mapping[str, str] = {f"spare-{number}": f"127.0.7.{number}" for number in range(1, 9)}
"""Machines of which a lab has as many as it is told to, with nothing of the cluster: all make twenty to log in at."""

ADDRESSES: Mapping[str, str] = {**RECORDED_HOSTS, JUMP: "127.0.8.1", **SPARES}
"""Every machine, named as the instance that runs on it, and its address as the recordings would have it."""


def names(spares: int) -> tuple[str, ...]:
    """The machines of a lab with so many spare ones."""
    return tuple(name for name in ADDRESSES if name not in SPARES or name in list(SPARES)[:spares])


BEHIND_JUMP = "tikv-3"
"""Its ssh answers the jump host alone."""

LOSSY = "tikv-2"
"""One of a hundred packets is lost on the way to it."""

SKEWED = "tiflash-1"
"""Its clock is behind, as every process on it sees it."""

SKEW_SECONDS = -90
"""How far."""

CHATTY = "pd-3"
"""It shows a banner, and the shell's start-up file prints."""

BUSYBOX = "ticdc-2"
"""It has busybox and no other tool."""

ACCOUNT = "tidb"
"""Who may log in on all of them, with TiUP's key; the account exists on these machines alone."""

ACCOUNT_IDS = 20000


def account_id(address: str) -> int:
    """Its uid and gid in the lab with this address: each has its own, so that what one wrote is told from others'."""
    return ACCOUNT_IDS + int(address.split(".")[1])
