"""What the door to SQL servers makes of real, broken and hostile ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from tests.client.mysqlservers import GREETING, cell, error, ok, packet, read_packet, speaking, table
from tests.client.servers import Certificates, Peer, Script, Serve, Server, closed_port
from tests.lab.fixtures import LabOfTests

from clinic.client.account import Account
from clinic.client.address import Address
from clinic.client.mysql import Sql
from clinic.client.tls import Tls
from clinic.deadline import Deadline
from clinic.errors import Cancelled, Failed, ItemError, NotAsked, Partial, Retryable, Silent, Skip, TimedOut
from clinic.outcome import Reason
from clinic.secret import Secret

PASSWORD = "a-long-password"
Opener = Callable[..., Sql]


@pytest.fixture
def opened() -> Iterator[list[Sql]]:
    """Doors that are closed at the end."""
    doors: list[Sql] = []
    yield doors
    for door in doors:
        door.close()


@pytest.fixture
def sql(serve: Serve, opened: list[Sql]) -> Opener:
    """The door to a server that does what a script says."""

    def open_door(script: Script, account: Account | None = None, tls: Tls | None = None) -> Sql:
        server: Server = serve(script)
        account = account or Account("reader", Secret(PASSWORD))
        opened.append(Sql(Address("127.0.0.1", server.port), account, tls))
        return opened[-1]

    return open_door


def ends(door: Sql, statement: str = "SELECT 1", seconds: float = 5.0, within: float = 4.0) -> ItemError:
    """How a query ends when it does not succeed, and that it does so in time."""
    started = time.monotonic()
    with pytest.raises(ItemError) as caught:
        door.table(statement, Deadline(seconds))
    assert time.monotonic() - started < within
    assert PASSWORD not in caught.value.message
    return caught.value


# A server that behaves


def test_rows_come_as_the_server_wrote_them(sql: Opener) -> None:
    rows: list[list[bytes | None]] = [[b"a", None, b""], [b"\xff\x00", "ü".encode(), b"'"]]
    door = sql(speaking(lambda _: table(["x", "Größe", "y"], rows)))
    with door.query("SELECT 1", Deadline(5)) as result:
        assert result.columns == ("x", "Größe", "y")
        assert [list(row) for row in result.rows] == rows
    assert door.table("SELECT 1", Deadline(5))[1] == {"x": "\\xff\x00", "Größe": "ü", "y": "'"}
    assert door.secured == "no TLS, which it does not offer"


def test_the_session_is_read_only_and_bounded_before_anything_is_asked(sql: Opener) -> None:
    seen: list[str] = []
    door = sql(speaking(lambda _: table(["x"], []), seen))
    assert door.table("SELECT 1", Deadline(5)) == []
    assert seen[:2] == ["SET NAMES utf8mb4", "SET SESSION TRANSACTION READ ONLY"]
    name, _, limit = seen[2].partition(" = ")
    assert name == "SET SESSION max_execution_time" and 4000 < int(limit) <= 4500
    assert seen[3:] == ["SELECT 1"]


def test_one_connection_serves_all_queries(serve: Serve, opened: list[Sql]) -> None:
    server = serve(speaking(lambda _: table(["x"], [[b"1"]])))
    opened.append(Sql(Address("127.0.0.1", server.port), Account("reader", Secret(""))))
    threads = [threading.Thread(target=opened[0].table, args=("SELECT 1", Deadline(5))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.connections == 1


def test_a_result_that_is_left_costs_only_its_connection(serve: Serve, opened: list[Sql]) -> None:
    server = serve(speaking(lambda _: table(["x"], [[b"1"]] * 100)))
    opened.append(Sql(Address("127.0.0.1", server.port), Account("reader", Secret(""))))
    with opened[0].query("SELECT 1", Deadline(5)) as result:
        next(result.rows)
    assert len(opened[0].table("SELECT 1", Deadline(5))) == 100
    assert server.connections == 2


def test_a_connection_that_idled_too_long_is_made_anew(serve: Serve, opened: list[Sql]) -> None:
    def script(peer: Peer) -> None:
        peer.send(GREETING)
        read_packet(peer)
        peer.send(ok(2))
        for _ in range(3):  # SET NAMES, read only, time limit
            read_packet(peer)
            peer.send(ok())
        read_packet(peer)
        peer.send(b"".join(table(["x"], [])))

    server = serve(script)
    opened.append(Sql(Address("127.0.0.1", server.port), Account("reader", Secret(""))))
    for _ in range(2):
        assert opened[0].table("SELECT 1", Deadline(5)) == []
        time.sleep(0.05)
    assert server.connections == 2


# What servers say


@pytest.mark.parametrize(
    ("code", "text", "kind", "reason", "fix"),
    [
        (1142, "SELECT command denied to user 'reader'@'%' for table `mysql`.`user`", Skip, Reason.NOT_PERMITTED,
         "GRANT SELECT ON `mysql`.`user` TO reader"),
        (1142, "SELECT command denied to user 'reader'@'%' for table 'tidb'", Skip, Reason.NOT_PERMITTED,
         "GRANT SELECT ON *.* TO reader"),
        (1227, "Access denied; you need (at least one of) the PROCESS privilege(s) for this operation", Skip,
         Reason.NOT_PERMITTED, "GRANT PROCESS ON *.* TO reader"),
        (1227, "Access denied; you need (at least one of) the SUPER or CONFIG privilege(s) for this operation", Skip,
         Reason.NOT_PERMITTED, "GRANT SUPER OR CONFIG ON *.* TO reader"),
        (8121, "privilege check for 'Process' fail", Skip, Reason.NOT_PERMITTED, "GRANT SELECT, PROCESS ON *.* TO"),
        (1146, "Table 'information_schema.cluster_info' doesn't exist", Skip, Reason.NOT_APPLICABLE, ""),
        (1054, "Unknown column 'x' in 'field list'", Skip, Reason.NOT_APPLICABLE, ""),
        (1109, "Unknown table 'x' in information_schema", Skip, Reason.NOT_APPLICABLE, ""),
        (1064, "You have an error in your SQL syntax near \"config\"", Skip, Reason.NOT_APPLICABLE, ""),
        (3024, "maximum statement execution time exceeded", TimedOut, Reason.DEADLINE, ""),
        (1969, "max_statement_time exceeded", TimedOut, Reason.DEADLINE, ""),
        (1317, "Query execution was interrupted", TimedOut, Reason.DEADLINE, ""),
        (9005, "Region is unavailable", Retryable, Reason.BAD_ANSWER, ""),
        (8175, "Your query has been cancelled due to exceeding the allowed memory", Failed, Reason.SERVER_PROTECTED,
         "less to do"),
        (1105, "something\x1b[31m else", Failed, Reason.BAD_ANSWER, ""),
    ],
)  # fmt: skip
def test_a_code_becomes_a_reason(
    sql: Opener, code: int, text: str, kind: type[ItemError], reason: Reason, fix: str
) -> None:
    door = sql(
        speaking(lambda statement: table(["x"], []) if statement == "SELECT 2" else [error(code, text)])
    )
    ended = ends(door)
    assert type(ended) is kind and ended.reason is reason
    assert fix.lower() in ended.fix.lower() and str(code) in ended.message and ended.message.isprintable()
    assert door.table("SELECT 2", Deadline(5)) == []


def test_an_error_among_the_rows_comes_after_them(sql: Opener) -> None:
    def reply(statement: str) -> list[bytes]:
        if statement == "SELECT 2":
            return table(["x"], [])
        packets = table(["x"], [[b"1"], [b"2"]])
        return [*packets[:-1], error(3024, "too long", number=len(packets))]

    door, got = sql(speaking(reply)), list[object]()
    with pytest.raises(TimedOut), door.query("SELECT 1", Deadline(5)) as result:
        got.extend(result.rows)
    assert got == [(b"1",), (b"2",)]
    assert door.table("SELECT 2", Deadline(5)) == []


def test_a_server_without_a_time_limit_is_asked_all_the_same(sql: Opener) -> None:
    seen: list[str] = []

    def script(peer: Peer) -> None:
        peer.send(GREETING)
        read_packet(peer)
        peer.send(ok(2))
        while statement := read_packet(peer)[1:].decode():
            seen.append(statement)
            if statement.startswith("SET SESSION"):
                peer.send(error(1193, "Unknown system variable"))
            else:
                peer.send(ok() if statement.startswith("SET ") else b"".join(table(["x"], [[b"1"]])))

    door = sql(script)
    for _ in range(2):
        assert door.table("SELECT 1", Deadline(5)) == [{"x": "1"}]
    assert sum("max_execution_time" in each for each in seen) == 1
    assert sum("max_statement_time" in each for each in seen) == 1


# Servers that are none, or not for us


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "it said 'HTTP/1.1 400"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "it said 'SSH-2.0"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "does not speak MySQL's protocol"),
        (b"\xff\xff\xff\x00\x0a" + b"x" * 1000, "does not speak MySQL's protocol"),
        (packet(1, b"\x0a5.7.25\0"), "does not speak MySQL's protocol"),
        (packet(0, b"\x0a"), "does not keep to MySQL's protocol"),
        (packet(0, b"\x0aversion-without-number\0" + bytes(40)), "does not keep to MySQL's protocol"),
        (packet(0, b"\x0a5.7.25\0" + b"\xff" * 60), ""),
    ],
    ids="http ssh tls-alert endless number nothing no-version noise".split(),
)
def test_a_greeting_that_is_none_is_named(sql: Opener, said: bytes, words: str) -> None:
    def script(peer: Peer) -> None:
        peer.send(said)
        peer.sleep(0.3)

    ended = ends(sql(script))
    assert isinstance(ended, (Failed, Retryable))
    assert words in ended.message and ended.message.isprintable()


def test_a_server_that_refuses_the_connection_itself_says_why(sql: Opener) -> None:
    def refusing(code: int, text: str) -> Script:
        def script(peer: Peer) -> None:
            peer.send(error(code, text, number=0))

        return script

    blocked = ends(sql(refusing(1129, "Host is blocked")))
    assert isinstance(blocked, Failed) and "FLUSH HOSTS" in blocked.fix
    assert isinstance(ends(sql(refusing(1040, "Too many connections"))), Retryable)
    elsewhere = ends(sql(refusing(1130, "Host is not allowed to connect")))
    assert isinstance(elsewhere, Skip) and "CREATE USER reader" in elsewhere.fix


def test_a_password_that_one_server_refuses_is_tried_on_no_other(serve: Serve, opened: list[Sql]) -> None:
    refusals = 0

    def strict(peer: Peer) -> None:
        nonlocal refusals
        peer.send(GREETING)
        if read_packet(peer):
            refusals += 1
        peer.send(error(1045, "Access denied for user 'reader'@'127.0.0.1' (using password: YES)", number=2))

    account = Account("reader", Secret(PASSWORD))
    servers = [serve(strict) for _ in range(3)]
    opened += [Sql(Address("127.0.0.1", server.port), account) for server in servers]
    ended: list[ItemError] = []

    def ask(door: Sql) -> None:
        ended.append(ends(door))

    threads = [threading.Thread(target=ask, args=(door,)) for door in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refusals == 1
    assert [type(one) for one in ended] == [Skip] * 3 and {one.reason for one in ended} == {
        Reason.NOT_PERMITTED
    }
    assert sum("was refused by" in one.message for one in ended) == 2


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"dialog", b"mysql_old_password"])
def test_a_password_is_not_told_to_a_server_that_asks_for_it(sql: Opener, plugin: bytes) -> None:
    got: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.send(GREETING)
        got.append(read_packet(peer))
        peer.send(packet(2, b"\xfe" + plugin + b"\0Password: \0"))
        got.append(read_packet(peer))

    ended = ends(sql(script))
    assert isinstance(ended, Failed) and ended.reason is Reason.UNSAFE
    assert PASSWORD.encode() not in b"".join(got)


def test_a_server_that_asks_for_a_file_gets_none(sql: Opener) -> None:
    ended = ends(sql(speaking(lambda _: [packet(1, b"\xfb/etc/passwd")])))
    assert isinstance(ended, Failed) and ended.reason is Reason.UNSAFE


# Servers that keep a client waiting


def stalling(peer: Peer) -> None:
    """Accepts, and that is all."""
    peer.sleep()


def greeting_only(peer: Peer) -> None:
    """Greets, and that is all."""
    peer.send(GREETING)
    peer.sleep()


def trickling_greeting(peer: Peer) -> None:
    """Greets a byte at a time."""
    peer.trickle(GREETING[:20] + bytes(60), pause=0.1)


def endless_log_in(peer: Peer) -> None:
    """Asks for another way to log in, over and over."""
    peer.send(GREETING)
    read_packet(peer)
    number = 2
    while True:
        peer.send(packet(number, b"\x01" + b"x" * 1000))
        number += 1


@pytest.mark.parametrize("script", [stalling, greeting_only, trickling_greeting, endless_log_in])
def test_a_log_in_that_stalls_ends_at_the_deadline(sql: Opener, script: Script) -> None:
    ended = ends(sql(script), seconds=0.25, within=2)
    assert isinstance(ended, Failed if script is endless_log_in else TimedOut)


def test_a_greeting_that_does_not_come_is_not_waited_for_all_the_time(
    sql: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clinic.client.mysql.GREETING_SECONDS", 0.2)
    ended = ends(sql(stalling), seconds=10, within=2)
    assert isinstance(ended, Silent) and "no greeting within 0.2 s" in ended.message


def test_a_query_that_stalls_ends_at_the_deadline_and_the_next_gets_a_connection(sql: Opener) -> None:
    door = sql(speaking(lambda statement: None if "stall" in statement else table(["x"], [])))
    ended = ends(door, "SELECT stall", seconds=0.25, within=2)
    assert isinstance(ended, TimedOut) and ended.reason is Reason.DEADLINE
    assert door.table("SELECT 1", Deadline(5)) == []


def test_a_run_that_is_called_off_waits_for_no_query(sql: Opener) -> None:
    door, called_off = sql(speaking(lambda _: None)), threading.Event()
    threading.Timer(0.2, called_off.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        door.table("SELECT 1", Deadline(30, cancelled=called_off))
    assert time.monotonic() - started < 2


def test_waiting_for_the_connection_is_no_fault_of_the_query(sql: Opener) -> None:
    door = sql(speaking(lambda _: table(["x"], [[b"1"]])))
    with door.query("SELECT 1", Deadline(5)):
        ended = ends(door, seconds=0.3, within=2)
    assert isinstance(ended, Retryable) and "busy" in ended.message


def test_a_server_that_keeps_silent_costs_less_each_time(
    sql: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clinic.client.wire.SHORT_SECONDS", 0.2)
    door = sql(speaking(lambda _: None))
    assert isinstance(ends(door, "SELECT 1", seconds=0.3), TimedOut)
    error = ends(door, "SELECT 2")
    assert isinstance(error, Silent) and "within 0.2 s" in error.message
    assert isinstance(ends(door, "SELECT 3"), NotAsked)
    door.again()
    assert isinstance(ends(door, "SELECT 4"), Silent)


def test_a_dead_server_is_not_dialled_for_every_query(opened: list[Sql]) -> None:
    opened.append(Sql(Address("127.0.0.1", closed_port()), Account("reader", Secret(""))))
    assert [type(ends(opened[0])) for _ in range(5)] == [Retryable] * 3 + [NotAsked] * 2


# Servers that fill a client, or break off


def test_rows_without_end_are_cut_at_the_limit(sql: Opener) -> None:
    def reply(_: str) -> Iterator[bytes]:
        packets = table(["x"], [[b"y" * 200]] * 50)
        yield from packets[:3]
        number = 4
        while True:
            yield packet(number, cell(b"y" * 200))
            number += 1

    got = 0
    door = sql(speaking(reply))
    with pytest.raises(Partial) as caught, door.query("SELECT 1", Deadline(10), limit=500_000) as result:
        for _ in result.rows:
            got += 1
    assert caught.value.reason is Reason.TRUNCATED
    assert 2000 < got < 2500


@pytest.mark.parametrize(
    "answer",
    [
        [b"\xff\xff\xff\x01" + b"x" * (1 << 24)] * 3,
        [packet(1, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff")],
        [packet(1, b"\x05"), packet(2, b"\x03def\xff")],
        [packet(1, b"\x01"), packet(2, b"garbage")],
        [packet(7, b"\x01")],
        [packet(1, b"")],
        [*table(["x"], [])[:3], packet(4, b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7fx" + b"y" * 50)],
    ],
    ids="huge-packet columns column-cut column-garbage number empty value-too-long".split(),
)
def test_packets_that_are_none_end_the_query(sql: Opener, answer: list[bytes]) -> None:
    ended = ends(sql(speaking(lambda _: answer)), seconds=3)
    assert isinstance(ended, (Failed, Partial, Retryable))
    assert ended.reason in (Reason.BAD_ANSWER, Reason.TRUNCATED, Reason.UNREACHABLE)


def test_a_query_that_ends_the_server_is_tried_twice_at_most(serve: Serve, opened: list[Sql]) -> None:
    def script(peer: Peer) -> None:
        peer.send(GREETING)
        read_packet(peer)
        peer.send(ok(2))
        while (statement := read_packet(peer)[1:].decode()).startswith("SET "):
            peer.send(ok())
        assert statement == "SELECT all"
        peer.reset()

    opened.append(Sql(Address("127.0.0.1", serve(script).port), Account("reader", Secret(""))))
    first, second = (ends(opened[0], "SELECT all") for _ in range(2))
    assert isinstance(first, Retryable)
    assert isinstance(second, Failed) and "for the second time" in second.message


# The real server of the lab


@pytest.fixture
def mariadb(lab: LabOfTests, opened: list[Sql]) -> Callable[..., Sql]:
    """The door to the lab's MariaDB, as root unless a user is named."""

    def open_door(user: str = "root", password: str = "", tls: Tls | None = None) -> Sql:
        server = lab.server("mariadb")
        given = server.credentials
        known = {"root": given["root_password"], given["plain_user"]: given["plain_password"]}
        account = Account(user, Secret(password or known[user]))
        opened.append(Sql(Address(server.host, server.port), account, tls))
        return opened[-1]

    return open_door


