"""What a certificate says of itself, as openssl says it."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.formats.certificate import read_certificate


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A fresh certificate with a common name that is not ASCII, valid beyond 2049."""
    if shutil.which("openssl") is None:
        pytest.skip("not run: this machine has no openssl")
    place: Path = tmp_path_factory.mktemp("certificate")
    words = "req -x509 -newkey ed25519 -nodes -keyout key -out cert -utf8 -days 20000 -subj".split()
    subprocess.run(["openssl", *words, "/C=DE/O=Example/CN=prüf"], cwd=place, check=True, capture_output=True)
    return (place / "cert").read_text()


def test_it_is_what_openssl_says(pem: str) -> None:
    words = "x509 -noout -fingerprint -sha256 -enddate -dateopt iso_8601".split()
    said = subprocess.run(["openssl", *words], input=pem, text=True, capture_output=True, check=True).stdout
    found = read_certificate("Some words before\n" + pem)
    assert found.sha256.upper() == said.splitlines()[0].rpartition("=")[2].replace(":", "")
    assert f"{found.expires:%Y-%m-%d %H:%M:%SZ}" == said.splitlines()[1].rpartition("=")[2]
    assert found.expires > datetime(2050, 1, 1, tzinfo=timezone.utc)
    assert found.name == "prüf"


@pytest.mark.parametrize(
    "text", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "nonsense"]
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="certificate"):
        read_certificate(text)


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    text = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(data).decode()}\n-----END CERTIFICATE-----\n"
    try:
        found = read_certificate(text)
    except ValueError:
        return
    assert found.sha256 == hashlib.sha256(data).hexdigest()
