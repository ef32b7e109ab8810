"""The rules are data, and each of their examples is run."""

from __future__ import annotations

import pytest

from clinic.kinds import Content
from clinic.redact import SHIPPED, BadRule, Redactor, Rule, RuleSet, Take, pattern
from clinic.redact.pattern import BadPattern, Pattern, quote
from clinic.redact.rule import Program
from clinic.redact.text import HANDLERS
from clinic.secret import SecretRegister

MASKS = [(rule, before, after) for rule in SHIPPED.rules for before, after in rule.masks]
KEEPS = [(rule, text) for rule in SHIPPED.rules for text in rule.keeps]

INVOICE = Rule(
    "invoice", "The customer's invoice numbers", r"\bINV-(?P<secret>\d{6})", Take.RUN,
    masks=(("see INV-123456.", "see INV-***."),), keeps=("INV-12",), goes_on=r"\d",
)  # fmt: skip


def _redacted(redactor: Redactor, text: str) -> tuple[str, dict[str, int]]:
    stream = redactor.stream(Content.TEXT)
    out = stream.feed(text.encode()) + stream.finish()
    return out.decode(), dict(stream.counts)


@pytest.mark.parametrize(("rule", "before", "after"), MASKS, ids=lambda value: getattr(value, "name", None))
def test_an_example_of_a_secret_is_masked_by_its_rule(
    rule: Rule, before: str, after: str, redactor: Redactor
) -> None:
    out, counts = _redacted(redactor, before)
    assert out == after
    assert counts[rule.name] >= 1
    assert "failed_closed" not in counts


@pytest.mark.parametrize(("rule", "text"), KEEPS, ids=lambda value: getattr(value, "name", None))
def test_an_example_of_a_look_alike_stays(rule: Rule, text: str, redactor: Redactor) -> None:
    assert _redacted(redactor, text) == (text, {})


def test_every_rule_says_what_it_is_for_and_has_examples_of_both_kinds() -> None:
    for rule in SHIPPED.rules:
        assert rule.purpose, rule.name
        assert rule.masks, rule.name
        assert rule.keeps, rule.name
        assert rule.version >= 1


def test_every_kind_of_rule_has_a_handler_and_is_used() -> None:
    assert set(HANDLERS) == set(Take)
    assert {rule.take for rule in SHIPPED.rules} | {Take.WHOLE} == set(Take)


def test_a_customer_adds_rules_and_the_version_tells() -> None:
    rules = SHIPPED.plus([INVOICE])
    redactor = Redactor(SecretRegister(), rules)
    assert _redacted(redactor, "see INV-123456. password=x1") == (
        "see INV-***. password=***", {"invoice": 1, "key-value": 1},
    )  # fmt: skip
    assert redactor.version.startswith(SHIPPED.version + "+")
    assert Redactor(SecretRegister()).version == SHIPPED.version
    assert SHIPPED.plus([]) is SHIPPED


def test_added_rules_mask_a_whole_match() -> None:
    rule = Rule("code-name", "A project", r"project \w{3,20}", Take.WHOLE, (), ())
    assert (
        _redacted(Redactor(SecretRegister(), SHIPPED.plus([rule])), "see project Orion, please")[0]
        == "see ***, please"
    )


@pytest.mark.parametrize(
    ("pattern", "take", "error"),
    [
        ("(", Take.WHOLE, BadPattern),
        ("x*", Take.WHOLE, BadRule),
        ("x", Take.KEY_VALUE, BadRule),
    ],
)
def test_a_rule_that_can_not_work_is_refused(pattern: str, take: Take, error: type[Exception]) -> None:
    with pytest.raises(error):
        Redactor(SecretRegister(), SHIPPED.plus([Rule("bad", "none", pattern, take, (), ())]))


def test_a_shipped_rule_can_not_be_replaced_by_one_of_its_name() -> None:
    with pytest.raises(BadRule, match="same name"):
        SHIPPED.plus([Rule("key-value", "nothing", "x", Take.WHOLE, (), ())])
    with pytest.raises(BadRule, match="same name"):
        RuleSet("1", (INVOICE, INVOICE))


def test_patterns_match_bytes_whatever_they_are() -> None:
    assert Pattern(quote(b"\xff\x00a.")).search(b"x\xff\x00a.").start() == 1  # type: ignore[union-attr]  # it is there
    assert Pattern("密码").search("的密码".encode()).end() == 9  # type: ignore[union-attr]  # it is there
    assert Pattern(quote(b"a.")).search(b"ab") is None


def _no_way(compiled: object) -> None:
    return None


def test_the_short_way_to_the_engine_and_the_public_one_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The short way uses what google-re2 does not document; without it, everything works as well."""
    text = r"(?P<a>x)|\b(y)(z)?"
    short = Pattern(text)
    monkeypatch.setattr(pattern, "shortest_way", _no_way)
    public = Pattern(text)
    for data in (b"", b"x", b"..x", b"yz", b"ay", b"..y.x"):
        for method in ("search", "match"):
            for start in range(len(data) + 2):
                one = getattr(short, method)(data, start)
                two = getattr(public, method)(data, start)
                spans = [
                    None if found is None else [(found.start(group), found.end(group)) for group in range(4)]
                    for found in (one, two)
                ]
                assert spans[0] == spans[1], (data, method, start)


def test_what_is_remembered_of_a_hit_is_what_its_rule_finds_there() -> None:
    """The same bytes between the same neighbours are the same rule's, wherever they stand and whatever follows."""
    examples = [text for rule in SHIPPED.rules for text in (*(one for one, _ in rule.masks), *rule.keeps)]
    alone = {rule.name: Pattern(f"({rule.pattern})") for rule in SHIPPED.rules}
    program, count = Program(SHIPPED), 0
    for text in (
        f"{lead} {text}{trail} z".encode() for text in examples for lead in "xy" for trail in ("", " ")
    ):
        at = 0
        while (hit := program.search(text, at)) is not None:
            own = alone[hit.rule.name].match(text, hit.start)
            assert own is not None
            assert hit.match.spans(0, 0) == own.spans(0, 1)
            at, count = hit.start + 1, count + 1
    assert count > 4 * len(MASKS)
