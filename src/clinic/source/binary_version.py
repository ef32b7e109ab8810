"""What a program's file says of its version, for one that can't be run: read, and nothing of it executed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from clinic.errors import ItemError, Skip
from clinic.outcome import Reason
from clinic.source.base import Doors, Estimate, HostFiles, Part, Ran
from clinic.units import GIB

LARGEST = 2 * GIB
"""Bytes of a program beyond which the rest is not looked through: TiFlash with its symbols has one and a half."""

LONGEST = 200
"""Bytes of the longest thing that is looked for: so much of a piece is looked at again with the next."""

MOST = 40
"""Different findings that are kept: a program says its own version early, or never."""

# Go keeps the linker's -X flags and the modules it was made of (debug/buildinfo); TiKV the tag that it was built from
# (components/tikv_util, TIKV_BUILD_GIT_BRANCH); C++ a plain string.
_SAID = re.compile(
    rb"\w*(?:Version|GitHash|GitBranch|GitCommit|Revision|Edition)=[\w.+:/-]{1,80}"
    rb"|\w*(?:BuildTS|BuildTime|BuildDate)=[\w.+:/-]{1,20}(?: [\d:]{1,12})?"
    rb"|(?<=mod\t)[\w./-]{1,80}\t[\w.()+-]{1,60}"
    rb"|heads/refs/tags/v\d+\.\d+\.\d+(?:-[a-z]+\.\d+)?"
    rb"|(?<=\x00)v\d+\.\d+\.\d+(?:-[\w.-]{1,40})?(?=\x00)"
    rb"|go1\.\d+\.\d+(?=\x00|[^\w.])"
)


@dataclass(frozen=True)
class Inside(HostFiles):
    """The lines in a program's file that tell its version, its commit and what it was built with."""

    path: str
    """Its absolute path there."""

    @property
    def what(self) -> str:
        return f"the version in {self.path}"

    def plan(self, doors: Doors) -> Estimate:
        """A few lines, where the file is."""
        try:
            doors.host(self.host).stat(self.path, doors.deadline)
        except ItemError as error:
            return Estimate(None, impossible=error)
        return Estimate(MOST * 40)

    def open(self, doors: Doors) -> Iterator[Part]:
        yield Part(self._chunks(doors))

    def _chunks(self, doors: Doors) -> Iterator[bytes]:
        host, started, outcome = doors.host(self.host), time.monotonic(), ""
        try:
            with host.open(self.path, doors.deadline) as reader:
                said = dict.fromkeys(
                    said_in(reader.stream(0, min(reader.info.size, LARGEST), doors.deadline))
                )
            outcome = f"{len(said)} lines"
        except ItemError as error:
            outcome = str(error.reason)
            raise
        finally:
            doors.ran(Ran("file", self.path, self.host, host.user, outcome, time.monotonic() - started))
        if not said:
            raise Skip(Reason.EMPTY, f"{self.path} does not tell its version in words that are known")
        yield b"".join(line + b"\n" for line in list(said)[:MOST])


def said_in(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What a program whose file comes in `pieces` says of itself, one finding at a time."""
    kept = b""
    for piece in pieces:
        data = kept + piece
        # What begins in the last bytes may go on in the next piece: it is looked for there.
        for found in _SAID.finditer(data, 0):
            if found.start() < len(data) - LONGEST:
                yield found.group().strip()
        kept = data[-LONGEST:]
    for found in _SAID.finditer(kept):
        yield found.group().strip()
