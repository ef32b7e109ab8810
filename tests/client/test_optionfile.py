"""Option files give user, password and TLS files, to their owner alone, and nothing of them is repeated."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic.client.optionfile import Options, read_options, usual_file
from clinic.client.tls import Tls
from clinic.errors import Refused, UsageError
from clinic.secret import Secret, SecretRegister

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes an option file that is its owner's alone, unless a mode says otherwise."""

    def write(text: str | bytes, mode: int = 0o600) -> Path:
        path = tmp_path / "my.cnf"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    return write


def read(path: Path) -> Options:
    """The options, with a register of their own."""
    return read_options(path, SecretRegister())


def test_user_password_and_tls_files_are_read_and_the_password_is_learned(write: Write) -> None:
    secrets = SecretRegister()
    path = write(
        "# comment\n; comment\n[mysqld]\npassword = of-the-server\n[client]\nuser = me\npassword = from-client\n"
        "ssl-ca = /c/ca.pem\nssl_cert=/c/cert.pem\n[clinic]\npassword = from-clinic\n[mysql]\nuser=other\n"
    )
    options = read_options(path, secrets)
    assert options == Options("me", Secret("from-clinic"), Tls(Path("/c/ca.pem"), Path("/c/cert.pem")))
    assert [one.value.reveal() for one in secrets.since(0)] == ["from-clinic"]
    assert "from-clinic" not in repr(options)


@pytest.mark.parametrize(
    ("line", "password"),
    [
        ("password=plain-word", "plain-word"),
        ("  password =  plain-word  ", "plain-word"),
        ("password = 'with # and \" in it' # comment", 'with # and " in it'),
        ('password="it\\"s \\\\ here"', 'it"s \\ here'),
        ("password = before#comment", "before"),
        ("password = a\\sb\\tc", "a b\tc"),
        ("password = a\\xb", "a\\xb"),
        ("password = 'not closed", "'not closed"),
        ("PASSWORD = any=thing", "any=thing"),
        ("password = ünïcode", "ünïcode"),
    ],
)
def test_values_are_written_as_mysql_reads_them(write: Write, line: str, password: str) -> None:
    assert read(write(f"[client]\n{line}\n")).password == Secret(password)


@pytest.mark.parametrize(
    "text", ["", "[client]\npassword\n", "[client]\npassword =\n", "password = before-any-group\n"]
)
def test_a_file_without_a_password_has_none(write: Write, text: str) -> None:
    assert read(write(text)).password is None


def test_bytes_that_are_no_utf8_come_out_as_they_are(write: Write) -> None:
    password = read(write(b"[client]\npassword = a\xffb\n")).password
    assert password is not None and password.reveal().encode("utf-8", "surrogateescape") == b"a\xffb"


def test_what_it_includes_is_not_read_and_that_is_said(write: Write) -> None:
    options = read(write("!include /etc/shadow\n[client]\nuser=me\n!includedir /etc/mysql\n"))
    assert options.user == "me"
    assert len(options.remarks) == 1 and "includes other files" in options.remarks[0]


def test_a_file_that_others_can_read_is_remarked_and_one_they_can_write_is_refused(write: Write) -> None:
    [remark] = read(write("[client]\nuser=me\n", 0o644)).remarks
    assert "chmod 600" in remark
    with pytest.raises(Refused, match="others can write"):
        read(write("[client]\nuser=me\n", 0o620))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't read"):
        read(tmp_path / "absent.cnf")
    with pytest.raises(Refused, match="no regular file"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refused, match="no regular file"):
        read(tmp_path / "pipe")
    (tmp_path / "long").write_bytes(b"#" * 100_000)
    with pytest.raises(UsageError, match="longer than"):
        read(tmp_path / "long")


def test_under_sudo_the_file_must_be_the_callers_own(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can play several users")
    path = write("[client]\nuser=me\nssl-key=/etc/shadow\n")
    monkeypatch.setenv("SUDO_UID", "1234")
    monkeypatch.setenv("SUDO_GID", "1234")
    with pytest.raises(Refused, match="belongs to user 0"):
        read(path)
    os.chown(path, 1234, 1234)
    options = read(path)
    assert (options.user, options.tls) == ("me", Tls())
    assert any("under sudo the TLS files" in remark for remark in options.remarks)


def test_a_file_of_somebody_else_is_refused(write: Write) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can play several users")
    path = write("[client]\nuser=me\n")
    os.chown(path, 1234, 1234)
    with pytest.raises(Refused, match="belongs to user 1234"):
        read(path)


def test_the_usual_file_is_in_the_home_directory(home: Path) -> None:
    assert usual_file() == home / ".my.cnf"
