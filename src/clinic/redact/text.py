"""What each kind of rule does where its pattern was found: it opens a secret there, or finds none."""

from __future__ import annotations

import base64
import binascii
import re
import string
from collections.abc import Callable
from functools import lru_cache

from clinic.redact.encoded import opens_text, unpacked
from clinic.redact.keys import Kind, Where, is_secret, kind_of, looks_random
from clinic.redact.pattern import Pattern
from clinic.redact.readers import MULTI_LINE_LIMIT, Exactly, Literal, Until, While
from clinic.redact.rows import insert
from clinic.redact.rule import Hit, Take
from clinic.redact.values import (
    BARE_END,
    PEEK,
    QUERY_END,
    UNSEEN,
    Value,
    exactly,
    opening,
    quote_at,
    quoted,
    skip_space,
    string_in,
    text_value,
    until,
)
from clinic.redact.view import BEHIND, Key, Opening, View, not_structural
from clinic.redact.words import client, named, option

_KEY_BYTES = (string.ascii_letters + string.digits + "_.-/@").encode()


def _key_value(view: View, hit: Hit) -> Opening | None:
    """`password=x`, `"password": "x"`, `[sasl-password=x]`, `\\"password\\":\\"x\\"`."""
    data, (closing, closed), (sign, after) = view.data, hit.span(1), hit.span(2)
    quote, start = data[closing:closed], hit.start
    lowest = max(view.floor, start - 128)
    opened = data.rfind(quote, lowest, start) if quote else -1
    if opened >= 0 and b"\n" not in data[opened:start]:
        start, name = opened, data[opened + len(quote) : closing]
    else:
        start = lowest + len(data[lowest:start].rstrip(_KEY_BYTES))
        quote, name = b"", data[start:closing]
    kind = kind_of(name)
    if kind is None:
        return None
    if (
        name == b"PASSWD"
        and _SUDOERS_AFTER.match(data, after)
        and _SUDOERS_BEFORE.search(view.before(start, 64))
    ):
        return None
    first = data[after : after + 8].lstrip(b" \t")[:1]
    unseen = _UNSEEN.match(data, after) if first in _UNSEEN_FIRST else None
    signed, after = data[sign:after], unseen.end() if unseen else after
    if not quote and signed == b"=" and view.dialect.structural is not_structural:
        word = _ONE_WORD.match(data, after)
        if word is not None and data[start - 1 : start] not in _LEADS:
            end = word.end(1)
            return (
                Opening(after, Exactly(end - after))
                if is_secret(kind, data[after:end], Where.ASSIGN)
                else None
            )
    return _value_of(view, Key(name, kind, start, quote, signed, after))


# A value that is one word, which most are: where it ends needs no other look.
_ONE_WORD = re.compile(rb"(\w{1,64})\]?[ \n]")
_LEADS = (b'"', b"'", b"?", b"&")

# What a terminal shows as a blank or as nothing, between the sign and the value.
_UNSEEN = Pattern(rf"(?:[ \t]|{UNSEEN}){{1,16}}")
_UNSEEN_FIRST = (b"\xc2", b"\x1b", b"\\")


# `ALL=(root) PASSWD: /bin/ls`: a tag of sudoers, before the commands that it is about.
_SUDOERS_BEFORE = Pattern(r"[)=,:][ \t]{0,16}\z")
_SUDOERS_AFTER = Pattern(r"[ \t]{0,16}(?:!?/[\w.\-]+/[\w.\-]|ALL\b|sudoedit\b|[A-Z]+:)")


def _value_of(view: View, key: Key) -> Opening | None:
    structural = view.dialect.structural(view, key)
    if isinstance(structural, Opening):
        return structural
    return None if structural else text_value(view, key)


def _pair(view: View, hit: Hit) -> Opening | None:
    kind, (label, label_end), (sign, after) = named(view, hit), hit.span(2), hit.span(3)
    if kind is None:
        return None
    text = view.data[label:label_end]
    quote = text[: len(text) - len(text.lstrip(b"\\\"'"))]
    return _value_of(view, Key(text.strip(b"\\\"'"), kind, label, quote, view.data[sign:after], after))


_VALUE_BEFORE = Pattern(
    r"(?i:[\"'](?:value|val)\\{0,7}[\"'])\s{0,8}:\s{0,8}\\{0,7}[\"']((?s:(?:[^\"'\\]|\\[^\"'])*))\\{0,7}[\"']\s{0,80},\s{0,80}\z"
)


def _pair_reversed(view: View, hit: Hit) -> Opening | None:
    kind = named(view, hit)
    before = view.before(hit.start)
    match = _VALUE_BEFORE.search(before)
    if kind is None or match is None:
        return None
    first = hit.start - len(before)
    return opening(kind, exactly(view, first + match.start(1), first + match.end(1)), Where.STRUCTURE)


_CLOSED_ROW = Pattern(r"\\{0,7}\"\s{0,80}\]")


