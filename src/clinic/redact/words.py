"""What rules for the words of a command line do where their pattern was found."""

from __future__ import annotations

from clinic.redact.keys import Kind, Where, is_secret, kind_of, looks_random
from clinic.redact.options import is_option, option_of
from clinic.redact.pattern import Pattern
from clinic.redact.rule import Hit
from clinic.redact.values import BARE_END, PEEK, Value, exactly, opening, quote_at, quoted, until
from clinic.redact.view import Opening, View


def named(view: View, hit: Hit) -> Kind | None:
    """What the name in group 1 says its value is."""
    start, end = hit.span(1)
    return kind_of(view.data[start:end].lstrip(b"-"))


_USAGE = frozenset(
    [b"string", b"str", b"text", b"value", b"file", b"path", b"name", b"int", b"password", b"token"]
)


# `export DB_PASSWORD DB_USER` exports both.
_VARIABLE = Pattern(r"[A-Z]+(?:_[A-Z]+)+|\$\w+")


def option(view: View, hit: Hit) -> Opening | None:
    """`--password x`, and the word after a variable's name."""
    kind, own, start = named(view, hit), quote_at(view, hit.end), hit.span(1)[0]
    if view.data[start + 1 : start + 2] != b"-" and option_of(
        view.before(start), view.data[start + 1 : start + 2]
    ):
        # `mysql -password` is -p with the password `assword`.
        return opening(Kind.PASSWORD, until(view, start + 2, BARE_END), Where.ASSIGN)
    value = quoted(view, own[1], own[0]) if own else until(view, hit.end, BARE_END)
    if kind is None or is_option(value.text) or value.text.lower() in _USAGE or _VARIABLE.full(value.text):
        return None
    # `export` is a word of sentences as well.
    is_prose = b"export" in view.data[hit.start : start] and not looks_random(value.text, 6)
    if is_prose or not is_secret(Kind.PASSWORD, value.text, Where.PROSE):
        return None
    return opening(kind, value, Where.ASSIGN)


_NEXT_WORD = Pattern(r"[ \t]{1,16}|[\"']\s{0,8},\s{0,80}[\"']|[\"']?\s{1,80}-[ \t]{1,8}[\"']?")
_QUOTE_END = Pattern(r"[\"'\n]")


def client(view: View, hit: Hit) -> Opening | None:
    """`-px` and `-p x`, by the program that is called."""
    flag, start = hit.span(1)
    known = option_of(view.before(hit.start + 1), view.data[flag:start])
    following = _NEXT_WORD.match(view.data, start)
    if known is None:
        return _of_any_program(view, hit, view.data[flag:start])
    if following is not None and not known.spaced:
        return None
    start = following.end() if following else start
    own = quote_at(view, start)
    in_quotes = view.data[hit.start : hit.start + 1] in (b'"', b"'")
    if own is not None and not in_quotes:
        value = quoted(view, own[1], own[0])
    else:
        value = until(view, start, _QUOTE_END if in_quotes else BARE_END)
    if known.userinfo:
        value = _without_user(view, value, known.userinfo.encode())
    return opening(Kind.PASSWORD, value, Where.ASSIGN)


_USER_BEFORE = Pattern(r"[ \t](?:-u[ \t]?|--user(?:name)?[= ])[A-Za-z_][\w.@\-]{0,63}\z")
_USER_VALUE = Pattern(r"[ \t]?[\"']?[A-Za-z_][\w.@\-]{0,63}:")
_WORD = Pattern(r"[ \t]{1,8}[\"']?")


def _of_any_program(view: View, hit: Hit, flag: bytes) -> Opening | None:
    """`-u name:PW` and `-u name -p PW`, where the last looks random: no group, port or file does."""
    lead = None
    if flag == b"u":
        lead = _USER_VALUE.match(view.data, hit.end)
    elif flag == b"p" and _USER_BEFORE.search(view.before(hit.start, 160)):
        lead = _WORD.match(view.data, hit.end)
    if lead is None:
        return None
    value = until(view, lead.end(), BARE_END)
    return opening(Kind.PASSWORD, value, Where.ASSIGN) if looks_random(value.text, 8) else None


def _without_user(view: View, value: Value, separator: bytes) -> Value:
    """The password of a user and password in one value; empty where there is none."""
    user = value.text.find(separator) + 1
    start = value.start + user
    if not user or len(value.text) < PEEK:
        return exactly(view, start, value.start + len(value.text) if user else start)
    return Value(start, value.text[user:], value.reader)
