"""Which files are private keys or key stores, by name or by how they begin."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from clinic.host.keys import HEAD, is_key, is_key_name

CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = b"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "path",
    [
        "/d/tls/server.key", "/d/tls/SERVER.KEY", "/root/.ssh/id_rsa", "/home/x/.ssh/id_ed25519_work", "/x/id_ecdsa",
        "/x/store.jks", "/x/s.p12", "/x/s.pfx", "/etc/krb5.keytab", "/etc/ssh/ssh_host_ed25519_key", "/etc/shadow",
        "/etc/gshadow-",
    ],
)  # fmt: skip
def test_names_of_keys(path: str) -> None:
    assert is_key_name(path)


@pytest.mark.parametrize(
    "path",
    [
        "/root/.ssh/id_rsa.pub", "/x/id_ed25519-cert.pub", "/etc/ssh/ssh_host_rsa_key.pub", "/root/.my.cnf",
        "/x/tidb.log", "/x/ca.pem", "/x/server.crt", "/data/shadow", "/etc/passwd", "/x/keyring.log", "/x/monkey",
    ],
)  # fmt: skip
def test_names_that_are_none(path: str) -> None:
    assert not is_key_name(path)


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("/x/tidb.log", KEY),
        ("/x/tidb.log", b"\n\n  -----BEGIN PRIVATE KEY-----\n"),
        ("/x/tidb.log", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
        ("/x/tidb.log", b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n"),
        ("/x/both.pem", CERTIFICATE * 20 + KEY),
        ("/x/both.crt", b"Bag Attributes\n    friendlyName: x\n" + KEY),
        ("/x/store", b"\xfe\xed\xfe\xed\x00\x00\x00\x02"),
        ("/x/store", b"\xce\xce\xce\xce\x00\x00\x00\x02"),
        ("/x/file", b"PuTTY-User-Key-File-3: ssh-ed25519\n"),
        ("/x/file", b"AGE-SECRET-KEY-1QQQ"),
    ],
)
def test_contents_of_keys(path: str, head: bytes) -> None:
    assert is_key(path, head)


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("/x/ca.pem", CERTIFICATE),
        ("/x/tidb.log", b"[2026/11/25] [ERROR] bad config: " + KEY),
        ("/x/tidb.log", b""),
        ("/x/numbers", b"0123456789"),
        ("/x/pub.pem", b"-----BEGIN PUBLIC KEY-----\n"),
    ],
)
def test_contents_that_are_none(path: str, head: bytes) -> None:
    assert not is_key(path, head)


@pytest.mark.parametrize(
    ("make", "secret"),
    [
        ("genpkey -algorithm ed25519 -outform DER -out {}", True),
        ("genpkey -algorithm rsa -outform DER -out {}", True),
        ("ecparam -name prime256v1 -genkey -noout -outform DER -out {}", True),
        ("genpkey -algorithm rsa -out {}", True),
        ("req -x509 -newkey ed25519 -nodes -subj /CN=x -keyout /dev/null -outform DER -out {}", False),
        ("req -x509 -newkey ed25519 -nodes -subj /CN=x -keyout /dev/null -out {}", False),
        ("req -x509 -newkey ed25519 -nodes -subj /CN=x -keyout {} -out {}", True),
    ],
)
def test_what_openssl_writes(make: str, secret: bool, tmp_path: Path) -> None:
    file = tmp_path / "file.pem"
    subprocess.run(["openssl", *make.replace("{}", str(file)).split()], check=True, capture_output=True)
    assert is_key(str(file), file.read_bytes()[:HEAD]) is secret


def test_a_store_that_openssl_writes(tmp_path: Path) -> None:
    key, cert, store = (str(tmp_path / name) for name in ("key", "cert", "store"))
    options = ["req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x"]
    subprocess.run(["openssl", *options, "-keyout", key, "-out", cert], check=True, capture_output=True)
    export = ["pkcs12", "-export", "-inkey", key, "-in", cert, "-out", store, "-passout", "pass:x"]
    subprocess.run(["openssl", *export], check=True, capture_output=True)
    assert is_key(store, Path(store).read_bytes()[:HEAD])
