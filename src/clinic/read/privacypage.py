"""PRIVACY.txt: what was hidden in a bundle, by which rules, how often, and what was not looked at. Plain language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from clinic.bundle.manifest import Redaction, Run
from clinic.bundle.record import FileEntry, Record, content_of
from clinic.kinds import Content
from clinic.outcome import Reason
from clinic.redact import RuleSet
from clinic.redact.privacy import Level
from clinic.redact.readable import readable
from clinic.secret import SHORTEST

LITERALS = "no_sql_literals"
"""Option of a run: the values in SQL were replaced, whatever the level."""

LEVEL = "privacy"
"""Option of a run: its level."""

_ENGINE = {
    "learned": "a secret that was found where its key gives it away, wherever else it stood",
    "failed_closed": "a part that could not be cleared, and was left out instead of passed",
    "sql-literal": "a value in an SQL statement",
    "privacy-identifiers": "an address, host name, user name or e-mail address",
    "privacy-strict": "an address or a name of a host, user, database, table, column, index or key",
}
"""What is counted and is no rule."""

_LEVELS = {
    Level.NONE: ("No names were replaced. clinic redact makes a bundle without them.",),
    Level.IDENTIFIERS: (
        "Addresses, host names, user names and e-mail addresses are replaced by pseudonyms, and values in SQL",
        "statements by a question mark. Names of databases, tables and columns are readable.",
    ),
    Level.STRICT: (
        "Addresses, host names, user names, e-mail addresses, names of databases, tables, columns and indexes, keys",
        "and users' parts of paths are replaced by pseudonyms, and values in SQL statements by a question mark.",
    ),
}


def level_of(run: Run) -> Level:
    """The privacy level of a bundle."""
    return Level(str(run.options.get(LEVEL, Level.NONE)))


def privacy_page(run: Run, records: Sequence[Record], rules: RuleSet, before: Redaction | None = None) -> str:
    """The page for a bundle with these records; `before` is what was masked in the bundle that it was made from."""
    level, literals = level_of(run), bool(run.options.get(LITERALS))
    files = [(record, file) for record in records for file in record.files]
    counts = _sum(file.redactions for _, file in files)
    lines = [
        f"What was hidden in this bundle (privacy level: {level})",
        "",
        "Credentials are masked with *** in every file, every message and every file name, always.",
        *_LEVELS[level],
        *(
            ["Values in SQL statements are replaced by a question mark."]
            if literals and level is Level.NONE
            else []
        ),
        "",
        *_counted(rules, counts, before),
        "",
        "What stays readable:",
        *(
            f"  {category}: {text}"
            for category, text in readable(
                level, {record.entry.category for record, _ in files}, literals=literals
            ).items()
        ),
        "",
        *_unseen(level, files),
    ]
    return "\n".join((*lines, ""))


def _sum(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return total


def _counted(rules: RuleSet, counts: Mapping[str, int], before: Redaction | None) -> Iterator[str]:
    purposes = {rule.name: f"version {rule.version}; {rule.purpose}" for rule in rules.rules}
    if before is not None:
        yield f"Masked when it was collected, with rules of version {before.rules}:"
        yield from _rows(before.counts, purposes)
        yield ""
    yield f"{'Replaced after that' if before is not None else 'Masked'}, with rules of version {rules.version}:"
    yield from _rows(counts, purposes)


def _rows(counts: Mapping[str, int], purposes: Mapping[str, str]) -> Iterator[str]:
    for name, count in sorted(counts.items()):
        what = purposes.get(name) or _ENGINE.get(name, "")
        yield f"  {count:>8}  {name}{f' ({what})' if what else ''}"
    if not counts:
        yield "  nothing"


def _unseen(level: Level, files: Sequence[tuple[Record, FileEntry]]) -> Iterator[str]:
    yield "What was not looked at:"
    yield f"  Secrets of fewer than {SHORTEST} characters are masked only where their key stands beside them."
    if level is not Level.NONE:
        yield "  A name that stands only in free text, and that no field, address or statement shows to be one, stays."
    yield "  The samples of metrics are numbers; only their labels were looked at."
    yield from _listed(
        "  These files are binary. They were searched for the shapes of keys and tokens, for nothing else:",
        (file.path for record, file in files if content_of(record.entry, file) is Content.OPAQUE),
    )
    yield from _listed(
        "  Of these files the rest was left out, because it could not be cleared:",
        (file.path for _, file in files if file.reason is Reason.REDACTION_FAILED),
    )


def _listed(head: str, paths: Iterable[str]) -> Iterator[str]:
    found = sorted(paths)
    if found:
        yield head
        yield from (f"    {path}" for path in found)
