"""The plan: pure, pasteable names, what is chosen, the order, and how a budget is shared out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

import pytest

from clinic.cluster.model import Cluster, Instance, Machine
from clinic.collector import Category, Collector, Item, Stage, Target, Volatility, Window
from clinic.errors import Skip, UsageError
from clinic.outcome import Reason, Status
from clinic.plan import Plan, Selection, declare, look, share, share_logs
from clinic.redact import Redactor
from clinic.run.doors import AttemptDoors
from clinic.secret import SecretRegister
from clinic.source.base import Doors, Estimate, Part, Source

WINDOW = Window(datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2026, 1, 2, tzinfo=timezone.utc))
CLUSTER = Cluster(
    "shop", "manual", (Machine("h1"), Machine("h2")),
    (Instance("tidb", "h1", 4000), Instance("tikv", "h2", 20160), Instance("tidb", "h2", 4000)),
)  # fmt: skip
TARGET = Target(CLUSTER, WINDOW)


@dataclass(frozen=True)
class Text(Source):
    """Gives a text, as a source that knows its size."""

    host: str
    text: str = "x"
    size: int | None = None

    @property
    def lane(self) -> str:
        return f"host:{self.host}"

    @property
    def what(self) -> str:
        return f"text {self.text}"

    def plan(self, doors: Doors) -> Estimate:
        if self.text == "absent":
            raise Skip(Reason.TOOL_ABSENT, "no such tool", fix="install it")
        return Estimate(self.size if self.size is not None else len(self.text), exact=True)

    def open(self, doors: Doors) -> Iterator[Part]:
        yield Part(iter([self.text.encode()]))

    def narrow(self, size: int) -> Source:
        return Text(self.host, self.text, size)


class Machines(Collector):
    """A few items a machine."""

    name = "machines"
    category = Category.SYSTEM
    summary = "for tests"

    def items(self, target: Target) -> Iterator[Item]:
        for machine in target.machines:
            yield Item(f"{machine.name}/late.txt", Text(machine.name, size=4_000_000), priority=90)
            yield Item(f"{machine.name}/early.txt", Text(machine.name), volatility=Volatility.SECONDS)
            yield Item(
                f"{machine.name}/conf.ini", Text(machine.name), stage=Stage.LEARN, id="machines.conf.main"
            )
            yield Item(f"{machine.name}/rare.txt", Text(machine.name), default=False)


class Instances(Collector):
    """One item an instance."""

    name = "instances"
    category = Category.CONFIG
    summary = "for tests"

    def items(self, target: Target) -> Iterator[Item]:
        for instance in target.instances():
            yield Item(f"{instance.host}/{instance.id}/x.txt", Text(instance.host), instance=instance.id)


class Broken(Collector):
    """Raises while it declares."""

    name = "broken"
    category = Category.DEBUG
    summary = "for tests"

    def items(self, target: Target) -> Iterator[Item]:
        yield Item("a", Text("h1"))
        raise ValueError("no such thing, password=hunter22")


def planned(selection: Selection | None = None, *collectors: Collector) -> Plan:
    every = collectors or (Machines(), Instances())
    redactor = Redactor(SecretRegister())
    return declare([(one, False) for one in every], TARGET, selection or Selection(), redactor)


def ids(plan: Plan) -> list[str]:
    return [f"{one.entry.id}@{one.entry.host}" for one in plan.items]


def test_what_teaches_the_redactor_comes_first_then_what_is_gone_soonest() -> None:
    assert ids(planned(Selection(include=("machines",)))) == [
        "machines.conf.main@h1", "machines.conf.main@h2", "machines.early@h1", "machines.early@h2",
        "machines.rare@h1", "machines.rare@h2", "machines.late@h1", "machines.late@h2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        (("default",), {"machines.late", "machines.early", "machines.conf.main", "instances.x"}),
        (("config",), {"instances.x"}),
        (("machines.conf",), {"machines.conf.main"}),
        (("machines.*",), {"machines.late", "machines.early", "machines.conf.main", "machines.rare"}),
        (("*.rare", "instances.x"), {"machines.rare", "instances.x"}),
    ],
)
def test_ids_prefixes_globs_and_categories_select(include: tuple[str, ...], expected: set[str]) -> None:
    assert {one.entry.id for one in planned(Selection(include=include)).items} == expected


def test_exclude_wins_over_include() -> None:
    chosen = planned(Selection(exclude=("machines.late", "config")))
    assert {one.entry.id for one in chosen.items} == {"machines.early", "machines.conf.main"}


def test_a_pattern_that_matches_nothing_is_an_error_and_not_an_empty_bundle() -> None:
    with pytest.raises(UsageError, match=r"nothing is called machines\.lat, sytem"):
        planned(Selection(include=("machines.lat", "sytem")))


def test_only_volatile_evidence_and_what_teaches_the_redactor() -> None:
    chosen = planned(Selection(volatility=Volatility.SECONDS))
    assert {one.entry.id for one in chosen.items} == {"machines.early", "machines.conf.main"}


@pytest.mark.parametrize("role", ["sql", "tidb"])
def test_a_role_selects_its_instances_and_their_machines(role: str) -> None:
    assert {one.entry.instance for one in planned(Selection(roles=(role,))).items} == {
        "",
        "h1-4000",
        "h2-4000",
    }


def test_a_node_is_a_host_or_one_instance() -> None:
    assert {one.entry.host for one in planned(Selection(nodes=("h2",))).items} == {"h2"}
    only = planned(Selection(nodes=("h2:20160",)))
    assert {one.entry.instance for one in only.items} == {"", "h2-20160"}


def test_an_instance_that_is_known_by_its_address_is_named_as_people_write_it() -> None:
    shared = Instance("tikv", "h", 20160, own_id="127.0.2.1-20160")
    other = Instance("tikv", "h", 20160, own_id="127.0.2.2-20160")
    target = Target(Cluster("lab", "tiup", (Machine("h"),), (shared, other)), WINDOW)
    wanted = Selection(nodes=("127.0.2.1:20160",))
    plan = declare([(Instances(), False)], target, wanted, Redactor(SecretRegister()))
    assert {one.entry.instance for one in plan.items} - {""} == {"127.0.2.1-20160"}


def test_a_collector_that_raises_is_one_failed_record_and_costs_nothing_else() -> None:
    plan = planned(None, Broken(), Instances())
    assert len(plan.items) == 3
    (record,) = plan.broken
    assert record.status is Status.FAILED
    assert record.reason is Reason.COLLECTOR_ERROR
    assert "ValueError: no such thing" in record.message
    assert "test_plan.py" in record.message
    assert "hunter22" not in record.message


def test_two_items_that_mean_the_same_path_are_both_kept() -> None:
    class Twice(Instances):
        name = "twice"

        def items(self, target: Target) -> Iterator[Item]:
            yield Item("Same.txt", Text("h1", "a"))
            yield Item("same.txt", Text("h1", "b"))

    assert {one.entry.path for one in planned(None, Twice()).items} == {"Same.txt", "same.txt.2"}


def test_looking_gives_estimates_and_says_what_is_impossible() -> None:
    class Looked(Instances):
        name = "looked"

        def items(self, target: Target) -> Iterator[Item]:
            yield Item("a.txt", Text("h1", "four"))
            yield Item("b.txt", Text("h2", "absent"))

    plan = look(planned(None, Looked()), lambda one: AttemptDoors.__new__(AttemptDoors))
    first, second = plan.items
    assert (first.entry.estimate, first.entry.exact) == (4, True)
    assert second.estimate.impossible is not None
    assert second.estimate.impossible.fix == "install it"
    assert plan.contacted == ("host:h1", "host:h2")


def test_a_budget_goes_by_priority_and_narrows_what_does_not_fit() -> None:
    plan = look(planned(Selection(include=("machines",))), lambda one: AttemptDoors.__new__(AttemptDoors))
    shared = {one.entry.path: one.item.source for one in share(plan, 1_200_000).items}
    sizes = {path: source.size for path, source in shared.items() if isinstance(source, Text)}
    assert sizes["h1/early.txt"] is None
    assert sizes["h1/late.txt"] == 4_000_000
    assert sizes["h2/late.txt"] == pytest.approx(800_000, rel=0.01)


def test_the_logs_of_each_instance_have_a_budget_of_their_own() -> None:
    class Noisy(Collector):
        name = "noisy"
        category = Category.LOGS
        summary = "for tests"

        def items(self, target: Target) -> Iterator[Item]:
            for instance in ("h1-4000", "h2-4000"):
                host = instance.split("-")[0]
                yield Item(f"{instance}/std", Text(host, size=4_000_000), instance=instance, priority=40)
                yield Item(f"{instance}/error", Text(host, size=2_000_000), instance=instance, priority=20)

    plan = look(planned(None, Noisy(), Machines()), lambda one: AttemptDoors.__new__(AttemptDoors))
    shared = {one.entry.path: one.item.source for one in share_logs(plan, 600_000).items}
    sizes = {path: source.size for path, source in shared.items() if isinstance(source, Text)}
    assert {path: size for path, size in sizes.items() if path.endswith(("std", "error"))} == {
        "h1-4000/std": 400_000, "h1-4000/error": 2_000_000, "h2-4000/std": 400_000, "h2-4000/error": 2_000_000,
    }  # fmt: skip
    assert sizes["h1/late.txt"] == 4_000_000, "what is no log is not narrowed"


def test_of_each_kind_of_log_the_newest_is_kept_however_large_the_first_is() -> None:
    class Noisy(Collector):
        name = "noisy"
        category = Category.LOGS
        summary = "for tests"

        def items(self, target: Target) -> Iterator[Item]:
            for name, size, priority in (
                ("slow", 9_000_000, 30),
                ("std", 9_000_000, 40),
                ("raft", 40_000, 60),
            ):
                yield Item(f"h1/{name}", Text("h1", size=size), instance="h1-4000", priority=priority)

    plan = look(planned(None, Noisy()), lambda one: AttemptDoors.__new__(AttemptDoors))
    narrowed = share_logs(plan, 1_200_000)
    assert {one.entry.path: one.estimate.size for one in narrowed.items} == {
        "h1/slow": 4_800_000 - 400_000 - 40_000, "h1/std": 400_000, "h1/raft": 40_000,
    }  # fmt: skip
    assert share(narrowed, 1_200_000).items == narrowed.items, "what is narrowed already fits"


def test_declaring_twice_gives_the_same_plan() -> None:
    assert [one.entry for one in planned().items] == [one.entry for one in planned().items]
