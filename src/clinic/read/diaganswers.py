"""Answers of Prometheus' query API as diag keeps them, a file each: their series, one at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from clinic.units import KIB, MIB

LARGEST = 64 * MIB
"""Bytes of one series beyond which it is none: diag asks for two hours at most."""

_BEGIN = re.compile(r'"result"\s*:\s*\[')
_AT_ONCE = 256 * KIB


class BadAnswer(Exception):
    """A file is no answer with samples, or is cut short; the text says why."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer."""

    labels: Mapping[str, str]
    """What identifies it."""

    samples: list[tuple[int, float]]
    """Milliseconds since 1970 and the value."""

    histograms: int
    """Samples of native histograms, which are not read."""


def series_of(stream: BinaryIO) -> Iterator[Series]:
    """The series in an answer. Raises `BadAnswer` where it is none, after what was whole before it."""
    text = _Text(stream)
    text.begin()
    decoder, need = json.JSONDecoder(), 1
    while text.at(",]") == ",":
        text.take(1)
        while True:
            text.fill(need)
            try:
                found, end = decoder.raw_decode(text.held)
                break
            except ValueError as error:
                if text.ended or need > LARGEST:
                    raise BadAnswer("it is cut short or damaged") from error
                need = max(2 * len(text.held), _AT_ONCE)
            except RecursionError as error:
                raise BadAnswer("it is nested absurdly deep") from error
        text.take(end)
        need = 1
        yield _series(found)


def _series(found: object) -> Series:
    try:
        row = cast("dict[str, Any]", found)
        values = [(round(float(moment) * 1000), float(value)) for moment, value in row.get("values", ())]
        labels = {str(name): str(text) for name, text in row["metric"].items()}
        return Series(labels, values, len(row.get("histograms", ())))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise BadAnswer("a series in it is damaged") from error


class _Text:
    """The text of an answer, as much of it as is looked at."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.held = ""
        self._rest = b""
        self.ended = False

    def begin(self) -> None:
        """Go to the first series; a comma stands before it then, as before the others."""
        self.fill(_AT_ONCE)
        found = _BEGIN.search(self.held)
        if found is None:
            raise BadAnswer(_why(self.held))
        self.held = self.held[found.end() :].lstrip()
        if self.at("{]") == "{":
            self.held = "," + self.held

    def at(self, wanted: str) -> str:
        """The next letter, which is one of `wanted`."""
        self.held = self.held.lstrip()
        self.fill(1)
        if not self.held or self.held[0] not in wanted:
            raise BadAnswer("it is cut short" if not self.held else "it is damaged")
        return self.held[0]

    def take(self, count: int) -> None:
        self.held = self.held[count:]

    def fill(self, count: int) -> None:
        """Read on until so many letters are held, or the end."""
        parts, have = [self.held], len(self.held)
        while have < count and not self.ended:
            data = self._stream.read(_AT_ONCE)
            self.ended = not data
            parts.append(self._decoded(data))
            have += len(parts[-1])
        self.held = "".join(parts)

    def _decoded(self, data: bytes) -> str:
        """A letter of several bytes may be cut by the end of `data`: what is left of it waits."""
        whole = self._rest + data
        cut = len(whole)
        if data:
            while cut and len(whole) - cut < 3 and whole[cut - 1] & 0xC0 == 0x80:
                cut -= 1
            cut -= bool(cut) and whole[cut - 1] >= 0xC0
        self._rest = whole[cut:]
        return whole[:cut].decode("utf-8", "replace")


def _why(text: str) -> str:
    """What an answer without samples is."""
    if not text:
        return "it is empty, or cut short before its first sample"
    try:
        found = cast("dict[str, Any]", json.loads(text))
        return f"it is an error of Prometheus: {found['error']}"
    except (ValueError, TypeError, KeyError, RecursionError):
        return "it is no answer of Prometheus"
