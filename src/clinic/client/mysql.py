"""The door to an SQL server: one connection, read only, every query within bounds on both sides.

with Sql(Address("10.0.1.5", 4000), account) as tidb, tidb.query("SHOW VARIABLES", deadline) as result:
    for row in result.rows: ...
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from clinic.client.account import Account
from clinic.client.address import Address
from clinic.client.sqlerrors import REFUSED
from clinic.client.tls import Tls
from clinic.client.wire import Cut, Reach, dial
from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Retryable, Silent, TimedOut
from clinic.outcome import Reason
from clinic.units import MIB

if TYPE_CHECKING:
    from clinic.client.mysqlwire import Row, Wire

T = TypeVar("T")

GREETING_SECONDS = 5.0
"""For the greeting, which a server sends by itself. MySQL's own `connect_timeout` is 10 s for the whole log-in."""

_PROTOCOL, _ERROR = 10, 0xFF
_LONGEST_GREETING = 4096
_SEEN = 80
_MARGIN = 0.5
"""Seconds that the server's own time limit is below ours, so that its answer comes first."""

_LIMITS = (
    "SET SESSION max_execution_time = {milliseconds}",
    "SET SESSION max_statement_time = {seconds:.3f}",
)
"""Of TiDB and MySQL (from 5.7.8), and of MariaDB (from 10.1). A server that knows neither has none."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a query gives."""

    columns: tuple[str, ...]
    """Their names; none for a statement without a result."""

    rows: Iterator[Row]
    """Row by row from the wire, each value as the server wrote it, None for NULL."""


