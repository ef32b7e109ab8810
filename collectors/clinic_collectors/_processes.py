"""What is made of the files of a process in /proc."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

_TOLD = re.compile(
    r"PATH|LD_PRELOAD|LD_LIBRARY_PATH|TZ|LANG|LC_\w+|(?i:https?_proxy|no_proxy)"
    r"|GO(?:GC|MEMLIMIT|MAXPROCS|DEBUG|TRACEBACK)|(?:_RJEM_)?MALLOC_\w+|JEMALLOC_\w+|RUST_(?:LOG|BACKTRACE)"
)
"""Variables whose values change how a database behaves; anything may be in others, so their names alone are taken."""


def environment(inputs: Mapping[str, bytes]) -> bytes:
    """`NAME=value` lines of a process's environment as it was when it started, sorted."""
    pairs = [
        entry.partition("=") for entry in inputs["environ"].decode("utf-8", "replace").split("\0") if entry
    ]
    told = sorted(f"{name}={value}" if _TOLD.fullmatch(name) else f"{name}=" for name, _, value in pairs)
    lines = ("# values of other than well-known variables are not taken", *told)
    return "".join(f"{line}\n" for line in lines).encode()


def open_files(inputs: Mapping[str, bytes]) -> bytes:
    """How many files each process holds open beside what it may, and the whole machine.

    A question mark stands where the process would not tell this user.
    """
    held = Counter(re.findall(rb"^/proc/(\d+)/fd/\d+$", inputs["held"], re.MULTILINE))
    pids = {*held, *(name.split("/")[2].encode() for name in inputs if name.endswith("/limits"))}
    lines = [b"pid\topen\tsoft\thard"]
    for pid in sorted(pids, key=int):
        limits = inputs.get(f"/proc/{pid.decode()}/limits", b"")
        limit = re.search(rb"^Max open files\s+(\S+)\s+(\S+)", limits, re.MULTILINE)
        soft, hard = limit.groups() if limit else (b"?", b"?")
        lines.append(b"\t".join((pid, b"%d" % held[pid] if held[pid] else b"?", soft, hard)))
    used, *_, most = inputs.get("all", b"? ?").split()
    lines.append(b"# the machine: " + used + b" allocated, " + most + b" at most (/proc/sys/fs/file-nr)")
    return b"\n".join(lines) + b"\n"
