"""The Clinic API against our own receiver, a real process that is killed, cut off and started again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.receive.receiving import Receiving
from tests.upload.sending import Heard, agreed, consent, flow, package, send

from clinic.consent.destination import Destination, Protocol
from clinic.errors import BadBundle, Interrupted, Refused
from clinic.home import state_dir
from clinic.secret import Secret
from clinic.upload.choose import Way, uploader
from clinic.upload.flow import Flow, Stop
from clinic.upload.outgoing import Outgoing
from clinic.upload.state import Memory

pytestmark = pytest.mark.slow


def received(receiving: Receiving, upload: str) -> bytes:
    (path,) = (receiving.directory / upload).glob("package*")
    return path.read_bytes()


def test_a_package_arrives_and_the_server_says_its_digest(receiving: Receiving, tmp_path: Path) -> None:
    path, heard = package(tmp_path), Heard()
    sent = send(path, receiving.url, by=flow(heard), case="case 7")
    assert sent.confirmed
    assert sent.link == f"{receiving.url}/clinic/packages/{sent.upload}"
    assert received(receiving, sent.upload) == path.read_bytes()
    assert receiving.ask("GET", f"/clinic/packages/{sent.upload}")[1]["issue"] == "case 7"
    assert heard.bytes == path.stat().st_size
    assert list((state_dir() / "uploads").iterdir()) == [], "nothing is remembered of what is over"


def test_sent_again_nothing_is_sent(receiving: Receiving, tmp_path: Path) -> None:
    path, heard = package(tmp_path), Heard()
    first = send(path, receiving.url)
    copy = tmp_path / "copy.tar.zst"
    copy.write_bytes(path.read_bytes())
    assert send(copy, receiving.url, by=flow(heard)) == first, "it is known by its content"
    assert heard.bytes == 0


@pytest.mark.parametrize("size", [1, 8, 100, 3 << 20])
def test_a_diag_package_is_the_same_file_there(receiving: Receiving, tmp_path: Path, size: int) -> None:
    path = tmp_path / "c.diag"
    metadata = os.urandom(467)
    path.write_bytes(b"D1ag\x18" + len(metadata).to_bytes(3, "big") + metadata + os.urandom(size))
    sent = send(path, receiving.url)
    assert sent.confirmed
    assert received(receiving, sent.upload) == path.read_bytes()


@pytest.mark.parametrize("head", [b"D1ag", b"D1ag\xff\x00\x00\x01xx", b"D1ag\x18\xff\xff\xffxx", b""])
def test_a_diag_package_that_is_none_is_refused(receiving: Receiving, tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "c.diag"
    path.write_bytes(head)
    with pytest.raises(BadBundle):
        send(path, receiving.url)


def test_ctrl_c_between_parts_and_then_the_same_command_goes_on(receiving: Receiving, tmp_path: Path) -> None:
    path = package(tmp_path, 30 << 20)

    class Pressed(Heard):
        def moved(self, key: str, size: int) -> None:
            super().moved(key, size)
            if self.bytes > 1 << 20 and not stop.soon.is_set():
                stop()

    stop, heard = Stop(), Pressed()
    with pytest.raises(Interrupted, match="stopped") as caught:
        send(path, receiving.url, by=flow(heard, stop))
    assert "goes on" in caught.value.hint
    assert heard.bytes == 8 << 20, "the part that was on its way ended"
    again = Heard()
    sent = send(path, receiving.url, by=flow(again))
    assert again.bytes == path.stat().st_size - heard.bytes
    assert received(receiving, sent.upload) == path.read_bytes()


def test_a_second_ctrl_c_ends_it_at_once(receiving: Receiving, tmp_path: Path) -> None:
    path = package(tmp_path, 4 << 20)
    stop = Stop()

    def twice() -> None:
        stop()
        stop()

    timer = threading.Timer(0.5, twice)
    timer.start()
    with pytest.raises(Interrupted):
        send(path, receiving.url, by=flow(stop=stop, rate=100_000.0))
    timer.join()
    assert send(path, receiving.url).confirmed


SENDER = """
import sys
from pathlib import Path
from tests.upload.sending import flow, send
send(Path(sys.argv[1]), sys.argv[2], by=flow(rate=float(sys.argv[3])))
"""


def test_a_sender_that_is_killed_goes_on(receiving: Receiving, tmp_path: Path, root: Path) -> None:
    path = package(tmp_path, 24 << 20)
    command = [sys.executable, "-c", SENDER, str(path), receiving.url, str(20 << 20)]
    with subprocess.Popen(command, cwd=root) as sender:
        uploads = state_dir() / "uploads"
        while not any(json.loads(one.read_bytes()).get("confirmed", 0) for one in uploads.glob("*.json")):
            assert sender.poll() is None, "it ended before it could be killed"
        sender.kill()
    (state,) = uploads.glob("*.json")
    assert state.stat().st_mode & 0o077 == 0
    heard = Heard()
    sent = send(path, receiving.url, by=flow(heard))
    assert heard.bytes <= path.stat().st_size - (8 << 20)
    assert received(receiving, sent.upload) == path.read_bytes()


def test_a_receiver_that_is_killed_and_comes_back_gets_the_rest(tmp_path: Path) -> None:
    running = Receiving(tmp_path / "store").start()
    path = package(tmp_path, 24 << 20)
    killed = threading.Event()

    class Killing(Heard):
        def moved(self, key: str, size: int) -> None:
            super().moved(key, size)
            if self.bytes > 12 << 20 and not killed.is_set():
                killed.set()
                running.kill()
                threading.Timer(0.3, running.start).start()

    try:
        heard = Killing()
        sent = send(path, running.url, by=flow(heard))
        assert sent.confirmed
        assert received(running, sent.upload) == path.read_bytes()
        assert any("trying again" in line for line in heard.said)
    finally:
        running.kill()


def test_two_can_not_send_the_same_at_once(receiving: Receiving, tmp_path: Path) -> None:
    path = package(tmp_path)
    with Outgoing(path) as outgoing:
        yes = agreed(outgoing, Destination("there", Protocol.CLINIC, receiving.url))
        with Memory.of(yes), pytest.raises(Refused, match="another clinic sends"):
            send(path, receiving.url)


def test_a_package_that_is_changed_is_not_sent(receiving: Receiving, tmp_path: Path) -> None:
    path = package(tmp_path)
    destination = Destination("there", Protocol.CLINIC, receiving.url)
    with Outgoing(path) as outgoing:
        yes = agreed(outgoing, destination)
        with path.open("r+b") as file:
            file.write(b"tampered")
        with pytest.raises(BadBundle, match="was changed"):
            uploader(destination, Way(Secret("")), flow()).send(yes)


def test_the_yes_is_for_that_package_and_that_place(receiving: Receiving, tmp_path: Path) -> None:
    with Outgoing(package(tmp_path)) as outgoing, Outgoing(package(tmp_path, name="other")) as other:
        destination = Destination("there", Protocol.CLINIC, receiving.url)
        yes = agreed(outgoing, destination)
        for wrong in (
            {"outgoing": other},
            {"destination": Destination("there", Protocol.CLINIC, "https://elsewhere.example")},
            {"consent": consent(outgoing, receiving.url, days=-1)},
            {"destination": Destination("there", Protocol.CLINIC, receiving.url, largest=1000)},
        ):
            given = {
                "outgoing": outgoing,
                "consent": yes.consent,
                "destination": destination,
                "now": yes.now,
                **wrong,
            }
            with pytest.raises(Refused):
                type(yes)(**given)  # type: ignore[arg-type]  # each has the type of its field


def test_a_withdrawal_deletes_it_there(receiving: Receiving, tmp_path: Path) -> None:
    path = package(tmp_path)
    sent = send(path, receiving.url)
    sender = uploader(Destination("there", Protocol.CLINIC, receiving.url), Way(Secret("")), flow())
    assert hashlib.sha256(path.read_bytes()).hexdigest() in sender.delete(sent.upload)
    assert not (receiving.directory / sent.upload).exists()
    with pytest.raises(Refused, match="does not delete"):
        sender.delete("never-was-here")


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Receiving]:
    running = Receiving(tmp_path / "full", "--keep-free", "1000T").start()
    yield running
    running.kill()


def test_a_server_without_room_is_one_clear_line(full: Receiving, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"has no room.*no room here") as caught:
        send(package(tmp_path), full.url)
    assert "goes on" in caught.value.hint


def test_memory_stays_flat(receiving: Receiving, tmp_path: Path) -> None:
    import tracemalloc

    path = package(tmp_path, 64 << 20)
    tracemalloc.start()
    try:
        send(path, receiving.url, by=Flow())
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
