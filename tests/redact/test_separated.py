"""Environments and command lines as the kernel gives them, with a NUL after each piece."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clinic.kinds import Content
from clinic.redact import Redactor

Redact = Callable[..., bytes]


def _joined(*pieces: str) -> bytes:
    return b"".join(piece.encode() + b"\0" for piece in pieces)


def test_a_variable_is_masked_to_its_end_whatever_it_holds(redact: Redact) -> None:
    before = _joined("PATH=/usr/bin", "DB_PASSWORD=a \"b' \n c=d & e", "PWD=/root", "EMPTY_PASSWORD=", "A=b")
    after = _joined("PATH=/usr/bin", "DB_PASSWORD=***", "PWD=/root", "EMPTY_PASSWORD=", "A=b")
    for piece in (0, 1, 5):
        assert redact(before, Content.ENV, piece=piece) == after


def test_other_variables_are_read_as_text(redact: Redact) -> None:
    before = _joined("DSN=mysql://u:p1@h/db", "OPTS=--password=x1 --port=1", "BASH_FUNC_x%%=() { echo; }")
    after = _joined("DSN=mysql://u:***@h/db", "OPTS=--password=*** --port=1", "BASH_FUNC_x%%=() { echo; }")
    assert redact(before, Content.ENV) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("mysqld", "--password=a b c", "--port=1"), ("mysqld", "--password=***", "--port=1")),
        (("mysqld", "--password", "a b c", "--port=1"), ("mysqld", "--password", "***", "--port=1")),
        (("mysqld", "--password", "--port=1"), ("mysqld", "--password", "--port=1")),
        (("/usr/bin/mysql", "-uroot", "-pa b", "test"), ("/usr/bin/mysql", "-uroot", "-p***", "test")),
        (("mysql", "-u", "root", "-p", "test"), ("mysql", "-u", "root", "-p", "test")),
        (("sudo", "mysqldump", "-px1", "db"), ("sudo", "mysqldump", "-p***", "db")),
        (("sshpass", "-p", "x 1", "ssh", "-p22", "h"), ("sshpass", "-p", "***", "ssh", "-p22", "h")),
        (("mysql", "-password", "db"), ("mysql", "-p***", "db")),
        (("x", "-password", "y1"), ("x", "-password", "***")),
        (("ssh", "-p22", "h"), ("ssh", "-p22", "h")),
        (("curl", "-u", "me:x1", "http://h"), ("curl", "-u", "me:***", "http://h")),
        (("curl", "-u", "me", "http://h"), ("curl", "-u", "me", "http://h")),
        (("curl", "-ume:x1"), ("curl", "-ume:***")),
        (("etcdctl", "--user", "root:x1"), ("etcdctl", "--user", "root:***")),
        (("etcdctl", "--user=root:x1"), ("etcdctl", "--user=root:***")),
        (("mysqld", "--user=mysql"), ("mysqld", "--user=mysql")),
        (("redis-cli", "-a", "x1", "ping"), ("redis-cli", "-a", "***", "ping")),
        (("java", "-Dspring.password=x 1", "-jar", "a.jar"), ("java", "-Dspring.password=***", "-jar", "a.jar")),
        (("sh", "-c", "mysql -px1 db"), ("sh", "-c", "mysql -p*** db")),
        (("cdc", "--sink-uri=mysql://u:p1@h/"), ("cdc", "--sink-uri=mysql://u:***@h/")),
        (("tidb-server", "--token-limit=1000", "--ssl-key=/k.pem"),
         ("tidb-server", "--token-limit=1000", "--ssl-key=/k.pem")),
        (("x", "--token-limit", "1000"), ("x", "--token-limit", "1000")),
        (("x", "--password", ""), ("x", "--password", "")),
    ],
)  # fmt: skip
def test_arguments_are_known_for_what_they_are(
    before: tuple[str, ...], after: tuple[str, ...], redact: Redact, redactor: Redactor
) -> None:
    assert redactor.argv(before) == after
    assert redact(_joined(*before), Content.ARGV) == _joined(*after)
    assert redactor.argv(after) == after


def test_command_lines_one_to_a_line_are_text(redact: Redact) -> None:
    before = b"mysql -uroot -px1 db\n/bin/x --password y1 --port 1\nssh -p22 h\n"
    assert (
        redact(before, Content.ARGV) == b"mysql -uroot -p*** db\n/bin/x --password *** --port 1\nssh -p22 h\n"
    )


def test_a_line_end_begins_another_process(redact: Redact) -> None:
    assert redact(b"mysql\0-u\0x\0\nssh\0-p22\0", Content.ARGV) == b"mysql\0-u\0x\0\nssh\0-p22\0"


def test_names_that_are_no_text_come_back_as_they_were(redactor: Redactor) -> None:
    argv = ("x", b"\xff\xfe".decode("utf-8", "surrogateescape"), "--password=\udcff")
    assert redactor.argv(argv) == (*argv[:2], "--password=***")


def test_a_piece_that_is_too_long_is_withheld(redactor: Redactor) -> None:
    stream = redactor.stream(Content.ENV)
    out = stream.feed(b"A=b\0B=" + b"x" * (3 << 20)) + stream.feed(b"\0C=d\0") + stream.finish()
    marker = b"[clinic: %d bytes withheld, longer than a variable or argument can be, or cut by a gap]" % (
        (3 << 20) + 2
    )
    assert out == b"A=b\0" + marker + b"\0C=d\0"
    assert stream.counts["failed_closed"] == 1


def test_both_sides_of_a_gap_are_withheld(redactor: Redactor) -> None:
    stream = redactor.stream(Content.ENV)
    out = (
        stream.feed(b"A=b\0DB_PASSWORD=half")
        + stream.gap(9)
        + stream.feed(b"other half\0C=d\0")
        + stream.finish()
    )
    assert b"half" not in out
    assert out.startswith(b"A=b\0[clinic: 26 bytes withheld")
    assert out.endswith(b"\0C=d\0")


def test_a_gap_before_anything_else_leaves_nothing_uncertain(redactor: Redactor) -> None:
    for tail in (b"rest of a secret\0C=d\0", b"rest-of-a-secret\nC=d\n"):
        stream = redactor.stream(Content.ENV)
        out = stream.gap(9) + stream.feed(tail) + stream.finish()
        assert b"secret" not in out
        assert out.endswith(b"C=d" + tail[-1:])


def test_user_and_password_of_a_program_that_is_not_known(redactor: Redactor) -> None:
    """What looks random behind a user's name is a password; groups and ports are not."""
    before = ("loader", "-uroot:ZqSecret1", "-u", "root:ZqSecret2", "-u", "app", "-p", "ZqSecret3", "-x")
    after = ("loader", "-uroot:***", "-u", "root:***", "-u", "app", "-p", "***", "-x")
    assert redactor.argv(before) == after
    for kept in (("docker", "run", "-u", "app:staff", "-p", "8080:80"), ("x", "-u", "root", "-p", "4000")):
        assert redactor.argv(kept) == kept
