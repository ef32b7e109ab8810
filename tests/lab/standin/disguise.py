"""Makes a Python process look like the program that it stands in for.

The kernel shows as a command line what is in the memory where the arguments were put. The launcher
(`deploy.LAUNCHER`) gives this process exactly as many bytes of arguments as the real ones have; here they are
replaced. That needs no privilege. The process's executable, /proc/PID/exe, stays Python's.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

SEPARATOR = "\x1f"
ARG_START, ARG_END = 45, 46
"""proc(5), /proc/PID/stat: fields 48 and 49, counted from the one after the name."""

NAME_BYTES = 15


def look_like(words: list[str]) -> None:
    """From now on this process has the command line `words`, and the name of their first."""
    wanted = b"".join(os.fsencode(word) + b"\0" for word in words)
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    start, end = int(fields[ARG_START]), int(fields[ARG_END])
    if end - start != len(wanted):
        raise RuntimeError(f"{len(wanted)} bytes of arguments do not fit into {end - start}")
    ctypes.memmove(start, wanted, len(wanted))
    Path("/proc/self/comm").write_bytes(os.fsencode(Path(words[0]).name)[:NAME_BYTES])
