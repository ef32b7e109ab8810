"""The levels above credentials: what is replaced, what stays, and that a second pass changes nothing."""

from __future__ import annotations

import csv
import io

import pytest

from clinic.kinds import Content
from clinic.redact import Redactor
from clinic.redact.learning import learn_file, learn_names, learner
from clinic.redact.privacy import Level, Names, Privacy
from clinic.redact.pseudonyms import Pseudonyms
from clinic.secret import Secret, SecretRegister

TEXT = b"""\
[2026/11/25 10:00:00.000 +08:00] [INFO] [conn.go:1] [conn=5] [user=shopper] [client=10.0.1.5:4000]
[host=warehouse7] [sql="select * from shop.orders where a='x y' and b=\\"q\\" and n=15"]
# User@Host: shopper[shopper2] @ warehouse7 [10.0.1.6]
# Time: 2026-11-25T10:00:00.1+08:00 version 8.5.0
select * from orders
where id = 4711 and customer = 'Alice Doe';
lost warehouse7 again, fe80::1ff:fe23:4567:890a, ::ffff:10.0.1.9, bob@example.com, http://warehouse7:2379/pd/api
{"host":"warehouse7","db":"shop","table_name":"orders","start_key":"7480000000000000FF5F","path":"/home/aliced/x"}
region 7480000000000000625F728000000002512B5C start "t\\200\\000a\\n" moved
Duplicate entry 'Alice Doe' for key 'uk'
"""
GONE = [b"shopper", b"shopper2", b"10.0.1", b"warehouse7", b"fe80", b"bob@", b"Alice Doe", b"4711", b"'x y'"]
GONE_TOO = [
    b"7480000000000000625F",
    b"200\\000a",
    b"shop",
    b"orders",
    b"7480000000000000FF5F",
    b"aliced",
    b"customer",
]
STAYS = [
    b"2026/11/25 10:00:00.000 +08:00",
    b"version 8.5.0",
    b":4000",
    b":2379/pd/api",
    b"select * from",
    b"conn.go:1",
]


def _privacy(level: Level, text: bytes = TEXT) -> Privacy:
    names: dict[str, str] = {}
    learn_names(text, names, level)
    return Privacy(level, Pseudonyms(Secret("5a" * 32)), Names(names))


def _through(privacy: Privacy, text: bytes) -> bytes:
    stream = Redactor(SecretRegister(), privacy=privacy).stream(Content.LOG)
    return stream.feed(text) + stream.finish()


@pytest.mark.parametrize("level", [Level.IDENTIFIERS, Level.STRICT])
def test_names_go_and_evidence_stays(level: Level) -> None:
    seen = _through(_privacy(level), TEXT)
    assert [one for one in GONE if one in seen] == []
    assert [one for one in STAYS if one not in seen] == []
    assert [one for one in GONE_TOO if one in seen] == (GONE_TOO if level is Level.IDENTIFIERS else [])


@pytest.mark.parametrize("level", [Level.IDENTIFIERS, Level.STRICT])
def test_a_second_pass_changes_nothing(level: Level) -> None:
    privacy = _privacy(level)
    once = _through(privacy, TEXT)
    assert _through(privacy, once) == once


def test_a_bare_name_is_found_once_the_structure_has_shown_it() -> None:
    privacy = _privacy(Level.IDENTIFIERS, b'{"host": "warehouse7"}')
    seen = _through(privacy, b"lost warehouse7 again, not warehouse77\n")
    assert b"warehouse7 " not in seen
    assert b"warehouse77" in seen


def test_only_literals_go_at_level_none() -> None:
    privacy = Privacy(Level.NONE, Pseudonyms(Secret("5a" * 32)), literals=True)
    assert _through(privacy, b"select 1 from t where host = 'db1' /* 10.0.0.1 */\n").startswith(
        b"select ? from t where host = ?"
    )


def test_a_line_without_any_end_is_withheld() -> None:
    seen = _through(_privacy(Level.IDENTIFIERS), b"x" * (3 << 20))
    assert b"withheld" in seen
    assert b"xxxx" not in seen


