"""How a key's value is found where the format is known: JSON, TOML, YAML, INI, environment files.

Nothing is parsed and written again: the bytes of a file pass as they are, and only a value's inside is replaced, so
the file still parses and a diff shows nothing but masks. A key that stands where the format has none, say in a
string, is read as text.
"""

from __future__ import annotations

from clinic.kinds import Content
from clinic.redact.keys import Kind, Where, holds_secrets, is_secret
from clinic.redact.pattern import Pattern
from clinic.redact.readers import Container, Indented, inside_quotes
from clinic.redact.values import (
    BARE_END,
    BARE_END_IN_JSON,
    PEEK,
    Value,
    exactly,
    inside,
    opening,
    over_lines,
    quoted,
    until,
)
from clinic.redact.view import MASK, Dialect, Key, Opening, View, not_structural

_QUOTED_MASK = b'"' + MASK + b'"'
_BLANKS = Pattern(r"[ \t]{0,256}")
_JSON_BLANKS = Pattern(r"[ \t\r\n]{0,1000}")
_JSON_BARE = Pattern(r"[\w.+\-]{1,128}")


def _skip(pattern: Pattern, view: View, at: int) -> int:
    match = pattern.match(view.data, at)
    return match.end() if match else at


def _structure(key: Key, value: Value, mask: bytes = MASK) -> Opening | bool:
    """The opening of a value that the format itself gives; True where it is no secret."""
    found = opening(key.kind, value, Where.STRUCTURE)
    return True if found is None else Opening(found.start, found.reader, mask)


def _json(view: View, key: Key) -> Opening | bool:
    if key.quote != b'"' or key.sign != b":" or view.data[key.start - 1 : key.start] == b"\\":
        return False
    at = _skip(_JSON_BLANKS, view, key.after)
    first = view.data[at : at + 1]
    if first == b'"':
        return _structure(key, quoted(view, at + 1, b'"', lines=True))
    if first == b"[" or (first == b"{" and holds_secrets(key.name)):
        return Opening(at, Container(MASK), b"") if key.kind is not Kind.FLAG else True
    bare = _JSON_BARE.match(view.data, at)
    # A number under a password's key becomes a string: a false number would be worse than a changed type.
    return _structure(key, exactly(view, at, bare.end()), _QUOTED_MASK) if bare else True


_TOML_LEAD = Pattern(r"\A[ \t]*(?:#+[ \t]*)?\z|[{,][ \t]*\z")
_TOML_BARE = Pattern(r"[^\s,#\]}]{1,256}")
_TRIPLE = {
    b'"""': Pattern(r'(?s:(?:[^"\\]|\\.|""?(?:[^"\\]|\\.))*)'),
    b"'''": Pattern(r"(?s:(?:[^']|''?[^'])*)"),
}
_TOML_SINGLE = Pattern(r"[^'\n]*")
_CLOSED = Pattern(r"[\"'](?:[\s,;#\]})]|\z)")
_LAST_QUOTE = Pattern(r"[\"'][ \t]{0,100}(?:\r?\n|\z)|\r?\n|\z")


def _lead(view: View, key: Key) -> bytes | None:
    """What stands between the line's start and the key, None where that is out of sight."""
    start = view.line_start(key.start)
    return None if start < 0 else view.data[start : key.start]


def _toml(view: View, key: Key) -> Opening | bool:
    lead = _lead(view, key)
    if lead is None or key.sign != b"=" or not _TOML_LEAD.search(lead):
        return False
    at = _skip(_BLANKS, view, key.after)
    three, first = view.data[at : at + 3], view.data[at : at + 1]
    if three in _TRIPLE:
        return _structure(key, inside(view, at + 3, _TRIPLE[three]))
    if first == b'"':
        return _structure(key, _closed(view, quoted(view, at + 1, b'"')))
    if first == b"'":
        return _structure(key, _closed(view, inside(view, at + 1, _TOML_SINGLE)))
    if first == b"[" or (first == b"{" and holds_secrets(key.name)):
        return Opening(at, Container(MASK, toml=True), b"") if key.kind is not Kind.FLAG else True
    bare = _TOML_BARE.match(view.data, at)
    return _structure(key, exactly(view, at, bare.end()), _QUOTED_MASK) if bare and first != b"{" else True


def _closed(view: View, value: Value) -> Value:
    """The value, or all of the line where more comes behind its closing quote: it can't be told what that is."""
    if len(value.text) >= PEEK or _CLOSED.match(view.data, value.start + len(value.text)):
        return value
    return until(view, value.start, _LAST_QUOTE)


