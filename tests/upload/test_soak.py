"""3 GiB to our receiver, while both ends are killed and the connection between them is cut, at random moments."""

from __future__ import annotations

import faulthandler
import hashlib
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.receive.receiving import Receiving
from tests.upload.stores import free_port

from clinic.receive.store import file_sha256

pytestmark = pytest.mark.soak

SIZE = int(os.environ.get("SOAK_UPLOAD_MIB", "3072")) << 20
PIECE = 1 << 20
LONGEST = 3000.0

SENDER = """
import sys
from pathlib import Path
from tests.upload.sending import Heard, flow, send

class Begun(Heard):
    def begin(self, title, items, size):
        print("begun", flush=True)

sent = send(Path(sys.argv[1]), sys.argv[2], by=flow(Begun(), give_up=120.0, stall=30.0))
print(sent.confirmed, sent.upload)
"""
"""Says when its first byte is about to go: before that it takes the digest."""


class Cutter:
    """Passes connections on to a port, and cuts all of them when told."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._stopped = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection."""
        for one in self._open[:]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """End it."""
        self._stopped.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                near.close()
                continue
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 18):
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
            with suppress(ValueError):
                self._open.remove(one)


@pytest.fixture
def package(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A large file of chance, and its digest."""
    path, digest = tmp_path / "large.tar.zst", hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(SIZE // PIECE):
            data = os.urandom(PIECE)
            digest.update(data)
            file.write(data)
    yield path, digest.hexdigest()
    path.unlink()


def test_kills_and_cuts_on_both_sides_leave_the_same_bytes(
    tmp_path: Path, package: tuple[Path, str], root: Path
) -> None:
    faulthandler.dump_traceback_later(LONGEST, exit=True)  # in place of pytest's, which is for shorter tests
    path, digest = package
    chance = random.Random()
    receiving = Receiving(tmp_path / "store")
    receiving.port = free_port()
    receiving.start()
    cutter = Cutter(receiving.port)
    command = [sys.executable, "-c", SENDER, str(path), f"http://127.0.0.1:{cutter.port}"]
    trouble = {"sender killed": 0, "receiver killed": 0, "cut": 0}
    until = time.monotonic() + LONGEST
    said = ""
    try:
        while not said:
            assert time.monotonic() < until, trouble
            with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as sender:
                assert sender.stdout is not None
                assert sender.stdout.readline() == "begun\n"
                while True:
                    try:
                        said = sender.communicate(timeout=chance.uniform(1.0, 8.0))[0]
                        assert sender.returncode == 0, trouble
                        break
                    except subprocess.TimeoutExpired:
                        what = chance.choice(sorted(trouble))
                    trouble[what] += 1
                    if what == "sender killed":
                        sender.kill()
                        break
                    if what == "cut":
                        cutter.cut()
                    else:
                        receiving.kill()
                        receiving.start()
        confirmed, upload = said.split()
        (arrived,) = (receiving.directory / upload).glob("package*")
        assert file_sha256(arrived) == digest
        assert receiving.ask("GET", f"/clinic/packages/{upload}")[1]["sha256"] == digest
        assert confirmed == "True"
        assert sum(trouble.values()) > 3, trouble
        sys.stdout.write(f"{SIZE >> 20} MiB, {trouble}\n")
    finally:
        cutter.stop()
        receiving.kill()
