"""What stays readable at a privacy level, in a line for each category: the plan, the prompt and PRIVACY.txt say it."""

from __future__ import annotations

from collections.abc import Iterable

from clinic.kinds import Category
from clinic.redact.privacy import Level

_ADDRESSES, _HOSTS, _USERS, _MAIL = "addresses", "host names", "user names", "e-mail addresses"
_VALUES = "values in SQL"
_TABLES, _KEYS, _PATHS = "names of databases and tables", "keys", "users' parts of paths"

_IDENTIFIERS = (_ADDRESSES, _HOSTS, _USERS, _MAIL, _VALUES)
_STRICT = (*_IDENTIFIERS, _TABLES, _KEYS, _PATHS)

_ALWAYS = {
    Category.SYSTEM: "hardware, kernel and system settings, processes, numbers",
    Category.TOPOLOGY: "roles, ports, versions, states, labels of stores",
    Category.VERSIONS: "versions, build hashes",
    Category.CONFIG: "settings and their values",
    Category.LOGS: "messages, numbers, times",
    Category.METRICS: "names of metrics, numbers, times",
    Category.ALERTS: "names, rules and texts of alerts, times",
    Category.VARIABLES: "names and values of variables",
    Category.CHANGES: "what was changed and when",
    Category.CERTIFICATES: "dates, algorithms, issuing organisations",
    Category.DEBUG: "states, counts, profiles with names of functions",
}
"""What no level replaces."""

_BY_LEVEL = {
    Category.SYSTEM: (_ADDRESSES, _HOSTS, _USERS, _PATHS),
    Category.TOPOLOGY: (_ADDRESSES, _HOSTS, _USERS, _PATHS),
    Category.VERSIONS: (_HOSTS,),
    Category.CONFIG: (_ADDRESSES, _HOSTS, _USERS, _MAIL, _TABLES, _PATHS),
    Category.LOGS: (*_IDENTIFIERS, _TABLES, _KEYS, _PATHS),
    Category.METRICS: (_ADDRESSES, _HOSTS, _TABLES),
    Category.ALERTS: (_ADDRESSES, _HOSTS, _MAIL),
    Category.VARIABLES: (_ADDRESSES, _HOSTS, _USERS, _PATHS),
    Category.CHANGES: (_ADDRESSES, _HOSTS, _USERS, _TABLES, _PATHS),
    Category.CERTIFICATES: (_ADDRESSES, _HOSTS, _MAIL),
    Category.DEBUG: (*_IDENTIFIERS, _TABLES, _KEYS, _PATHS),
}
"""What may identify the customer, and is replaced at some level."""

_REPLACED: dict[Level, tuple[str, ...]] = {
    Level.NONE: (),
    Level.IDENTIFIERS: _IDENTIFIERS,
    Level.STRICT: _STRICT,
}


def stays(
    level: Level, categories: Iterable[str] = tuple(Category), *, literals: bool = False
) -> dict[str, tuple[str, ...]]:
    """Category -> what of it can be read by whoever gets the bundle: first what no level replaces, then the rest.

    `literals` says that those of SQL are replaced. Credentials are masked at every level and are in none of the lists.
    """
    gone = {*_REPLACED[level], *((_VALUES,) if literals else ())}
    wanted = frozenset(categories)
    return {
        str(category): (_ALWAYS[category], *(what for what in _BY_LEVEL[category] if what not in gone))
        for category in Category
        if category in wanted
    }


def readable(
    level: Level, categories: Iterable[str] = tuple(Category), *, literals: bool = False
) -> dict[str, str]:
    """The same as a line for each category."""
    found = stays(level, categories, literals=literals)
    return {
        name: "; ".join(filter(None, (always, ", ".join(rest)))) for name, (always, *rest) in found.items()
    }
