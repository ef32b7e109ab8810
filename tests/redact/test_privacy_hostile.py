"""Whatever a hostile node sends, looking for names in it takes time that grows with its size alone."""

from __future__ import annotations

import time

import pytest

from clinic.kinds import Content
from clinic.redact import Redactor
from clinic.redact.privacy import Level, Names, Privacy
from clinic.redact.pseudonyms import Pseudonyms
from clinic.secret import Secret, SecretRegister

pytestmark = pytest.mark.slow

HOSTILE = (
    b"1.1.1.1-", b"1.1.1.1.", b"a@1.1.1.1.", b"a@b.", b"::1:", b"a]@", b"a] @ b [", b"'a'@'b'", b"://a", b"http://a:b@",
    b"host=", b"User@Host: a[", b"Linux a ", b"(Linux a b ", b"7480000000000000F", b"t\\200", b"/home/a", b"warehouse7",
    b"db.", b"\xe2", b'"user":"', b"\\\\\"host\\\\\":", b"a,", b'"a', b"h:",
)  # fmt: skip


def _seconds(content: Content, piece: bytes, times: int) -> float:
    best = 1e9
    for _ in range(2):
        privacy = Privacy(Level.STRICT, Pseudonyms(Secret("5a" * 32)), Names({"warehouse7": "host"}))
        stream = Redactor(SecretRegister(), privacy=privacy).stream(content)
        data, began = b"HOST,N\n" + piece * times, time.process_time()
        stream.feed(data)
        stream.finish()
        best = min(best, time.process_time() - began)
    return best


@pytest.mark.parametrize("content", [Content.LOG, Content.CSV])
@pytest.mark.parametrize("piece", HOSTILE)
def test_eight_times_the_input_takes_about_eight_times_as_long(content: Content, piece: bytes) -> None:
    """Not sixty-four times, as where each of many beginnings looks for its end."""
    assert _seconds(content, piece, 8_000) < 32 * max(_seconds(content, piece, 1_000), 0.0005)
