"""The receiver as its senders see it: the words of PingCAP's API, and what it says beyond them."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.receive.receiving import API, Receiving, digest

pytestmark = pytest.mark.slow
BLOCK = 16 * 1024 * 1024


def fresh() -> str:
    return f"test-{os.urandom(8).hex()}"


def package(receiving: Receiving, uuid: str) -> bytes:
    (path,) = (receiving.directory / uuid).glob("package*")
    return path.read_bytes()


def break_off(receiving: Receiving, uuid: str, at: int, length: int, data: bytes) -> socket.socket:
    """Begin to send `length` bytes, and get no further than `data`. The connection is for the caller to close."""
    connection = socket.create_connection(("127.0.0.1", receiving.port), timeout=10)
    head = (
        f"POST {API}/upload?uuid={uuid}&offset={at} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    )
    connection.sendall(head.encode() + data)
    return connection


def offset(receiving: Receiving, data: bytes, uuid: str, at_least: int = 0) -> int:
    """What the receiver holds, once it has noticed that a connection is gone."""
    said: dict[str, object] = {}
    for _ in range(200):
        status, said = receiving.precreate(data, uuid)
        assert status == 200, said
        held = said["offset"]
        assert isinstance(held, int)
        if held >= at_least:
            return held
        time.sleep(0.05)
    raise AssertionError(f"still at {said}, not at {at_least}")


def test_a_package_goes_through(receiving: Receiving) -> None:
    data, uuid = os.urandom(100_000), fresh()
    status, said = receiving.precreate(data, uuid, filename="c.tar.zst")
    assert (status, said["sequence"], said["offset"], said["blockbytes"]) == (200, 0, 0, BLOCK)
    assert receiving.part(data[:60_000], uuid, offset=0)[1]["offset"] == 60_000
    assert receiving.part(data[60_000:], uuid, offset=60_000)[0] == 200
    status, said = receiving.flush(uuid, issue="case 7")
    assert status == 200
    assert said["sha256"] == hashlib.sha256(data).hexdigest()
    assert said["result"] == f"{receiving.url}/clinic/packages/{uuid}"
    assert package(receiving, uuid) == data
    assert receiving.flush(uuid)[1] == said, "a lost answer can be asked for again"
    assert receiving.precreate(data, uuid)[1]["complete"] is True
    assert receiving.ask("GET", f"/clinic/packages/{uuid}")[1]["issue"] == "case 7"


def test_what_diag_sends_is_taken_with_its_wrong_lengths(receiving: Receiving) -> None:
    """Its parts are counted by the whole file: the last says too many bytes, or an empty one comes after it."""
    metadata, uuid = os.urandom(300), fresh()
    payload = os.urandom(BLOCK)
    size = 8 + len(metadata) + len(payload)
    about = {"alias": "", "filename": "d.diag", "encryption": "diag", "compression": "none"}
    query = {"uuid": uuid, "length": len(payload), **about}
    status, said = receiving.ask("POST", f"{API}/precreate", query, metadata)
    assert (status, said["sequence"]) == (200, 0)
    block = said["blockbytes"]
    for index in reversed(range(-(-size // block))):
        stated = size - index * block if index == size // block else block
        body = payload[index * block : index * block + stated]
        part = {"uuid": uuid, "sequence": index + 1, "length": stated}
        headers = {"Content-Type": "application/octet-stream"}
        answer = receiving.ask("POST", f"{API}/upload", part, iter([body]), headers)
        assert answer[0] == 200, answer
    assert receiving.flush(uuid)[0] == 200
    assert package(receiving, uuid) == b"D1ag\x18" + len(metadata).to_bytes(3, "big") + metadata + payload


def test_a_part_that_broke_off_is_gone_on_with_in_its_middle(receiving: Receiving) -> None:
    data, uuid = os.urandom(3_000_000), fresh()
    receiving.precreate(data, uuid)
    break_off(receiving, uuid, 0, len(data), data[:2_000_000]).close()
    held = offset(receiving, data, uuid, 2_000_000)
    assert held == 2_000_000
    assert receiving.part(data[held:], uuid, offset=held)[0] == 200
    assert receiving.flush(uuid)[0] == 200
    assert package(receiving, uuid) == data


def test_an_offset_that_is_not_the_next_changes_nothing(receiving: Receiving) -> None:
    data, uuid = os.urandom(1000), fresh()
    receiving.precreate(data, uuid)
    receiving.part(data[:100], uuid, offset=0)
    assert receiving.part(data[200:], uuid, offset=200) == (409, {
        "error": "the next byte here is 100", "code": "offset", "offset": 100,
    })  # fmt: skip
    assert receiving.flush(uuid)[0] == 409


def test_a_part_with_another_digest_is_not_kept(receiving: Receiving) -> None:
    data, uuid = os.urandom(1000), fresh()
    receiving.precreate(data, uuid)
    headers = {"Content-Digest": digest(b"other")}
    status, said = receiving.ask("POST", f"{API}/upload", {"uuid": uuid, "offset": 0}, data, headers)
    assert (status, said["code"]) == (400, "digest")
    assert receiving.precreate(data, uuid)[1]["offset"] == 0


def test_a_part_that_is_too_long_is_refused(receiving: Receiving) -> None:
    data, uuid = os.urandom(1000), fresh()
    receiving.precreate(data, uuid)
    status, said = receiving.ask("POST", f"{API}/upload", {"uuid": uuid, "offset": 0}, iter([data, data]))
    assert (status, said["code"]) == (413, "size")


def test_withdrawal_deletes(receiving: Receiving) -> None:
    data, uuid = os.urandom(1000), fresh()
    receiving.precreate(data, uuid)
    receiving.part(data, uuid, offset=0)
    receiving.flush(uuid)
    status, said = receiving.ask("DELETE", f"{API}/package", {"uuid": uuid})
    assert (status, said["sha256"]) == (200, hashlib.sha256(data).hexdigest())
    assert not (receiving.directory / uuid).exists()
    assert receiving.ask("GET", f"/clinic/packages/{uuid}")[0] == 404


def test_a_deletion_may_come_inside_a_post(receiving: Receiving) -> None:
    """For proxies that let only GET and POST through."""
    data, uuid = os.urandom(1000), fresh()
    receiving.precreate(data, uuid)
    assert receiving.ask("POST", f"{API}/package", {"uuid": uuid})[0] == 405
    override = {"X-HTTP-Method-Override": "DELETE"}
    assert receiving.ask("POST", f"{API}/package", {"uuid": uuid}, headers=override)[0] == 200
    assert not (receiving.directory / uuid).exists()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404), ("GET", f"{API}/upload", 405), ("POST", f"{API}/precreate", 400),
        ("POST", f"{API}/precreate?uuid=abcdefgh&length=-1", 400), ("POST", f"{API}/upload?uuid=abcdefgh", 404),
        ("POST", f"{API}/precreate?uuid=abcdefgh&length={10**30}", 400), ("GET", "/clinic/packages/..%2F..%2Fetc", 404),
        ("POST", f"{API}/flush?uuid=../../x", 400),
    ],
)  # fmt: skip
def test_what_is_no_upload_is_refused(receiving: Receiving, method: str, path: str, status: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", receiving.port, timeout=10)
    connection.request(method, path)
    assert connection.getresponse().status == status
    connection.close()


@pytest.fixture
def guarded(tmp_path: Path, clinic_token: str) -> Iterator[Receiving]:
    running = Receiving(tmp_path / "guarded").start()
    yield running
    running.kill()


@pytest.fixture
def clinic_token(tmp_path: Path) -> str:
    from datetime import timedelta

    from clinic.receive import tokens

    tokens.make(tmp_path / "guarded", "late", timedelta(seconds=-1))
    return tokens.make(tmp_path / "guarded", "customer", timedelta(days=1))


def test_a_token_is_needed_once_there_is_one(guarded: Receiving, clinic_token: str) -> None:
    query = {"uuid": fresh(), "length": 5}
    bearers = {"Bearer wrong": 401, "": 401, f"Basic {clinic_token}": 401, f"Bearer {clinic_token}": 200}
    for value, expected in bearers.items():
        status, said = guarded.ask("POST", f"{API}/precreate", query, headers={"Authorization": value})
        assert status == expected, said
    held = (guarded.directory / "tokens").read_text()
    assert clinic_token not in held
    assert json.dumps(held).count("customer") == 1


def test_it_goes_on_after_kill_9_in_the_middle_of_a_part(tmp_path: Path) -> None:
    running = Receiving(tmp_path / "killed").start()
    try:
        data, uuid = os.urandom(6_000_000), fresh()
        running.precreate(data, uuid)
        running.part(data[:2_000_000], uuid, offset=0)
        with break_off(running, uuid, 2_000_000, 4_000_000, data[2_000_000:5_000_000]):
            running.kill()
        running.start()
        held = offset(running, data, uuid)
        assert held >= 2_000_000
        assert running.part(data[held:], uuid, offset=held)[0] == 200
        assert running.flush(uuid)[1]["sha256"] == hashlib.sha256(data).hexdigest()
    finally:
        running.kill()
