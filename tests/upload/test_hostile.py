"""A server that stalls, drops, redirects, refuses with words of success, and lies: no fault passes as success."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.client.servers import Certificates, Peer, Serve, closed_port
from tests.upload.sending import (
    TOKEN,
    Heard,
    Scripted,
    Step,
    done,
    environment,
    flow,
    hang_up,
    numbered,
    package,
    place,
    say,
    send,
)

from clinic.client.tls import Tls
from clinic.errors import BadBundle, ClinicError, Refused, Unreachable
from clinic.home import state_dir
from clinic.upload.flow import Flow

pytestmark = pytest.mark.slow

GOOD = say("200 OK", {})


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def to(serve: Serve, path: Path, *steps: Step, by: Flow | None = None) -> tuple[Scripted, object]:
    """Send to a server that does these steps; what it was asked, and how it ended."""
    scripted = Scripted(steps)
    server = serve(scripted.script)
    try:
        return scripted, send(path, f"http://127.0.0.1:{server.port}", by=by)
    except ClinicError as error:
        return scripted, error


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return package(tmp_path, 250_000)


def test_parts_by_number_have_the_lengths_that_are_sent(serve: Serve, path: Path) -> None:
    """PingCAP's client says too many bytes for the last part; what is declared here is what comes."""
    scripted, ended = to(serve, path, numbered(), GOOD, GOOD, GOOD, done())
    queries = [one.split(b" ")[1].decode() for one in scripted.requests]
    assert "length=250000" in queries[0]
    assert [q.partition("sequence=")[2].partition("&length=") for q in queries[1:4]] == [
        ("1", "&length=", "100000"), ("2", "&length=", "100000"), ("3", "&length=", "50000"),
    ]  # fmt: skip
    bodies = [one.partition(b"\r\n\r\n")[2] for one in scripted.requests[1:4]]
    assert b"".join(bodies) == path.read_bytes()
    assert [len(body) for body in bodies] == [100_000, 100_000, 50_000]
    assert (ended.confirmed, ended.link) == (False, "https://there.example/p/1")  # type: ignore[attr-defined]  # it is a `Sent`, or this fails


def test_what_a_numbered_server_has_is_not_sent_again(serve: Serve, path: Path) -> None:
    scripted, _ = to(serve, path, numbered(2), GOOD, done())
    assert scripted.requests[1].partition(b"\r\n\r\n")[2] == path.read_bytes()[200_000:]


def test_the_server_s_offset_wins(serve: Serve, path: Path) -> None:
    scripted, _ = to(serve, path, place(), hang_up, place(70_000), GOOD, done(sha256(path)))
    assert scripted.requests[3].partition(b"\r\n\r\n")[2] == path.read_bytes()[70_000:]


def test_more_than_was_sent_is_no_place_to_go_on(serve: Serve, path: Path) -> None:
    big = path.with_name("big")
    big.write_bytes(path.read_bytes() * 40)
    _, ended = to(serve, big, place(block=100_000), hang_up, place(900_000, block=100_000), GOOD)
    assert isinstance(ended, BadBundle)
    assert "only" in ended.message
    assert "were ever sent" in ended.message


def test_a_server_that_loses_what_it_confirmed_is_not_believed(serve: Serve, path: Path) -> None:
    big = path.with_name("big")
    big.write_bytes(path.read_bytes() * 4)
    steps = (place(block=300_000), GOOD, hang_up, place(100, block=300_000))
    _, ended = to(serve, big, *steps)
    assert isinstance(ended, BadBundle)
    assert "had confirmed" in ended.message


def test_a_conflict_is_asked_about_once(serve: Serve, path: Path) -> None:
    conflict = say("409 Conflict", {"error": "no", "code": "offset"})
    scripted, ended = to(serve, path, place(), conflict, place(100_000), GOOD, done(sha256(path)))
    assert len(scripted.requests) == 5
    assert not isinstance(ended, ClinicError)
    scripted, ended = to(serve, path, place(), conflict, place(), conflict)
    assert isinstance(ended, Refused)
    assert len(scripted.requests) == 4


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_a_session_that_is_gone_is_begun_anew_once(serve: Serve, path: Path, status: str) -> None:
    gone = say(status, "no such upload")
    scripted, ended = to(serve, path, place(), gone, place(), GOOD, done(sha256(path)))
    assert not isinstance(ended, ClinicError)
    scripted, ended = to(serve, path, place(), gone, place(), gone)
    assert isinstance(ended, Refused)
    assert len(scripted.requests) == 4