def _list_pair(view: View, hit: Hit) -> Opening | None:
    quote, inside = hit.span(2)
    kind, value = named(view, hit), quoted(view, inside, view.data[quote:inside], lines=True)
    end = value.start + len(value.text)
    if kind is None or (len(value.text) < PEEK and not _CLOSED_ROW.match(view.data, end)):
        return None
    return opening(kind, value, Where.STRUCTURE)


_HEADINGS = frozenset(
    [b"value", b"variable_value", b"host", b"user", b"type", b"plugin", b"name", b"default", b"db"]
)
_CELL_END = Pattern(r"[ \t]*(?:\||│|\t|\r?\n|\z)")
_ROW_END = Pattern(r"[ \t]*(?:\||│)?[ \t]*(?:\r?\n|\z)")


_NAME = Pattern(r"[_.\-]")


def _cell(view: View, hit: Hit) -> Opening | None:
    kind, value = named(view, hit), until(view, hit.end, _CELL_END)
    is_last = len(value.text) >= PEEK or _ROW_END.match(view.data, value.start + len(value.text))
    start, end = hit.span(1)
    # A table of prose has sentences behind its words; a setting has a name that is no word.
    is_prose = b" " in value.text and not _NAME.search(view.data[start:end])
    if (
        kind is None
        or not is_last
        or is_prose
        or value.text.lower() in _HEADINGS
        or _is_heading(view, hit, value)
    ):
        return None
    return opening(kind, value, Where.STRUCTURE)


def _is_heading(view: View, hit: Hit, value: Value) -> bool:
    """`password,token` is a line of headings, `password, please` a sentence."""
    if view.data[hit.end - 1 : hit.end] != b",":
        return False
    return value.text[:1] in (b" ", b"") or kind_of(value.text) is not None


_WEB_KEY = Pattern(r"\"(?:kty|dp|dq|qi)\\{0,7}\"\s{0,8}:")


def _web_key(view: View, hit: Hit) -> Opening | None:
    around = view.data[max(view.floor, hit.start - BEHIND) : hit.end + 2048]
    return _whole(view, hit) if _WEB_KEY.search(around) or _WEB_KEY.match(view.data, hit.start) else None


_CDATA = Pattern(r"\s{0,80}<!\[CDATA\[")


def _element(view: View, hit: Hit) -> Opening | None:
    """An element is one where it is closed: `<secret>` alone is what somebody put in place of one."""
    kind, cdata = named(view, hit), _CDATA.match(view.data, hit.end)
    start = cdata.end() if cdata else hit.end
    end = view.data.find(b"]]>" if cdata else b"<", start, start + _LONGEST_ELEMENT)
    if kind is None or end < 0 or not (cdata or view.data.startswith(b"</", end)):
        return None
    return opening(kind, exactly(view, start, end), Where.STRUCTURE)


_LONGEST_ELEMENT = 2048


def _value(view: View, hit: Hit) -> Opening | None:
    own = quote_at(view, hit.end)
    if own is not None:
        return opening(Kind.PASSWORD, quoted(view, own[1], own[0]), Where.ASSIGN)
    is_parameter = view.data[hit.start : hit.start + 1] in (b"?", b"&")
    end = QUERY_END if is_parameter else BARE_END
    where = Where.ASSIGN if is_parameter else Where.PROSE
    return opening(Kind.PASSWORD, until(view, skip_space(view, hit.end), end), where)


_HEX = Pattern(r"0[xX][0-9A-Fa-f]*")


def _literal(view: View, hit: Hit) -> Opening | None:
    own = quote_at(view, hit.end)
    if own is not None and own[0].endswith(b"`"):
        return None
    if own is None:
        return Opening(hit.end, While(_HEX)) if _HEX.match(view.data, hit.end) else None
    value = quoted(view, own[1], own[0], lines=True, doubled=own[0] == b"'")
    if not is_secret(Kind.PASSWORD, value.text, Where.STRUCTURE):
        return None
    if not view.dialect.entries:
        return Opening(value.start, value.reader, limit=MULTI_LINE_LIMIT)
    pattern = string_in(own[0], lines=True, doubled=own[0] == b"'")
    return Opening(value.start, Literal(pattern, view.dialect.proof), limit=MULTI_LINE_LIMIT)


_ADDRESS = Pattern(r"[^\s\"'<>`\x00]*")
_PORTS = Pattern(r"\d{0,5}(?:,[\w.\-\[\]]{1,128}:\d{1,5})*(?:[/?#,\\)\]};&|.]|\z)")
_ENCODED_END = Pattern(r"(?i:%40)|[\s\"'&]")


def _userinfo(view: View, hit: Hit) -> Opening | None:
    """The password of an address; it may hold `/`, `?`, `#` and `@`, as people type it."""
    data, start = view.data, hit.span(1)[1]
    if data[start - 1 : start] != b":":
        value = until(view, start, _ENCODED_END)
        end = start + len(value.text)
        return opening(Kind.PASSWORD, value, Where.ASSIGN) if data[end : end + 1] == b"%" else None
    address = _ADDRESS.match(data, start, min(len(data), start + 1024))
    text = data[start : address.end()] if address else b""
    authority = text[: min((at for at in map(text.find, (b"/", b"?", b"#")) if at >= 0), default=len(text))]
    at = authority.rfind(b"@")
    if at < 0 and not _PORTS.match(text):
        at = text.find(b"@")
    return opening(Kind.PASSWORD, exactly(view, start, start + at), Where.ASSIGN) if at > 0 else None


