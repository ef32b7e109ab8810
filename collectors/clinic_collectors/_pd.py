"""What PD is asked: each for what is its own, any of them for what is the whole cluster's."""

from __future__ import annotations

from clinic.collector import Sensitivity, Volatility
from clinic_collectors._servers import Ask

SECONDS, STABLE = Volatility.SECONDS, Volatility.STABLE
INTERNAL, USER_DATA = Sensitivity.INTERNAL, Sensitivity.USER_DATA
_PD = "/pd/api/v1"

EACH_PD = (
    Ask("health", "health.json", f"{_PD}/health", ("pd",), volatility=SECONDS, priority=10),
    Ask("members", "members.json", f"{_PD}/members", ("pd",), volatility=SECONDS, priority=10),
    Ask("stores", "conf/store.json", f"{_PD}/stores", ("pd",), deploy=True, volatility=SECONDS, priority=10),
    Ask("rules", "conf/placement-rule.json", f"{_PD}/config/placement-rule", ("pd",), deploy=True),
)


def _pd(
    name: str,
    path: str,
    volatility: Volatility = SECONDS,
    kind: Sensitivity = INTERNAL,
    *,
    default: bool = True,
) -> Ask:
    """What any PD can say of the whole cluster: followers pass the question on to the leader."""
    get = path if path.startswith("/") else f"{_PD}/{path}"
    return Ask(
        name, f"topology/pd/{name}.json", get, volatility=volatility, sensitivity=kind, default=default
    )  # fmt: skip


ANY_PD = (
    _pd("bootstrapped", "cluster/status", STABLE),
    # Tombstones are hidden from a list that does not ask for them.
    _pd("stores-leaving", "stores?state=1&state=2"),
    _pd("store-limits", "stores/limit"),
    _pd("stores-removing", "stores/progress?action=removing"),
    _pd("stores-preparing", "stores/progress?action=preparing"),
    _pd("labels", "labels", STABLE),
    _pd("regions", "stats/region"),
    _pd("range-holes", "regions/range-holes"),
    _pd("operators", "operators"),
    _pd("operator-records", "operators/records"),
    _pd("schedulers", "schedulers"),
    _pd("schedulers-paused", "schedulers?status=paused"),
    _pd("schedulers-disabled", "schedulers?status=disabled"),
    _pd("balance-region", "schedulers/diagnostic/balance-region-scheduler"),
    _pd("balance-leader", "scheduler-config/balance-leader-scheduler/list", STABLE),
    _pd("balance-hot-region", "scheduler-config/balance-hot-region-scheduler/list", STABLE),
    _pd("evict-leader", "scheduler-config/evict-leader-scheduler/list"),
    _pd("checker-merge", "checker/merge"),
    _pd("checker-replica", "checker/replica"),
    _pd("region-labels", "config/region-label/rules", STABLE),
    _pd("replication-mode", "replication_mode/status"),
    _pd("hot-stores", "hotspot/stores"),
    _pd("hot-write", "hotspot/regions/write"),
    _pd("hot-read", "hotspot/regions/read"),
    _pd("min-resolved-ts", "min-resolved-ts"),
    _pd("gc-safe-points", "gc/safepoint"),
    _pd("unsafe-recovery", "admin/unsafe/remove-failed-stores/show"),
    _pd("snapshot-recovery", "admin/cluster/markers/snapshot-recovering"),
    _pd("keyspaces", "/pd/api/v2/keyspaces", STABLE),
)

# A region's keys hold values of the customer's rows, and a cluster has up to millions of regions: by name only.
REGIONS = tuple(
    _pd(f"regions-{name}", f"regions/{path}", SECONDS, USER_DATA, default=False)
    for name, path in (
        ("miss-peer", "check/miss-peer"), ("extra-peer", "check/extra-peer"), ("down-peer", "check/down-peer"),
        ("pending-peer", "check/pending-peer"), ("offline-peer", "check/offline-peer"),
        ("learner-peer", "check/learner-peer"), ("most-written", "writeflow?limit=64"),
        ("most-read", "readflow?limit=64"), ("largest", "size?limit=64"),
    )
)  # fmt: skip

SERVICES = tuple(
    _pd(f"members-{name.replace('_', '-')}", f"/pd/api/v2/ms/members/{name}")
    for name in ("tso", "scheduling", "resource_manager", "router")
)