@pytest.mark.parametrize(
    "status", ["401 Unauthorized", "403 Forbidden", "422 Unprocessable", "400 Bad Request"]
)
def test_a_refusal_is_not_tried_again_whatever_its_body_says(serve: Serve, path: Path, status: str) -> None:
    success = {
        "result": "https://there.example/p/1",
        "sha256": sha256(path),
        "complete": True,
        "sequence": 9,
        "blockbytes": 9,
    }
    scripted, ended = to(serve, path, say(status, success))
    assert isinstance(ended, Refused)
    assert len(scripted.requests) == 1
    scripted, ended = to(serve, path, place(), say(status, success))
    assert isinstance(ended, Refused)
    scripted, ended = to(
        serve, path, place(), GOOD, say(status, success), place(), GOOD, say(status, success)
    )
    assert isinstance(ended, ClinicError)


@pytest.mark.parametrize("status", ["408", "425", "429", "500", "502", "503", "504"])
def test_a_passing_trouble_is_tried_again_whatever_its_body_says(
    serve: Serve, path: Path, status: str
) -> None:
    success = {"result": "https://there.example/p/1", "sha256": sha256(path)}
    trouble = say(f"{status} Trouble", success)
    scripted, ended = to(
        serve, path, trouble, trouble, place(), trouble, place(), GOOD, trouble, trouble, done(sha256(path))
    )
    assert not isinstance(ended, ClinicError), ended
    assert len(scripted.requests) == 9


def test_a_clock_that_is_off_by_a_year_is_said_beside_a_refusal(serve: Serve, path: Path) -> None:
    date = format_datetime(datetime.now(timezone.utc) - timedelta(days=365), usegmt=True)
    _, ended = to(serve, path, say("401 Unauthorized", "the token expired", f"Date: {date}"))
    assert isinstance(ended, Refused)
    assert ended.hint == "this machine's clock is 365 days ahead of the server's: set it, and try again"


@pytest.mark.parametrize(
    "body", ["<html>Welcome to the hotel's network</html>", "[]", "", "null", '{"sequence": "0", "blockbytes": 1}',
             '{"sequence": 0, "blockbytes": 0}', '{"sequence": -1, "blockbytes": 5}', "[" * 5000]
)  # fmt: skip
def test_a_portal_s_page_is_no_clinic_server(serve: Serve, path: Path, body: str) -> None:
    _, ended = to(serve, path, say("200 OK", body))
    assert isinstance(ended, Unreachable)
    assert "Clinic Server" in f"{ended.message} {ended.hint}"


def test_the_end_has_to_be_said_in_json(serve: Serve, path: Path) -> None:
    _, ended = to(serve, path, place(), GOOD, say("200 OK", "<html>ok</html>"))
    assert isinstance(ended, Unreachable)


def test_another_digest_is_no_success(serve: Serve, path: Path) -> None:
    _, ended = to(serve, path, place(), GOOD, done("0" * 64))
    assert isinstance(ended, BadBundle)
    assert "another file" in ended.message


def test_a_part_that_arrives_changed_is_sent_again_a_few_times(serve: Serve, path: Path) -> None:
    changed = say("400 Bad Request", {"error": "another SHA-256", "code": "digest"})
    scripted, ended = to(serve, path, place(), changed, place(), changed, place(), GOOD, done(sha256(path)))
    assert not isinstance(ended, ClinicError)
    assert len(scripted.requests) == 7
    _, ended = to(serve, path, *[place(), changed] * 4)
    assert isinstance(ended, BadBundle)
    assert "changes bytes" in ended.hint


def test_smaller_parts_are_sent_where_a_server_takes_no_larger(serve: Serve, path: Path) -> None:
    large = say("413 Payload Too Large", {"error": "too large", "code": "size", "block": 150_000})
    scripted, ended = to(serve, path, place(), large, place(), GOOD, GOOD, GOOD, done(sha256(path)))
    assert not isinstance(ended, ClinicError), ended
    assert max(len(one) for one in scripted.requests[3:]) < 151_000