_YAML_LEAD = Pattern(r"\A([ ]*(?:- +)*)(?:#+[ \t]*)?\z")
_YAML_FLOW = Pattern(r"[{,\[][ \t]*\z")
_YAML_START = Pattern(r"[ \t]{1,128}(?:[!&][^\s\"'\[{]{0,64}[ \t]{1,16}){0,2}")
_YAML_BLOCK = Pattern(r"[|>][+\-]?\d?[+\-]?[ \t]{0,64}(?:#[^\n]{0,256})?\r?\n((?:[ \t]*\r?\n){0,16})([ ]*)")
_YAML_LIST = Pattern(r"[ \t]{0,64}\r?\n([ ]*)- {1,8}")
_YAML_PLAIN_END = Pattern(r"[ \t]{1,100}#|[ \t]{0,100}\r?\n|[ \t]{0,100}\z")
_YAML_MORE = Pattern(r"[ \t]{0,100}\r?\n([ ]*)[^\s#]")
_YAML_LIST_END = Pattern(r"\]")
_YAML_COMMENT = Pattern(r"[ \t]{1,100}#")
# A plain value in a flow mapping goes on over lines, up to a comma or bracket.
_YAML_FLOW_END = Pattern(r"[ \t]{0,100}(?:,(?:\s|\z)|[}\]]|\z)")
_YAML_DOUBLE = inside_quotes('"', lines=True)
_YAML_SINGLE = Pattern(r"(?s:(?:[^']|'')*)")


def _yaml(view: View, key: Key) -> Opening | bool:
    lead = _lead(view, key)
    if lead is None or key.sign != b":":
        return False
    block = _YAML_LEAD.match(lead)
    if _YAML_FLOW.search(lead) or (block and _in_flow(view, key)):
        start = _YAML_START.match(view.data, key.after)
        return _yaml_value(view, key, start.end(), -1) if start else False
    if block is None:
        return False
    indent = block.end(1)
    listed = _YAML_LIST.match(view.data, key.after)
    if listed and listed.end(1) - listed.start(1) >= indent:
        if not _is_list(view, key, listed.end()):
            return True
        return Opening(listed.end(), Indented(indent, dashes=True), _QUOTED_MASK)
    start = _YAML_START.match(view.data, key.after)
    return _yaml_value(view, key, start.end(), indent) if start else False


def _in_flow(view: View, key: Key) -> bool:
    """Whether a key that begins its line goes on with a flow mapping of the line before."""
    return view.before(view.line_start(key.start), 128).rstrip()[-1:] in (b",", b"{", b"[")


def _is_list(view: View, key: Key, at: int) -> bool:
    """Whether a list under a secret's key is one of secrets: its first entry has no key of its own."""
    value = until(view, at, _YAML_PLAIN_END)
    return (
        b": " not in value.text
        and not value.text.endswith(b":")
        and is_secret(key.kind, value.text, Where.STRUCTURE)
    )


def _yaml_value(view: View, key: Key, at: int, indent: int) -> Opening | bool:
    first = view.data[at : at + 1]
    block = _YAML_BLOCK.match(view.data, at)
    if block is not None and block.end(2) - block.start(2) > indent >= 0:
        return Opening(block.end(), Indented(indent))
    if first == b'"':
        return _structure(key, inside(view, at + 1, _YAML_DOUBLE))
    if first == b"'":
        return _structure(key, inside(view, at + 1, _YAML_SINGLE))
    if first == b"[":
        return _structure(key, until(view, at + 1, _YAML_LIST_END), _QUOTED_MASK)
    if first in (b"{", b"&", b"*") and view.data[at : at + 3] != MASK:
        return True
    value = until(view, at, _YAML_PLAIN_END if indent >= 0 else _YAML_FLOW_END)
    if indent >= 0 and not _YAML_COMMENT.match(view.data, at + len(value.text)):
        # A plain value goes on over all lines that are indented deeper than its key.
        more = _YAML_MORE.match(view.data, at + len(value.text))
        deeper = more is not None and more.end(1) - more.start(1) > indent
        text = view.data[at : more.end()] if more and deeper else value.text
        value = Value(at, text, Indented(indent))
    return _structure(key, value, _QUOTED_MASK)


_INI_LEAD = Pattern(r"\A[ \t]*(?:[;#]+[ \t]*)?(?:export[ \t]+)?\z")
_INI_TRIPLE = Pattern(r'(?s:(?:[^"]|""?[^"])*)')
_INI_QUOTED = Pattern(r"(\"[^\n]{0,900}\"|'[^\n]{0,900}')[ \t]{0,256}(?:[;#][^\n]{0,900})?(?:\r?\n|\z)")
_INI_COMMENT = Pattern(r"[#;][ \t]")
_INI_END = Pattern(r"[ \t]{1,100}[#;][^\n]|[ \t]{0,100}\r?\n|[ \t]{0,100}\z")
_CONTINUED = Pattern(r"(?s:(?:[^\\\r\n]|\\\r?\n|\\.|\r[^\n])*)")


