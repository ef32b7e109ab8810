"""Before a run: load the collectors, find the cluster, declare the plan, look at what it would cost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from clinic import registry
from clinic.bundle.manifest import Option
from clinic.client.access import Access
from clinic.cluster.discover import Where, discover, learning
from clinic.cluster.model import Cluster
from clinic.collector import Target
from clinic.deadline import Deadline
from clinic.errors import UsageError
from clinic.kinds import Volatility
from clinic.plan import Plan, Selection, declare, look, share, share_logs
from clinic.redact import Redactor
from clinic.redact.own_rules import own_rules
from clinic.run.doors import AttemptDoors, Common
from clinic.run.engine import Bounds
from clinic.run.reach import People, Reach, Ssh
from clinic.secret import SecretRegister
from clinic.units import MIB
from clinic.window import Window

LOOK_SECONDS = 10.0
"""Bound of one look at a source for its estimate."""

PLAN_SECONDS = 15.0
"""Discovery and all looks together: the plan is on the screen in time, whatever hangs."""

LEAST_SECONDS = 5.0
"""What is left for the looks, however long the logins and a person's answers took."""

KEEP_FREE = 64 * MIB
"""Bytes that stay free on the disk unless `--keep-free` says otherwise: a database may need them."""


@dataclass(frozen=True)
class Steering:
    """What selects and bounds a run; stored in the bundle so that `--resume` can do the same again."""

    selection: Selection
    """What is wanted."""

    profile: str = "default"
    """Name of the profile."""

    collectors: tuple[str, ...] = ()
    """Third parties' collectors, by name or absolute path."""

    deadline: float | None = None
    """Seconds for all items."""

    max_size: int | None = None
    """Stored bytes."""

    max_log_size: int | None = None
    """Stored bytes of the logs of one instance."""

    concurrency: int = 16
    """Items at once."""

    keep_free: int = KEEP_FREE
    """Bytes that stay free on the disk."""

    options: tuple[str, ...] = ()
    """Options of collectors, `name=value`."""

    where: Where = field(default_factory=Where)
    """Which cluster, and how it is found."""

    ssh: Ssh = field(default_factory=Ssh)
    """How other machines are logged in at."""

    rules: str = ""
    """File of the customer's own rules of redaction, absolute; empty for none."""

    def values(self) -> dict[str, Option]:
        """As the journal and the manifest hold it."""
        chosen = self.selection
        return {
            "include": chosen.include, "exclude": chosen.exclude, "roles": chosen.roles, "nodes": chosen.nodes,
            "volatility": chosen.volatility.name.lower(), "collectors": self.collectors,
            "deadline": self.deadline, "max_size": self.max_size, "max_log_size": self.max_log_size,
            "concurrency": self.concurrency, "keep_free": self.keep_free, "options": self.options,
            "rules": self.rules, **self.where.values(), **self.ssh.values(),
        }  # fmt: skip

    @classmethod
    def of(cls, profile: str, values: Mapping[str, Option]) -> Steering:
        """What `values()` gave, read back. Raises `UsageError` where it is not that."""
        try:
            selection = Selection(
                _words(values["include"]), _words(values["exclude"]), _words(values["roles"]), _words(values["nodes"]),
                Volatility[str(values["volatility"]).upper()],
            )  # fmt: skip
            deadline = values.get("deadline")
            return cls(
                selection, profile, _words(values["collectors"]),
                float(str(deadline)) if deadline is not None else None,
                _number(values.get("max_size")), _number(values.get("max_log_size")),
                int(str(values["concurrency"])), int(str(values["keep_free"])),
                _words(values.get("options")), Where.of(values), Ssh.of(values), str(values.get("rules") or ""),
            )  # fmt: skip
        except (KeyError, ValueError) as error:
            raise UsageError(
                f"the bundle does not hold the options of its run: {error}",
                hint="collect anew in another directory",
            ) from error

    @property
    def bounds(self) -> Bounds:
        """For the scheduler."""
        return Bounds(total=self.concurrency, deadline=self.deadline)


