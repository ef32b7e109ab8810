"""Names in the columns of a table: the heading says of which kind the cells are, as a key does elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clinic.redact.scanner import Tally
from clinic.redact.table import TableStage, plain_cell

_HEADINGS: Mapping[str, str] = {
    "host": "host hostname host_name nodename client client_host server_host instance address status_address addr "
    "report_host node",
    "user": "user username user_name conn_user sample_user user_create grantee definer owner",
    "db": "db database schema db_name dbname schema_name table_schema table_catalog index_schema constraint_schema",
    "table": "table table_name table_names tablename tbl_name partition_name",
    "column": "column column_name col_name",
    "index": "index_name index_names idx_name key_name",
    "key": "key start_key end_key startkey endkey region_key",
}
KIND_OF = {name.encode(): kind for kind, names in _HEADINGS.items() for name in names.split()}
"""Heading, or name of a label, lower case -> kind of the names under it; `key` is a region's, in hex."""


class NamesInTable(TableStage):
    """Hands each cell under such a heading, and each value behind such a name, to `change`."""

    def __init__(
        self,
        tally: Tally,
        change: Callable[[str, bytes], bytes],
        text: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """`change` is given the kind and the text of a cell; `text`, if there is one, that of every other."""
        super().__init__(tally)
        self._change = change
        self._text = text
        self._named: dict[int, str] = {}

    def _learn_headings(self, record: bytes) -> bool:
        super()._learn_headings(record)
        headings = [plain_cell(cell).strip().lower() for cell in self._cells(record)]
        self._named = {index: KIND_OF[one] for index, one in enumerate(headings) if one in KIND_OF}
        self._columns = {}
        if len(headings) == 2 and 0 in self._named and 1 not in self._named:
            # `hostname,db1`: a table of two columns whose first line is one of its rows.
            self._named = {}
            return headings[1] in (b"value", b"variable_value")
        return True

    def _is_idle(self) -> bool:
        return super()._is_idle() and not self._named and self._text is None

    def _masked(self, record: bytes) -> bytes:
        cells = self._cells(record)
        kinds = {index: kind for index, kind in self._named.items() if index < len(cells)}
        for name, value in self._names.items():
            kind = KIND_OF.get(plain_cell(cells[name]).lower()) if value < len(cells) else None
            if kind is not None:
                kinds[value] = kind
        for index, cell in enumerate(cells):
            cells[index] = self._changed(cell, kinds.get(index))
        return self._delimiter.join(cells)

    def _changed(self, cell: bytes, kind: str | None) -> bytes:
        if kind is None and self._text is None:
            return cell
        plain = plain_cell(cell)
        new = self._change(kind, plain) if kind is not None else self._text(plain) if self._text else plain
        if new == plain:
            return cell
        quoted = cell[:1] == b'"'
        return b'"' + new.replace(b'"', b'""') + b'"' if quoted else new
