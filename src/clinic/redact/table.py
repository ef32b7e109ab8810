"""Tables as CSV or TSV: columns whose heading names a secret, and rows of a name and its value."""

from __future__ import annotations

import itertools
import re

from clinic.redact.keys import Kind, Where, is_secret, kind_of
from clinic.redact.scanner import FAILED_CLOSED, Tally, marker
from clinic.redact.separated import RULE
from clinic.redact.view import MASK

LONGEST_RECORD = 1 << 20
"""Bytes of a record of a table that holds secrets; a longer one can't be told apart and is withheld."""

_NAMES = frozenset(b"variable_name name key config_key setting option parameter item".split())
_VALUES = frozenset(
    b"value variable_value val setting current_value session_value global_value config_value".split()
)
_OTHER = _NAMES | _VALUES | frozenset(b"host user type plugin db default".split())
_HEADING = re.compile(rb"[\w .()\-]{1,64}")
_CELL = {
    delimiter: re.compile(rb'(?s:("(?:[^"]|"")*"?[^%b]*|[^%b]*)(%b|\Z))' % (delimiter, delimiter, delimiter))
    for delimiter in (b",", b"\t")
}


class TableStage:
    """Masks the cells of a table that its headings or its names say are secrets; the rest passes as it is."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._data = b""
        self._seen = 0
        self._open = False
        self._withheld = 0
        self._gap = False
        self._delimiter = b""
        self._columns: dict[int, Kind] = {}
        self._names: dict[int, int] = {}

    def feed(self, data: bytes) -> bytes:
        if self._delimiter and self._is_idle():
            return data
        self._data += data
        out = bytearray()
        while (end := self._record_end()) >= 0:
            out += self._record(self._data[:end], b"\n")
            self._data = self._data[end + 1 :]
        if self._delimiter and self._is_idle():
            out += self._data
            self._data = b""
        if len(self._data) > LONGEST_RECORD:
            self._withheld += len(self._data)
            self._data, self._seen = b"", 0
        return bytes(out)

    def _is_idle(self) -> bool:
        """Whether no cell of this table is looked at."""
        return not (self._columns or self._names)

    def gap(self) -> bytes:
        if self._delimiter and self._is_idle():
            return b""
        # Both halves of the record that was cut become one word each, which the scanner then withholds as such.
        cut, self._data, self._seen, self._open, self._gap = len(self._data), b"", 0, False, True
        return b"*" * cut

    def finish(self) -> bytes:
        data, self._data = self._data, b""
        return self._record(data, b"") if data or self._withheld else b""

    def _record_end(self) -> int:
        """Where the first record ends: at a line end outside of quotes; -1 where that is not known yet."""
        while True:
            end = self._data.find(b"\n", self._seen)
            stop = end if end >= 0 else len(self._data)
            self._open ^= self._data.count(b'"', self._seen, stop) % 2 == 1
            self._seen = stop + (end >= 0)
            if end < 0 or not self._open:
                if end >= 0:
                    self._seen = 0
                return end

    def _record(self, record: bytes, line_end: bytes) -> bytes:
        if self._gap:
            self._gap = False
            return b"*" * len(record) + line_end
        if self._withheld:
            length, self._withheld = self._withheld + len(record), 0
            self._tally.counts[FAILED_CLOSED] += 1
            return marker(length, "a record that is too long") + line_end
        return_key = b"\r" if record.endswith(b"\r") else b""
        record = record.removesuffix(b"\r")
        if not self._delimiter and self._learn_headings(record):
            return record + return_key + line_end
        return self._masked(record) + return_key + line_end

    def _cells(self, record: bytes) -> list[bytes]:
        cells: list[bytes] = []
        for match in _CELL[self._delimiter].finditer(record):
            cells.append(match[1])
            if not match[2]:
                break
        return cells

    def _learn_headings(self, record: bytes) -> bool:
        """Takes the first record for the headings; False where it is a name and its value already."""
        self._delimiter = b"\t" if record.count(b"\t") > record.count(b",") else b","
        headings = [plain_cell(cell).strip().lower() for cell in self._cells(record)]
        for index, (name, value) in enumerate(itertools.pairwise(headings)):
            if name in _NAMES and value in _VALUES:
                self._names[index] = index + 1
        if len(headings) == 2:
            self._names[0] = 1
        named = ((index, kind_of(one)) for index, one in enumerate(headings) if _HEADING.fullmatch(one))
        self._columns = {index: kind for index, kind in named if kind is not None}
        if len(headings) == 2 and 0 in self._columns and 1 not in self._columns and headings[1] not in _OTHER:
            self._columns = {}
            return False
        return True

    def _masked(self, record: bytes) -> bytes:
        cells = self._cells(record)
        kinds = {index: kind for index, kind in self._columns.items() if index < len(cells)}
        for name, value in self._names.items():
            plain = plain_cell(cells[name]) if value < len(cells) else b""
            kind = kind_of(plain) if _HEADING.fullmatch(plain) else None
            if kind is not None:
                kinds[value] = kind
        for index, kind in kinds.items():
            cells[index] = self._cell(cells[index], kind)
        return self._delimiter.join(cells)

    def _cell(self, cell: bytes, kind: Kind) -> bytes:
        plain = plain_cell(cell)
        if not is_secret(kind, plain, Where.STRUCTURE):
            return cell
        if plain != MASK:
            self._tally.counts[RULE] += 1
            if self._tally.learn is not None:
                self._tally.learn(plain)
        return b'"' + MASK + b'"' if cell[:1] == b'"' else MASK


def plain_cell(cell: bytes) -> bytes:
    """The text of a cell."""
    return cell[1:-1].replace(b'""', b'"') if len(cell) > 1 and cell[:1] == cell[-1:] == b'"' else cell
