"""What a query comes to: a table, or a reason, on record either way."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

import pytest
from tests.client.mysqlservers import GREETING, error, ok, packet, read_packet, speaking, table
from tests.client.servers import Peer, Script, Serve, serve
from tests.lab.fixtures import LabOfTests

from clinic.client.access import Access
from clinic.client.account import Account
from clinic.client.tls import Tls
from clinic.cluster.model import Cluster, Instance, Machine
from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, NotAsked, Partial, Retryable, Skip, TimedOut
from clinic.host.local import LocalHost
from clinic.kinds import Content
from clinic.outcome import Reason
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import Secret, SecretRegister
from clinic.source.base import Doors
from clinic.source.sql import FEW_ROWS, OVERFLOWS, Query
from clinic.window import Window

__all__ = ["serve"]  # a fixture

PASSWORD = "a-long-password"


@pytest.fixture
def common() -> Iterator[Common]:
    """What all attempts of a run share, without an account."""
    now = datetime.now(timezone.utc)
    cluster = Cluster("c", "manual", (Machine("127.0.0.1"),))
    window = Window(now - timedelta(hours=1), now)
    made = Common(cluster, window, SecretRegister(), lambda machine: LocalHost(machine.name))
    yield made
    made.close()


@pytest.fixture
def doors(common: Common) -> AttemptDoors:
    """The doors of an attempt in a run with an account."""
    common.shared(Access, lambda: Access(sql=Account("reader", Secret(PASSWORD))))
    return AttemptDoors(common, Deadline(5))


def tidb(port: int) -> Instance:
    """A TiDB on this port of loopback."""
    return Instance("tidb", "127.0.0.1", port)


def read(source: Query, doors: Doors) -> tuple[bytes, ItemError | None]:
    """The bytes, and why there are no more."""
    got = bytearray()
    try:
        [part] = source.open(doors)
        assert part.content is Content.CSV
        for chunk in part.chunks:
            assert isinstance(chunk, bytes)
            got += chunk
    except ItemError as ended:
        return bytes(got), ended
    return bytes(got), None


def test_a_declaration_does_nothing_and_compares_by_value() -> None:
    first, second = Query(tidb(4000), "SHOW VARIABLES"), Query(tidb(4000), "SHOW VARIABLES")
    assert first == second and hash(first) == hash(second)
    assert first != Query(tidb(4001), "SHOW VARIABLES")
    assert (first.lane, first.what, first.deadline) == ("server:127.0.0.1:4000", "SHOW VARIABLES", 20.0)
    narrowed = first.narrow(1000)
    assert isinstance(narrowed, Query) and narrowed.byte_cap == 1000


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM t", "SET GLOBAL x = 1", "SELECT 1; DROP TABLE t", "select * into outfile '/tmp/x' from t",
        "SELECT * FROM t FOR UPDATE", "WITH x AS (SELECT 1) DELETE FROM t", "EXPLAIN ANALYZE SELECT 1", "KILL 1", "",
    ],
)  # fmt: skip
def test_what_is_not_one_statement_that_reads_is_refused(sql: str) -> None:
    with pytest.raises(ValueError, match="only reads"):
        Query(tidb(4000), sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW GLOBAL VARIABLES", "select 'a; delete'", "WITH x AS (SELECT 1) SELECT * FROM x", "ADMIN SHOW DDL JOBS",
        "SELECT update_time FROM information_schema.tables", "SHOW ANALYZE STATUS", "TABLE mysql.tidb",
    ],
)  # fmt: skip
def test_what_reads_may_be_asked(sql: str) -> None:
    assert Query(tidb(4000), sql).sql == sql


def test_the_plan_knows_that_nobody_can_log_in_and_contacts_nobody(common: Common, serve: Serve) -> None:
    server = serve(speaking(lambda _: []))
    impossible = Query(tidb(server.port), "SHOW VARIABLES").plan(AttemptDoors(common, Deadline(5))).impossible
    assert isinstance(impossible, Skip) and impossible.reason is Reason.NOT_PERMITTED
    assert "~/.my.cnf" in impossible.fix
    got, ended = read(Query(tidb(server.port), "SHOW VARIABLES"), AttemptDoors(common, Deadline(5)))
    assert got == b"" and isinstance(ended, Skip)
    assert server.connections == 0


def test_the_plan_of_what_can_be_asked_says_nothing_of_its_size(doors: AttemptDoors) -> None:
    estimate = Query(tidb(4000), "SHOW VARIABLES").plan(doors)
    assert (estimate.size, estimate.impossible) == (None, None)
    unknown = Query(tidb(0), "SHOW VARIABLES").plan(doors).impossible
    assert isinstance(unknown, Skip) and unknown.reason is Reason.NOT_APPLICABLE


def test_a_table_is_csv_with_null_told_from_every_text(doors: AttemptDoors, serve: Serve) -> None:
    rows: list[list[bytes | None]] = [
        [b"plain", b"1"], [None, b""], [b"\\N", b'say "x", y'], [b"two\nlines", b"\xff\x00\xc3\xa4"],
    ]  # fmt: skip
    server = serve(speaking(lambda _: table(["name", "a,b"], rows)))
    got, ended = read(Query(tidb(server.port), "SHOW VARIABLES"), doors)
    assert ended is None
    assert got == (
        b'name,"a,b"\nplain,1\n\\N,""\n"\\N","say ""x"", y"\n"two\nlines",\\xff\\x00\xc3\xa4\n'
    )  # fmt: skip
    parsed = list(csv.reader(io.StringIO(got.decode())))
    assert parsed[3] == ["\\N", 'say "x", y'] and parsed[4][0] == "two\nlines"
    [ran] = doors.done
    assert (ran.kind, ran.what, ran.where) == ("sql", "SHOW VARIABLES", f"127.0.0.1:{server.port}")
    assert (ran.whom, ran.outcome) == ("reader", "4 rows 68 B; no TLS, which it does not offer")
    assert PASSWORD in {one.value.reveal() for one in doors.secrets.since(0)}


def test_no_row_is_a_result(doors: AttemptDoors, serve: Serve) -> None:
    server = serve(speaking(lambda _: table(["a", "b"], [])))
    assert read(Query(tidb(server.port), "SHOW WARNINGS"), doors) == (b"a,b\n", None)
    assert doors.done[0].outcome.startswith("0 rows 4 B")


def test_only_the_columns_that_are_allowed_are_taken(doors: AttemptDoors, serve: Serve) -> None:
    server = serve(speaking(lambda _: table(["ID", "INFO", "Time"], [[b"1", b"SELECT secret", b"2"]])))
    source = Query(tidb(server.port), "SELECT * FROM t", columns=("id", "TIME", "not_in_this_version"))
    assert read(source, doors) == (b"ID,Time\n1,2\n", None)
    got, ended = read(Query(tidb(server.port), "SELECT * FROM t", columns=("none",)), doors)
    assert got == b"" and isinstance(ended, Skip) and ended.reason is Reason.NOT_APPLICABLE


def test_rows_over_the_cap_are_not_read(doors: AttemptDoors, serve: Serve) -> None:
    server = serve(speaking(lambda _: table(["x"], [[b"%d" % number] for number in range(100)])))
    got, ended = read(Query(tidb(server.port), "SELECT 1", row_cap=10), doors)
    assert got == b"x\n" + b"".join(b"%d\n" % number for number in range(10))
    assert isinstance(ended, Partial) and ended.reason is Reason.TRUNCATED and "10 rows" in ended.message
    assert read(Query(tidb(server.port), "SELECT 1", row_cap=100), doors)[1] is None


def test_a_server_of_which_no_result_ends_is_asked_for_few_rows(doors: AttemptDoors, serve: Serve) -> None:
    server = serve(speaking(lambda _: table(["x"], [[b"y"]] * 3000)))
    for number in range(OVERFLOWS):
        assert read(Query(tidb(server.port), f"SELECT {number}", row_cap=2000), doors)[0].count(b"y") == 2000
    got, ended = read(Query(tidb(server.port), "SELECT 9"), doors)
    assert got.count(b"y") == FEW_ROWS and isinstance(ended, Partial)
    assert "1,000 rows" in ended.message


def test_long_results_that_end_are_no_reason_for_fewer_rows(doors: AttemptDoors, serve: Serve) -> None:
    server = serve(speaking(lambda _: table(["x"], [[b"y"]] * 2000)))
    for number in range(OVERFLOWS + 1):
        assert read(Query(tidb(server.port), f"SELECT {number}"), doors)[1] is None


def test_a_result_over_the_byte_cap_is_cut(doors: AttemptDoors, serve: Serve) -> None:
    server = serve(speaking(lambda _: table(["x"], [[b"y" * 200]] * 1000)))
    got, ended = read(Query(tidb(server.port), "SELECT 1", byte_cap=50_000), doors)
    assert isinstance(ended, Partial) and ended.reason is Reason.TRUNCATED
    assert 40_000 < len(got) < 50_000 and got.endswith(b"y\n")


def test_many_rows_come_in_pieces(doors: AttemptDoors, serve: Serve) -> None:
    server = serve(speaking(lambda _: table(["x"], [[b"y" * 200]] * 2000)))
    [part] = Query(tidb(server.port), "SELECT 1").open(doors)
    sizes = [len(chunk) for chunk in part.chunks if isinstance(chunk, bytes)]
    assert len(sizes) > 5 and max(sizes) < 70_000


def breaking_off(last: bytes) -> Script:
    """A server that sends two rows, then `last`, and hangs up."""

    def script(peer: Peer) -> None:
        peer.send(GREETING)
        read_packet(peer)
        peer.send(ok(2))
        while read_packet(peer)[1:].startswith(b"SET "):
            peer.send(ok())
        peer.send(b"".join(table(["x"], [[b"1"], [b"2"]])[:-1]) + last)

    return script


@pytest.mark.parametrize(
    ("last", "kind", "reason"),
    [
        (b"", Partial, Reason.UNREACHABLE),
        (error(3024, "too long", number=6), TimedOut, Reason.DEADLINE),
        (error(1105, "no more", number=6), Failed, Reason.BAD_ANSWER),
        (packet(6, b"\xfd"), Failed, Reason.BAD_ANSWER),
    ],
)
def test_rows_that_came_before_an_error_are_kept(
    doors: AttemptDoors, serve: Serve, last: bytes, kind: type[ItemError], reason: Reason
) -> None:
    got, ended = read(Query(tidb(serve(breaking_off(last)).port), "SELECT 1"), doors)
    assert got == b"x\n1\n2\n"
    assert isinstance(ended, kind) and ended.reason is reason
    assert str(reason) in doors.done[0].outcome


def test_an_error_instead_of_rows_leaves_nothing(doors: AttemptDoors, serve: Serve) -> None:
    server = serve(speaking(lambda _: [error(1146, "Table 'mysql.tidb' doesn't exist")]))
    got, ended = read(Query(tidb(server.port), "SELECT * FROM mysql.tidb"), doors)
    assert got == b"" and isinstance(ended, Skip) and ended.reason is Reason.NOT_APPLICABLE


def test_a_server_that_is_down_is_tried_again_and_then_no_more(doors: AttemptDoors, serve: Serve) -> None:
    server = serve(speaking(lambda _: []))
    port = server.port
    server.stop()
    kinds = [type(read(Query(tidb(port), "SELECT 1"), doors)[1]) for _ in range(4)]
    assert kinds == [Retryable] * 3 + [NotAsked]


# The real server of the lab


@pytest.fixture
def of_lab(lab: LabOfTests, common: Common) -> Callable[[str, Tls], tuple[Instance, AttemptDoors]]:
    """The lab's MariaDB, and doors in which a user of it may log in."""
    server = lab.server("mariadb")
    given = server.credentials
    passwords = {"root": given["root_password"], given["plain_user"]: given["plain_password"]}

    def start(user: str, tls: Tls) -> tuple[Instance, AttemptDoors]:
        common.shared(Access, lambda: Access(sql=Account(user, Secret(passwords[user])), sql_tls=tls))
        return Instance("mariadb", server.host, server.port), AttemptDoors(common, Deadline(10))

    return start


