"""A credential that says itself that it has ended is refused before anything is packed or connected to."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.errors import Refused
from clinic.secret import Secret
from clinic.upload.expiry import ends, require_current

NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
SIGNED = "https://in.example.com/b/o?X-Amz-Signature=abc"


def web_token(**claims: object) -> str:
    """A JSON Web Token, as far as anybody without its key can tell."""
    parts = [json.dumps(one).encode() for one in ({"alg": "HS256"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(one).decode().rstrip("=") for one in parts), "c2ln"])


def urls(**more: str) -> str:
    """A presigned upload of two parts, the second of which ends."""
    parts = [SIGNED, f"{SIGNED}&X-Amz-Date=20261126T100000Z&X-Amz-Expires=3600"]
    return json.dumps({"part_size": 5, "parts": parts, "complete": SIGNED, **more})


@pytest.mark.parametrize(
    ("credential", "end"),
    [
        (web_token(exp=1764154800), "2025-11-26T11:00:00+00:00"),
        (web_token(exp=1764154800.5), "2025-11-26T11:00:00.500000+00:00"),
        (f"{SIGNED}&X-Amz-Date=20261126T100000Z&X-Amz-Expires=3600", "2026-11-26T11:00:00+00:00"),
        (f"{SIGNED}&X-Goog-Date=20261126T100000Z&X-Goog-Expires=3600", "2026-11-26T11:00:00+00:00"),
        (f"{SIGNED}&Expires=1764154800", "2025-11-26T11:00:00+00:00"),
        (urls(), "2026-11-26T11:00:00+00:00"),
        (urls(abort=f"{SIGNED}&Expires=1764154800"), "2025-11-26T11:00:00+00:00"),
    ],
)
def test_the_end_that_it_names_is_known_and_once_it_has_passed_refused(credential: str, end: str) -> None:
    assert ends(Secret(credential)) == datetime.fromisoformat(end)
    require_current(Secret(credential), datetime(2025, 11, 26, 10, 59, tzinfo=timezone.utc))
    with pytest.raises(
        Refused, match=r"expired at .*; by this machine's clock it is 2026-11-26T12:00:00Z"
    ) as refused:
        require_current(Secret(credential), NOW)
    assert credential not in f"{refused.value.message}{refused.value.hint}"


@pytest.mark.parametrize(
    "credential",
    [
        "", "opaque", "ACCESS:SECRET", "a.b.c", "1.2.3", web_token(), web_token(exp="soon"), web_token(exp=1e300),
        web_token(exp=None), "https://h/x", SIGNED, f"{SIGNED}&X-Amz-Expires=60", f"{SIGNED}&X-Amz-Expires=x",
        f"{SIGNED}&X-Amz-Date=20261126T100000Z&X-Amz-Expires=999999999999", "https://[h/x?Expires=1", "{", "{}",
        '{"parts": 5}', f"{SIGNED}&Expires=999999999999",
    ],
)  # fmt: skip
def test_what_names_no_end_that_can_be_is_for_the_server_to_judge(credential: str) -> None:
    assert ends(Secret(credential)) is None
    require_current(Secret(credential), NOW)


@given(
    st.text(max_size=80),
    st.sampled_from(["", "{", "https://h/x?X-Amz-Date=20261126T100000Z&X-Amz-Expires=", "a."]),
)
def test_whatever_it_is_it_is_no_defect(text: str, begin: str) -> None:
    found = ends(Secret(begin + text))
    assert found is None or found.tzinfo is not None