@pytest.mark.parametrize(
    "where", ["https://elsewhere.example/x?token=1", "http://127.0.0.1:1/", "/other", ""]
)
@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
def test_no_redirect_is_followed(serve: Serve, path: Path, where: str, status: str) -> None:
    moved = say(f"{status} Moved", "", f"Location: {where}")
    for steps in ((moved,), (place(), moved), (place(), GOOD, moved)):
        scripted, ended = to(serve, path, *steps)
        assert isinstance(ended, Refused)
        assert "redirects" in ended.message
        assert "token=1" not in ended.message
        assert len(scripted.requests) == len(steps)


def test_a_server_that_keeps_silent_is_given_up_and_asked_again(serve: Serve, path: Path) -> None:
    def silent(peer: Peer, request: bytes) -> None:
        peer.sleep(30)

    steps = (place(), silent, place(), GOOD, done(sha256(path)))
    _, ended = to(serve, path, *steps, by=flow(stall=0.5))
    assert not isinstance(ended, ClinicError), ended


def test_a_server_that_reads_nothing_is_given_up(serve: Serve, path: Path) -> None:
    big = path.with_name("big")
    big.write_bytes(bytes(20 << 20))

    def deaf(peer: Peer) -> None:
        peer.connection.recv(100)
        peer.sleep(30)

    server = serve(deaf)
    heard = Heard()
    with pytest.raises(Unreachable):
        send(big, f"http://127.0.0.1:{server.port}", by=flow(heard, stall=0.3, give_up=2.0))
    assert heard.said