def test_short_and_common_names_are_replaced_only_where_they_are_names() -> None:
    seen = _through(_privacy(Level.IDENTIFIERS, b'"user":"root"'), b'{"user":"root"} root cause\n')
    assert b'"root"' not in seen
    assert b"root cause" in seen


TABLE = b"""\
ID,USER,HOST,DB,TABLE_NAMES,INDEX_NAMES,INFO,N
1,app,10.0.9.21:4000,ship,"ship.orders,ship.items",[orders:idx_note],"update orders set a = 'x, y' where id = 7",42
2,"app",h1:80,ship,orders,,"SELECT ""a"", 'b'",43
"""


@pytest.mark.parametrize("level", [Level.IDENTIFIERS, Level.STRICT])
def test_names_in_columns_go_short_ones_too_and_the_table_stays_one(level: Level) -> None:
    privacy = Privacy(level, Pseudonyms(Secret("5a" * 32)))
    stream = Redactor(SecretRegister(), privacy=privacy).stream(Content.CSV)
    rows = list(csv.reader(io.StringIO((stream.feed(TABLE) + stream.finish()).decode())))
    assert [len(row) for row in rows] == [8, 8, 8]
    assert rows[1][7] == "42"
    assert rows[1][1] == rows[2][1] == privacy.pseudonyms.name("user", "app")
    assert rows[1][2].endswith(":4000")
    assert rows[2][2] == privacy.pseudonyms.name("host", "h1") + ":80"
    assert "10.0.9.21" not in rows[1][2]
    if level is Level.STRICT:
        table = privacy.pseudonyms.name("table", "orders")
        assert rows[1][4].split(",")[0] == f"{rows[1][3]}.{table}"
        assert "orders" not in str(rows)
    else:
        assert rows[1][6] == "update orders set a = ? where id = ?"


def test_names_in_columns_and_labels_are_learned_for_everything_else() -> None:
    found: dict[str, str] = {}
    stage = learner(Content.CSV, found, Level.STRICT)
    assert stage is not None
    stage.feed(TABLE)
    stage.finish()
    assert found == {
        "app": "user", "h1": "host", "ship": "db", "orders": "table", "items": "table", "idx_note": "index",
    }  # fmt: skip


def test_names_in_files_of_names() -> None:
    found: dict[str, str] = {}
    learn_file("h/etc/hosts", b"10.0.0.5 db1.corp.example.com db1 # the first\n127.0.0.1 localhost\n", found)
    learn_file("h/etc/resolv.conf", b"nameserver 10.0.0.2\nsearch corp.example.com\n", found)
    assert set(found) == {"db1.corp.example.com", "db1", "corp.example.com", "corp"}
    privacy = Privacy(Level.IDENTIFIERS, Pseudonyms(Secret("5a" * 32)), Names(found))
    assert privacy.words(b"10.0.0.5  db1\n") == b"10.0.0.5  " + privacy.exact("db1").encode() + b"\n"


@pytest.mark.parametrize(
    "text",
    [
        "see https://api.opsgenie.com/v2 and https://www.kernel.org", '{"instance":"tidb"}', "Linux version 6.1.0",
        '{db="kv"}',
    ],
)  # fmt: skip
def test_what_identifies_nobody_stays(text: str) -> None:
    privacy = Privacy(Level.STRICT, Pseudonyms(Secret("5a" * 32)))
    stream = Redactor(SecretRegister(), privacy=privacy).stream(Content.TEXT)
    assert (stream.feed(text.encode()) + stream.finish()).decode() == text


def test_columns_that_every_cluster_has_stay_in_sql() -> None:
    privacy = Privacy(Level.STRICT, Pseudonyms(Secret("5a" * 32)))
    seen = _through(privacy, b"select exec_count, colour from statements_summary\n")
    assert b"exec_count" in seen
    assert b"statements_summary" in seen
    assert b"colour" not in seen
