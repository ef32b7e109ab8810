"""One presigned PUT, to nginx and to servers that refuse."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tests.client.servers import Serve
from tests.upload.sending import Heard, Scripted, flow, hang_up, package, say, send
from tests.upload.stores import Running

from clinic.consent.destination import Protocol
from clinic.errors import BadBundle, Refused, UsageError
from clinic.home import state_dir

SIGNED = "?X-Amz-Signature=0123456789abcdef"


@pytest.mark.lab
def test_nginx_takes_it_and_says_no_digest(nginx: Running, tmp_path: Path) -> None:
    path = package(tmp_path, 3_000_000)
    url = f"{nginx.url}/case-7/clinic.tar.zst{SIGNED}"
    sent = send(path, nginx.url, protocol=Protocol.PUT, credential=url)
    assert (nginx.files / "case-7/clinic.tar.zst").read_bytes() == path.read_bytes()
    assert not sent.confirmed
    assert "Signature" not in repr(sent)


class Writer(Heard):
    """Writes to the package once some of it is sent, and leaves its length as it was."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def moved(self, key: str, size: int) -> None:
        """Change its last byte."""
        if not self.bytes:
            with self._path.open("r+b") as file:
                file.seek(-1, 2)
                last = file.read(1)
                file.seek(-1, 2)
                file.write(bytes([last[0] ^ 1]))
        super().moved(key, size)


@pytest.mark.lab
def test_what_is_written_to_while_it_is_sent_does_not_arrive(nginx: Running, tmp_path: Path) -> None:
    path = package(tmp_path, 3_000_000)
    url = f"{nginx.url}/case-8/clinic.tar.zst{SIGNED}"
    with pytest.raises(BadBundle, match="changed after its digest was taken"):
        send(path, nginx.url, protocol=Protocol.PUT, credential=url, by=flow(Writer(path)))
    assert not (nginx.files / "case-8/clinic.tar.zst").exists()


@pytest.mark.lab
def test_nginx_refuses_in_one_line_without_the_signature(nginx: Running, tmp_path: Path) -> None:
    url = f"{nginx.url}/refused/x{SIGNED}"
    with pytest.raises(Refused, match="the URL was not accepted") as caught:
        send(package(tmp_path), nginx.url, protocol=Protocol.PUT, credential=url)
    assert "Signature" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.slow
def test_a_break_begins_it_anew_and_the_md5_in_the_tag_counts(serve: Serve, tmp_path: Path) -> None:
    path, heard = package(tmp_path), Heard()
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    scripted = Scripted((hang_up, say("503 Busy"), say("200 OK", "", f'ETag: "{md5}"')))
    server = serve(scripted.script)
    origin = f"http://127.0.0.1:{server.port}"
    sent = send(path, origin, protocol=Protocol.PUT, credential=f"{origin}/x{SIGNED}", by=flow(heard))
    assert sent.confirmed
    assert [one.partition(b"\r\n\r\n")[2] for one in scripted.requests] == [path.read_bytes()] * 3
    assert not any("Signature" in line for line in heard.said)
    assert list((state_dir() / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    "url", ["https://elsewhere.example/x", "http://127.0.0.1:1/x", "https://127.0.0.1.example/x"]
)
def test_the_url_leads_to_the_destination_that_was_agreed_to(tmp_path: Path, url: str) -> None:
    with pytest.raises((Refused, UsageError)) as caught:
        send(package(tmp_path), "http://127.0.0.1:2", protocol=Protocol.PUT, credential=url + SIGNED)
    assert "Signature" not in f"{caught.value.message}{caught.value.hint}"
