"""Looks at files of a node through its shell: what is there, what it is, and what forbids to see it."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Retryable, Skip
from clinic.host.base import FileInfo
from clinic.host.globs import kind_of
from clinic.host.ssh.quoting import glob_word as as_word
from clinic.host.ssh.quoting import is_glob, plain_prefixes, script, word, words
from clinic.host.walk import MAX_LINKS, PSEUDO, check_path, shown
from clinic.outcome import Reason

NOT_REGULAR, LACKING, ABSENT = 12, 17, 18
"""How the functions of the loop end."""

_NUMBERS = 6


@dataclass(frozen=True, slots=True)
class Answer:
    """What a small request gave."""

    data: bytes
    """Standard output."""

    status: int
    """How it ended."""

    stderr: str
    """The end of standard error."""

    separator: bytes
    """What stands between the parts of `data`."""

    came: float
    """When the first of it came, seconds since 1970 by this machine's clock."""

    @property
    def parts(self) -> list[bytes]:
        """The parts, each of which the separator ends."""
        return self.data.split(self.separator)


Ask = Callable[[bytes, Deadline], Answer]
"""Runs a body in a shell of the node and gives all that it says."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What `stat` knows of a file, with the number of its names."""

    info: FileInfo
    """What it is."""

    names: int
    """How many names it has."""

    @classmethod
    def of(cls, fields: Sequence[bytes], path: str) -> Looked:
        """From what the loop prints. Raises `Retryable` where it is not that."""
        try:
            mode = int(fields[0], 16)
            size, mtime, uid, gid, names = map(int, fields[1:_NUMBERS])
        except (ValueError, IndexError) as error:
            raise Retryable(Reason.BAD_ANSWER, f"{shown(path)}: stat there says what is no answer") from error
        return cls(FileInfo(path, kind_of(mode), size, float(mtime), stat.S_IMODE(mode), uid, gid), names)


