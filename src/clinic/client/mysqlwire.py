"""The one place that knows PyMySQL: a connection that reads row by row, within bounds. Imported by the first query.

PyMySQL does the log-in. Results are read here, from its packets: its own readers keep a result whole in memory,
or read it to its end when they are thrown away.
"""

from __future__ import annotations

import selectors
import socket
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pymysql.connections import Connection
from pymysql.constants import CLIENT, COMMAND
from pymysql.err import MySQLError

from clinic.client.account import Account
from clinic.client.address import Address
from clinic.client.sqlerrors import explain
from clinic.client.tls import Tls
from clinic.client.tls import explain as tls_explain
from clinic.errors import Failed, Partial, Retryable
from clinic.guard import guarded
from clinic.outcome import Reason
from clinic.units import MIB, human_size

if TYPE_CHECKING:
    _Connection = Connection[Any]
else:
    _Connection = Connection

T = TypeVar("T")
Row = tuple["bytes | None", ...]

_LOGIN_BYTES = MIB
"""Most bytes that a server may send before the first query."""

_COLUMNS = 4096
"""Most columns that MySQL's own tables may have."""

_TELLING = frozenset({b"mysql_clear_password", b"dialog", b"mysql_old_password"})
"""Ways to log in that show the password to the server, or as good as that."""


class Wire(_Connection):
    """One connection."""

    def __init__(self, address: Address, account: Account, tls: Tls) -> None:
        super().__init__(
            host=address.host,
            port=address.port,
            user=account.user,
            password=account.password.reveal().encode(),
            charset="utf8mb4",
            autocommit=None,
            program_name="clinic",
            ssl_disabled=True,  # until it is known whether the server offers it
            defer_connect=True,
        )
        self._where = str(address)
        self._files = tls
        self._gate: Callable[[], AbstractContextManager[None]] | None = None
        self._left = _LOGIN_BYTES
        self._limit = _LOGIN_BYTES
        self._width = 0
        self.between = False
        """Whether the last statement has come to its end, if only with an error: then the next may follow."""
        self.secured = "no TLS, which it does not offer"
        """How the connection is protected, for people."""

    def log_in(self, connected: socket.socket, gate: Callable[[], AbstractContextManager[None]]) -> None:
        """Log in over a connection that was made. `gate` surrounds the moment at which the password is used."""
        self._gate = gate
        self.connect(connected)

    @property
    def line(self) -> socket.socket:
        """What it speaks through."""
        return cast("socket.socket", self._me._sock)

    @property
    def dead(self) -> bool:
        """Whether it can't be used again: it was dropped, or the server has hung up."""
        if not self.open:
            return True
        with selectors.DefaultSelector() as selector:
            selector.register(self.line, selectors.EVENT_READ)
            return bool(selector.select(0))

    def drop(self) -> None:
        """Close the connection without another word."""
        self._me._force_close()

    def command(self, sql: str) -> None:
        """Run a statement that has no result. Raises PyMySQL's errors."""
        self.begin_query(sql, _LOGIN_BYTES)

    def begin_query(self, sql: str, limit: int) -> tuple[str, ...]:
        """Run a statement, of whose result at most `limit` bytes are read; the names of its columns."""
        self._left = self._limit = limit
        self._width = 0
        self.between = False
        self._me._execute_command(COMMAND.COM_QUERY, sql.encode())
        first = self._packet()
        if first.is_ok_packet():
            self.between = True
            return ()
        if first.is_load_local_packet():
            raise Failed(Reason.UNSAFE, f"{self._where} answers a query by asking for a file of this machine")
        count = first.read_length_encoded_integer()
        if not 0 < count <= _COLUMNS:
            raise ValueError(f"a result of {count} columns")
        names = tuple(_name(self._packet()) for _ in range(count))
        if not self._packet().is_eof_packet():
            raise ValueError("rows before the end of the columns")
        self._width = len(names)
        return names

    def row(self) -> Row | None:
        """The next row, each value as the server wrote it; None after the last."""
        packet = self._packet()
        if packet.is_eof_packet():
            self.between = True
            return None
        return tuple(packet.read_length_coded_string() for _ in range(self._width))

    def _packet(self) -> Any:
        return self._me._read_packet()

    @property
    def _me(self) -> Any:
        """Itself, with the methods that the type stubs leave out."""
        return self

    def _read_bytes(self, num_bytes: int) -> bytes:
        self._left -= num_bytes
        if self._left < 0:
            self.drop()
            if self._width:
                raise Partial(
                    Reason.TRUNCATED, f"longer than {human_size(self._limit)}: its beginning is here"
                )
            text = (
                f"{self._where} sends more than {human_size(self._limit)} before anything that was asked for"
            )
            raise Failed(Reason.BAD_ANSWER, text)
        return cast("bytes", cast("Any", super())._read_bytes(num_bytes))

    def _get_server_information(self) -> None:
        cast("Any", super())._get_server_information()
        if not self._me.server_capabilities & CLIENT.SSL:
            return
        verify = self._files.ca is not None
        self._me.ctx = self._files.context(verify=verify)
        self.ssl = True
        self.client_flag |= CLIENT.SSL
        self.secured = "TLS" if verify else "TLS, its certificate not verified"

    def _request_authentication(self) -> None:
        assert self._gate is not None, "log_in gives it"
        with self._gate():
            cast("Any", super())._request_authentication()

    def _process_auth(self, plugin_name: bytes, *others: Any) -> Any:
        if plugin_name in _TELLING and not (self.ssl and self._files.ca is not None):
            text = (
                f"{self._where} wants the password by {plugin_name.decode('ascii')}, which would give it away"
            )
            fix = "give the CA certificate of the server (--ca), so that it is known who asks"
            raise Failed(Reason.UNSAFE, text, fix=fix)
        return cast("Any", super())._process_auth(plugin_name, *others)


