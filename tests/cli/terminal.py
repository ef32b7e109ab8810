"""A terminal of its own for a command: what it shows, and somebody who types."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

PATIENCE = 120
"""Seconds after which a command at a terminal counts as one that hangs, on a busy machine too."""


def type_at_terminal(
    directory: Path, words: list[str], *answers: tuple[bytes, bytes], env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run `clinic` at a terminal, type each answer once its question is shown; the exit code and what was shown."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "clinic", *words],
        cwd=directory,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **(env or {})},
        start_new_session=True,
        preexec_fn=_take_terminal,  # noqa: PLW1509 - one call of the system, in a process without threads
    )
    os.close(theirs)
    shown, until = b"", time.monotonic() + PATIENCE
    questions = list(answers)
    while time.monotonic() < until:
        ready, _, _ = select.select([ours], [], [], 0.1)
        if ready:
            try:
                data = os.read(ours, 65536)
            except OSError:
                break  # Linux says EIO once the other side is closed
            shown += data
        if questions and questions[0][0] in shown:
            os.write(ours, questions.pop(0)[1])
        if not ready and process.poll() is not None:
            break
    os.close(ours)
    try:
        return process.wait(timeout=10), shown.decode(errors="replace")
    finally:
        process.kill()


def _take_terminal() -> None:
    """Make standard input the terminal of this session: what Ctrl-C is typed at."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