class Sql:
    """The door to one server. Safe to use from several threads, one after the other; `close` it at the end."""

    def __init__(self, address: Address, account: Account, tls: Tls | None = None) -> None:
        """`tls` has the files: with a CA the server's certificate is verified, wherever it offers TLS."""
        self.address = address
        self.account = account
        self.secured = ""
        """How the last connection was protected, for people."""
        self.endless = 0
        """Long results of which no end came: whoever asks keeps count, and asks for less where there are many."""
        self._tls = tls if tls is not None else Tls()
        self._reach = Reach(address)
        self._turn = threading.Lock()
        self._wire: Wire | None = None
        self._limits = list(_LIMITS)
        self._lost: set[str] = set()

    def __enter__(self) -> Sql:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def again(self) -> None:
        """Everything else is done: it may be asked once more, if it was given up."""
        self._reach.again()

    def close(self) -> None:
        """Close the connection."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.drop()

    @contextmanager
    def query(self, sql: str, deadline: Deadline, *, limit: int = 32 * MIB) -> Generator[Result, None, None]:
        """Run one statement that reads. Of its result at most `limit` bytes are read, then `Partial` is raised.

        Raises `Skip` with a GRANT where a right is missing, or where the server does not know what is asked for;
        `TimedOut`, `Retryable`, `Failed`. A result that is left before its end costs the connection.
        """
        with self._one_at_a_time(deadline), Cut(deadline, first=self._begin(deadline)) as cut:
            wire = self._connected(cut, deadline)
            try:
                yield self._begun(wire, cut, deadline, sql, limit)
            finally:
                if not wire.between:
                    wire.drop()

    def _begin(self, deadline: Deadline) -> float | None:
        """A query may take all its time to begin with its answer; one to a server that kept silent may not."""
        left = deadline.remaining()
        return None if left is None else self._reach.begin(left)

    def table(self, sql: str, deadline: Deadline, *, limit: int = 4 * MIB) -> list[dict[str, str | None]]:
        """The whole result, by the names of the columns. Raises as `query` does."""
        with self.query(sql, deadline, limit=limit) as result:
            return [
                {
                    name: None if value is None else value.decode("utf-8", "backslashreplace")
                    for name, value in zip(result.columns, row, strict=True)
                }
                for row in result.rows
            ]

    def _begun(self, wire: Wire, cut: Cut, deadline: Deadline, sql: str, limit: int) -> Result:
        try:
            self._limit_time(wire, cut, deadline)
            columns = self._call(wire, partial(wire.begin_query, sql, limit), cut, sql)
        except TimedOut:
            if not wire.between:
                # It may be this statement that is too much for it, and one statement ends before the next begins.
                self._reach.silent(cut.began, sure=False)
            raise
        self._reach.answered()
        cut.answered()
        return Result(columns, self._rows(wire, cut, sql) if columns else iter(()))

    def _rows(self, wire: Wire, cut: Cut, sql: str) -> Iterator[Row]:
        while (row := self._call(wire, wire.row, cut, sql)) is not None:
            yield row

    def _call(self, wire: Wire, call: Callable[[], T], cut: Cut, sql: str = "") -> T:
        from clinic.client.mysqlwire import spoken

        try:
            return spoken(wire, call, str(self.address), self._tls)
        except ItemError as error:
            if wire.between:
                raise
            # A connection that we cut ends like one that was lost.
            cut.check()
            if not sql or not error.transient:
                raise
            raise self._lost_with(sql, error) from error

    def _lost_with(self, sql: str, error: ItemError) -> ItemError:
        """A statement with which the connection was lost is tried once more: it may be what ends the server."""
        if sql not in self._lost:
            self._lost.add(sql)
            return error
        return Failed(error.reason, f"{error.message}, for the second time with this query", fix=error.fix)

    def _connected(self, cut: Cut, deadline: Deadline) -> Wire:
        wire = self._wire
        if wire is not None and not wire.dead:
            cut.watch(wire.line)
            return wire
        self.close()
        try:
            with self._reach.connecting():
                self._wire = wire = self._logged_in(cut, deadline)
        except TimedOut:
            self._reach.silent(cut.began)
            raise
        self._attempt(wire, "SET SESSION TRANSACTION READ ONLY", cut)
        self.secured = wire.secured
        return wire

    def _logged_in(self, cut: Cut, deadline: Deadline) -> Wire:
        from clinic.client.mysqlwire import Wire

        wire = Wire(self.address, self.account, self._tls)
        connected = dial(self.address, deadline)
        try:
            cut.watch(connected)
            self._call(wire, lambda: _require_greeting(connected, self.address, deadline), cut)
            self._call(wire, lambda: wire.log_in(connected, lambda: self._gate(deadline)), cut)
        except BaseException:
            connected.close()
            raise
        wire.between = True
        return wire

    @contextmanager
    def _gate(self, deadline: Deadline) -> Generator[None, None, None]:
        """Surrounds the moment at which the server sees the password."""
        from pymysql.err import MySQLError

        from clinic.client.mysqlwire import code_of

        with self.account.trying(str(self.address), deadline):
            try:
                yield
            except MySQLError as error:
                if code_of(error) in REFUSED:
                    self.account.refused(str(self.address))
                raise

    def _limit_time(self, wire: Wire, cut: Cut, deadline: Deadline) -> None:
        left = deadline.remaining()
        if left is None:
            return
        seconds = max(left - _MARGIN, _MARGIN)
        for statement in tuple(self._limits):
            if self._attempt(wire, statement.format(milliseconds=int(seconds * 1000), seconds=seconds), cut):
                return
            self._limits.remove(statement)

    def _attempt(self, wire: Wire, sql: str, cut: Cut) -> bool:
        """Run a statement that not every server knows; whether this one does."""
        try:
            self._call(wire, partial(wire.command, sql), cut)
        except ItemError:
            if not wire.between:
                raise
            return False
        return True

    @contextmanager
    def _one_at_a_time(self, deadline: Deadline) -> Generator[None, None, None]:
        try:
            while not self._turn.acquire(timeout=deadline.wait() or 0.001):
                deadline.check()
        except TimedOut as error:
            text = f"the one connection to {self.address} was busy with other queries all the time"
            raise Retryable(error.reason, text) from error
        try:
            yield
        finally:
            self._turn.release()


def _require_greeting(connected: socket.socket, address: Address, deadline: Deadline) -> None:
    """Look at the greeting without taking it: whoever listens there may speak something else.

    A greeting is a packet of protocol 10 with the number 0, or an error packet (MySQL's "Connection Phase").
    """
    seen, until = b"", time.monotonic() + GREETING_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(connected, selectors.EVENT_READ)
        while len(seen) < 5:
            if selector.select(deadline.wait()):
                seen = connected.recv(_SEEN, socket.MSG_PEEK)
                if not seen:
                    raise Retryable(Reason.UNREACHABLE, f"{address} closed the connection without a greeting")
                if len(seen) < 5:
                    deadline.pause(0.05)
            deadline.check()
            if time.monotonic() > until:
                text = f"{address} took the connection and sent no greeting within {GREETING_SECONDS:g} s"
                fix = "check that it is the port of an SQL server, and that the server is well"
                raise Silent(Reason.UNREACHABLE, text, fix=fix)
    length, number, first = int.from_bytes(seen[:3], "little"), seen[3], seen[4]
    if length > _LONGEST_GREETING or number != 0 or first not in (_PROTOCOL, _ERROR):
        from clinic.client.refusal import said

        text = f"{address} does not speak MySQL's protocol; it said {said(seen)!r}"
        raise Failed(Reason.BAD_ANSWER, text, fix="check the port")
