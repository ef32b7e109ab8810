"""The output of a command, judged by what it says and how it ends."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

from clinic.errors import Failed, ItemError, Partial, Skip
from clinic.host.base import Host
from clinic.kinds import Privilege
from clinic.outcome import Reason
from clinic.source.base import Doors, Estimate, Part, Ran, Source
from clinic.source.patterns import require_words

_NO_PROGRAM = 127
"""Exit status of env(1), setpriv(1) and shells where there is no such program."""

_ABSENT = re.compile(r"No such file or directory")
_NO_ACCOUNT = re.compile(r"^setpriv: failed to parse reuid", re.MULTILINE)
_REFUSED = re.compile(
    r"(?i)permission denied|not permitted|access denied|must be (?:run as )?(?:root|superuser)|only root"
    r"|you (?:need to be|are not|have to be) root|are you root|requires? root|root privileges|not authorized"
    r"|insufficient permissions"
)
"""How tools say that the user lacks a right (C locale)."""

NOBODY = "65534"
"""The group of what runs as another account: that of nobody, by number, since its name is not the same everywhere."""

_DROPPED = ("--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all")
_EXCERPT = 300


@dataclass(frozen=True)
class Command(Source):
    """What a command writes to standard output. Never a shell string: the words are the program's own."""

    host: str
    """Name of the machine that it runs on."""

    argv: tuple[str, ...]
    """The program, looked up on the system's own PATH, and its arguments. Nothing secret: anybody can see them."""

    _: KW_ONLY
    """What follows is given by name."""

    ok: tuple[int, ...] = (0,)
    """Exit statuses that mean success."""

    root: bool = False
    """Whether it needs root's rights; then sudo is used where it is allowed without a password."""

    package: str = ""
    """What brings the program: a package's name, or Debian's and Red Hat's with a slash between.

    Without one, and with `empty="not_applicable"`, it is one of several alternatives, of which no machine needs
    all: that it is absent is nothing to mend.
    """

    deadline: float | None = 30.0  # pyright: ignore[reportIncompatibleMethodOverride] # a field is a property too
    """Seconds the whole may take."""

    stall: float | None = None  # pyright: ignore[reportIncompatibleMethodOverride] # a field is a property too
    """Seconds without a byte after which it counts as stuck."""

    empty: Literal["skip", "not_applicable", "ok"] = "skip"
    """What success without a byte means: nothing to see, nothing of the kind on this machine, or a result."""

    stderr: Literal["", "append"] = ""
    """Whether the end of standard error follows the output, for programs that say what matters there."""

    account: str = ""
    """Whose rights it runs with, where they must be another's: as whoever calls when that is the same account,
    else with nothing but that account's rights where root may give them up, else not at all. Never root."""

    environment: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    """Variables besides PATH, LC_ALL and HOME."""

    def __post_init__(self) -> None:
        require_words(self.argv, "argv")
        if self.account in ("root", "0") or (self.account and self.root):
            raise ValueError("a program that is another account's is never run as root")

    @property
    def lane(self) -> str:
        return f"host:{self.host}"

    @property
    def what(self) -> str:
        return shlex.join(self.argv)

    @property
    def privilege(self) -> Privilege:
        return Privilege.ROOT if self.root else Privilege.NONE

    def plan(self, doors: Doors) -> Estimate:
        """Possible where the program is and may run; its size is known only once it has run."""
        try:
            return Estimate(None, impossible=self._impossible(doors.host(self.host)))
        except ItemError as error:
            return Estimate(None, impossible=error)

    def open(self, doors: Doors) -> Iterator[Part]:
        yield Part(self._chunks(doors))

    def _run_as(self, host: Host) -> tuple[tuple[str, ...], bool]:
        """The words to run on `host`, and whether with root's rights."""
        if not self.account or self.account == host.user:
            return self.argv, self.root
        return ("setpriv", f"--reuid={self.account}", f"--regid={NOBODY}", *_DROPPED, "--", *self.argv), True

    def _impossible(self, host: Host) -> Skip | None:
        (program, *rest), root = self._run_as(host)
        path = program if program.startswith("/") else host.which(program)
        if path is None:
            return self._absent(program)
        if root and not host.may_run_as_root((path, *rest)):
            text = f"{program} needs root, and {host.user} is not"
            return Skip(Reason.NOT_PERMITTED, text, fix=host.sudo_fix((path, *rest)))
        return None

    def _absent(self, program: str) -> Skip:
        text = f"{program} is not installed on {self.host}"
        if not self.package and self.empty == "not_applicable":
            return Skip(Reason.NOT_APPLICABLE, text)
        debian, _, redhat = self.package.partition("/")
        fix = f"apt install {debian} or dnf install {redhat or debian}" if self.package else ""
        return Skip(Reason.TOOL_ABSENT, text, fix=fix)

    def _chunks(self, doors: Doors) -> Iterator[bytes]:
        host = doors.host(self.host)
        if (impossible := self._impossible(host)) is not None:
            raise impossible
        argv, root = self._run_as(host)
        came, outcome, started = False, "stopped", time.monotonic()
        try:
            with host.run(argv, doors.deadline, root=root, environment=self.environment) as process:
                for data in process.chunks():
                    came = True
                    yield data
                status, errors = process.status, process.stderr
            outcome = _ending(status)
        except ItemError as error:
            outcome = str(error.reason)
            raise
        finally:
            whom = self.account or ("root" if root else host.user)
            doors.ran(Ran("command", shlex.join(argv), self.host, whom, outcome, time.monotonic() - started))
        if not came and (nothing := self._ran_nothing(status, errors)) is not None:
            raise nothing
        if self.stderr == "append" and errors:
            came = True
            yield errors.encode()
        self._judge(host, status, errors, came)

    def _ran_nothing(self, status: int, errors: str) -> Skip | None:
        """Why the program did not even start, where what was to start it says so in place of the system."""
        if status == _NO_PROGRAM and _ABSENT.search(errors):
            return Skip(Reason.TOOL_ABSENT, f"on {self.host}: {_excerpt(errors)}")
        if self.account and _NO_ACCOUNT.search(errors):
            return Skip(Reason.NOT_APPLICABLE, f"{self.host} has no account {self.account}")
        return None

    def _judge(self, host: Host, status: int, errors: str, came: bool) -> None:
        """Raise what became of it, where that is not plain success."""
        good = status in self.ok
        if good and (came or self.empty == "ok"):
            return
        said = _excerpt(errors)
        ending = _ending(status) + (f": {said}" if said else "")
        if _REFUSED.search(errors):
            fix = "" if self.root or host.user == "root" else host.become_root
            raise (Partial if came else Skip)(Reason.NOT_PERMITTED, ending, fix=fix)
        if not good:
            raise (Partial if came else Failed)(Reason.EXIT_STATUS, ending)
        reason = Reason.EMPTY if self.empty == "skip" else Reason.NOT_APPLICABLE
        raise Skip(reason, f"{self.argv[0]} had nothing to say" + (f" but: {said}" if said else ""))


def _ending(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"killed by signal {-status}"


def _excerpt(errors: str) -> str:
    """The last line that says something, fit for a terminal."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    text = "".join(char if char.isprintable() else "?" for char in lines[-1]) if lines else ""
    return text if len(text) <= _EXCERPT else text[:_EXCERPT] + "..."