class Files:
    """Looks at files of one node."""

    def __init__(self, ask: Ask, host: str, user: str, uid: int) -> None:
        self._ask = ask
        self._host = host
        self._user = user
        self._uid = uid

    # -- lists

    def matching(self, pattern: str, deadline: Deadline, limit: int) -> list[FileInfo]:
        """What matches, sorted by path. Raises what forbids to see it."""
        return self._list(pattern, is_glob(pattern), deadline, limit)

    def _list(self, pattern: str, expand: bool, deadline: Deadline, limit: int) -> list[FileInfo]:
        check_path(pattern)
        right = "r" if expand else "x"
        found = self._ask(
            script(
                b'set -- %b\nif [ -e "$1" ] || [ -h "$1" ]; then list_ "$@"; else closed_ %b %b; fi'
                % (
                    as_word(pattern) if expand else word(pattern),
                    right.encode(),
                    words(plain_prefixes(pattern)),
                )
            ),
            deadline,
        )
        if found.status == LACKING:
            raise self.lacking(found.data, pattern)
        if found.status == ABSENT:
            return []
        return self._listed(found, deadline, limit)

    def _listed(self, found: Answer, deadline: Deadline, limit: int) -> list[FileInfo]:
        listed, *places = found.parts
        begin = found.separator[:-2] + b"/"
        looked: list[Looked] = []
        for record in listed.removeprefix(begin).split(b"\n" + begin):
            fields = record.removesuffix(b"\n").split(b" ", _NUMBERS)
            if len(fields) > _NUMBERS:
                looked.append(Looked.of(fields, os.fsdecode(fields[_NUMBERS])))
        infos = sorted((one.info for one in looked), key=lambda info: info.path)[:limit]
        real = {
            os.fsdecode(a).rstrip("/"): os.fsdecode(b).rstrip("\n/")
            for a, b in zip(*[iter(places)] * 2, strict=False)
        }
        return self._trusted(infos, {a: b for a, b in real.items() if a != b}, deadline)

    def _trusted(
        self, infos: Sequence[FileInfo], elsewhere: dict[str, str], deadline: Deadline
    ) -> list[FileInfo]:
        """Without what lies where a link led to that may not: `elsewhere` has the directories that links led to."""
        refusals: dict[str, ItemError] = {}
        for directory, real in elsewhere.items():
            try:
                self.require_own_links(directory, real, None, deadline)
            except ItemError as error:
                refusals[directory] = error
        kept = [info for info in infos if info.path.rpartition("/")[0] not in refusals]
        if not kept and refusals:
            raise next(iter(refusals.values()))
        return kept

    # -- links

    def require_own_links(self, path: str, real: str, owner: int | None, deadline: Deadline) -> None:
        """Raise `Failed` where another user's link led from `path` to `real`, which is not that user's.

        `owner` is whose `real` is; it is looked up where it is None.
        """
        if owner is None:
            owner = self.stat(real or "/", deadline).uid
        strangers: set[int] = set()
        at, todo = "/", _parts(path)
        # Most links lead to `real` at once, so that what is on that way is asked for in the same round.
        known = self._links([*_ways(at, todo), *_ways("/", _parts(real))], deadline)
        for _ in range(MAX_LINKS):
            if not known.keys() >= {*_ways(at, todo)}:
                known |= self._links(_ways(at, todo), deadline)
            link = _first_link(at, todo, known)
            if link is None:
                break
            at, todo, uid = link
            strangers |= {uid} - {0, self._uid, owner}
        if strangers:
            raise Failed(
                Reason.UNSAFE,
                f"{shown(path)} leads to {shown(real)}, which belongs to user {owner},"
                f" through a link of user {min(strangers)}",
            )

    def _links(self, places: Sequence[str], deadline: Deadline) -> dict[str, bytes]:
        """Of each place the owner and the target of the link that it is; nothing where it is none."""
        body = b'for F in %b; do if [ -h "$F" ]; then stat -c %%u -- "$F"; readlink -- "$F"; cut_; else cut_; fi; done'
        places = list(dict.fromkeys(places))
        return dict(zip(places, self._ask(script(body % words(places)), deadline).parts, strict=False))

    def only_root_can_change(self, path: str, deadline: Deadline) -> bool:
        """Whether root alone could have made what is there, or could swap it or anything on the way to it.

        Raises `Skip` where there is nothing.
        """
        body = b'R=$(readlink -f -- %b) && [ -e "$R" ] || exit 18\n' % word(path)
        body += b'set --; for F in %b "$R"; do while :; do\n' % word(path)
        body += b'set -- "$@" "$F"; [ "$F" = / ] && break; F=${F%/*}; F=${F:-/}; done; done\n'
        body += b"stat -c '%u %f %g' -- \"$@\""
        answer = self._ask(script(body), deadline)
        if answer.status == ABSENT:
            raise Skip(Reason.TOOL_ABSENT, f"{shown(path)} is not installed on {self._host}")
        return answer.status == 0 and all(map(_is_roots, answer.data.splitlines()))

    def stat(self, path: str, deadline: Deadline) -> FileInfo:
        """What is known of `path` itself."""
        found = self._list(path, False, deadline, 1)
        if not found:
            raise Failed(Reason.NOT_FOUND, f"{shown(path)}: No such file or directory")
        return found[0]

    def require_not_planted(self, path: str, real: str, info: FileInfo, deadline: Deadline) -> None:
        """Raise `Failed` for a second name that another than its owner could have made, as for a file here."""
        directory = self.stat(real.rpartition("/")[0] or "/", deadline)
        if directory.uid in (0, self._uid):
            planted = bool(directory.mode & stat.S_IWOTH or (directory.mode & stat.S_IWGRP and directory.gid))
        else:
            planted = info.uid != directory.uid
        if planted:
            raise Failed(
                Reason.UNSAFE,
                f"{shown(path)} is a second name of a file of user {info.uid}, in a directory"
                f" that others can write: anybody could have put it there",
            )

    # -- refusals

    def closed(self, path: str, deadline: Deadline) -> ItemError:
        """Why a file that was refused can't be opened: what is missing, on its way or at itself."""
        body = b"closed_ x %b; S=$?; [ $S = 18 ] || exit $S; lack_ r %b" % (
            words(plain_prefixes(path)),
            word(path),
        )
        found = self._ask(script(body), deadline)
        if found.status == LACKING and found.data:
            return self.lacking(found.data, path)
        return Failed(Reason.NOT_FOUND, f"{shown(path)}: No such file or directory")

    def lacking(self, said: bytes, path: str) -> Skip:
        """What `lack_` prints, as an error with the command that gives the right."""
        fields = said.removesuffix(b"\n").split(b" ", 5)
        text = f"{shown(path)}: Permission denied"
        if len(fields) < 6:
            return Skip(Reason.NOT_PERMITTED, text)
        right, bits, _, gid, group = (os.fsdecode(field) for field in fields[:5])
        return Skip(
            Reason.NOT_PERMITTED, text, fix=self._fix(os.fsdecode(fields[5]), right, bits, gid, group)
        )

    def _fix(self, path: str, right: str, bits: str, gid: str, group: str) -> str:
        """A group where it has the right already, else an access list. Never sudo: a log is read as who logs in."""
        if self._uid == 0:
            return ""
        if path.startswith(PSEUDO):
            return "log in as an account that may: --ssh-user"
        needed = {"r": stat.S_IRGRP, "x": stat.S_IXGRP}.get(right, 0)
        if gid != "0" and group not in ("", "UNKNOWN") and int(bits, 8) & needed:
            return f"on {self._host}: sudo usermod -aG {shlex.quote(group)} {shlex.quote(self._user)}"
        return f"on {self._host}: sudo setfacl -m u:{self._user}:{right} {shlex.quote(path)}"


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _ways(at: str, todo: Sequence[str]) -> list[str]:
    """The places on the way from `at` through the parts `todo`."""
    return [at.rstrip("/") + "/" + "/".join(todo[: n + 1]) for n in range(len(todo))]


def _first_link(
    at: str, todo: Sequence[str], known: Mapping[str, bytes]
) -> tuple[str, list[str], int] | None:
    """The first link on the way: where it leads from, what is left to walk from there, and whose it is."""
    for number, place in enumerate(_ways(at, todo)):
        if said := known.get(place):
            uid, _, target = said.removesuffix(b"\n").partition(b"\n")
            start = "/" if target.startswith(b"/") else place.rpartition("/")[0] or "/"
            return start, [*_parts(os.fsdecode(target)), *todo[number + 1 :]], int(uid)
    return None


def _is_roots(line: bytes) -> bool:
    """Whether a directory, file or link is root's, and nobody else may write it; `line` has owner, mode and group."""
    owner, hexadecimal, group = line.split()
    mode = int(hexadecimal, 16)
    writable = mode & stat.S_IWOTH or (mode & stat.S_IWGRP and group != b"0")
    return owner == b"0" and (stat.S_ISLNK(mode) or not writable)
