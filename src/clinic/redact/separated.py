"""What the kernel separates by NUL: environments and command lines, of which each piece is exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clinic.kinds import Content
from clinic.redact.keys import Kind, Where, is_secret, kind_of
from clinic.redact.options import FLAGS, is_option, option_of
from clinic.redact.scanner import FAILED_CLOSED, Stage, Tally, marker
from clinic.redact.view import MASK

LONGEST_PIECE = 1 << 20
"""Bytes of a variable or argument; Linux allows 128 KiB, so what is longer is none and is withheld."""

_NO_NAME = frozenset(b": \t\n;'\"")

RULE = "key-value"
"""What is masked here counts as values behind their names."""

Text = Callable[[bytes], bytes]
"""Redacts a whole small text."""


class _Masker:
    def __init__(self, text: Text, tally: Tally) -> None:
        self._text = text
        self._tally = tally

    def _value(self, lead: bytes, kind: Kind, value: bytes, where: Where = Where.STRUCTURE) -> bytes | None:
        """`lead` and the mask, None where the value is no secret."""
        if not is_secret(kind, value, where):
            return None
        if value != MASK:
            self._tally.counts[RULE] += 1
            if self._tally.learn is not None:
                self._tally.learn(value)
        return lead + MASK


class Environment(_Masker):
    """Variables of a process."""

    def piece(self, variable: bytes) -> bytes:
        """One variable, redacted."""
        name, sign, value = variable.partition(b"=")
        kind = kind_of(name.strip()) if sign else None
        masked = self._value(name + sign, kind, value) if kind else None
        return masked if masked is not None else self._text(variable)


class Arguments(_Masker):
    """Arguments of one process after the other."""

    def __init__(self, text: Text, tally: Tally) -> None:
        super().__init__(text, tally)
        self._before = b""
        self._pending: tuple[Kind, str] | None = None

    def piece(self, argument: bytes) -> bytes:
        """The next argument, redacted; one that begins with a line end begins another process."""
        bare = argument.lstrip(b"\n")
        start = argument[: len(argument) - len(bare)]
        if start:
            self._before, self._pending = b"", None
        clean = self._pended(bare) or self._option(bare) or self._of_any_program(bare) or self._text(bare)
        self._before = (self._before + b" " + bare)[-2048:]
        return start + clean

    def _pended(self, argument: bytes) -> bytes | None:
        pending, self._pending = self._pending, None
        if pending is None or is_option(argument):
            return None
        kind, separator = pending
        return self._after(b"", kind, separator, argument)

    def _of_any_program(self, argument: bytes) -> bytes | None:
        """`-u name:PW` and `-u name -p PW` of a program that is not known, which takes the words before it."""
        words = self._before.split()
        count = {b"-u": 1, b"-p": 3}.get(words[-1] if words else b"", 0)
        if not count and argument[:2] != b"-u":
            return None
        lead = b" ".join([b"x", *words[len(words) - count :], b""])
        clean = self._text(lead + argument)
        return clean[len(lead) :] if clean.startswith(lead) else None

    def _after(self, lead: bytes, kind: Kind, separator: str, value: bytes) -> bytes | None:
        if separator:
            user, sign, value = value.partition(separator.encode())
            if not sign:
                return None
            lead += user + sign
        return self._value(lead, kind, value)

    def _option(self, argument: bytes) -> bytes | None:
        name, sign, value = argument.partition(b"=")
        # A script as one argument is no option, and may hold more than one secret.
        kind = kind_of(name.lstrip(b"-")) if not _NO_NAME.intersection(name) else None
        if name in (b"--user", b"--proxy-user"):
            if sign:
                return self._after(name + sign, Kind.PASSWORD, ":", value)
            self._pending = (Kind.PASSWORD, ":")
            return argument
        short = self._short(argument)
        if short is not None or kind is None:
            return short
        if sign:
            return self._value(name + sign, kind, value)
        if argument[:1] != b"-":
            return None
        self._pending = (kind, "")
        return argument

    def _short(self, argument: bytes) -> bytes | None:
        flag = argument[1:2]
        if argument[:1] != b"-" or not flag or flag not in FLAGS:
            return None
        option = option_of(self._before + b" ", flag)
        if option is None:
            return None
        if len(argument) > 2:
            return self._after(argument[:2], Kind.PASSWORD, option.userinfo, argument[2:])
        if option.spaced:
            self._pending = (Kind.PASSWORD, option.userinfo)
        return argument


class SeparatedStage:
    """A stream of pieces with a NUL after each; a stream without any NUL is lines, and goes to `lines`."""

    def __init__(self, content: Content, text: Text, tally: Tally, lines: Stage) -> None:
        masker = Environment(text, tally) if content is Content.ENV else Arguments(text, tally)
        self._redact = masker.piece
        self._tally = tally
        self._lines = lines
        self._is_lines: bool | None = None
        self._data = b""
        self._withheld = 0
        self._gap = False

    def feed(self, data: bytes) -> bytes:
        if self._is_lines is None and data:
            self._is_lines = b"\0" not in data
        if self._is_lines:
            return self._lines.feed(data)
        self._data += data
        *whole, self._data = self._data.split(b"\0")
        out = b"".join(self._piece(one) + b"\0" for one in whole)
        if len(self._data) > LONGEST_PIECE or (self._withheld and self._data):
            self._withheld += len(self._data)
            self._data = b""
        return out

    def gap(self) -> bytes:
        # What has not been seen yet may turn out to be either.
        out = b"" if self._is_lines is False else self._lines.gap()
        if not self._is_lines:
            # The piece that was cut, and what is left of the one after the gap, may be secrets.
            self._gap, self._withheld, self._data = True, self._withheld + len(self._data), b""
        return out

    def finish(self) -> bytes:
        if self._is_lines:
            return self._lines.finish()
        last, self._data = self._data, b""
        return self._piece(last) if last or self._withheld else b""

    def _piece(self, piece: bytes) -> bytes:
        if not self._withheld and not self._gap:
            return self._redact(piece)
        length, self._withheld = self._withheld + len(piece), 0
        if not self._gap:
            # A gap was counted when it came.
            self._tally.counts[FAILED_CLOSED] += 1
        self._gap = False
        return marker(length, "longer than a variable or argument can be, or cut by a gap")


def redact_arguments(arguments: Sequence[str], text: Text, tally: Tally) -> tuple[str, ...]:
    """The arguments of one command, each redacted as what it is."""
    masker = Arguments(text, tally)
    # Later arguments decide nothing about earlier ones, so one pass is enough.
    return tuple(
        masker.piece(one.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
        for one in arguments
    )
