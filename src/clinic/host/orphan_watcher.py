"""Commands die with us, even when we are killed: a shell of a few lines that waits for the end of a pipe.

Measured on two cores: PR_SET_PDEATHSIG through `setpriv` costs 0.9 ms for each command, through a
`preexec_fn` 4 ms and a fork that is unsafe among threads; it reaches only the direct child, and fires when the
*thread* ends that started it. The watcher costs 1 ms once and a write of a few bytes for each command, and
reaches every process that the command started.
"""

from __future__ import annotations

import subprocess
import threading

from clinic.host.descendants import MARK

_SHELL = "/bin/sh"
_SCRIPT = r"""
trap '' HUP INT QUIT TERM PIPE
IFS= read -r mark || exit 0
groups=' '
while read -r what group; do
    case $what in
        +) groups="$groups$group " ;;
        -) case $groups in *" $group "*) groups="${groups%%" $group "*} ${groups#*" $group "}" ;; esac ;;
        .) exit 0 ;;
    esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
for turn in 1 2 3; do
    for file in $(grep -l -F -s -- "$mark" /proc/[0-9]*/environ); do
        process=${file#/proc/}
        kill -s KILL "${process%/environ}"
    done
done
"""
"""Reads the mark, then `+ GROUP`, `- GROUP` and `.` for a peaceful end; at the end of input it kills what is left.

POSIX sh and grep -l -F -s, which dash, bash and busybox have.
"""


class Watcher:
    """The shell and what it was told. Without a shell on the machine it does nothing."""

    def __init__(self, mark: str, path: str) -> None:
        """`mark` is what the environment of every child holds, `path` the PATH that the shell gets."""
        self._mark = mark
        self._path = path
        self._lock = threading.Lock()
        self._shell: subprocess.Popen[bytes] | None = None
        self._started = False

    def add(self, group: int) -> None:
        """Watch a process group; the first one starts the shell."""
        with self._lock:
            if not self._started:
                self._started = True
                self._start()
            self._tell(f"+ {group}\n")

    def remove(self, group: int) -> None:
        """The group is dead. To be called before its leader is reaped, while its number can't be another's."""
        with self._lock:
            self._tell(f"- {group}\n")

    def close(self) -> None:
        """End the shell in peace. Safe to call twice."""
        with self._lock:
            shell, self._shell = self._shell, None
        if shell is None or shell.stdin is None:
            return
        try:
            shell.stdin.write(b".\n")
            shell.stdin.close()
        except OSError:
            pass  # Somebody killed it: then it is as dead as it should be.
        shell.wait()

    def _start(self) -> None:
        try:
            self._shell = subprocess.Popen(
                (_SHELL, "-c", _SCRIPT, "clinic-watcher"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, bufsize=0, cwd="/", env={"PATH": self._path}, start_new_session=True,
            )  # fmt: skip
        except OSError:
            return  # A machine without a shell has few commands to run; they live until their deadline.
        self._tell(f"{MARK}={self._mark}\n")

    def _tell(self, line: str) -> None:
        if self._shell is None or self._shell.stdin is None:
            return
        try:
            self._shell.stdin.write(line.encode())
        except OSError:
            self._shell.stdin.close()
            self._shell.wait()
            self._shell = None
