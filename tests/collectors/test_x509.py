"""Certificates are read without a tool, as OpenSSL reads them, and broken ones are told as such."""

from __future__ import annotations

import base64
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic_collectors._x509 import Certificate, certificates

RSA = """-----BEGIN CERTIFICATE-----
MIIDWjCCAkKgAwIBAgIUQ
-----END CERTIFICATE-----
"""


def openssl(folder: Path, *words: str) -> str:
    """What the tool says; the test is not run where it is not."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    done = subprocess.run(
        ["openssl", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def make(folder: Path, *key: str, name: str = "c", subject: str = "/O=PingCAP/CN=tidb") -> bytes:
    """A certificate that signed itself, in PEM."""
    names = "subjectAltName=DNS:tidb.example,IP:10.0.1.5,IP:fd00::5,URI:spiffe://tidb"
    openssl(
        folder, "req", "-x509", *key, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "30",
        "-subj", subject, "-addext", names,
    )  # fmt: skip
    return (folder / f"{name}.pem").read_bytes()


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (("-newkey", "rsa:2048"), "RSA 2048"),
        (("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "EC P-256"),
        (("-newkey", "ed25519"), "Ed25519"),
    ],
    ids=["rsa", "ec", "ed25519"],
)
def test_it_reads_what_openssl_reads(tmp_path: Path, key: tuple[str, ...], algorithm: str) -> None:
    [found] = certificates(make(tmp_path, *key))
    assert isinstance(found, Certificate)
    told = openssl(tmp_path, "x509", "-in", "c.pem", "-noout", "-serial", "-fingerprint", "-sha256")
    assert found.subject == found.issuer == "O=PingCAP, CN=tidb"
    assert found.names == ("tidb.example", "10.0.1.5", "fd00::5", "spiffe://tidb")
    assert (found.algorithm, found.authority) == (algorithm, True)
    assert f"serial={found.serial.upper()}" in told
    assert found.sha256.upper() in told.replace(":", "")
    dates = openssl(tmp_path, "x509", "-in", "c.pem", "-noout", "-dates")
    told_dates = [
        datetime.strptime(line.partition("=")[2], "%b %d %H:%M:%S %Y %Z") for line in dates.splitlines()
    ]
    assert [found.begins, found.ends] == [f"{one.isoformat()}Z" for one in told_dates]


def test_every_certificate_of_a_chain_is_told_and_keys_between_them_are_not(tmp_path: Path) -> None:
    one = make(tmp_path, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", name="a", subject="/CN=a")
    two = make(tmp_path, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", name="b", subject="/CN=b")
    chain = b"# a comment\n" + one + (tmp_path / "a.key").read_bytes() + two
    assert [one.subject for one in certificates(chain) if isinstance(one, Certificate)] == ["CN=a", "CN=b"]


def test_der_is_read_too(tmp_path: Path) -> None:
    pem = make(tmp_path, "-newkey", "ed25519")
    openssl(tmp_path, "x509", "-in", "c.pem", "-outform", "der", "-out", "c.der")
    der = (tmp_path / "c.der").read_bytes()
    assert list(certificates(der)) == list(certificates(pem))
    assert all(isinstance(one, str) for cut in range(1, len(der), 7) for one in certificates(der[:cut]))


def test_a_broken_one_is_told_and_the_next_is_read(tmp_path: Path) -> None:
    whole = make(tmp_path, "-newkey", "ed25519")
    broken, found = certificates(RSA.encode() + whole)
    assert isinstance(broken, str)
    assert broken.startswith("can't be read")
    assert isinstance(found, Certificate)


def test_what_is_no_certificate_gives_nothing() -> None:
    assert list(certificates(b"")) == list(certificates(b"password = x\n")) == []


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    """Whatever a hostile file holds, it is told in a line."""
    for one in certificates(b"\x30" + data):
        assert isinstance(one, Certificate | str)
    block = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(data) + b"\n-----END CERTIFICATE-----\n"
    for one in certificates(block):
        assert isinstance(one, Certificate | str)
