"""Selectors of series, as PromQL writes them: `tidb_qps{instance="a:10080",type=~"OK|Error"}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from clinic.redact.pattern import BadPattern, Pattern

NAME = "__name__"
"""The label that holds a metric's name."""

_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_MATCHER = re.compile(
    r"""\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)\s*(,|(?=\}))"""
)
_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "\\": "\\",
    '"': '"',
    "'": "'",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[0-7]{3}|.)")


class BadSelector(ValueError):
    """A text that is no selector; the message says from where on."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label; a label that is absent has the empty value."""

    label: str
    """Its name."""

    negated: bool
    """Whether it must not match."""

    value: str
    """What it is compared with; a pattern when `pattern` is there."""

    pattern: Pattern | None = None
    """The compiled pattern, which has to match the whole value."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels passes."""
        value = labels.get(self.label, "")
        if self.pattern is None:
            return (value == self.value) != self.negated
        return self.pattern.full(value.encode()) != self.negated


@dataclass(frozen=True, slots=True)
class Selector:
    """All conditions at once."""

    matchers: tuple[Matcher, ...] = ()
    """None: everything."""

    @property
    def metric(self) -> str:
        """The name that a series must have; empty when any may."""
        for one in self.matchers:
            if one.label == NAME and one.pattern is None and not one.negated:
                return one.value
        return ""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels is wanted."""
        return all(one.matches(labels) for one in self.matchers)


def parse(text: str) -> Selector:
    """The selector that `text` writes. Raises `BadSelector`."""
    text = text.strip()
    name = _METRIC.match(text)
    found = [Matcher(NAME, False, name.group())] if name else []
    rest = text[name.end() :].lstrip() if name else text
    if rest:
        found += _braced(rest)
    elif not found:
        raise BadSelector("an empty selector selects nothing; leave it out for everything")
    return Selector(tuple(found))


def _braced(text: str) -> list[Matcher]:
    if not text.startswith("{"):
        raise BadSelector(
            f'{text!r} is not understood: after the metric\'s name comes {{label="value"}} or nothing'
        )
    found: list[Matcher] = []
    at = 1
    while not text[at:].lstrip().startswith("}"):
        one = _MATCHER.match(text, at)
        if one is None:
            raise BadSelector(f'{text[at:]!r} is not understood: label="value", with = != =~ or !~, is')
        found.append(_matcher(one[1], one[2], _unquoted(one[3])))
        at = one.end()
    if text[at:].strip() != "}":
        raise BadSelector(
            f"{text[at:].strip()[1:]!r} behind the selector is not understood; ranges are --from and --to"
        )
    return found


def _matcher(label: str, operator: str, value: str) -> Matcher:
    pattern = None
    if operator in ("=~", "!~"):
        try:
            # Anchored at both ends, as Prometheus does, so that an alternative that is shorter does not win.
            pattern = Pattern(f"(?s:^(?:{value})$)", groups=False)
        except BadPattern as error:
            raise BadSelector(f"{value!r} is no regular expression: {error}") from None
    return Matcher(label, operator[0] == "!", value, pattern)


def _unquoted(text: str) -> str:
    inner = text[1:-1]
    if text[0] == "`":
        return inner
    return _ESCAPE.sub(_escaped, inner)


def _escaped(found: re.Match[str]) -> str:
    what = found[1]
    if what[0] in "xu":
        return chr(int(what[1:], 16))
    if what.isdecimal():
        return chr(int(what, 8))
    if what not in _ESCAPES:
        raise BadSelector(f"\\{what} is no escape of a string")
    return _ESCAPES[what]
