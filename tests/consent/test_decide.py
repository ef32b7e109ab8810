"""Who may say yes, to what, and how long it holds."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.consent.conftest import BUNDLE, NOON, Typist

from clinic.bundle.package import Package
from clinic.consent.decide import Desk, ask, give
from clinic.consent.destination import Destination
from clinic.consent.destinations import find_destination
from clinic.consent.policy import Policy
from clinic.consent.receipt import Event, Happened
from clinic.consent.receipts import Receipts, state_of
from clinic.errors import BadBundle, ClinicError, Interrupted, Refused

Sit = Callable[..., Desk]
YES = BUNDLE[:8]


def test_the_beginning_of_the_bundle_id_is_a_yes_and_its_receipt_keeps_what_was_shown(
    package: Package, destination: Destination, desk: Sit, receipts: Receipts
) -> None:
    sat = desk(f"{YES}\n")
    consent = ask(package, destination, sat)
    assert (consent.package, consent.destination) == (package.sha256, destination.endpoint)
    (entry,) = receipts.entries()
    record = entry.event.record
    assert record is not None
    assert entry.event.happened is Happened.GIVEN
    assert (record.id, record.answer) == (consent.receipt, "yes")
    assert isinstance(sat.person, Typist)
    assert sat.person.shown == [record.text]
    assert record.text_sha256 == hashlib.sha256(record.text.encode()).hexdigest()
    assert record.expires == "2026-12-02T12:00:00Z"
    consent.require(package.sha256, destination.endpoint, sat.clock())


@pytest.mark.parametrize(
    "typed",
    ["", "\n", "y", "yes", "YES", YES[:7], YES + "9", YES.upper(), f"{YES[:4]} {YES[4:]}", BUNDLE, "Y\n"],
)
def test_anything_else_is_a_no_and_is_written_down_without_what_was_typed(
    typed: str, package: Package, destination: Destination, desk: Sit, receipts: Receipts
) -> None:
    with pytest.raises(Refused, match="not sent"):
        ask(package, destination, desk(typed))
    (entry,) = receipts.entries()
    assert entry.event.happened is Happened.REFUSED
    assert entry.event.record is not None
    assert entry.event.record.answer == "no"
    assert entry.event.record.expires == ""
    assert "yes" not in entry.event.record.how
    with pytest.raises(Refused, match="was a no"):
        ask(package, destination, desk(...))


def test_what_is_typed_by_mistake_is_kept_nowhere(
    package: Package, destination: Destination, desk: Sit, receipts: Receipts
) -> None:
    with pytest.raises(Refused):
        ask(package, destination, desk("Zq8-my-Password"))
    assert b"Zq8-my" not in b"".join(path.read_bytes() for path in receipts.directory.iterdir())


def test_ctrl_c_is_a_no(package: Package, destination: Destination, desk: Sit, receipts: Receipts) -> None:
    with pytest.raises(Interrupted, match="which is a no"):
        ask(package, destination, desk(None))
    (entry,) = receipts.entries()
    assert entry.event.record is not None
    assert (entry.event.happened, entry.event.record.how) == (Happened.REFUSED, "at a terminal: stopped")


def test_without_a_terminal_it_is_refused_and_says_what_to_do(
    package: Package, destination: Destination, desk: Sit, receipts: Receipts
) -> None:
    with pytest.raises(Refused, match=r"nobody is at a terminal.* nobody answered") as refused:
        ask(package, destination, desk(...))
    assert (
        refused.value.hint
        == f"a person answers once, at a terminal: clinic consent give {package.name} --to support"
    )
    assert receipts.entries() == ()
    with pytest.raises(Refused, match="there is none"):
        give(package, destination, desk(...))


def test_what_was_answered_before_holds_without_a_terminal_until_it_expires(
    package: Package, destination: Destination, desk: Sit
) -> None:
    given = give(package, destination, desk(YES))
    assert ask(package, destination, desk(..., days=6.99)) == given
    with pytest.raises(Refused, match=r"it expired at 2026-12-02T12:00:00Z"):
        ask(package, destination, desk(..., days=7.01))
    with pytest.raises(Refused, match="comes from the future"):
        ask(package, destination, desk(..., days=-1))


def test_it_is_not_asked_again_at_a_terminal_but_give_always_asks(
    package: Package, destination: Destination, desk: Sit
) -> None:
    given = give(package, destination, desk(YES))
    sat = desk("")
    assert ask(package, destination, sat) == given
    assert isinstance(sat.person, Typist)
    assert sat.person.shown == []
    with pytest.raises(Refused):
        give(package, destination, desk(""))


def test_a_later_no_takes_an_earlier_yes_back_for_that_destination_alone(
    package: Package, destination: Destination, desk: Sit
) -> None:
    other = replace(destination, endpoint="https://other.example.com")
    for there in (destination, other):
        give(package, there, desk(YES))
    with pytest.raises(Refused):
        give(package, destination, desk(""))
    with pytest.raises(Refused, match="does not hold: it was a no"):
        ask(package, destination, desk(...))
    assert ask(package, other, desk(...)).destination == other.endpoint
    given = give(package, destination, desk(YES))
    assert ask(package, destination, desk(...)) == given


def test_a_withdrawal_is_not_got_round_by_an_older_yes(
    package: Package, destination: Destination, desk: Sit, receipts: Receipts
) -> None:
    give(package, destination, desk(YES))
    newer = give(package, destination, desk(YES))
    receipts.append(Event(Happened.WITHDRAWAL_REQUESTED, newer.receipt, "2026-11-25T13:00:00Z"))
    with pytest.raises(Refused, match="it was withdrawn"):
        ask(package, destination, desk(...))


CHANGES: dict[str, tuple[dict[str, object], dict[str, object], dict[str, object], str]] = {
    "another package": ({"sha256": "d" * 64}, {}, {}, "it was for another package of this bundle"),
    "another bundle": ({"bundle": "f" * 64}, {}, {}, "what is said of the package"),
    "other facts": ({"missing": ()}, {}, {}, "what is said of the package"),
    "its format": ({"container": "tar.zst.age"}, {}, {}, "what is said of the package"),
    "its keys": ({"recipients": ("age1x",)}, {}, {}, "what is said of the package"),
    "another endpoint": ({}, {"endpoint": "https://other.example.com"}, {}, "another destination"),
    "another path": ({}, {"path": "/theirs"}, {}, "another destination"),
    "another operator": ({}, {"operator": "Somebody Else"}, {}, "another destination, or another operator"),
    "another region": ({}, {"region": "Ohio"}, {}, "another destination"),
    "another policy": ({}, {}, {"policy": Policy(digest="e" * 64)}, "the policy has changed"),
    "what only the text shows": ({"version": "v9"}, {}, {}, "the text that was shown"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_anything_changed_is_asked_again(
    change: str, package: Package, destination: Destination, desk: Sit
) -> None:
    of_package, of_destination, of_desk, why = CHANGES[change]
    give(package, destination, desk(YES))
    other = replace(package, **of_package)  # type: ignore[arg-type]  # fields by their names
    there = replace(destination, **of_destination)  # type: ignore[arg-type]  # fields by their names
    with pytest.raises(Refused, match=why):
        ask(other, there, desk(..., **of_desk))
    sat = desk(other.bundle[:8], **of_desk)
    assert ask(other, there, sat).package == other.sha256
    assert isinstance(sat.person, Typist)
    assert len(sat.person.shown) == 2, "why it is asked anew, and the question"


def test_a_notice_with_other_words_is_another_question(
    package: Package, destination: Destination, desk: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(package, destination, desk(YES))
    import clinic.consent.notice as words

    shipped = words._shipped  # pyright: ignore[reportPrivateUsage] # the only way to other words than the shipped ones

    def other(name: str) -> bytes:
        return shipped(name).replace(b"Whoever", b"Anybody who")

    monkeypatch.setattr(words, "_shipped", other)
    with pytest.raises(Refused, match="with other words"):
        ask(package, destination, desk(...))


def test_an_answer_in_chinese_holds_for_a_job_that_knows_no_chinese(
    package: Package, destination: Destination, desk: Sit
) -> None:
    given = give(package, destination, desk(YES, language="zh"))
    assert given.notice == "generic 1 (zh)"
    assert ask(package, destination, desk(...)) == given


def test_what_was_withdrawn_does_not_hold(
    package: Package, destination: Destination, desk: Sit, receipts: Receipts
) -> None:
    given = give(package, destination, desk(YES))
    receipts.append(Event(Happened.WITHDRAWAL_REQUESTED, given.receipt, "2026-11-25T13:00:00Z"))
    with pytest.raises(Refused, match="it was withdrawn"):
        ask(package, destination, desk(...))


def test_receipts_that_were_changed_are_not_believed(
    package: Package, destination: Destination, desk: Sit, receipts: Receipts
) -> None:
    with pytest.raises(Refused):
        give(package, destination, desk("no"))
    path = receipts.directory / "receipts.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"answer":"no"', b'"answer":"yes"'))
    for sat in (desk(...), desk(YES)):
        with pytest.raises(BadBundle, match="can't be relied on"):
            ask(package, destination, sat)


def test_a_policy_is_asked_before_the_person(package: Package, destination: Destination, desk: Sit) -> None:
    sat = desk(YES, policy=Policy("e" * 64, never=("logs",)))
    with pytest.raises(Refused, match="it holds logs"):
        ask(package, destination, sat)
    assert isinstance(sat.person, Typist)
    assert sat.person.shown == []


@pytest.mark.parametrize("fact", ["bundle", "sha256"])
def test_facts_without_a_digest_are_no_question(
    fact: str, package: Package, destination: Destination, desk: Sit
) -> None:
    wrong = replace(package, **{fact: "        "})  # type: ignore[arg-type]  # both are texts
    with pytest.raises(BadBundle):
        ask(wrong, destination, desk("        "))


def test_the_expired_certificate_is_said_agreed_to_with_the_rest_or_refused(
    package: Package, desk: Sit
) -> None:
    clinic = find_destination("clinic-us")
    key = "71aaf29c77a289f1ee7b15a5932e037140bb421c3afb22dfdf8a0894c19deb12"
    encrypted = replace(package, container="diag", recipients=(key,))
    sat = desk(YES)
    ask(encrypted, clinic, sat)
    assert isinstance(sat.person, Typist)
    assert "THE CERTIFICATE HAS EXPIRED: test, valid until 2022-10-13" in sat.person.shown[0]
    assert "It is a test certificate" in sat.person.shown[0]
    with pytest.raises(Refused, match="expired on 2022-10-13"):
        ask(encrypted, clinic, desk(YES, valid_certificate=True))
    with pytest.raises(Refused, match="not encrypted to the key"):
        ask(replace(encrypted, recipients=("0" * 64,)), clinic, desk(YES))


def test_a_consent_is_made_in_one_place(root: Path) -> None:
    makers: set[str] = set()
    for path in (root / "src").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "Consent(" in text else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Consent":
                makers.add(path.relative_to(root).as_posix())
    assert makers == {"src/clinic/consent/decide.py"}


def test_every_refusal_says_what_to_do(package: Package, destination: Destination, desk: Sit) -> None:
    for types in ("", ...):
        with pytest.raises(ClinicError) as error:
            ask(package, destination, desk(types))
        assert error.value.hint


TS_27560 = {
    "schema version": "schema", "record identifier": "id", "principal identifier": "principal", "notice": "notice",
    "language": "notice.language", "purpose": "purpose", "lawful basis": "basis",
    "personal data types": "disclosed.kept",
    "collection method": "how", "processing method": "tool", "storage locations": "parties.region",
    "processing locations": "parties.processed", "retention period": "parties.retention",
    "recipients": "parties.recipients", "withdrawal method": "withdrawal", "controller": "parties.operator",
    "contact": "parties.contact", "controller's policy": "parties.terms", "state": "answer", "event time": "answered",
    "validity": "expires",
}  # fmt: skip
"""Fields of ISO/IEC TS 27560 (header, processing, parties, events) -> where a record has them."""


@pytest.mark.parametrize("field", TS_27560)
def test_a_record_has_the_fields_of_ts_27560(
    field: str, package: Package, desk: Sit, receipts: Receipts
) -> None:
    key = "71aaf29c77a289f1ee7b15a5932e037140bb421c3afb22dfdf8a0894c19deb12"
    give(replace(package, container="diag", recipients=(key,)), find_destination("clinic-us"), desk(YES))
    value: object = receipts.entries()[0].event.record
    for name in TS_27560[field].split("."):
        value = getattr(value, name)
    assert value


def test_the_purpose_is_the_one_of_the_notice_that_was_shown(
    package: Package, destination: Destination, desk: Sit, receipts: Receipts
) -> None:
    give(package, destination, desk(YES))
    record = receipts.entries()[0].event.record
    assert record is not None
    assert record.purpose == "diagnosis of the cluster"
    assert record.parties.recipients == "the operator, and whoever works for it"


def test_an_answer_is_given_then_expired_and_what_was_sent_stays_sent(
    package: Package, destination: Destination, desk: Sit, receipts: Receipts
) -> None:
    given = give(package, destination, desk(YES))
    record, events = receipts.find(given.receipt[:8])
    assert state_of(record, events, NOON + timedelta(days=6)) == "given"
    assert state_of(record, events, NOON + timedelta(days=8)) == "expired"
    receipts.append(Event(Happened.UPLOADED, given.receipt, "2026-11-25T13:00:00Z"))
    record, events = receipts.find(given.receipt)
    assert state_of(record, events, NOON + timedelta(days=8)) == "uploaded"