def test_an_answer_byte_by_byte_has_an_end(serve: Serve, path: Path) -> None:
    def trickle(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        peer.sleep(30)

    server = serve(trickle)
    with pytest.raises(Unreachable):
        send(path, f"http://127.0.0.1:{server.port}", by=flow(stall=0.3, give_up=1.0))


def test_a_lost_last_answer_is_asked_for_again(serve: Serve, path: Path) -> None:
    scripted, ended = to(serve, path, place(), GOOD, hang_up, done(sha256(path)))
    assert ended.confirmed  # type: ignore[attr-defined]  # it is a `Sent`, or this fails
    assert scripted.lines()[2:] == ["POST /clinic/api/v1/diag/flush"] * 2
    assert all(b"Idempotency-Key: " in scripted.requests[at] for at in (0, 2, 3))


def test_the_last_answer_cut_short_is_asked_for_again(serve: Serve, path: Path) -> None:
    def cut(peer: Peer, request: bytes) -> None:
        peer.send(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"result":')
        peer.reset()

    _, ended = to(serve, path, place(), GOOD, cut, done(sha256(path)))
    assert not isinstance(ended, ClinicError), ended


@pytest.mark.parametrize("form", ["1", None])
def test_a_server_that_asks_for_a_pause_gets_it(serve: Serve, path: Path, form: str | None) -> None:
    date = "Thu, 26 Nov 2026 12:00:00 GMT"
    headers = [f"Retry-After: {form or 'Thu, 26 Nov 2026 12:00:01 GMT'}", f"Date: {date}"]
    heard = Heard()
    to(serve, path, say("503 Busy", "", *headers), place(), GOOD, done(sha256(path)), by=flow(heard))
    assert heard.said
    assert "trying again in 1.0 s" in heard.said[0]


def test_nobody_there_is_one_clear_line(path: Path) -> None:
    with pytest.raises(Unreachable, match="connection refused"):
        send(path, f"http://127.0.0.1:{closed_port()}", by=flow(give_up=0.3))


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1", "http://clinic.example.com", "http://127.0.0.1.example.com"]
)
def test_nothing_is_sent_in_the_clear(path: Path, url: str) -> None:
    with pytest.raises(Refused, match="in the clear"):
        send(path, url)


def test_the_token_goes_nowhere_but_to_the_server(serve: Serve, path: Path) -> None:
    heard = Heard()
    scripted, ended = to(
        serve, path, place(), hang_up, say("503", TOKEN), place(), say("403", TOKEN), by=flow(heard)
    )
    assert all(f"Authorization: Bearer {TOKEN}".encode() in one for one in scripted.requests)
    assert isinstance(ended, Refused)
    for file in (state_dir() / "uploads").iterdir():
        assert TOKEN not in file.read_text()
    assert not any(f"Bearer {TOKEN}" in line for line in (*heard.said, ended.message, ended.hint))


def test_a_client_certificate_and_a_ca_of_one_s_own(
    serve: Serve, path: Path, certificates: Certificates, tmp_path: Path
) -> None:
    files = {name: certificates.path(name) for name in ("ca.pem", "client.pem", "client.key", "other.pem")}
    folder = tmp_path / "cas"
    folder.mkdir()
    (folder / f"{subject_hash(files['ca.pem'])}.0").write_bytes(files["ca.pem"].read_bytes())
    for ca in (files["ca.pem"], folder):
        scripted = Scripted((place(), GOOD, done(sha256(path))))
        server = serve(scripted.script, certificates.context(demand=True))
        tls = Tls(ca, files["client.pem"], files["client.key"])
        assert send(path, f"https://127.0.0.1:{server.port}", tls=tls).confirmed
    for tls, words in ((Tls(files["other.pem"]), "not signed by"), (Tls(files["ca.pem"]), "certificate")):
        server = serve(Scripted((place(),)).script, certificates.context(demand=True))
        with pytest.raises(ClinicError, match=words):
            send(path, f"https://127.0.0.1:{server.port}", tls=tls, by=flow(give_up=0.3))


def subject_hash(path: Path) -> str:
    import subprocess

    command = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("name", ["expired", "misnamed"])
def test_a_certificate_that_is_wrong_is_not_asked_about(
    serve: Serve, path: Path, certificates: Certificates, name: str
) -> None:
    server = serve(Scripted((place(),)).script, certificates.context(name))
    with pytest.raises(Refused, match=r"has expired|for another name"):
        send(path, f"https://127.0.0.1:{server.port}", tls=Tls(certificates.path("ca.pem")))


class Proxy:
    """A proxy for CONNECT: lets through, refuses, or breaks off the first few."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n", broken: int = 0) -> None:
        self.answer = answer
        self.broken = broken
        self.heads: list[bytes] = []

    def __call__(self, peer: Peer) -> None:
        """One connection."""
        head = peer.head()
        self.heads.append(head)
        peer.send(self.answer)
        if not self.answer.startswith(b"HTTP/1.1 200"):
            return
        if self.broken:
            self.broken -= 1
            peer.connection.recv(1)  # TLS has begun
            peer.reset()
            return
        host, port = head.split(b" ")[1].decode().split(":")
        with socket.create_connection((host, int(port))) as beyond:
            ways = [(peer.connection, beyond), (beyond, peer.connection)]
            threads = [threading.Thread(target=self._pass, args=way) for way in ways]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return


def through(serve: Serve, path: Path, certificates: Certificates, proxy: Proxy, **how: str) -> Scripted:
    scripted = Scripted((place(), GOOD, done(sha256(path))))
    server = serve(scripted.script, certificates.context())
    between = serve(proxy)
    tls = Tls(certificates.path("ca.pem"))
    given = how.get("account", "") + f"127.0.0.1:{between.port}"
    if how.get("by") == "environment":
        with environment(HTTPS_PROXY=f"http://{given}", NO_PROXY=how.get("no", "")):
            sent = send(path, f"https://127.0.0.1:{server.port}", tls=tls, proxy=None)
    else:
        sent = send(
            path, f"https://127.0.0.1:{server.port}", tls=tls, proxy=f"http://{given}", by=flow(give_up=2.0)
        )
    assert sent.confirmed
    return scripted


@pytest.mark.parametrize("by", ["option", "environment"])
def test_a_proxy_is_gone_through_with_its_account(
    serve: Serve, path: Path, certificates: Certificates, by: str
) -> None:
    proxy = Proxy()
    through(serve, path, certificates, proxy, account="user:pass%40word@", by=by)
    assert proxy.heads[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic dXNlcjpwYXNzQHdvcmQ=" in proxy.heads[0]
    assert TOKEN.encode() not in b"".join(proxy.heads), "the token is inside of TLS"


def test_no_proxy_is_heeded(serve: Serve, path: Path, certificates: Certificates) -> None:
    proxy = Proxy()
    through(serve, path, certificates, proxy, by="environment", no="127.0.0.0/8")
    assert proxy.heads == []


def test_a_proxy_that_breaks_off_is_tried_again(serve: Serve, path: Path, certificates: Certificates) -> None:
    proxy = Proxy(broken=2)
    through(serve, path, certificates, proxy)
    assert len(proxy.heads) > 2


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required"])
def test_a_proxy_that_refuses_is_not_and_its_account_is_not_told(
    serve: Serve, path: Path, certificates: Certificates, status: str
) -> None:
    proxy = Proxy(f"HTTP/1.1 {status}\r\n\r\n".encode())
    with pytest.raises(Refused, match=f"refuses to connect.*{status[:3]}") as caught:
        through(serve, path, certificates, proxy, account="user:secretword@")
    assert "secretword" not in f"{caught.value.message}{caught.value.hint}"
    assert len(proxy.heads) == 1


def broken(data: bytes) -> Step:
    """Answer with these bytes, then break off."""

    def step(peer: Peer, request: bytes) -> None:
        del request
        peer.send(data)
        peer.reset()

    return step


FAULTS: dict[str, Step] = {
    "hang up": hang_up,
    "503": say("503 Busy", {"result": "x"}),
    "cut": broken(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
    "garbage": broken(b"\0\1\2garbage\r\n\r\n"),
}

FAULT = st.tuples(st.sampled_from(["before", "after"]), st.sampled_from(sorted(FAULTS))).map(":".join)
"""What goes wrong, before or after the server has done what it was asked."""


class Faithful:
    """A server that keeps what it took, and before some answers does something else."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        self.data = bytearray()
        self.ended = False

    def __call__(self, peer: Peer) -> None:
        """One connection."""
        while request := peer.head():
            fault = self.faults.pop(0) if self.faults else ""
            before, _, name = fault.partition(":")
            if before == "before":
                FAULTS[name](peer, request)
                return
            step = self.step(request)
            if before == "after":
                FAULTS[name](peer, request)
                return
            step(peer, request)

    def step(self, request: bytes) -> Step:
        """Do what is asked, and what to answer."""
        line, body = request.split(b"\r\n", 1)[0].decode(), request.partition(b"\r\n\r\n")[2]
        if "/precreate" in line:
            return place(len(self.data), complete=self.ended)
        if "/upload" in line:
            offset = int(line.partition("&offset=")[2].partition(" ")[0].partition("&")[0])
            if offset != len(self.data):
                return say("409 Conflict", {"error": "no", "code": "offset", "offset": len(self.data)})
            self.data += body
            return GOOD
        self.ended = True
        return done(hashlib.sha256(self.data).hexdigest())


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(faults=st.lists(st.one_of(st.just(""), FAULT), max_size=8))
def test_whatever_goes_wrong_the_bytes_are_equal_or_it_is_said(
    serve: Serve, tmp_path: Path, faults: list[str]
) -> None:
    path = package(tmp_path, 20_000, f"{len(list(tmp_path.iterdir()))}.tar.zst")
    server = Faithful(faults)
    running = serve(server)
    try:
        sent = send(path, f"http://127.0.0.1:{running.port}", by=flow(give_up=5.0))
    except ClinicError:
        return
    finally:
        running.stop()
    assert sent.confirmed
    assert bytes(server.data) == path.read_bytes()


def test_the_same_server_is_kept_for_the_next_request(serve: Serve, path: Path) -> None:
    scripted = Scripted((place(), GOOD, done(sha256(path))))
    server = serve(scripted.script)
    send(path, f"http://127.0.0.1:{server.port}")
    assert server.connections == 1


def test_of_a_diag_not_even_the_header_goes_to_who_refuses_the_token(serve: Serve, tmp_path: Path) -> None:
    """Its announcement carries the beginning of the package, so the token is tried before it."""
    header = b"who and when, encrypted" * 20
    path = tmp_path / "c.diag"
    path.write_bytes(b"D1ag\x18" + len(header).to_bytes(3, "big") + header + bytes(1000))
    scripted, ended = to(serve, path, say("401 Unauthorized", {"error": "no such token"}))
    assert isinstance(ended, Refused), ended
    assert len(scripted.requests) == 1
    assert not any(header in one for one in scripted.requests)
    for answer in (say("404 Not Found"), say("500 Oops"), hang_up):
        scripted, ended = to(serve, path, answer, place(), GOOD, done(sha256(path)))
        assert ended.confirmed, "only a refusal ends it"  # type: ignore[attr-defined]  # it is a `Sent`, or this fails