@pytest.mark.lab
def test_mariadb_answers_over_tls_whose_certificate_is_verified_with_a_ca(
    mariadb: Callable[..., Sql], lab: LabOfTests
) -> None:
    bare = mariadb()
    [row] = bare.table("SHOW STATUS LIKE 'Ssl_cipher'", Deadline(5))
    assert row["Value"] and bare.secured == "TLS, its certificate not verified"
    verified = mariadb(tls=Tls(lab.server("mariadb").files["ca"]))
    assert verified.table("SELECT 1 AS one", Deadline(5)) == [{"one": "1"}]
    assert verified.secured == "TLS"


@pytest.mark.lab
def test_mariadb_whose_certificate_another_ca_signed_is_not_trusted(
    mariadb: Callable[..., Sql], certificates: Certificates
) -> None:
    ended = ends(mariadb(tls=Tls(certificates.path("ca.pem"))))
    assert isinstance(ended, Failed) and ended.reason is Reason.UNSAFE
    assert "not signed by the CA in" in ended.message


@pytest.mark.lab
def test_mariadb_lets_nothing_be_changed_and_ends_what_takes_too_long(mariadb: Callable[..., Sql]) -> None:
    door = mariadb()
    ended = ends(door, "CREATE TABLE mysql.clinic_was_here (a INT)")
    assert isinstance(ended, Failed) and "READ ONLY" in ended.message
    started = time.monotonic()
    ended = ends(
        door, "SELECT COUNT(*) FROM mysql.seq_1_to_1000000 a, mysql.seq_1_to_1000000 b", seconds=1.0, within=3
    )
    assert isinstance(ended, TimedOut) and "(1969)" in ended.message
    assert time.monotonic() - started < 1.5
    [row] = door.table("SELECT @@sql_mode = @@GLOBAL.sql_mode AS same", Deadline(5))
    assert row == {"same": "1"}


