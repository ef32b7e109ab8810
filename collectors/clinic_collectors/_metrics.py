"""A few lines of a server's /metrics: what no other API of it tells, in a thousandth of the bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from clinic.collector import Collector, Instance, Item, Sensitivity, Target, Volatility
from clinic.source.composed import Composed
from clinic.source.first import First
from clinic.source.http import Get
from clinic_collectors._servers import of

_REGIONS = (
    r"pd_regions_(?:status|offline_status|label_level)\{|pd_cluster_status\{|pd_scheduling_allowance_status\{"
)


def only(instance: Instance, pattern: str) -> Composed:
    """The samples whose line matches `pattern` from its beginning; nothing where there is none."""
    wanted = re.compile(pattern.encode())

    def build(inputs: Mapping[str, bytes]) -> bytes:
        return b"".join(line + b"\n" for line in inputs["metrics"].splitlines() if wanted.match(line))

    metrics = Get(instance, "/metrics", expect="text")
    return Composed("", (("metrics", metrics),), build, needs=frozenset({"metrics"}))


def region_counts(collector: Collector, target: Target) -> Iterator[Item]:
    """How many regions lack a peer, have one that is down, are empty: counted by PD's leader, which alone tells.

    The lists behind these numbers can be gigabytes, and PD makes them by going through every region.
    """
    if servers := of(target, "pd"):
        yield Item(
            "topology/pd/region-counts.txt", First(tuple(only(server, _REGIONS) for server in servers)),
            id=f"{collector.name}.region-counts", sensitivity=Sensitivity.INTERNAL, volatility=Volatility.SECONDS,
            priority=10,
        )  # fmt: skip
