"""The MySQL protocol on TiDB's port, spoken by mysql-mimic; what is said comes from `sql_run`."""

# pyright: reportMissingTypeStubs=false
# The library has its types in its code and no marker that says so.

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
import secrets
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any

from mysql_mimic.auth import IdentityProvider, NativePasswordAuthPlugin, User
from mysql_mimic.connection import Connection
from mysql_mimic.control import LocalControl
from mysql_mimic.results import ResultColumn, ResultSet
from mysql_mimic.session import BaseSession
from mysql_mimic.stream import MysqlStream
from mysql_mimic.types import ColumnType
from mysql_mimic.variables import GlobalVariables, SessionVariables
from tests.lab.standin import sql_errors as errors
from tests.lab.standin.access import AccessLog
from tests.lab.standin.faults import FaultFile
from tests.lab.standin.members import Member
from tests.lab.standin.spec import Spec
from tests.lab.standin.sql_errors import SqlError
from tests.lab.standin.sql_run import NOTHING, Columns, Runner
from tests.lab.standin.sql_tables import Tables, variables

PAUSE = 0.05
LOGGED = 500
"""How much of a statement the access log has."""


@dataclasses.dataclass(frozen=True)
class Door:
    """What a session has to know of its server."""

    spec: Spec
    """The cluster."""

    member: Member
    """The server."""

    faults: FaultFile
    """Its faults."""

    access: AccessLog
    """Where logins and statements are noted."""

    tls: ssl.SSLContext
    """What is offered to clients."""

    passwords: dict[str, str]
    """The hash of each user's password."""

    privileged: frozenset[str]
    """The users who may do everything."""


def make_door(spec: Spec, member: Member, faults: FaultFile, access: AccessLog) -> Door:
    """The door of one TiDB: its two users are those of the cluster's credentials."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(spec.tls_dir / "server.crt", spec.tls_dir / "server.pem")
    hashed = NativePasswordAuthPlugin.create_auth_string
    given = spec.credentials
    passwords = {
        given["user"]: hashed(given["password"]),
        given["plain_user"]: hashed(given["plain_password"]),
    }
    return Door(spec, member, faults, access, context, passwords, frozenset({given["user"]}))


async def serve(door: Door) -> None:
    """Serves TiDB's client port until the process ends."""
    listener = Listener(door)
    server = await asyncio.start_server(listener.connected, door.member.host, door.member.port)
    async with server:
        await server.serve_forever()


