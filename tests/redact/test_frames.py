"""Remote-read frames: labels are redacted, samples are not, and the frames stay valid."""

from __future__ import annotations

import struct

import pytest

from clinic.formats.readframes import crc32c, frame
from clinic.kinds import Content
from clinic.redact import Redactor, rewrite_learned
from clinic.redact.privacy import Level, Privacy
from clinic.redact.pseudonyms import Pseudonyms
from clinic.secret import Secret, SecretRegister

# A chunk of samples that holds what looks like a secret: it is none.
CHUNK = b"\x08\x80\x01\x10\x80\x02\x18\x01\x22\x20" + b"password=AKIAIOSFODNN7EXAMPLE..." + b""


def _number(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _field(number: int, data: bytes) -> bytes:
    return _number(number << 3 | 2) + _number(len(data)) + data


def _frame(*series: dict[str, str]) -> bytes:
    message = b""
    for labels in series:
        pairs = b"".join(
            _field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in labels.items()
        )
        message += _field(1, pairs + _field(2, CHUNK))
    message += b"\x10\x05"
    return _number(len(message)) + struct.pack(">I", crc32c(message)) + message


PLAIN = {"__name__": "tidb_server_query_total", "instance": "10.0.0.1:10080", "type": "get_token"}


def _through(data: bytes, redactor: Redactor, piece: int = 0) -> tuple[bytes, dict[str, int]]:
    stream = redactor.stream(Content.FRAMES)
    size = piece or len(data)
    out = b"".join(stream.feed(data[at : at + size]) for at in range(0, len(data), size)) + stream.finish()
    return out, dict(stream.counts)


def test_the_checksum_is_castagnolis() -> None:
    """The check value of CRC-32C in the catalogue of parametrised CRC algorithms."""
    assert crc32c(b"123456789") == 0xE3069283


def test_frames_without_a_secret_pass_byte_for_byte(redactor: Redactor) -> None:
    data = _frame(PLAIN, PLAIN) + _frame(PLAIN) + _frame()
    for piece in (0, 1, 7):
        assert _through(data, redactor, piece) == (data, {})


def test_a_secret_in_a_label_is_masked_and_the_frame_stays_valid(redactor: Redactor) -> None:
    before = {**PLAIN, "uri": "mysql://root:S3cr3t@10.0.0.1:4000/db", "password": "hunter2"}
    after = {**PLAIN, "uri": "mysql://root:***@10.0.0.1:4000/db", "password": "***"}
    out, counts = _through(_frame(PLAIN) + _frame(before, PLAIN), redactor, 11)
    assert out == _frame(PLAIN) + _frame(after, PLAIN)
    assert counts["key-value"] == 1
    assert counts["url-userinfo"] >= 1


def test_samples_are_never_touched(redactor: Redactor) -> None:
    assert CHUNK in _through(_frame(PLAIN), redactor)[0]


def test_a_learned_secret_in_a_label_is_masked_now_and_later() -> None:
    register = SecretRegister()
    register.learn("S3cr3t-label")
    labels = {**PLAIN, "user": "S3cr3t-label"}
    masked = _frame({**PLAIN, "user": "***"})
    assert _through(_frame(labels), Redactor(register))[0] == masked
    stream = rewrite_learned(register, 0, Content.FRAMES)
    assert stream.feed(_frame(labels)) + stream.finish() == masked
    assert dict(stream.counts)["learned"] >= 1


def test_a_rewrite_leaves_names_alone() -> None:
    stream = rewrite_learned(SecretRegister(), 0, Content.FRAMES)
    data = _frame({"password": "hunter2"})
    assert stream.feed(data) + stream.finish() == data


@pytest.mark.parametrize(
    "bad",
    [
        b"\xff" * 12,
        b"\xff\xff\xff\xff\x7f" + b"x" * 10,
        _number(3) + b"\0\0\0\0" + b"\x0a\x7fx",
        _number(2) + b"\0\0\0\0" + b"\x0f\x01",
        frame(b"\x0a\x7fx"),
        frame(b"\x0f\x01"),
    ],
)
def test_what_is_no_frame_does_not_pass_nor_does_anything_behind_it(bad: bytes, redactor: Redactor) -> None:
    good = _frame(PLAIN)
    out, counts = _through(good + bad + b"password=hunter2", redactor)
    assert out[: len(good)] == good
    assert set(out[len(good) :]) == {ord("*")}
    assert len(out) == len(good + bad + b"password=hunter2")
    assert counts["failed_closed"] == 1


def test_after_a_gap_nothing_passes(redactor: Redactor) -> None:
    stream = redactor.stream(Content.FRAMES)
    good = _frame(PLAIN)
    out = stream.feed(good + good[:9]) + stream.gap(1) + stream.feed(good) + stream.finish()
    assert out == good + b"*" * (9 + len(good))
    assert dict(stream.counts) == {"failed_closed": 1}


def test_labels_join_with_everything_else_under_their_pseudonyms() -> None:
    """A name is known by its label, however short; samples and what names nobody stay."""
    privacy = Privacy(Level.STRICT, Pseudonyms(Secret("5a" * 32)))
    name = privacy.pseudonyms.name
    data = _frame(
        {"__name__": "up", "instance": "h1:9100", "job": "tikv", "db": "kv"},
        {"__name__": "qps", "instance": "10.0.0.1:10080", "db": "ship", "type": "h1"},
    )
    seen, counts = _through(data, Redactor(SecretRegister(), privacy=privacy))
    assert seen == _frame(
        {"__name__": "up", "instance": f"{name('host', 'h1')}:9100", "job": "tikv", "db": "kv"},
        {
            "__name__": "qps",
            "instance": f"{privacy.pseudonyms.address('10.0.0.1')}:10080",
            "db": name("db", "ship"),
            "type": "h1",
        },
    )
    assert sum(counts.values()) > 0
