"""Shapes are told while bytes pass, however they are cut."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic.source.shape import Expect, Json, is_page, wrong_type

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def why(data: bytes, size: int = 1, *, scalars: bool = False) -> str:
    """What is wrong with `data` that comes in pieces of `size` bytes."""
    follower = Json(scalars=scalars)
    for at in range(0, len(data), size):
        follower.feed(data[at : at + size])
    return follower.finish()


@given(VALUES, st.booleans(), st.integers(1, 7))
def test_what_a_writer_of_json_writes_is_json(value: object, readable: bool, size: int) -> None:
    text = json.dumps(value, indent=2 if readable else None, ensure_ascii=readable)
    data = b" \n" + text.encode("utf-8", "surrogatepass") + b"\n"
    assert why(data, size, scalars=True) == ""
    assert (why(data, size) == "") == (value is None or isinstance(value, (list, dict)))


@settings(max_examples=40)
@given(
    st.lists(VALUES, min_size=1) | st.dictionaries(st.text(), VALUES, min_size=1),
    st.data(),
    st.integers(1, 7),
)
def test_a_document_that_is_cut_or_followed_by_more_is_none(
    value: object, data: st.DataObject, size: int
) -> None:
    whole = json.dumps(value).encode()
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert why(cut, size)
    assert why(whole + cut[:1], size) if cut else True
    assert why(whole + whole, size) == "more follows its end"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"[}", "its brackets do not match"),
        (b'{"a": [}]}', "its brackets do not match"),
        (b'{"a": "}', "it ends in the middle"),
        (b'{"a": "\\"}', "it ends in the middle"),
        (b"[]]", "more follows its end"),
        (b"[] 1", "more follows its end"),
        (b"[panic: no]", "it is no JSON"),
        (b"{error}", "it is no JSON"),
        (b'"an error"', "it is no JSON object or array"),
        (b"404 page not found", "it is no JSON"),
        (b'"' + b"x" * 5000 + b'"', "it is no JSON object or array"),
        (b"[" * 3000, "it is nested deeper than 1000 levels"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 100_000])
def test_what_is_no_json_is_told_with_the_reason(data: bytes, reason: str, size: int) -> None:
    assert why(data, size) == reason


def test_null_is_told_from_data() -> None:
    follower = Json(scalars=False)
    for piece in (b"nu", b"ll\n"):
        follower.feed(piece)
    assert follower.finish() == "" and follower.null


def test_time_and_memory_do_not_depend_on_what_is_nested() -> None:
    started = time.monotonic()
    assert why(b"[" + b",".join([b"[" * 900 + b"]" * 900] * 300) + b"]", 65536) == ""
    assert why(b'["' + b'\\"' * 500_000 + b'"]', 65536) == ""
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("expect", "content_type", "good"),
    [
        ("json", "application/json", True),
        ("json", "application/problem+json", True),
        ("json", "application/octet-stream", True),
        ("json", "text/plain", True),
        ("json", "", True),
        ("json", "text/html", False),
        ("json", "image/png", False),
        ("text", "text/plain", True),
        ("text", "application/openmetrics-text", True),
        ("text", "text/html", False),
        ("text", "image/png", False),
        ("any", "image/png", True),
    ],
)
def test_a_media_type_says_what_a_body_can_not_be(expect: Expect, content_type: str, good: bool) -> None:
    assert (wrong_type(expect, content_type) == "") == good


def test_web_pages_are_known_by_how_they_begin() -> None:
    assert is_page(b"\n <!DOCTYPE html>") and is_page(b"<HTML>") and is_page(b"<?xml version")
    assert not is_page(b"goroutine profile: <html>") and not is_page(b"")
