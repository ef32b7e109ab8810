"""A YAML file can ask the cluster's own servers, and no others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import yaml

from clinic.cluster.model import Cluster, Instance, Machine
from clinic.collector import Content, Item, Target
from clinic.errors import Skip, UsageError
from clinic.outcome import Reason
from clinic.run.doors import AttemptDoors
from clinic.source.base import Doors
from clinic.source.http import Get
from clinic.source.sql import Query
from clinic.window import resolve
from clinic.yaml_collector import read_collector

PD = Instance("pd", "10.0.1.1", 2379)
TIDB = Instance("tidb", "10.0.1.2", 4000, 10080)
MARIADB = Instance("mariadb", "10.0.1.3", 3306)
Declare = Callable[..., list[Item]]


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    """The items that a file with these rows gives on a cluster of three servers."""

    def declare(*rows: dict[str, object]) -> list[Item]:
        path = tmp_path / "c.yaml"
        path.write_text(
            yaml.safe_dump({"name": "c", "category": "config", "summary": "s", "items": list(rows)})
        )
        cluster = Cluster("c", "manual", (Machine("10.0.1.1"),), (PD, TIDB, MARIADB))
        return list(read_collector(path).items(Target(cluster, resolve(None, None))))

    return declare


def test_a_path_is_asked_of_each_instance_of_its_component(declare: Declare) -> None:
    [item] = declare({"path": "members.json", "http": "/pd/api/v1/members", "component": "pd"})
    assert item.path == "10.0.1.1/10.0.1.1-2379/members.json"
    assert (item.host, item.instance, item.content) == ("10.0.1.1", PD.id, Content.JSON)
    assert item.source == Get(PD, "/pd/api/v1/members")
    assert declare({"path": "x", "http": "/x", "component": "ticdc"}) == []


@pytest.mark.parametrize(("content", "expect"), [("json", "json"), ("text", "text"), ("opaque", "any")])
def test_the_content_says_what_an_answer_must_be(declare: Declare, content: str, expect: str) -> None:
    [item] = declare({"path": "x", "http": "/x?y=z", "component": "pd", "content": content})
    assert isinstance(item.source, Get)
    assert (item.source.expect, item.source.path) == (expect, "/x?y=z")


def test_a_whole_url_names_one_server_of_the_cluster(declare: Declare) -> None:
    [item] = declare({"path": "status.json", "http": "https://10.0.1.2:10080/status?a=b"})
    assert item.path == "10.0.1.2/10.0.1.2-4000/status.json" and item.instance == TIDB.id
    assert item.source.what == "GET https://10.0.1.2:10080/status?a=b"


def test_a_server_of_nobody_is_not_asked_and_that_is_on_record(declare: Declare) -> None:
    [item] = declare({"path": "x.json", "http": "http://10.9.9.9:2379/x"})
    doors = cast("Doors", AttemptDoors)  # never used
    impossible = item.source.plan(doors).impossible
    assert isinstance(impossible, Skip) and impossible.reason is Reason.NOT_APPLICABLE
    assert "10.9.9.9:2379 is no server of this cluster" in impossible.message
    with pytest.raises(Skip):
        item.source.open(doors)


def test_a_statement_is_asked_of_every_sql_server_or_of_one_component(declare: Declare) -> None:
    first, second = declare({"path": "status.csv", "sql": "SHOW GLOBAL STATUS"})
    assert [item.source for item in (first, second)] == [
        Query(server, "SHOW GLOBAL STATUS") for server in (TIDB, MARIADB)
    ]
    assert first.path == "10.0.1.2/10.0.1.2-4000/status.csv" and first.content is Content.CSV
    [only] = declare({"path": "status.csv", "sql": "SHOW GLOBAL STATUS", "component": "mariadb"})
    assert only.instance == MARIADB.id


def test_servers_and_machines_go_together_in_one_file(declare: Declare) -> None:
    items = declare(
        {"path": "x.csv", "sql": "SHOW STATUS", "deadline": "5s", "id": "status"},
        {"path": "hosts", "file": "/etc/hosts"},
    )
    assert [item.path for item in items] == [
        "10.0.1.1/hosts", "10.0.1.2/10.0.1.2-4000/x.csv", "10.0.1.3/10.0.1.3-3306/x.csv",
    ]  # fmt: skip
    assert (items[1].deadline, items[1].id) == (5.0, "status")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"http": "/x"}, "say whose /x it is"),
        ({"http": "x/y", "component": "pd"}, "begins with http"),
        ({"http": "http://me:secret-word@10.0.1.1/x"}, "must not hold a user or password"),
        ({"http": "http://10.0.1.1:2379/x", "component": "pd"}, "component goes with a path"),
        ({"http": ["/x", "/y"], "component": "pd"}, "http is one string"),
        ({"http": "/x", "component": ["pd"]}, "component another"),
        ({"http": "/a b", "component": "pd"}, "is no path of a URL"),
        ({"sql": "DROP TABLE t"}, "only reads"),
        ({"sql": "SHOW STATUS", "http": "/x"}, "exactly one of"),
        ({"file": "/etc/hosts", "component": "pd"}, "component goes with http or sql"),
    ],
)
def test_a_mistake_is_told_with_its_line(declare: Declare, row: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        declare({"path": "x", **row})
    assert words in caught.value.message and "c.yaml:" in caught.value.message
    assert "secret-word" not in caught.value.message
