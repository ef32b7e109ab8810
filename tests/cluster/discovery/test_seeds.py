"""A cluster of which a person names a few addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinic.client.address import Address
from clinic.client.tls import Tls
from clinic.cluster.discovery.seeds import read_seeds, seeded, settled, status_doors
from clinic.cluster.model import Cluster, Instance
from clinic.errors import UsageError


def test_addresses_repeat_or_are_separated_by_commas() -> None:
    seeds = read_seeds(["a:1,b:2", "a:1", " c "], ["d"], "", Tls())
    assert seeds.pd == (Address("a", 1), Address("b", 2), Address("c", 2379))
    assert seeds.tidb == (Address("d", 4000),)
    assert status_doors(seeds) == [Address("d", 10080)]


def test_a_ca_means_tls_and_so_does_https(tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text("")
    assert read_seeds(["a:1"], [], "", Tls(ca)).pd == (Address("a", 1, tls=True),)
    assert read_seeds(["https://a:1"], [], "", Tls()).pd == (Address("a", 1, tls=True),)


def test_a_few_addresses_are_a_cluster() -> None:
    cluster = seeded(read_seeds(["10.0.0.1"], ["[fd00::1]:4001"], "https://mon/prom/", Tls()))
    assert (cluster.name, cluster.deployed) == ("pd-10.0.0.1-2379", "manual")
    assert [(one.component, one.id, one.tls) for one in cluster.instances] == [
        ("pd", "10.0.0.1-2379", False), ("tidb", "fd00::1-4001", False), ("prometheus", "mon-443", True),
    ]  # fmt: skip
    assert cluster.instances[2].extra == {"url": "https://mon/prom"}
    assert [machine.name for machine in cluster.machines] == ["10.0.0.1", "fd00::1", "mon"]


@pytest.mark.parametrize(
    ("pd", "prometheus", "message"),
    [
        (["a b"], "", r"^--pd: "),
        ([" , "], "", r"^--pd and --tidb name no server"),
        (["root:Xq7-tuna@a:1"], "", r"must not hold a user or password"),
        ([], "mon:9090", r"^--prometheus: a URL begins with http"),
        ([], "http://u:Xq7-tuna@mon:9090", r"must not hold a user or password"),
        ([], "http://0.0.0.0:9090", r"nothing can be reached at 0\.0\.0\.0"),
    ],
)
def test_what_is_no_address_is_said_and_a_password_never_repeated(
    pd: list[str], prometheus: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read_seeds(pd, [], prometheus, Tls())
    assert "Xq7-tuna" not in caught.value.message + caught.value.hint


def test_files_for_tls_have_to_be_there_and_to_go_together(tmp_path: Path) -> None:
    there = tmp_path / "x"
    there.write_text("")
    with pytest.raises(UsageError, match="--cert and --key go together"):
        read_seeds(["a:1"], [], "", Tls(cert=there))
    with pytest.raises(UsageError, match="--ca: there is no file"):
        read_seeds(["a:1"], [], "", Tls(ca=tmp_path / "absent"))


def test_once_all_was_asked_the_cluster_is_called_by_its_id_and_guesses_are_said() -> None:
    tidb, told = Instance("tidb", "a", 4000), Instance("tidb", "b", 4000, status_port=10081)
    cluster = settled(Cluster("tidb-a-4000", "manual", (), (tidb, told), id="77"))
    assert cluster.name == "tidb-77"
    assert [one.status_port for one in cluster.instances] == [10080, 10081]
    assert cluster.unknown == ("nobody told the status port of tidb a-4000: 10080 is a guess",)
    assert settled(Cluster("x", "manual", ())).name == "x"
