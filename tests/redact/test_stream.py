"""Streams: constant memory, any cut, gaps, and failing closed."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from clinic.kinds import Content
from clinic.redact import Redactor, text
from clinic.redact.readers import Step, While
from clinic.redact.redactor import BLOCK
from clinic.redact.rule import Hit, Take
from clinic.redact.view import Opening, View

Redact = Callable[..., bytes]
MIB = 1 << 20
WITHHELD = re.compile(rb"\[clinic: (\d+) bytes withheld, ([^\]]+)\]")


def _peak(redactor: Redactor, content: Content, pieces: Iterator[bytes]) -> tuple[int, int, bytes]:
    """Bytes of memory at the highest, bytes that came out, and their end."""
    stream = redactor.stream(content)
    size, last = 0, b""
    tracemalloc.start()
    for piece in pieces:
        out = stream.feed(piece)
        size += len(out)
        last = (last + out)[-100:]
    out = stream.finish()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, size + len(out), (last + out)[-100:]


@pytest.mark.parametrize("content", [Content.LOG, Content.JSON, Content.YAML, Content.OPAQUE])
def test_a_line_of_any_length_takes_constant_memory(content: Content, redactor: Redactor) -> None:
    unit = b'{"start_key":"7480000000000000FF5F","region":1},' * 1365
    peak, size, _ = _peak(redactor, content, iter([unit] * (24 * MIB // len(unit))))
    assert size == 24 * MIB // len(unit) * len(unit)
    assert peak < 5 * MIB


@pytest.mark.parametrize("open_quote", [b'{"password": "', b"password=", b"create user u identified by '"])
def test_a_secret_of_any_length_takes_constant_memory_and_is_masked(
    open_quote: bytes, redactor: Redactor
) -> None:
    pieces = [open_quote, *([b"x" * 65536] * 128)]
    peak, size, _ = _peak(redactor, Content.JSON, iter(pieces))
    assert size < 200
    assert peak < 5 * MIB


def test_what_follows_a_long_secret_comes_through(redact: Redact) -> None:
    data = b'{"password": "' + b"x" * (2 * MIB) + b'", "host": "db1"}'
    assert redact(data, Content.JSON, piece=65536) == b'{"password": "***", "host": "db1"}'


@pytest.mark.parametrize("where", [0, 1, 7, 20, 4096 - 10, 4096, 5000])
def test_a_secret_across_a_block_is_masked(where: int, redact: Redact) -> None:
    secret = b" dsn=mysql://root:S3cr3t@10.0.0.1:4000/ password=hunter2 AKIAIOSFODNN7EXAMPLE end"
    filler = b"lorem ipsum " * (BLOCK // 12 + 1)
    data = filler[: BLOCK - where] + secret + filler
    masked = filler[: BLOCK - where] + b" dsn=mysql://root:***@10.0.0.1:4000/ password=*** *** end" + filler
    assert redact(data) == redact(data, piece=1000) == masked


def test_bytes_that_are_no_text_pass_and_hide_nothing(redact: Redact) -> None:
    noise = bytes(range(256))
    assert redact(noise) == noise
    assert redact(noise + b" password=\xff\xfe\x80secret\x90 " + noise) == noise + b" password=*** " + noise


def test_line_ends_stay_as_they_are(redact: Redact) -> None:
    assert redact(b"a\r\npassword=x1\r\n\n\rb\n", Content.INI) == b"a\r\npassword=***\r\n\n\rb\n"


def test_the_counts_tell_which_rule_masked_how_often(redactor: Redactor) -> None:
    stream = redactor.stream(Content.TEXT)
    stream.feed(b"password=a1 password=b2 password=*** mysql://u:p1@h AKIAIOSFODNN7EXAMPLE")
    stream.finish()
    assert dict(stream.counts) == {"key-value": 2, "url-userinfo": 1, "aws-access-key": 1}


# A key without an end


def test_an_open_key_block_longer_than_a_mebibyte_is_withheld_with_a_marker(redactor: Redactor) -> None:
    stream = redactor.stream(Content.TEXT)
    body = b"-----BEGIN RSA PRIVATE KEY-----\n" + b"MIIEowIBAAKCAQEAexamplebody\n" * 80_000
    out = stream.feed(b"before\n" + body + b"and then some words\npassword=x1\n") + stream.finish()
    found = WITHHELD.findall(out)
    assert [note for _, note in found] == [b"rule private-key found no end", b"after a gap"]
    assert sum(int(length) for length, _ in found) == len(body)
    assert out.startswith(b"before\n[clinic:")
    assert out.endswith(b"]\nand then some words\npassword=***\n")
    assert stream.counts["failed_closed"] == 1


def test_a_key_block_that_never_ends_is_masked(redact: Redact) -> None:
    assert redact(b"x\n-----BEGIN PRIVATE KEY-----\nMIIE\nAAAA\n") == b"x\n***"


def test_a_statement_that_is_cut_in_a_log_hides_no_line_after_it(redactor: Redactor) -> None:
    line = b"[2026/11/24 10:41:07.123 +08:00] [INFO] [x.go:1] "
    raw = line + b"[sql=\"create user u identified by 'S3cr...\n  it goes on\n" + line + b"[user='root']\n"
    out = line + b"[sql=\"create user u identified by '***\n" + line + b"[user='root']\n"
    for size in (1, 5000):
        stream = redactor.stream(Content.LOG)
        pieces = [
            stream.feed((raw + line * 100)[at : at + size])
            for at in range(0, len(raw) + len(line) * 100, size)
        ]
        assert b"".join(pieces) + stream.finish() == out + line * 100


# Gaps


def _gapped(redactor: Redactor, content: Content, before: bytes, after: bytes) -> bytes:
    stream = redactor.stream(content)
    return stream.feed(before) + stream.gap(1000) + b"<GAP>" + stream.feed(after) + stream.finish()


def test_after_a_gap_a_line_that_begins_with_a_time_comes_through(redactor: Redactor) -> None:
    line = b"[2026/11/24 10:41:07.123 +08:00] [INFO] [x.go:1] [a]\n"
    assert _gapped(redactor, Content.LOG, line, line) == line + b"<GAP>" + line


def test_after_a_gap_the_rest_of_a_secret_is_withheld(redactor: Redactor) -> None:
    line = b"[2026/11/24 10:41:07.123 +08:00] [INFO] [x.go:1] [a]\n"
    key = b"UlUyNTUxOQAAACDex\nampleAAAA==\n-----END PRIVATE KEY-----\n"
    out = _gapped(redactor, Content.LOG, line, key + line)
    assert out == line + b"<GAP>[clinic: %d bytes withheld, after a gap]\n" % len(key) + line


def test_a_word_that_is_cut_by_a_gap_is_withheld(redactor: Redactor) -> None:
    out = _gapped(redactor, Content.LOG, b"connect mysql://root:S3cr", b"3t@10.0.0.1/db\n")
    assert (
        out
        == b"connect [clinic: 17 bytes withheld, cut by a gap]<GAP>[clinic: 15 bytes withheld, after a gap]\n"
    )


def test_a_value_that_is_cut_by_a_gap_is_masked(redactor: Redactor) -> None:
    out = _gapped(redactor, Content.TOML, b'a = 1\npassword = "S3cr', b'3t"\nhost = "db1"\n')
    assert out == b'a = 1\npassword = "***<GAP>[clinic: 4 bytes withheld, after a gap]\nhost = "db1"\n'


@pytest.mark.parametrize(
    ("content", "proof"),
    [
        (Content.TEXT, b"tcp LISTEN 0 128 0.0.0.0:4000\n"),
        (Content.TEXT, b"MemTotal:  1234 kB\n"),
        (Content.YAML, b"  key: value\n"),
        (Content.YAML, b"  key:\n"),
        (Content.INI, b"[section]\n"),
        (Content.ENV, b"PATH=/usr/bin\n"),
        (Content.JSON, b'  "key": 1,\n'),
        (Content.CSV, b"a,b,c\n"),
        (Content.LOG, b"# Time: 2026-11-24T10:41:07Z\n"),
        (Content.LOG, b"[  123.456789] kernel: x\n"),
        (Content.LOG, b"Nov 24 10:41:07 host app: x\n"),
        (Content.LOG, b'{"level":"INFO","time":"x"}\n'),
        (Content.LOG, b"ts=2026-11-24T03:05:40.449Z caller=x\n"),
    ],
)
def test_each_format_has_lines_that_prove_the_secret_is_over(
    content: Content, proof: bytes, redactor: Redactor
) -> None:
    out = _gapped(redactor, content, b"", b"rest-of-a-secret==\n" + proof)
    assert out == b"<GAP>[clinic: 19 bytes withheld, after a gap]\n" + proof


def test_json_of_one_line_goes_on_at_its_next_key(redactor: Redactor) -> None:
    out = _gapped(redactor, Content.JSON, b'{"a":1,', b'of-a-secret","host":"db1","password":"x1"}')
    assert (
        out
        == b'{"a":1,<GAP>[clinic: 13 bytes withheld, after a gap]"host":"db1","password":"***"}'.replace(
            b'{"a":1,', b"[clinic: 7 bytes withheld, cut by a gap]"
        )
    )


def test_a_gap_counts_once_and_no_gap_does_not(redactor: Redactor) -> None:
    stream = redactor.stream(Content.LOG)
    assert stream.gap(0) == b""
    assert "failed_closed" not in stream.counts
    stream.feed(b"half a wor")
    stream.gap(-1)
    stream.feed(b"d\nanother\n")
    stream.finish()
    assert stream.counts["failed_closed"] == 1


def test_after_a_gap_binary_content_keeps_its_length(redactor: Redactor) -> None:
    assert len(_gapped(redactor, Content.OPAQUE, b"\x00abc", b"\x01def\n")) == len(b"\x00abc<GAP>\x01def\n")


# Failing closed


def _fail(view: View, hit: Hit) -> Opening | None:
    raise RuntimeError("a defect")


def test_a_rule_that_raises_withholds_its_line_and_only_that(
    redactor: Redactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(text.HANDLERS, Take.USERINFO, _fail)
    stream = redactor.stream(Content.TEXT)
    line = b"connect to mysql://root:S3cr3t@10.0.0.1/ failed"
    out = stream.feed(b"before\n" + line + b"\nand after it password=x1\n") + stream.finish()
    marker = b"[clinic: %d bytes withheld, rule url-userinfo failed]" % (len(line) + 1)
    assert out == b"before\n" + marker + b"\nand after it password=***\n"
    assert stream.counts["failed_closed"] == 1


def test_a_reader_that_raises_withholds_the_rest_of_its_line(
    redactor: Redactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: While, data: bytes, start: int, final: bool) -> Step:
        raise RuntimeError("a defect")

    monkeypatch.setattr(While, "step", fail)
    stream = redactor.stream(Content.TEXT)
    rest = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln here\n"
    out = stream.feed(b"see " + rest + b"and after it\n") + stream.finish()
    assert out == b"see [clinic: %d bytes withheld, rule jwt failed]\nand after it\n" % len(rest)
    assert stream.counts["failed_closed"] == 1


@pytest.mark.parametrize(
    ("content", "raw", "left"),
    [
        (Content.TOML, b'a = 1\npassword = """\nline one\n"""\nnext = 1\n', b"next = 1\n"),
        (Content.YAML, b"a: 1\npassword: |\n  line one\n  line two\nnext: 1\n", b"next: 1\n"),
        (Content.YAML, b"a: 1\npasswords:\n  - one\n  - two\nnext: 1\n", b"next: 1\n"),
        (Content.YAML, b"a: 1\n- name: PASSWORD\n  value: one\n- name: x\n", b"- name: x\n"),
        (Content.JSON, b'{"a":1,"password":"one","next":2}', b'"next":2}'),
        (Content.JSON, b'{"a":1,"env":[{"name":"PASSWORD","value":"one"},{"name":"x"}]}', b'"name":"x"}]}'),
        (Content.JSON, b'{"a":{\n"value":"one",\n"name":"PASSWORD"},\n"next":2}', b'"next":2}'),
        (Content.TEXT, b"a b c\n<name>x.password</name>\n<value>one</value>\nd e f\n", b"d e f\n"),
    ],
)
def test_a_rule_that_raises_withholds_secrets_of_several_lines_too(
    content: Content, raw: bytes, left: bytes, redactor: Redactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for take in Take:
        monkeypatch.setitem(text.HANDLERS, take, _fail)
    stream = redactor.stream(content)
    out = stream.feed(raw) + stream.finish()
    assert b"one" not in out
    assert out.endswith(left)


def test_base64_that_is_too_long_to_be_unpacked_is_withheld(redactor: Redactor) -> None:
    stream = redactor.stream(Content.JSON)
    packed = b"eyJh" * 20_000
    out = stream.feed(b'{"value":"' + packed + b'","a":1}') + stream.finish()
    assert out == b'{"value":"[clinic: 80000 bytes withheld, too long to be unpacked]","a":1}'
    assert stream.counts["failed_closed"] == 1


# Binary content


def test_binary_content_keeps_its_length_and_loses_its_keys(redactor: Redactor) -> None:
    key = b"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"
    data = b"\x00\x01password=not-looked-at\x02" + key + b"\x03AKIAIOSFODNN7EXAMPLE\x04"
    stream = redactor.stream(Content.OPAQUE)
    out = stream.feed(data) + stream.finish()
    assert out == data.replace(key, b"*" * len(key)).replace(b"AKIAIOSFODNN7EXAMPLE", b"*" * 20)