class Listener:
    """Lets clients in."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._control = LocalControl()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its start to its end."""
        try:
            if not await self._greeted_wrongly(reader, writer):
                await self._converse(reader, writer)
        except (OSError, SqlError, EOFError):
            pass
        finally:
            with contextlib.suppress(OSError):
                writer.close()

    async def _greeted_wrongly(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        kind = self._door.faults.kind()
        if kind == "stalled":
            self._door.access.add("client", "connect", "", "fault stalled")
            while self._door.faults.kind() == kind and not reader.at_eof():
                await asyncio.sleep(PAUSE)
        elif kind == "garbage":
            writer.write(os.urandom(256))
        elif kind == "too-many-connections":
            packet = error_packet(SqlError(1040, "08004", "Too many connections"))
            writer.write(len(packet).to_bytes(3, "little") + b"\0" + packet)
        else:
            return False
        await writer.drain()
        return True

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = str(writer.get_extra_info("peername")[0])
        stream: Any = Stream(reader, writer)
        conversation = Conversation(
            stream=stream,
            session=TidbSession(self._door),
            control=self._control,
            identity_provider=Identities(self._door, host, stream),
            ssl=self._door.tls,
        )
        number = await self._control.add(conversation)
        conversation.connection_id = number
        try:
            await conversation.start()
        finally:
            await self._control.remove(number)


class Stream:
    """The library's stream, with TLS that does not lose the client's first words.

    They come right behind the request for TLS, and asyncio has read them by then.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._inner = MysqlStream(reader, writer)
        self.secured = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Goes on in TLS, as the server."""
        reader, writer = self._inner.reader, self._inner.writer
        loop = asyncio.get_running_loop()
        transport = writer.transport
        protocol = transport.get_protocol()
        first_words = await reader.read(65536)
        starting = asyncio.ensure_future(loop.start_tls(transport, protocol, context, server_side=True))
        await asyncio.sleep(0)  # the transport has its new protocol,
        await asyncio.sleep(0)  # and the protocol its transport; nothing more was read from the network
        _feed(transport.get_protocol(), first_words)
        secured = await starting
        assert secured is not None
        stream = MysqlStream(reader, asyncio.StreamWriter(secured, protocol, reader, loop))
        stream.seq = self._inner.seq
        self._inner, self.secured = stream, True


def _feed(protocol: asyncio.BaseProtocol, data: bytes) -> None:
    if isinstance(protocol, asyncio.BufferedProtocol):
        buffer = memoryview(protocol.get_buffer(len(data)))
        buffer[: len(data)] = data
        protocol.buffer_updated(len(data))
    elif isinstance(protocol, asyncio.Protocol):  # Python 3.10
        protocol.data_received(data)


def error_packet(error: SqlError) -> bytes:
    """ERR_Packet of protocol 4.1."""
    head = b"\xff" + error.number.to_bytes(2, "little") + b"#" + error.state.encode()
    return head + error.message.encode()


class Conversation(Connection):
    """A connection whose errors are TiDB's."""

    def error(self, **kwargs: Any) -> bytes:
        """The packet for an error; the library knows but a few numbers, and no state of others."""
        told = kwargs.get("msg")
        if isinstance(told, SqlError):
            return error_packet(told)
        return bytes(super().error(**kwargs))


class Identities(IdentityProvider):
    """Who may come in from one address."""

    def __init__(self, door: Door, host: str, stream: Stream) -> None:
        self._door = door
        self._plugin = Passwords(door, host, stream)

    def get_plugins(self) -> Sequence[NativePasswordAuthPlugin]:
        """TiDB's default."""
        return [self._plugin]

    async def get_user(self, username: str) -> User:
        """Somebody who is not known has a password that nobody knows."""
        nobodys = secrets.token_hex(20)
        return User(username, self._door.passwords.get(username, nobodys), NativePasswordAuthPlugin.name)


class Passwords(NativePasswordAuthPlugin):
    """`mysql_native_password`, refusing as TiDB does."""

    def __init__(self, door: Door, host: str, stream: Stream) -> None:
        self._door = door
        self._host = host
        self._stream = stream

    def password_matches(self, user: User, scramble: bytes, nonce: bytes) -> bool:
        """True, or an `SqlError` for the client."""
        kind = self._door.faults.kind()
        secured = self._stream.secured
        error: SqlError | None = None
        if kind == "client-certificate" and not secured:
            error = errors.insecure()
        elif kind == "wrong-password" or not super().password_matches(user, scramble, nonce):
            error = errors.access_denied(user.name, self._host, with_password=bool(scramble))
        ended = f"ERROR {error.number}" if error else "ok"
        self._door.access.add("client", f"login {user.name}", "tls" if secured else "plain", ended)
        if error:
            raise error
        return True


class TidbSession(BaseSession):
    """What one client says after it came in."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._global = variables(door.spec, door.member)
        self.variables = SessionVariables(GlobalVariables())
        self.variables.set("version", self._global["version"], force=True)
        self.username: str | None = None
        self.database: str | None = None
        self._connection: Connection | None = None
        self._runner: Runner | None = None

    async def init(self, connection: Connection) -> None:
        """The client is in."""
        self._connection = connection
        if self.database:
            self._run_of(self.username or "").use(self.database)

    async def use(self, database: str) -> None:
        """COM_INIT_DB."""
        self._run_of(self.username or "").use(database)

    async def reset(self) -> None:
        """COM_RESET_CONNECTION."""
        await self.close()

    async def close(self) -> None:
        """The client has gone."""
        if self._runner:
            self._runner.close()
            self._runner = None

    async def handle_query(self, sql: str, attrs: dict[str, str]) -> ResultSet | None:
        """One statement."""
        ended = "ok"
        try:
            return await self._answer(sql)
        except SqlError as error:
            ended = f"ERROR {error.number}"
            raise
        finally:
            self._door.access.add("client", f"query {sql[:LOGGED]}", self.username or "", ended)

    async def _answer(self, sql: str) -> ResultSet | None:
        runner = self._run_of(self.username or "")
        fault = self._door.faults.read()
        kind = fault.kind if fault else ""
        while kind == "stalled" and self._door.faults.kind() == kind:
            await asyncio.sleep(PAUSE)
        if fault and kind == "slow":
            await self._wait(fault.seconds, runner.time_limit(sql))
        columns, rows = result = runner.run(sql)
        if result == NOTHING:
            return None
        shown: Any = rows
        if kind == "endless-body" and rows:
            shown = self._forever(rows)
        elif kind == "short-body":
            shown = self._breaking_off(rows)
        return ResultSet(shown, _columns(columns))

    async def _wait(self, seconds: float, limit: float) -> None:
        if 0 < limit < seconds:
            await asyncio.sleep(limit)
            raise errors.too_long()
        await asyncio.sleep(seconds)

    async def _forever(self, rows: Sequence[Sequence[Any]]) -> AsyncIterator[Sequence[Any]]:
        assert self._connection is not None
        for number, row in enumerate(itertools.cycle(rows)):
            yield row
            if number % 1000 == 0:  # the library keeps a result to its end
                await self._connection.stream.drain()

    async def _breaking_off(self, rows: Sequence[Sequence[Any]]) -> AsyncIterator[Sequence[Any]]:
        for row in rows[: len(rows) // 2]:
            yield row
        assert self._connection is not None
        await self._connection.stream.drain()
        self._connection.stream.writer.close()
        raise ConnectionResetError

    def _run_of(self, user: str) -> Runner:
        if self._runner is None:
            privileged = user in self._door.privileged and self._door.faults.kind() != "no-process"

            def tables() -> Tables:
                return Tables(self._door.spec, self._door.member, user, privileged=privileged)

            number = self._connection.connection_id if self._connection else 0
            self._runner = Runner(tables, self._global, user, number, privileged=privileged)
        return self._runner


def _columns(columns: Columns) -> list[ResultColumn]:
    return [_column(name, kind.lower()) for name, kind in columns]


def _column(name: str, kind: str) -> ResultColumn:
    if "int" in kind:
        return ResultColumn(name, ColumnType.LONGLONG, text_encoder=_text)
    if kind.startswith("double"):
        return ResultColumn(name, ColumnType.DOUBLE, text_encoder=_text)
    if kind.startswith(("timestamp", "datetime")):
        return ResultColumn(name, ColumnType.DATETIME, text_encoder=_text)
    return ResultColumn(name, ColumnType.VAR_STRING, text_encoder=_text)


def _text(_column: ResultColumn, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
