"""Record what the collectors' questions get for answers on this machine, as a machine that tests can play.

    python tools/record_machine.py debian-12 --what "Debian 12, root" [--collector NAME ...]

Every item of every collector that reads this machine is run through its real door, and what went through
is kept: commands with their output, files, lists, refusals, tools that are absent. Names and numbers that
belong to one machine are replaced: its host name, addresses, hardware addresses, serial numbers, UUIDs,
keys; `--scrub REGEX=>TEXT` replaces more. Long outputs are cut. `--root DIR` records another system's files
and tools, unpacked in DIR (as root); `--user NAME` looks with that account's rights. Read what it wrote
before you commit it.
"""

from __future__ import annotations

import argparse
import base64
import grp
import importlib
import importlib.util
import json
import os
import pkgutil
import pwd
import re
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from clinic.collector import Collector, Item, Target
from clinic.deadline import Deadline
from clinic.errors import ItemError
from clinic.host.base import FileInfo, Host, Process, Reader
from clinic.host.local import LocalHost
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import SecretRegister

HERE = Path(__file__).resolve().parent.parent / "tests" / "recorded" / "machines"
NAME = "db-1"
"""What every recorded machine is called."""

Answer = dict[str, Any]
T = TypeVar("T")


class Recorder(Host):
    """A door that passes everything on to a real one and keeps what came through."""

    def __init__(self, door: Host, keep: int) -> None:
        self.name, self.user, self.is_root = door.name, door.user, door.is_root
        self.answers: dict[str, list[Answer]] = {}
        self._door = door
        self._keep = keep

    def which(self, tool: str) -> str | None:
        path = self._door.which(tool)
        self._note(f"which {tool}", {"path": path})
        return path

    def run(
        self,
        argv: Sequence[str],
        deadline: Deadline,
        *,
        stdin: bytes = b"",
        root: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        key = f"{'root' if root else 'run'} {json.dumps(list(argv))}"
        process = self._try(
            key, lambda: self._door.run(argv, deadline, stdin=stdin, root=root, environment=environment)
        )
        output, error = bytearray(), None
        with process:
            try:
                for chunk in process.chunks():
                    output += chunk
            except ItemError as caught:
                error = caught
            answer: Answer = {
                "status": process.status if error is None else -9,
                "stdout": self._data(bytes(output)),
                "stderr": process.stderr,
            }
        self._note(key, answer if error is None else {**answer, "error": _error(error)})
        if error is not None:
            raise error
        return _Played(bytes(output), answer["status"], answer["stderr"])

    def stat(self, path: str, deadline: Deadline) -> FileInfo:
        info = self._try(f"stat {path}", lambda: self._door.stat(path, deadline))
        self._note(f"stat {path}", {"info": _info(info)})
        return info

    def list(self, pattern: str, deadline: Deadline, *, limit: int = 100_000) -> list[FileInfo]:
        found = self._try(f"list {pattern}", lambda: self._door.list(pattern, deadline, limit=limit))
        self._note(f"list {pattern}", {"found": {info.path: _info(info) for info in found}})
        return found

    def open(self, path: str, deadline: Deadline) -> Reader:
        key = f"open {path}"
        with self._try(key, lambda: self._door.open(path, deadline)) as reader:
            answer: Answer = {"info": _info(reader.info)}
            try:
                data = b"".join(reader.stream(0, None, deadline))
                answer["data"] = self._data(data)
            except ItemError as error:
                answer["broken"] = {"error": _error(error)}
        self._note(key, answer)
        return self._door.open(path, deadline)

    def close(self) -> None:
        self._door.close()

    def _try(self, key: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except ItemError as error:
            self._note(key, {"error": _error(error)})
            raise

    def _note(self, key: str, answer: Answer) -> None:
        known = self.answers.setdefault(key, [])
        if answer not in known[-1:]:
            known.append(answer)

    def _data(self, data: bytes) -> str | dict[str, str]:
        """As text where it is text; the head alone, cut at a line's end, of what is long."""
        if len(data) > self._keep:
            data = data[: self._keep].rpartition(b"\n")[0] + b"\n"
        try:
            return data.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(data).decode()}


class _Played(Process):
    """A command that is over."""

    def __init__(self, output: bytes, status: int, stderr: str) -> None:
        self._output, self._status, self._stderr = output, status, stderr

    def chunks(self) -> Iterator[bytes]:
        yield from [self._output] if self._output else []

    @property
    def status(self) -> int:
        return self._status

    @property
    def stderr(self) -> str:
        return self._stderr

    def close(self) -> None:
        """It is over."""


def _error(error: ItemError) -> dict[str, str]:
    return {
        "kind": type(error).__name__,
        "reason": str(error.reason),
        "message": error.message,
        "fix": error.fix,
    }


def _info(info: FileInfo) -> list[Any]:
    return [str(info.kind.value), info.size, int(info.mtime), info.mode, info.uid, info.gid]


# -- what belongs to one machine only


_MAC = r"(?<![\w:])(?:[0-9a-f]{2}:){5}[0-9a-f]{2}(?![\w:])"
_IPV4 = r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w.-])"
_IPV6 = r"(?<![\w:])(?:2|fe8|fd)[0-9a-f]{1,3}:(?:[0-9a-f]{0,4}:){2,6}[0-9a-f]{0,4}(?![\w:])"
_UUID = r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"


