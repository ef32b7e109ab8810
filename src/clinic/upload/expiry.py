"""When a credential ends, where it says so itself: told before anything is packed, without asking anybody."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import cast
from urllib.parse import parse_qs, urlsplit

from clinic.consent.receipt import written
from clinic.errors import Refused
from clinic.secret import Secret


def require_current(credential: Secret, now: datetime) -> None:
    """Raise `Refused` for a credential that has ended by this machine's clock; one that says nothing passes."""
    end = ends(credential)
    if end is None or end > now:
        return
    kind = "presigned URL" if "://" in credential.reveal() else "token"
    raise Refused(
        f"the {kind} expired at {written(end)}; by this machine's clock it is {written(now)}",
        hint="ask the destination's operator for a new one, or set the clock if it is wrong",
    )


def ends(credential: Secret) -> datetime | None:
    """When it ends: the `exp` of a JSON Web Token (RFC 7519, 4.1.4), the end of a presigned URL, of several the first.

    None where it does not say. What is said is not believed any further: the server decides.
    """
    text = credential.reveal().strip()
    if text.startswith("{"):
        return min(_found(map(_of_url, _urls(text))), default=None)
    return _of_url(text) if "://" in text else _of_token(text)


def _of_token(text: str) -> datetime | None:
    parts = text.split(".")
    if len(parts) != 3:
        return None
    try:
        claims: object = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    end = cast("dict[str, object]", claims).get("exp") if isinstance(claims, dict) else None
    return _moment(end) if isinstance(end, int | float) else None


def _of_url(url: str) -> datetime | None:
    """As Signature Version 4 of AWS, that of Google Cloud Storage, and the older one of AWS write it."""
    try:
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    except ValueError:
        return None
    for kind in ("X-Amz", "X-Goog"):
        if f"{kind}-Expires" in query:
            return _of_signature(query, kind)
    return _moment(_number(query.get("Expires", "")))


def _of_signature(query: Mapping[str, str], kind: str) -> datetime | None:
    seconds = _number(query[f"{kind}-Expires"])
    try:
        begin = datetime.strptime(query.get(f"{kind}-Date", ""), "%Y%m%dT%H%M%S%z")
        return None if seconds is None else begin + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None


def _urls(text: str) -> list[str]:
    """Every URL of a presigned upload; what is none of these is found when it is read."""
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return []
    values = list(cast("dict[str, object]", found).values()) if isinstance(found, dict) else []
    listed = [one for value in values if isinstance(value, list) for one in cast("list[object]", value)]
    return [one for one in (*values, *listed) if isinstance(one, str)]


def _found(moments: Iterable[datetime | None]) -> Iterator[datetime]:
    return (one for one in moments if one is not None)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 13 else None


def _moment(seconds: float | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