@pytest.mark.lab
def test_mariadb_refuses_what_an_account_may_not(mariadb: Callable[..., Sql], lab: LabOfTests) -> None:
    wrong = ends(mariadb(password=PASSWORD))
    assert isinstance(wrong, Skip) and wrong.reason is Reason.NOT_PERMITTED and "(1045)" in wrong.message
    plain = mariadb(lab.server("mariadb").credentials["plain_user"])
    assert "GRANT SELECT ON `mysql`.`user` TO plain" in ends(plain, "SELECT * FROM mysql.user").fix
    assert "GRANT PROCESS ON *.* TO plain" in ends(plain, "SHOW ENGINE INNODB STATUS").fix
    assert ends(plain, "SELECT * FROM information_schema.no_such_table").reason is Reason.NOT_APPLICABLE
    assert ends(plain, "SHOW CONFIG").reason is Reason.NOT_APPLICABLE
    assert plain.table("SELECT 1 AS one", Deadline(5)) == [{"one": "1"}]


@pytest.mark.lab
def test_mariadb_gives_all_its_variables_row_by_row(mariadb: Callable[..., Sql]) -> None:
    with mariadb().query("SHOW GLOBAL VARIABLES", Deadline(10)) as result:
        assert result.columns == ("Variable_name", "Value")
        names = [row[0] for row in result.rows]
    assert len(names) > 400 and b"version" in names


@pytest.mark.lab
def test_a_connection_that_mariadb_ends_is_made_anew(mariadb: Callable[..., Sql]) -> None:
    door, other = mariadb(), mariadb()
    [row] = door.table("SELECT CONNECTION_ID() AS id", Deadline(5))
    other.table(f"KILL {row['id']}", Deadline(5))
    time.sleep(0.2)
    [again] = door.table("SELECT CONNECTION_ID() AS id", Deadline(5))
    assert again["id"] != row["id"]