def _ini(view: View, key: Key) -> Opening | bool:
    lead = _lead(view, key)
    if lead is None or key.sign not in (b"=", b":") or key.quote or not _INI_LEAD.match(lead):
        return False
    at = _skip(_BLANKS, view, key.after)
    if view.data[at : at + 3] == b'"""':
        return _structure(key, inside(view, at + 3, _INI_TRIPLE))
    if at > key.after and _INI_COMMENT.match(view.data, at):
        return True
    in_quotes = _INI_QUOTED.match(view.data, at)
    if in_quotes:
        return _structure(key, exactly(view, at + 1, in_quotes.end(1) - 1))
    mark = view.data[at : at + 1]
    longer = over_lines(view, quoted(view, at + 1, mark), mark) if mark in (b'"', b"'") else None
    if longer is not None:
        return _structure(key, longer)
    return _structure(key, until(view, at, _INI_END))


def _env(view: View, key: Key) -> Opening | bool:
    lead = _lead(view, key)
    if lead is None or key.sign != b"=" or key.quote or not _INI_LEAD.match(lead):
        return False
    first = view.data[key.after : key.after + 1]
    if first in (b'"', b"'"):
        return _structure(key, _closed(view, quoted(view, key.after + 1, first, lines=True)))
    return _structure(key, inside(view, key.after, _CONTINUED))


# What a line looks like that begins outside of any secret. Three words, or a key and its sign, are never the inside of
# a key block; a line of a log begins with a time.
_TIME = (
    r"\[?\d{4}[/\-]\d\d[/\-]\d\d[ T]|\[[ \d]{1,8}\.\d{3,9}\]|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|[IWEF]\d{4} \d\d:"
    r"|(?:ts|time|level|t|caller|logger)=|\{\"(?:level|time|ts|TIME)\"|# (?:Time|User@Host|Query_time)[:_]"
)
_LOG_PROOF = Pattern(_TIME)
_WORDS = r"\S{1,200}[ \t]+\S{1,200}[ \t]+\S"
_SECTION = r"[ \t]*\[[\w.\"' \-]{1,128}\][ \t]*\r?\n"
_TEXT_PROOF = Pattern(rf"{_TIME}|{_SECTION}|[ \t]*[\w.\"'@/\-]{{1,128}}[ \t]*[=:][ \t]|{_WORDS}")
_JSON_PROOF = Pattern(r"[ \t]*(?:[{}\[\]],?[ \t]*\r?\n|\"[\w.\-]{1,128}\"[ \t]*:)|\{\"[\w.\-]{1,128}\":")
_JSON_RESUME = Pattern(r"[,{]\s{0,64}\"[\w.\-]{1,64}\"\s{0,16}:")
_KEY_PROOF = Pattern(r"[ \t]*(?:- )*[\w.\"'\-]{1,128}[ \t]*[=:](?:[ \t\r\n]|\z)|[\w.]{1,128}=|" + _SECTION)
_CSV_PROOF = Pattern(r"[^\n]{0,200}[,\t][^\n]{0,200}[,\t]")

DIALECTS: dict[Content, Dialect] = {
    Content.TEXT: Dialect("text", not_structural, BARE_END, _TEXT_PROOF),
    Content.LOG: Dialect("log", not_structural, BARE_END, _LOG_PROOF, entries=True),
    Content.SQL: Dialect("sql", not_structural, BARE_END, _TEXT_PROOF),
    Content.ARGV: Dialect("argv", not_structural, BARE_END, _TEXT_PROOF),
    Content.CSV: Dialect("csv", not_structural, BARE_END_IN_JSON, _CSV_PROOF),
    Content.JSON: Dialect("json", _json, BARE_END_IN_JSON, _JSON_PROOF, resume=_JSON_RESUME),
    Content.TOML: Dialect("toml", _toml, BARE_END, _KEY_PROOF),
    Content.YAML: Dialect("yaml", _yaml, BARE_END, _KEY_PROOF, yaml=True),
    Content.INI: Dialect("ini", _ini, BARE_END, _KEY_PROOF),
    Content.ENV: Dialect("env", _env, BARE_END, _KEY_PROOF),
    Content.OPAQUE: Dialect("opaque", not_structural, BARE_END, _CSV_PROOF, fixed=True),
}
"""How each content is read."""
