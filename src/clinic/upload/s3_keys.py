"""Who may speak to an S3 store: keys that sign each request, or URLs that were signed for us."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast
from urllib.parse import urlsplit

from clinic.errors import UsageError
from clinic.secret import Secret

Headers = Mapping[str, Secret | str]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a store, before it is signed."""

    method: str
    """HTTP's."""

    query: str
    """After the `?`; S3 tells by it what is meant."""

    sha256: str = hashlib.sha256(b"").hexdigest()
    """Of the body, hexadecimal."""


class Signer(Protocol):
    """Makes a request one that the store answers."""

    def sign(self, url: str, call: Call, headers: Mapping[str, str]) -> tuple[str, Headers]:
        """The path with its query to ask for, and the headers to ask with."""
        ...


class Keys:
    """An access key and its secret (Signature Version 4)."""

    def __init__(self, text: Secret, region: str) -> None:
        """`text` is ACCESS:SECRET, or ACCESS:SECRET:SESSION. Raises `UsageError`."""
        access, _, rest = text.reveal().partition(":")
        secret, _, session = rest.partition(":")
        if not access or not secret:
            raise UsageError(
                "the credentials of an S3 store are ACCESS_KEY:SECRET_KEY, and :SESSION_TOKEN if any"
            )
        self._access, self._secret, self._session = access, Secret(secret), session
        self._region = region or "us-east-1"
        if importlib.util.find_spec("botocore") is None:
            raise UsageError(
                "writing to an S3 store needs botocore, which is not installed",
                hint="install it: pip install botocore; or ask for presigned URLs",
            )

    def sign(self, url: str, call: Call, headers: Mapping[str, str]) -> tuple[str, Headers]:
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        class Auth(S3SigV4Auth):
            """The body is not at hand: its digest is known already."""

            def payload(self, request: AWSRequest) -> str:
                del request
                return call.sha256

        full = f"{url}?{call.query}" if call.query else url
        request = AWSRequest(method=call.method, url=full, headers=dict(headers))
        Auth(
            Credentials(self._access, self._secret.reveal(), self._session or None), "s3", self._region
        ).add_auth(request)
        parts = urlsplit(full)
        signed: dict[str, Secret | str] = {name: str(value) for name, value in request.headers.items()}
        signed["Authorization"] = Secret(str(signed["Authorization"]))
        return parts.path + (f"?{parts.query}" if parts.query else ""), signed


@dataclass(frozen=True, slots=True)
class Presigned:
    """URLs for each step of one multipart upload, from whoever owns the store: a JSON file with these names."""

    part_size: int
    """Bytes of each part but the last."""

    parts: tuple[str, ...]
    """A URL for the PUT of each part, the first first."""

    complete: str
    """URL for the POST that ends it."""

    abort: str = ""
    """URL for the DELETE that gives it up; empty when there is none."""

    @classmethod
    def read(cls, text: Secret) -> Presigned:
        """From the JSON. Raises `UsageError`, without a word of the text."""
        try:
            found = cast("dict[str, object]", json.loads(text.reveal()))
            parts, size, complete = found["parts"], found["part_size"], found["complete"]
            abort = found.get("abort") or ""
        except (ValueError, KeyError, TypeError, AttributeError):
            raise _no_presigned() from None
        if not isinstance(parts, list) or not isinstance(size, int) or not size > 0:
            raise _no_presigned()
        urls = cast("list[object]", parts)
        if not all(isinstance(one, str) for one in (*urls, complete, abort)) or not urls:
            raise _no_presigned()
        return cls(size, tuple(cast("list[str]", urls)), cast("str", complete), cast("str", abort))


def _no_presigned() -> UsageError:
    return UsageError(
        "the presigned upload can't be understood",
        hint='it is JSON: {"part_size": BYTES, "parts": [URL, ...], "complete": URL, "abort": URL}',
    )
