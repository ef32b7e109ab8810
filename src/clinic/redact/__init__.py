"""Redaction: credentials are masked in every byte that is stored, always; what can't be cleared is withheld."""

from clinic.redact.redactor import Redactor, RedactStream, rewrite_learned
from clinic.redact.rule import BadRule, Rule, RuleSet, Take
from clinic.redact.shipped_rules import SHIPPED
from clinic.secret import MASK

__all__ = [
    "MASK",
    "SHIPPED",
    "BadRule",
    "RedactStream",
    "Redactor",
    "Rule",
    "RuleSet",
    "Take",
    "rewrite_learned",
]
