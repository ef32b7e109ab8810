"""`clinic receive`: nobody from elsewhere sends in the clear or without a token; a full disk keeps what came."""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.client.servers import Certificates, certificates
from tests.receive.receiving import API, Receiving

__all__ = ["certificates"]

pytestmark = pytest.mark.slow


def clinic(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clinic", *words], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:8086"])
def test_where_others_reach_it_a_certificate_and_a_token_are_needed(
    tmp_path: Path, certificates: Certificates, address: str
) -> None:
    bare = clinic("receive", "--dir", tmp_path, "--listen", address)
    assert (bare.returncode, "no certificate" in bare.stderr) == (5, True), bare.stderr
    given: Sequence[str | Path] = (
        "--cert",
        certificates.path("server.pem"),
        "--key",
        certificates.path("server.key"),
    )
    nobody = clinic("receive", "--dir", tmp_path, "--listen", address, *given)
    assert (nobody.returncode, "nobody has a token" in nobody.stderr) == (5, True), nobody.stderr


def test_tls_is_spoken_with_the_certificate(tmp_path: Path, certificates: Certificates) -> None:
    options = ("--cert", certificates.path("server.pem"), "--key", certificates.path("server.key"))
    running = Receiving(tmp_path / "tls", *options).start()
    try:
        assert running.url.startswith("https://")
        context = ssl.create_default_context(cafile=certificates.path("ca.pem"))
        connection = http.client.HTTPSConnection("127.0.0.1", running.port, context=context, timeout=10)
        connection.request("POST", f"{API}/flush?uuid=abcdefgh")
        assert connection.getresponse().status == 404
        connection.close()
    finally:
        running.kill()


def test_a_token_is_printed_once_and_kept_as_a_digest(tmp_path: Path) -> None:
    made = clinic("receive", "--dir", tmp_path / "new", "--new-token", "customer", "--valid", "30d")
    token = made.stdout.strip()
    assert (made.returncode, len(token) > 30) == (0, True)
    held = (tmp_path / "new" / "tokens").read_text()
    assert token not in held
    assert hashlib.sha256(token.encode()).hexdigest() in held


@pytest.mark.parametrize(
    ("line", "mode"), [("customer abc", 0o600), ("customer abc 2026-01-01T00:00:00", 0o600), ("", 0o644)]
)
def test_a_list_of_tokens_that_can_not_be_believed_is_refused(tmp_path: Path, line: str, mode: int) -> None:
    (tmp_path / "tokens").write_text(line)
    (tmp_path / "tokens").chmod(mode)
    done = clinic("receive", "--dir", tmp_path, "--listen", "0.0.0.0:0", "--cert", __file__)
    assert (done.returncode, str(tmp_path / "tokens") in done.stderr) == (5, True), done.stderr


def test_a_disk_that_is_full_keeps_what_came_and_says_so(tmp_path: Path, cut_off: list[str]) -> None:
    """On a real small file system, whose space another one takes away while a part is on its way."""
    small = tmp_path / "small"
    small.mkdir()
    mount = [*cut_off[:1], *[word for word in cut_off[1:] if word != "--net"]]
    inside = f'mount -t tmpfs -o size=8m none "{small}" && exec "$@"'
    running = Receiving(
        small / "store", "--keep-free", "0", prefix=[*mount, "sh", "-c", inside, "sh"]
    ).start()
    try:
        data, uuid = os.urandom(6_000_000), "upload-on-a-full-disk"
        assert running.precreate(data, uuid)[0] == 200
        assert running.part(data[:2_000_000], uuid, 0)[0] == 200
        filler = Path(f"/proc/{running.pid}/root{small}/filler")
        filler.write_bytes(b"x" * 4_000_000)
        status, said = running.part(data[2_000_000:], uuid, 2_000_000)
        assert (status, said["code"]) == (507, "full"), said
        assert running.precreate(os.urandom(5_000_000), "another-upload")[1]["code"] == "full"
        filler.unlink()
        held = running.precreate(data, uuid)[1]["offset"]
        assert held >= 2_000_000
        assert running.part(data[held:], uuid, held)[0] == 200
        assert running.flush(uuid)[1]["sha256"] == hashlib.sha256(data).hexdigest()
    finally:
        running.kill()
