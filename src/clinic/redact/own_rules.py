"""The customer's own rules, from a YAML file: they add to the shipped ones, and can't take any away."""

from __future__ import annotations

from pathlib import Path

from clinic.kinds import Content
from clinic.redact.pattern import BadPattern
from clinic.redact.redactor import Redactor
from clinic.redact.rule import BadRule, Rule, RuleSet, Take
from clinic.redact.shipped_rules import SHIPPED
from clinic.secret import SecretRegister
from clinic.yamlfile import Document, Mistakes, load

_TAKES = {"whole": Take.WHOLE, "run": Take.RUN, "value": Take.VALUE}
_FIELDS = ("name", "purpose", "pattern", "take", "masks", "keeps")


def own_rules(path: Path) -> RuleSet:
    """The shipped rules and those in the file `path`, whose examples were tried.

    Raises `UsageError` that names every mistake with its line: a pattern that can't be used, an example that is not
    done right by.
    """
    document = load(path)
    mistakes = Mistakes(document)
    top = mistakes.mapping((), document.data, ("rules",), ("rules",))
    rules = [
        _rule(mistakes, ("rules", at), one)
        for at, one in enumerate(mistakes.items(("rules",), top.get("rules")))
    ]
    mistakes.raise_any()
    return _joined(document, [rule for rule in rules if rule is not None])


def _rule(mistakes: Mistakes, where: tuple[str | int, ...], found: object) -> Rule | None:
    held = mistakes.mapping(where, found, _FIELDS, ("name", "purpose", "pattern", "masks"))
    take = mistakes.choice((*where, "take"), held.get("take", "whole"), tuple(_TAKES))
    masks = mistakes.strings((*where, "masks"), held.get("masks", []))
    keeps = mistakes.strings((*where, "keeps"), held.get("keeps", []))
    name, purpose, pattern = (str(held.get(key, "")) for key in _FIELDS[:3])
    if take is None or not pattern:
        return None
    return Rule(name, purpose, pattern, _TAKES[take], tuple((text, "") for text in masks), keeps)


def _joined(document: Document, rules: list[Rule]) -> RuleSet:
    mistakes = Mistakes(document)
    for at, rule in enumerate(rules):
        where = ("rules", at)
        try:
            redactor = Redactor(SecretRegister(), SHIPPED.plus([rule]))
        except (BadPattern, BadRule) as error:
            mistakes.add(where, str(error))
            continue
        for text, _ in rule.masks:
            if not _counts(redactor, text).get(rule.name):
                mistakes.add(where, f"rule {rule.name!r} does not mask its example {text!r}")
        for text in rule.keeps:
            if _counts(redactor, text).get(rule.name):
                mistakes.add(where, f"rule {rule.name!r} masks {text!r}, which it says that it keeps")
    mistakes.raise_any()
    try:
        return SHIPPED.plus(rules)
    except BadRule as error:
        mistakes.add(("rules",), str(error))
        mistakes.raise_any()
        raise


def _counts(redactor: Redactor, text: str) -> dict[str, int]:
    stream = redactor.stream(Content.TEXT)
    stream.feed(text.encode())
    stream.finish()
    return dict(stream.counts)
