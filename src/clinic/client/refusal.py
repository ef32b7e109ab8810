"""What an HTTP server's refusal means for an item, and what a broken exchange was broken by."""

from __future__ import annotations

import http.client
import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from clinic.client.tls import Tls, explain
from clinic.errors import Failed, ItemError, Retryable, Skip
from clinic.outcome import Reason

EXCERPT = 300
"""Most characters of a server's own words in a message."""

_PASSING = re.compile(
    r"(?i)\bno leader|leader is nil|finds no leader|redirect failed|dial tcp|request timed out"
)
"""How PD and etcd say that they are electing a leader, whatever the status."""

_NO_PAGE = re.compile(r"(?i)page not found|not support")
_WRONG_SCHEME = re.compile(r"(?i)HTTP request (?:was sent )?to (?:an )?HTTPS")
_TITLE = re.compile(r"(?is)<title[^>]*>(.*?)</title>")
_GATEWAY = (502, 504)
_BUSY = (429, 503)
_ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_AFTER = re.compile(r"\d{1,6}\Z")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is not 2xx."""

    error: ItemError
    """What it means for the item."""

    wait: float | None = None
    """Seconds after which to ask again, where the server is only busy or without a leader."""


def said(body: bytes) -> str:
    """What the body of a refusal says, fit for a terminal: a JSON message, the title of a page, plain words."""
    text = body.decode("utf-8", "replace").strip()
    if (title := _TITLE.search(text)) is not None:
        text = title[1]
    elif text[:1] in ('"', "{"):
        text = _message(text) or text
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= EXCERPT else text[: EXCERPT - 3] + "..."


def _message(text: str) -> str:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if isinstance(found, dict):
        told = cast("dict[str, object]", found)
        found = next((told[key] for key in ("error", "message", "msg", "reason") if told.get(key)), "")
    return found if isinstance(found, str) else ""


def refusal(status: int, phrase: str, body: bytes, what: str, after: str = "") -> Refusal:
    """What an answer that is not 2xx means. `what` is what was asked, as in `GET http://10.0.1.5:2379/health`.

    `after` is its `Retry-After`; seconds are understood, a date is not.
    """
    words = said(body)
    text = f"{what} was answered with {status} {phrase}".rstrip() + (f": {words}" if words else "")
    if status in (401, 403):
        fix = "give an account that it accepts" if status == 401 else "give an account that may read it"
        return Refusal(Skip(Reason.NOT_PERMITTED, text, fix=fix))
    if status == 404:
        absent = (
            not words
            or _NO_PAGE.search(words) is not None
            or _TITLE.search(body.decode("latin-1")) is not None
        )
        return Refusal(Skip(Reason.NOT_APPLICABLE if absent else Reason.NOT_FOUND, text))
    if _WRONG_SCHEME.search(words):
        error = Failed(
            Reason.BAD_ANSWER, f"{what}: the server speaks TLS there", fix="ask it with TLS (--ca)"
        )
        return Refusal(error)
    if status in _BUSY or (status >= 500 and _PASSING.search(words)):
        return Refusal(Retryable(Reason.BAD_ANSWER, text), float(after) if _AFTER.match(after) else 1.0)
    return Refusal((Retryable if status in _GATEWAY else Failed)(Reason.BAD_ANSWER, text))


def broken(error: BaseException, where: str, tls: Tls | None) -> ItemError:
    """What ended an exchange with `where`, from the chain of errors that requests raises; `tls` where it was TLS."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ItemError):
            return cause
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _ENDED):
            return explain(cause, where, tls or Tls())
    for cause in causes:
        if isinstance(cause, (ConnectionError, *_ENDED)):
            return _hung_up(where, tls)
    for cause in causes:
        if isinstance(cause, http.client.BadStatusLine):
            return _not_http(where, str(cause))
    fix = "check that an HTTP server listens there"
    return Failed(
        Reason.BAD_ANSWER, f"{where} does not answer in HTTP: {said(str(causes[-1]).encode())}", fix=fix
    )


def _hung_up(where: str, tls: Tls | None) -> ItemError:
    text = f"{where} closed the connection without an answer"
    if tls is None:
        return Retryable(Reason.UNREACHABLE, text, fix="if it speaks TLS, say so and give its CA (--ca)")
    fix = (
        "if it demands a client certificate, give it and its key (--cert, --key)" if tls.cert is None else ""
    )
    return Retryable(Reason.UNREACHABLE, text, fix=fix)


def _not_http(where: str, line: str) -> ItemError:
    # A TLS alert begins so: 0x15, then the version 3.x (RFC 8446, 5.1).
    if line.startswith(("\x15\x03", "'\\x15\\x03")):
        return Failed(
            Reason.BAD_ANSWER, f"{where} speaks TLS and was asked without", fix="ask it with TLS (--ca)"
        )
    text = f"{where} does not speak HTTP; it said {said(line.encode())!r}"
    return Failed(Reason.BAD_ANSWER, text, fix="check the port")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything inside it, outermost first; requests and urllib3 wrap in three ways."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (*one.args, getattr(one, "reason", None), one.__cause__, one.__context__)
        waiting.extend(each for each in inner if isinstance(each, BaseException))
