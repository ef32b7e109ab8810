"""Which files are private keys or key stores, by name or by how they begin."""

from __future__ import annotations

import shutil
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
        ("/x/file", b"openssh-key-v1\x00\x00\x00\x00\x04none"),
        ("/x/file", b"\x30\x80\x02\x01\x03\x30\x80\x06\x09"),
        ("/x/file", b'{"kty":"EC","crv":"P-256","x":"a","d":"0123456789abcdef_-"}'),
        ("/x/file", b'{ "keys": [ {"key_ops": ["sign"], "k": "0123456789abcdef_-", "kty": "oct"} ] }'),
        ("/x/file", b"\xc5\x58\x04\x69\x00\x00\x00\x16\x09\x2b"),
        ("/x/file", b"(21:protected-private-key(3:rsa(1:n"),
        ("/x/file", b"Created: 20261126T005202\nKey: (private-key (rsa (n #00#"),
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
        ("/x/jwks.json", b'{"keys":[{"kty":"RSA","n":"0123456789abcdef","e":"AQAB"}]}'),
        ("/x/log.json", b'{"msg":{"kty":"oct"},"k":"0123456789abcdef"}'),
        ("/x/pub.gpg", b"\x98\x8d\x04\x6b\x07\x82\xb2\x01\x04\x00"),
        ("/x/message", b"\x30\x29\x02\x01\x00\x04\x06public"),
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
        ("genpkey -algorithm ed25519 -aes256 -pass pass:x -outform DER -out {}", True),
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


@pytest.mark.parametrize(
    ("make", "convert"),
    [
        ("genrsa -traditional -out {} 512", "rsa -traditional"),
        ("genrsa -traditional -out {} 1024", "rsa -traditional"),
        ("dsaparam -genkey -noout -out {} 1024", "dsa"),
    ],
)
def test_keys_of_old_formats_and_short_lengths(make: str, convert: str, tmp_path: Path) -> None:
    pem, der = str(tmp_path / "pem"), str(tmp_path / "der")
    subprocess.run(["openssl", *make.replace("{}", pem).split()], check=True, capture_output=True)
    words = [*convert.split(), "-in", pem, "-outform", "DER", "-out", der]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    assert is_key("/x/file", Path(der).read_bytes()[:HEAD])


@pytest.mark.skipif(not shutil.which("gpg"), reason="gpg makes the keyring, and is not installed")
def test_a_keyring_that_gnupg_exports(tmp_path: Path) -> None:
    home = tmp_path / "g"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run([*gpg, "--quick-gen-key", "x@example.org", "ed25519"], check=True, capture_output=True)
    secret, public = (
        subprocess.run([*gpg, way], check=True, capture_output=True).stdout
        for way in ("--export-secret-keys", "--export")
    )
    kept = [file.read_bytes() for file in (home / "private-keys-v1.d").iterdir()]
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
    assert is_key("/x/file", secret)
    assert not is_key("/x/file", public)
    assert kept
    assert all(is_key("/x/file", one) for one in kept)