class Scrubber:
    """Replaces names and numbers, the same one always by the same."""

    def __init__(self, extra: Sequence[str]) -> None:
        hosts = "|".join(
            sorted({re.escape(name) for name in (socket.gethostname(), socket.getfqdn())}, key=len)
        )
        self._extra = [(re.compile(rule.partition("=>")[0]), rule.partition("=>")[2]) for rule in extra]
        self._rules: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
            (re.compile(rf"(?<![\w.-])(?:{hosts})(?![\w-])"), lambda _: NAME),
            (re.compile(r"(?i)\b(serial[^:=\n]{0,20}[:=]\s*)[^\s,]+"), lambda found: f"{found[1]}removed"),
            (re.compile(r"\b(ssh-\w+|ecdsa-sha2-[\w-]+) AAAA[\w+/=]+"), lambda found: f"{found[1]} removed"),
            (re.compile(_MAC), self._numbered("00:00:5e:00:53:{:02x}", _hardware)),
            (re.compile(_IPV4), self._numbered("192.0.2.{}", _address)),
            (re.compile(_IPV6), self._numbered("2001:db8::{:x}")),
            (re.compile(_UUID), self._numbered("00000000-0000-4000-8000-{:012x}")),
            (re.compile(r"\b[0-9a-f]{32}\b"), self._numbered("{:032x}")),
        ]  # fmt: skip

    def __call__(self, value: Answer) -> Answer:
        """The same JSON with other names and numbers."""
        return dict(json.loads(json.dumps(value), object_pairs_hook=self._object))

    def _object(self, pairs: list[tuple[str, Any]]) -> Answer:
        return {self._text(key): self._value(value) for key, value in pairs}

    def _value(self, value: Any) -> Any:
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        for pattern, other in self._extra:
            text = pattern.sub(other, text)
        for pattern, make in self._rules:
            text = pattern.sub(make, text)
        return text

    def _numbered(
        self, form: str, keep: Callable[[str], bool] = lambda _: False
    ) -> Callable[[re.Match[str]], str]:
        known: dict[str, str] = {}

        def replaced(found: re.Match[str]) -> str:
            return found[0] if keep(found[0]) else known.setdefault(found[0], form.format(len(known) + 11))

        return replaced


def _hardware(address: str) -> bool:
    return len(set(address.split(":"))) == 1 or address.startswith("00:00:5e:00:53")


def _address(address: str) -> bool:
    return address.startswith(("0.", "127.", "255.", "192.0.2.", "224.", "239.")) or any(
        int(part) > 255 for part in address.split(".")
    )


# -- one run


def _collectors(names: Sequence[str]) -> list[Collector]:
    package = importlib.import_module("clinic_collectors")
    found: list[Collector] = []
    for module in pkgutil.iter_modules(package.__path__, "clinic_collectors."):
        if not module.name.rpartition(".")[2].startswith("_"):
            found += [
                kind()
                for kind in vars(importlib.import_module(module.name)).values()
                if _is_collector(kind, module.name)
            ]
    return [one for one in found if not names or one.name in names]


def _is_collector(kind: Any, module: str) -> bool:
    return isinstance(kind, type) and issubclass(kind, Collector) and kind.__module__ == module


