"""What holds for any input: any cut gives the same bytes, twice is once, and only secrets change."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic.kinds import Content
from clinic.redact import Redactor, redactor
from clinic.secret import SecretRegister

CORPUS = Path(__file__).parent / "corpus"
_MARK = re.compile(r"⟦(.*?)(?:⇒.*?)?⟧", re.DOTALL)
_MASKS = re.compile(rb"\"?\*\*\*\"?|\[clinic: [^\]]*\]")

LINES = [
    _MARK.sub(lambda mark: mark[1], line)
    for name in ("secrets.txt", "lookalikes.txt")
    for line in (CORPUS / name).read_text(encoding="utf-8").splitlines()
    if line and not line.startswith(("#", "== "))
]
PIECES = [
    "password", "=", ":", ": ", " ", "\n", "\r\n", "'", '"', '\\"', "\\", "***", "{", "}", "[", "]", ",", "://", "@",
    "&", "?", "%40", "token", "secret_access_key", "user:", "identified by ", "-----BEGIN RSA PRIVATE KEY-----",
    "-----END RSA PRIVATE KEY-----", "AKIAIOSFODNN7EXAMPLE", "mysql -p", "--password ", '""', '"""', "password: |\n  ",
    "@tcp(", "<password>", "</", "Authorization: Bearer ", '"value":"', '"name":"DB_PASSWORD"}', "\t", "#", ";", "- ",
    "  ", "1234567", "learned-secret", "cookie: a=", "x" * 200, " word" * 300, "\n" * 5000, "y" * 5000,
]  # fmt: skip

anything = st.lists(st.sampled_from(PIECES) | st.sampled_from(LINES) | st.text(max_size=8), max_size=14)
garbage = anything.map("".join).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(
    max_size=200
)
documents = st.lists(st.sampled_from(LINES) | st.sampled_from(["", "host = x", "a: b"]), max_size=12).map(
    "\n".join
)
# What is no frame does not pass at all; frames have tests of their own.
contents = st.sampled_from([one for one in Content if one is not Content.FRAMES])
of_lines = contents.filter(lambda one: one not in (Content.ENV, Content.ARGV))


def _redactor() -> Redactor:
    register = SecretRegister()
    register.learn("learned-secret")
    return Redactor(register)


REDACTOR = _redactor()


def _whole(data: bytes, content: Content) -> bytes:
    stream = REDACTOR.stream(content)
    return stream.feed(data) + stream.finish()


@settings(deadline=None, max_examples=60)
@given(data=garbage, content=contents, cuts=st.lists(st.integers(0, 20_000), max_size=6))
def test_no_cut_of_the_input_changes_the_output(data: bytes, content: Content, cuts: list[int]) -> None:
    stream = REDACTOR.stream(content)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    out = b"".join(stream.feed(data[a:b]) for a, b in itertools.pairwise(places))
    assert out + stream.finish() == _whole(data, content)


@pytest.mark.parametrize("block", [1, 1000, 4500])
def test_no_size_of_a_block_changes_the_output(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks that go through the rules are cut within secrets, keys and escapes as well."""
    compare = _compared_with_blocks_of(block, monkeypatch)

    @settings(deadline=None, max_examples=25)
    @given(data=garbage, content=of_lines)
    def holds(data: bytes, content: Content) -> None:
        compare(data, content)

    holds()


def _compared_with_blocks_of(block: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes, Content], None]:
    def compare(data: bytes, content: Content) -> None:
        expected = _whole(data, content)
        monkeypatch.setattr(redactor, "BLOCK", block if len(data) < 2000 else max(block, 1000))
        try:
            assert _whole(data, content) == expected
        finally:
            monkeypatch.undo()

    return compare


@settings(deadline=None, max_examples=60)
@given(text=documents, content=of_lines)
def test_twice_is_once(text: str, content: Content) -> None:
    once = _whole(text.encode(), content)
    assert _whole(once, content) == once


@settings(deadline=None, max_examples=60)
@given(data=garbage, content=contents)
def test_what_is_not_masked_comes_out_as_it_went_in(data: bytes, content: Content) -> None:
    """All that stands between the masks is in the input, in the same order."""
    stream = REDACTOR.stream(content)
    out = stream.feed(data) + stream.finish()
    if not stream.counts:
        assert out == data
    if content is Content.OPAQUE:
        assert len(out) == len(data)
    elif "base64" not in stream.counts:
        at = 0
        for piece in _MASKS.split(out):
            found = data.find(piece, at)
            assert found >= 0, piece
            at = found + len(piece)
