"""What an SQL server answers to one statement that reads, as CSV."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field, replace

from clinic.client.address import Address
from clinic.client.mysql import Result, Sql
from clinic.errors import ItemError, Partial, Skip
from clinic.kinds import Content
from clinic.outcome import Reason
from clinic.source.base import Doors, Estimate, Part, Ran, Source
from clinic.source.server import Server, access, called, sql_address
from clinic.units import KIB, MIB, human_size, plural

NULL = r"\N"
"""What stands for NULL, without quotes; a text of these two characters is in quotes."""

OVERFLOWS = 2
"""Results without an end that one server may give; of its further ones only `FEW_ROWS` are taken."""

FEW_ROWS = 1_000
"""What is taken of a result of a server whose results have no end: what it says can't be what is asked for."""

_AT_ONCE = 64 * KIB
_READS = re.compile(r"(?is)\s*(?:select|show|table|with|desc|describe|explain|admin\s+show)\b")
_WRITES = re.compile(
    r"(?i)\b(?:into\s+(?:outfile|dumpfile)|for\s+(?:update|share)|delete|update|insert|explain\s+analyze)\b|;"
)
_SPECIAL = re.compile(r'[,"\r\n]')
_TEXTS = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`[^`]*`")


def require_reading(sql: str) -> None:
    """Raise `ValueError` for anything but one statement that reads.

    The session is read only where the server knows that; TiDB does not, and a lock or a file is no write.
    """
    bare = _TEXTS.sub("''", sql)
    if not _READS.match(bare) or _WRITES.search(bare):
        raise ValueError(f"{sql[:60]!r} is not one statement that only reads; it begins with SELECT or SHOW")


@dataclass(frozen=True)
class Query(Source):
    """The rows that one server gives.

    CSV as in RFC 4180, with line feeds at the ends of lines: a line of headings, NULL as `\\N` without quotes, an empty
    text as `""`, bytes that are no UTF-8 as `\\xff`. A result without rows is its headings: that there are none is one.
    """

    server: Server | Address = field(hash=False)
    """The instance that is asked on its port for clients, or an address."""

    sql: str
    """One statement that reads, without a semicolon."""

    _: KW_ONLY
    """What follows is given by name."""

    columns: tuple[str, ...] | None = None
    """The only columns that are taken, in the server's order; a server may lack some. All of them when None."""

    row_cap: int = 100_000
    """Rows after which no more are read."""

    byte_cap: int = 64 * MIB
    """Bytes after which no more are read."""

    deadline: float | None = 20.0  # pyright: ignore[reportIncompatibleMethodOverride] # a field is a property too
    """Seconds for the whole; the server is told to stop half a second earlier."""

    def __post_init__(self) -> None:
        require_reading(self.sql)

    @property
    def needs_account(self) -> bool:
        return True

    @property
    def lane(self) -> str:
        return f"server:{self._called}"

    @property
    def what(self) -> str:
        return self.sql

    def plan(self, doors: Doors) -> Estimate:
        """Nothing is asked yet; that nobody may log in is known."""
        try:
            sql_address(self.server)
            self._require_account(doors)
        except ItemError as error:
            return Estimate(None, impossible=error)
        return Estimate(None)

    def open(self, doors: Doors) -> Iterator[Part]:
        yield Part(self._chunks(doors), content=Content.CSV)

    def narrow(self, size: int) -> Source:
        """Its first rows."""
        return replace(self, byte_cap=min(size, self.byte_cap))

    @property
    def _called(self) -> str:
        return str(self.server) if isinstance(self.server, Address) else called(self.server, self.server.port)

    def _require_account(self, doors: Doors) -> None:
        if access(doors).sql is None:
            text = f"nobody to log in as at {self._called} was named"
            raise Skip(Reason.NOT_PERMITTED, text, fix="give an account with --user, or in ~/.my.cnf")

    def _door(self, doors: Doors) -> Sql:
        address, given = sql_address(self.server), access(doors)
        self._require_account(doors)
        assert given.sql is not None
        account = given.sql
        return doors.shared(("sql", str(address)), lambda: Sql(address, account, given.sql_tls))

    def _chunks(self, doors: Doors) -> Iterator[bytes]:
        door = self._door(doors)
        started, table, ended = time.monotonic(), _Table(self.columns), "stopped"
        try:
            with door.query(self.sql, doors.deadline, limit=self.byte_cap) as result:
                yield from self._taken(result, table, self._most_rows(door))
            ended = ""
        except ItemError as error:
            ended = str(error.reason)
            door.endless += table.rows > FEW_ROWS
            raise
        finally:
            outcome = table.told + (f": {ended}" if ended else "")
            outcome += f"; {door.secured}" if door.secured else ""
            seconds = time.monotonic() - started
            doors.ran(Ran("sql", self.sql, str(door.address), door.account.user, outcome, seconds))

    def _most_rows(self, door: Sql) -> int:
        return self.row_cap if door.endless < OVERFLOWS else min(self.row_cap, FEW_ROWS)

    def _taken(self, result: Result, table: _Table, most: int) -> Iterator[bytes]:
        """The table in pieces. What came before an error is given before it is raised."""
        table.begin(result.columns)
        try:
            for row in result.rows:
                if table.rows == most:
                    text = f"more than {plural(most, 'row')}: the first are here"
                    raise Partial(Reason.TRUNCATED, text)
                table.add(row)
                if table.waiting >= _AT_ONCE:
                    yield table.take()
        except ItemError as error:
            if not table.rows:
                raise
            yield table.take()
            if error.transient:
                # With rows in hand, a lost connection is no reason to throw them away and ask again.
                raise Partial(error.reason, error.message, fix=error.fix) from error
            raise
        yield table.take()


class _Table:
    """Rows as CSV, of the columns that are wanted."""

    def __init__(self, wanted: tuple[str, ...] | None) -> None:
        self._wanted = None if wanted is None else {name.lower() for name in wanted}
        self._indices: list[int] = []
        self._text = io.StringIO()
        self.rows = 0
        self._bytes = 0

    @property
    def told(self) -> str:
        """How much it was."""
        return f"{plural(self.rows, 'row')} {human_size(self._bytes)}"

    @property
    def waiting(self) -> int:
        """Characters that were not taken yet."""
        return self._text.tell()

    def begin(self, columns: tuple[str, ...]) -> None:
        """The headings. Raises `Skip` where there are none, or none that are wanted."""
        wanted = self._wanted
        self._indices = [at for at, name in enumerate(columns) if wanted is None or name.lower() in wanted]
        if not self._indices:
            text = (
                "the server knows none of the columns that are wanted"
                if columns
                else "the statement has no result"
            )
            raise Skip(Reason.NOT_APPLICABLE, text)
        self._text.write(",".join(_cell(columns[at].encode()) for at in self._indices) + "\n")

    def add(self, row: tuple[bytes | None, ...]) -> None:
        """One row."""
        self.rows += 1
        self._text.write(",".join(_cell(row[at]) for at in self._indices) + "\n")

    def take(self) -> bytes:
        """What was not taken yet."""
        data = self._text.getvalue().encode()
        self._text.seek(0)
        self._text.truncate()
        self._bytes += len(data)
        return data


def _cell(value: bytes | None) -> str:
    if value is None:
        return NULL
    text = value.decode("utf-8", "backslashreplace").replace("\0", r"\x00")
    if text in ("", NULL) or _SPECIAL.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text