_DSN_LEFT = Pattern(r"[^\s\"'`<>\x00]*\z")


def _dsn(view: View, hit: Hit) -> Opening | None:
    """`root:pass@tcp(host:4000)/db`: the trigger is `@tcp(`, the password stands before it."""
    before = view.before(hit.start)
    match = _DSN_LEFT.search(before)
    run = before[match.start() :] if match else b""
    scheme = run.find(b"://")
    colon = run.find(b":", scheme + 3 if scheme >= 0 else 0)
    user = run[scheme + 3 if scheme >= 0 else 0 : colon]
    if colon < 0 or b"@" in user:
        return None
    return opening(Kind.PASSWORD, exactly(view, hit.start - len(run) + colon + 1, hit.start), Where.ASSIGN)


_WORD_END = Pattern(r"[\s\"'`,;\]})\\]")
_REST_END = Pattern(r"[\r\n\"'`]|\\{1,15}[\"nr]|[\])}]{1,4}(?:[\s\"'\\]|\z)")
_REST_SCHEMES = frozenset([b"digest", b"aws4-hmac-sha256", b"acs3-hmac-sha256", b"hawk", b"mac", b"oauth"])


def _header(view: View, hit: Hit) -> Opening | None:
    scheme, scheme_end = hit.span(1)
    name = view.data[scheme:scheme_end].strip().lower()
    value = until(view, hit.end, _REST_END if name in _REST_SCHEMES else _WORD_END)
    if not name and not looks_random(value.text, 8):
        return None
    return opening(Kind.PASSWORD, value, Where.PROSE)


def _rest(view: View, hit: Hit) -> Opening | None:
    start = hit.span(hit.secret)[0] if hit.secret else hit.end
    return opening(Kind.PASSWORD, until(view, start, _REST_END), Where.ASSIGN)


@lru_cache(maxsize=256)
def _run(character: str) -> Pattern:
    return Pattern(f"(?:{character})*")


def _secret_run(view: View, hit: Hit) -> Opening | None:
    start = hit.span(hit.secret)[0]
    return Opening(start, While(_run(hit.rule.goes_on), hit.end - start))


def _opaque(view: View, hit: Hit) -> Opening | None:
    start, end = hit.span(hit.secret)
    if not looks_random(view.data[start:end], 16):
        return None
    goes_on = end == hit.end
    return (
        Opening(start, While(_run(hit.rule.goes_on)))
        if goes_on
        else Opening(start, exactly(view, start, end).reader)
    )


def _basic(view: View, hit: Hit) -> Opening | None:
    start, end = hit.span(hit.secret)
    try:
        plain = base64.b64decode(view.data[start:end], validate=True)
    except binascii.Error:
        return None
    return Opening(start, exactly(view, start, end).reader) if b":" in plain else None


_BLOCK_END = Pattern(
    r"-----END(?:[A-Z0-9 +]|%20){0,40}-----|---- END [A-Z0-9 ]{0,40} ----|Private-(?:MAC|Hash): ?[0-9a-f]{8,64}"
)


def _block(view: View, hit: Hit) -> Opening | None:
    return Opening(hit.start, Until(_BLOCK_END, inclusive=True), limit=MULTI_LINE_LIMIT)


def _whole(view: View, hit: Hit) -> Opening | None:
    start, end = hit.span(hit.secret)
    return Opening(start, exactly(view, start, end).reader)


# What these hold is a secret as a whole, by a rule of its own: private keys, and the API keys of Grafana.
_OTHER_PACKED = (b"LS0tLS1CRUdJTi", b"eyJrIjoi")


def _base64(view: View, hit: Hit) -> Opening | None:
    start = hit.span(hit.secret)[0]
    text = view.data[start : start + 256]
    if text.startswith(_OTHER_PACKED) or not opens_text(text):
        return None
    return Opening(start, unpacked(view.again), b"")


HANDLERS: dict[Take, Callable[[View, Hit], Opening | None]] = {
    Take.KEY_VALUE: _key_value, Take.PAIR: _pair, Take.PAIR_REVERSED: _pair_reversed, Take.CELL: _cell, Take.LIST_PAIR: _list_pair,
    Take.ELEMENT: _element, Take.JWK: _web_key, Take.VALUE: _value, Take.QUOTED: _literal, Take.INSERT: insert, Take.USERINFO: _userinfo, Take.DSN: _dsn,
    Take.OPTION: option, Take.CLIENT: client, Take.HEADER: _header, Take.REST: _rest, Take.OPAQUE: _opaque,
    Take.BASIC: _basic, Take.BLOCK: _block, Take.BASE64: _base64, Take.WHOLE: _whole, Take.RUN: _secret_run,
}  # fmt: skip
"""What is done at a hit of each kind; an exception of one is caught by the scanner, which then withholds the line."""