@dataclass(frozen=True)
class Ready:
    """A plan with the doors it needs; `close` it when it is not run."""

    plan: Plan
    """What will be collected."""

    common: Common
    """Doors to the machines."""

    redactor: Redactor
    """Knows the secrets learned so far."""

    bounds: Bounds
    """How much at once, how long."""

    looked: bool
    """Whether sources were looked at for estimates."""


def _words(value: Option) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _number(value: Option) -> int | None:
    return int(str(value)) if value is not None else None


def load(names: tuple[str, ...]) -> list[registry.Found]:
    """The built-in collectors and those that were named. Raises `UsageError` where two claim one name."""
    found = [*registry.builtin(), *registry.named(names)]
    twice = registry.duplicates(found)
    if twice:
        raise UsageError(
            f"two collectors are called {', '.join(twice)}",
            hint="rename the one that was named with --collector",
        )
    return found


def _with_named(selection: Selection, found: list[registry.Found]) -> Selection:
    """A third party's collector was named to be run: `--include` need not name it again, but may narrow it."""
    names = [one.collector.name for one in found if one.foreign]
    words = [pattern.split(".")[0] for pattern in selection.include]
    return replace(selection, include=(*selection.include, *(name for name in names if name not in words)))


class Logins(Protocol):
    """Who logs in at the cluster's servers; every secret is learned before it is used."""

    def given(self, register: SecretRegister) -> Access:
        """What can be known before the cluster is."""
        ...

    def asked(self, access: Access, cluster: Cluster, register: SecretRegister) -> Access:
        """The same, completed for `cluster`: the one place where a person may be asked."""
        ...


def prepare(
    steering: Steering,
    window: Window,
    *,
    offline: bool = False,
    logins: Logins | None = None,
    people: People | None = None,
) -> Ready:
    """Everything up to the question. `offline` contacts nothing and leaves the estimates out.

    Without `logins` there is no account, and what needs one is skipped. Without `people` nobody
    is asked about unknown host keys or for passwords of SSH. Raises `UsageError`, `Refused`, `Unreachable`.
    """
    until = time.monotonic() + PLAN_SECONDS
    found = load(steering.collectors)
    rules = own_rules(Path(steering.rules)) if steering.rules else None
    redactor = Redactor(register := SecretRegister(), rules)
    access = logins.given(register) if logins is not None else Access()
    cluster = discover(steering.where, learning(redactor), account=access.sql, offline=offline)
    selection = _with_named(steering.selection, found)
    target = Target(cluster, window, dict(one.split("=", 1) for one in steering.options))
    plan = declare([(one.collector, one.foreign) for one in found], target, selection, redactor)
    if logins is not None and not offline and any(one.item.source.needs_account for one in plan.items):
        access = logins.asked(access, cluster, register)
    reach = Reach(steering.ssh, register, people)
    common = Common(cluster, window, register, reach.open)
    common.shared(Reach, lambda: reach)
    common.shared(Access, lambda: replace(access, tls=cluster.tls))
    if not offline:
        names = hosts_of(plan)
        reach.open_all([machine for machine in cluster.machines if machine.name in names], common.host)
        until = max(until, time.monotonic() + LEAST_SECONDS)
        plan = look(plan, lambda planned: AttemptDoors(common, Deadline(_look_seconds(until))))
    if steering.max_log_size is not None:
        plan = share_logs(plan, steering.max_log_size)
    if steering.max_size is not None:
        plan = share(plan, steering.max_size)
    return Ready(plan, common, redactor, steering.bounds, looked=not offline)


def hosts_of(plan: Plan) -> list[str]:
    """The machines that something is to be read on."""
    lanes = (planned.item.source.lane.partition(":") for planned in plan.items)
    return sorted({name for kind, _, name in lanes if kind == "host"})


def _look_seconds(until: float) -> float:
    """What one look may take: what discovery left of the time, and never nothing."""
    return min(LOOK_SECONDS, max(0.05, until - time.monotonic()))
