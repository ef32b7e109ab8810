"""Plays a recorded machine: what its commands printed and its files held, from the JSON beside this file.

A machine is a folder: `machine.json` says what it was and who looked, and one file for each collector has
the answers to what that collector asked. `tools/record_machine.py` makes both. What the instances' own servers
answer is played by `servers.py`.
"""

from __future__ import annotations

import base64
import fnmatch
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from clinic.cluster.model import Cluster, Instance, Machine
from clinic.collector import Target, Window
from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Retryable, Skip, TimedOut
from clinic.host.base import FileInfo, FileKind, Host, Process, Reader
from clinic.outcome import Reason

MACHINES = Path(__file__).parent / "machines"
ERRORS: dict[str, type[ItemError]] = {kind.__name__: kind for kind in (Failed, Retryable, Skip, TimedOut)}

Answer = dict[str, Any]


def names() -> list[str]:
    """The recorded machines."""
    return sorted(path.parent.name for path in MACHINES.glob("*/machine.json"))


def target_of(about: Mapping[str, Any]) -> Target:
    """What a collector is asked about on the machine that `about` describes."""
    name, of = about["name"], about.get("cluster", {})
    window = Window(*(datetime.fromtimestamp(second, timezone.utc) for second in about["window"]))
    instances = tuple(replace(Instance("", name, 0), **_tuples(one)) for one in about["instances"])
    machine = Machine(name, local=True, login=of.get("login", {}))
    cluster = Cluster(
        of.get("name", name), of.get("deployed", "local"), (machine,), instances,
        id=of.get("id", ""), version=of.get("version", ""),
    )  # fmt: skip
    return Target(cluster, window)


class RecordedHost(Host):
    """Answers as the machine did. What nobody asked it then is absent, not found, and listed in `unexpected`."""

    def __init__(self, machine: str, collector: str) -> None:
        """`collector` names whose questions will be asked."""
        folder = MACHINES / machine
        self.about = json.loads((folder / "machine.json").read_text("utf-8"))
        self.name, self.user, self.is_root = self.about["name"], self.about["user"], self.about["root"]
        part = folder / f"{collector}.json"
        self._answers: dict[str, list[Answer]] = json.loads(part.read_text("utf-8")) if part.exists() else {}
        self._asked: dict[str, int] = {}
        self.unexpected: list[str] = []

    def target(self) -> Target:
        """What a collector is asked about on this machine."""
        return target_of(self.about)

    def which(self, tool: str) -> str | None:
        answer = self._take(f"which {tool}")
        return answer["path"] if answer is not None else None

    def run(
        self,
        argv: Sequence[str],
        deadline: Deadline,
        *,
        stdin: bytes = b"",
        root: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        deadline.check()
        return _PlayedProcess(
            self._ask(command_key(argv, root), Skip(Reason.TOOL_ABSENT, f"{argv[0]} was not run then"))
        )

    def stat(self, path: str, deadline: Deadline) -> FileInfo:
        deadline.check()
        return _info(
            path,
            self._ask(f"stat {path}", Failed(Reason.NOT_FOUND, f"{path} was not looked at then"))["info"],
        )

    def list(self, pattern: str, deadline: Deadline, *, limit: int = 100_000) -> list[FileInfo]:
        deadline.check()
        answer = self._take(f"list {pattern}")
        if answer is None:
            return []
        _raise(answer)
        return [
            _info(path, info) for path, info in answer["found"].items() if fnmatch.fnmatchcase(path, pattern)
        ][:limit]

    def open(self, path: str, deadline: Deadline) -> Reader:
        deadline.check()
        return _PlayedReader(
            path, self._ask(f"open {path}", Failed(Reason.NOT_FOUND, f"{path} was not read then"))
        )

    def close(self) -> None:
        """There is nothing to close."""

    def _take(self, key: str) -> Answer | None:
        """The next answer to this question: the first time the first, and the last one for ever after."""
        answers = self._answers.get(key)
        if answers is None:
            self.unexpected.append(key)
            return None
        number = self._asked.get(key, 0)
        self._asked[key] = number + 1
        return answers[min(number, len(answers) - 1)]

    def _ask(self, key: str, otherwise: ItemError) -> Answer:
        answer = self._take(key)
        if answer is None:
            raise otherwise
        _raise(answer)
        return answer


def command_key(argv: Sequence[str], root: bool) -> str:
    """How the answers to a command are filed."""
    return f"{'root' if root else 'run'} {json.dumps(list(argv))}"


def _raise(answer: Answer) -> None:
    if "error" in answer:
        error = answer["error"]
        raise ERRORS[error["kind"]](Reason(error["reason"]), error["message"], fix=error["fix"])


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without lists, which the model does not have."""
    return {
        name: value if isinstance(value, str | int | float | dict) else tuple(value)
        for name, value in fields.items()
    }


def _info(path: str, info: Sequence[Any]) -> FileInfo:
    kind, size, mtime, mode, uid, gid = info
    return FileInfo(path, FileKind(kind), size, mtime, mode, uid, gid)


def _bytes(data: str | Mapping[str, str]) -> bytes:
    return data.encode() if isinstance(data, str) else base64.b64decode(data["base64"])


class _PlayedProcess(Process):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def chunks(self) -> Iterator[bytes]:
        if data := _bytes(self._answer["stdout"]):
            yield data

    @property
    def status(self) -> int:
        return int(self._answer["status"])

    @property
    def stderr(self) -> str:
        return str(self._answer["stderr"])

    def close(self) -> None:
        """There is nothing to kill."""


class _PlayedReader(Reader):
    def __init__(self, path: str, answer: Answer) -> None:
        self._answer = answer
        self.info = _info(path, answer["info"])

    def ranges(self, wanted: Sequence[tuple[int, int]], deadline: Deadline) -> list[bytes]:
        return [b"".join(self.stream(start, start + length, deadline)) for start, length in wanted]

    def stream(self, start: int, end: int | None, deadline: Deadline) -> Iterator[bytes]:
        deadline.check()
        _raise(self._answer.get("broken", {}))
        if data := _bytes(self._answer["data"])[start:end]:
            yield data

    def close(self) -> None:
        """There is nothing to close."""