OfLab = Callable[[str, Tls], "tuple[Instance, AttemptDoors]"]


@pytest.mark.lab
def test_the_variables_of_mariadb(of_lab: OfLab, lab: LabOfTests) -> None:
    server, doors = of_lab("root", Tls(lab.server("mariadb").files["ca"]))
    got, ended = read(Query(server, "SHOW GLOBAL VARIABLES"), doors)
    assert ended is None
    found = dict(list(csv.reader(io.StringIO(got.decode())))[1:])
    assert found["port"] == str(server.port) and found["version_comment"]
    assert doors.done[0].outcome.endswith("; TLS")


@pytest.mark.lab
def test_one_connection_to_mariadb_serves_a_run(of_lab: OfLab) -> None:
    server, doors = of_lab("root", Tls())
    ids = {read(Query(server, "SELECT CONNECTION_ID()"), doors)[0] for _ in range(3)}
    assert len(ids) == 1
    assert "certificate not verified" in doors.done[0].outcome


@pytest.mark.lab
def test_a_user_of_mariadb_without_rights_is_told_the_grant(of_lab: OfLab, lab: LabOfTests) -> None:
    server, doors = of_lab(lab.server("mariadb").credentials["plain_user"], Tls())
    got, ended = read(Query(server, "SHOW ENGINE INNODB STATUS"), doors)
    assert got == b"" and isinstance(ended, Skip)
    assert ended.fix == "GRANT PROCESS ON *.* TO plain"


@pytest.mark.lab
def test_mariadb_stops_a_query_at_its_deadline(of_lab: OfLab, common: Common) -> None:
    server, _ = of_lab("root", Tls())
    doors = AttemptDoors(common, Deadline(1.0))
    started = time.monotonic()
    query = "SELECT a.seq FROM mysql.seq_1_to_100000 a, mysql.seq_1_to_100000 b WHERE a.seq + b.seq < 0"
    _, ended = read(Query(server, query), doors)
    assert isinstance(ended, TimedOut) and time.monotonic() - started < 2