def _name(packet: Any) -> str:
    """The name in a column's description, after catalog, database, table and original table."""
    *_, name = (packet.read_length_coded_string() for _ in range(5))
    return cast("bytes", name).decode("utf-8", "replace")


def code_of(error: MySQLError) -> int:
    """The code of one of PyMySQL's errors; 0 where it has none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def spoken(wire: Wire, call: Callable[[], T], where: str, tls: Tls) -> T:
    """What `call` gives; whatever goes wrong with the server or on the way becomes an `ItemError`."""
    try:
        return guarded(lambda: _explained(wire, call, where, tls))
    except Failed as error:
        if error.reason is not Reason.COLLECTOR_ERROR:
            raise
        text = f"{where} does not keep to MySQL's protocol: {error.message}"
        raise Failed(Reason.BAD_ANSWER, text, fix="check the port") from error


def _explained(wire: Wire, call: Callable[[], T], where: str, tls: Tls) -> T:
    try:
        return call()
    except MySQLError as error:
        code = code_of(error)
        # PyMySQL's own codes are 2000 to 2999; all others came in an error packet, after which the next may follow.
        wire.between = code >= 1000 and not 2000 <= code < 3000
        original = getattr(error, "original_exception", None)
        if isinstance(original, ssl.SSLError):
            raise tls_explain(original, where, tls) from error
        text = str(error.args[1]) if len(error.args) > 1 else str(error)
        raise explain(code, text, where, _user(wire)) from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Retryable(Reason.UNREACHABLE, f"the connection to {where} was lost: {why}") from error
    except RuntimeError as error:
        # PyMySQL's word for a log-in that needs another library.
        fix = "let the server speak TLS, or give an account with mysql_native_password"
        raise Failed(
            Reason.NOT_PERMITTED, f"logging in to {where} is not possible: {error}", fix=fix
        ) from error


def _user(wire: Wire) -> str:
    user = wire.user or ""
    return user.decode("utf-8", "replace") if isinstance(user, bytes) else user