def _playback() -> Any:
    """What plays the recordings: both make the same of what `machine.json` says."""
    spec = importlib.util.spec_from_file_location("playback", HERE.parent / "playback.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record(collector: Collector, target: Target, door: Recorder) -> Counter[str]:
    """Ask everything that `collector` asks through `door`; how often it ended how."""
    common = Common(target.cluster, target.window, SecretRegister(), lambda _: door)
    ends = Counter(_ask(item, common) for item in collector.items(target))
    door.close()
    return ends


def _ask(item: Item, common: Common) -> str:
    if item.source.lane.startswith("server:"):
        return "a server's"  # what those answer is recorded apart, see tests/recorded/servers.py
    doors = AttemptDoors(common, Deadline(item.deadline or item.source.deadline))
    size = 0
    try:
        item.source.plan(doors)
        for part in item.source.open(doors):
            size += sum(len(chunk) for chunk in part.chunks if isinstance(chunk, bytes))
    except ItemError as error:
        print(f"  {item.id}: {error.reason} {error.message}", file=sys.stderr)
        return str(error.reason)
    return "ok" if size else "nothing"


def main() -> None:
    """Parse the command line, record, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("machine", help="name of the folder that is made")
    parser.add_argument("--what", default="", help="what the machine is, in a line")
    parser.add_argument("--collector", action="append", default=[], help="only this one; repeatable")
    parser.add_argument(
        "--instances", type=Path, help="JSON list of instances with the fields of the cluster's model"
    )
    parser.add_argument(
        "--cluster", type=Path, help="JSON object: the cluster it belongs to, if not only itself"
    )
    parser.add_argument("--root", help="another system's root directory")
    parser.add_argument("--user", help="look with this account's rights")
    parser.add_argument(
        "--scrub", action="append", default=[], metavar="REGEX=>TEXT", help="also replace this; repeatable"
    )
    parser.add_argument("--keep", type=int, default=6000, help="bytes of each output (default %(default)s)")
    options = parser.parse_args()

    folder = HERE / options.machine
    folder.mkdir(parents=True, exist_ok=True)
    out = os.open(folder, os.O_DIRECTORY)  # still ours when the root and the user are others
    about = _about(folder, options)
    collectors, scrub = _collectors(options.collector), Scrubber(options.scrub)
    target: Target = _playback().target_of(about)
    _enter(options.root, options.user)
    parts: dict[str, Any] = {}
    for collector in collectors:
        door = Recorder(LocalHost(NAME), options.keep)
        about.update(user=door.user, root=door.is_root)
        print(f"{collector.name}: {dict(record(collector, target, door))}")
        parts[collector.name] = door.answers
    _give_back(out, {"machine": about, **parts}, scrub)


def _about(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """What the machine is. One that is known keeps its window, which is part of what is asked."""
    known: dict[str, Any] = {}
    if options.collector and (folder / "machine.json").exists():
        known = json.loads((folder / "machine.json").read_text("utf-8"))
    now = int(time.time())
    instances: list[dict[str, Any]] = (
        json.loads(options.instances.read_text("utf-8")) if options.instances else []
    )
    fresh: dict[str, Any] = {
        "recorded": True,
        "what": options.what,
        "sources": [],
        "name": NAME,
        "user": "",
        "root": False,
    }
    cluster = {"cluster": json.loads(options.cluster.read_text("utf-8"))} if options.cluster else {}
    return {**fresh, **cluster, "window": [now - 7200, now], "instances": instances, **known}


def _enter(root: str | None, user: str | None) -> None:
    """Become another: everything that is needed has been imported by now."""
    if root:
        resource.getrlimit(resource.RLIMIT_CORE)
        grp.getgrall()
        pwd.getpwall()
        os.chroot(root)
        os.chdir("/")
    if user:
        account = pwd.getpwnam(user)
        os.setgroups([])
        os.setresgid(account.pw_gid, account.pw_gid, 0)
        os.setresuid(account.pw_uid, account.pw_uid, 0)


def _give_back(folder: int, parts: Mapping[str, Any], scrub: Scrubber) -> None:
    """Write one file for each part, again as who began."""
    os.setresuid(0, 0, 0) if os.getresuid()[2] == 0 else None
    for name, part in parts.items():
        text = json.dumps(scrub(part), indent=1, ensure_ascii=False, sort_keys=name != "machine")
        fd = os.open(f"{name}.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644, dir_fd=folder)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
