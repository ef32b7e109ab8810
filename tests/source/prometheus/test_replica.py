"""Of a pair that scrapes the same one is taken, and from the other what the first lacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.client.servers import Serve, serve
from tests.source.prometheus.promservers import hurry, read
from tests.source.prometheus.realproms import END, START, WINDOW, Truth, prometheus, reset, write_block
from tests.source.prometheus.test_faults import rows, samples

from clinic.cluster.model import Cluster, Instance, Machine
from clinic.deadline import Deadline
from clinic.errors import ItemError
from clinic.formats.xorchunk import to_bits
from clinic.host.local import LocalHost
from clinic.outcome import Reason, Status
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import SecretRegister
from clinic.source.prometheus.samples import Samples

__all__ = ["hurry", "serve"]  # fixtures

pytestmark = [pytest.mark.lab, pytest.mark.slow]

LOST = range(START + 1_200_000, START + 1_800_000)
"""The ten minutes in which the first was down."""


def scraped(*, lost: bool = False) -> Truth:
    """Two targets, of which one never answers."""
    found: Truth = {}
    for name, job, value in ((b"up", b"tikv", 1.0), (b"up", b"dead", 0.0), (b"load", b"tikv", 2.5)):
        moments = (at for at in range(START + 7, END, 15_000) if not (lost and at in LOST))
        labels = ((b"__name__", name), (b"instance", b"10.0.0.1:1"), (b"job", job))
        found[labels] = [(at, to_bits(value)) for at in moments]
    return found


def config(*labels: str) -> str:
    """With these external labels."""
    return "global:\n  external_labels:\n" + "".join(f"    {label}\n" for label in labels)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """The first with a hole, a replica of it without, one of another cluster."""
    place: Path = tmp_path_factory.mktemp("pair")
    write_block(place / "holed", scraped(lost=True))
    for name in ("whole", "other"):
        write_block(place / name, scraped())
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(prometheus(place / name, config=config(*labels)))[0]
            for name, labels in {
                "holed": ("cluster: shop", "replica: a"),
                "whole": ("cluster: shop", "replica: b"),
                "other": ("cluster: stock", "replica: b"),
            }.items()
        }


def take(server: int, *before: int) -> tuple[dict[str, bytes], ItemError | None, int | None]:
    """What comes of one that is taken after others, and its estimate."""
    cluster = Cluster("c", "manual", (Machine("127.0.0.1"),))
    common = Common(cluster, WINDOW, SecretRegister(), lambda machine: LocalHost(machine.name))
    one, *others = (Instance("prometheus", "127.0.0.1", port) for port in (server, *before))
    source = Samples(one, before=tuple(others), verify=True)
    try:
        estimate = source.plan(AttemptDoors(common, Deadline(60))).size
        try:
            return (*read(source, AttemptDoors(common, Deadline(60))), estimate)
        except ItemError as error:
            return {}, error, estimate
    finally:
        common.close()


def test_of_a_replica_only_the_hole_of_the_first_is_taken(ports: dict[str, int]) -> None:
    files, error, estimate = take(ports["whole"], ports["other"], ports["holed"])
    assert error is None
    head, *_ = rows(files)
    assert head["replica_of"] == f"127.0.0.1:{ports['holed']}"
    taken = {dict(labels)["__name__"]: {at for at, _ in pairs} for labels, pairs in samples(files).items()}
    lost = {at for at in range(START + 7, END, 15_000) if at in LOST}
    assert lost <= taken["load"] and len(taken["load"]) < len(lost) + 13, (
        "the hole, and a minute or so around it"
    )
    assert {dict(labels)["replica"] for labels in samples(files)} == {"b"}
    came = sum(len(data) for name, data in files.items() if name.startswith("frames-"))
    assert estimate is not None and came * 0.85 < estimate < came * 1.15


def test_of_a_replica_nothing_is_taken_where_the_first_has_all(ports: dict[str, int]) -> None:
    """A target that is down for both is no hole."""
    files, error, _ = take(ports["holed"], ports["whole"])
    assert not files and error is not None
    assert (error.status, error.reason) == (
        Status.SKIPPED,
        Reason.NOT_APPLICABLE,
    ) and "replica" in error.message


def test_what_is_no_replica_or_whose_pair_is_dead_is_taken_whole(ports: dict[str, int], serve: Serve) -> None:
    dead = serve(reset).port
    for before in (ports["other"], dead):
        files, error, _ = take(ports["whole"], before)
        assert error is None and "replica_of" not in rows(files)[0]
        assert sum(map(len, samples(files).values())) == sum(map(len, scraped().values()))
