"""Ten dead items of one host are one line; what nobody can do anything about is only counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clinic.outcome import Reason, Status
from clinic.read.missing import groups, is_missing, not_here


def test_items_that_lack_one_right_on_one_host_are_one_group(record: Any) -> None:
    records = [
        record(
            f"system.item{number}",
            status=Status.SKIPPED,
            reason=Reason.NOT_PERMITTED,
            message="no",
            fix=f"fix {number % 2}",
        )
        for number in range(10)
    ]
    (group,) = groups(records)
    assert (group.places, group.count, len(group.ids), group.why) == (("db1",), 10, 10, "not permitted")
    assert group.fixes == ("fix 0", "fix 1")
    assert not group.incomplete


def test_twenty_dead_hosts_are_one_group(record: Any) -> None:
    records = [
        record(
            identity,
            status=Status.FAILED,
            reason=Reason.UNREACHABLE,
            message=f"db{host} does not answer",
            host=f"db{host}",
        )
        for host in range(20)
        for identity in ("storage.df", "system.os")
    ]
    (group,) = groups(records)
    assert (len(group.places), group.count, group.ids) == (20, 40, ("storage.df", "system.os"))
    assert group.incomplete


def test_what_makes_the_bundle_incomplete_comes_first(record: Any) -> None:
    records = [
        record("a.a", status=Status.SKIPPED, reason=Reason.TOOL_ABSENT),
        record("b.b", status=Status.SKIPPED, reason=Reason.NOT_PERMITTED),
        record("c.c", status=Status.TIMED_OUT, reason=Reason.DEADLINE),
    ]
    assert [group.ids for group in groups(records)] == [("c.c",), ("b.b",), ("a.a",)]


def test_an_item_that_does_not_apply_is_no_loss_unless_it_is_required(record: Any) -> None:
    optional = record("a.a", status=Status.SKIPPED, reason=Reason.NOT_FOUND)
    required = replace(optional, entry=replace(optional.entry, required=True))
    assert [is_missing(one) for one in (optional, required, record("b.b", b"x"))] == [False, True, False]
    assert groups([optional]) == ()
    assert not_here([optional, required]) == "1 more item: 1 not there"


def test_what_nobody_has_to_hear_of_is_counted_by_its_reason(record: Any) -> None:
    reasons = (
        Reason.EMPTY,
        Reason.NOT_FOUND,
        Reason.NOT_APPLICABLE,
        Reason.NOT_APPLICABLE,
        Reason.NOT_SELECTED,
    )
    records = [record(f"a.b{n}", status=Status.SKIPPED, reason=reason) for n, reason in enumerate(reasons)]
    assert not_here(records) == (
        "5 more items: 2 not applicable here, 1 not there, 1 with nothing in it, 1 by choice"
    )
    assert not_here([record("a.a", b"x")]) == ""
