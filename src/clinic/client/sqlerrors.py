"""What the error codes of TiDB, MySQL and MariaDB mean for an item.

Codes: MySQL's "Server Error Message Reference" and "Client Error Message Reference", MariaDB's "Error Codes", TiDB's
"Error Codes and Troubleshooting".
"""

from __future__ import annotations

import re

from clinic.errors import Failed, ItemError, Retryable, Skip, TimedOut
from clinic.outcome import Reason

EXCERPT = 300
"""Most characters of a server's own words in a message."""

REFUSED = frozenset({1045, 1698, 1820, 1862, 3118, 4151})
"""The account is refused: user or password are wrong, it is locked or expired."""

_NOT_HERE = frozenset({1130, 1251, 1524, 3159})
"""It is not let in from this host, in this way, or without TLS."""


_DENIED = frozenset({1044, 1142, 1143, 1227, 1370, 8121})
_UNKNOWN = (1049, 1054, 1064, 1109, 1146, 1193, 1235, 1286, 1305, 1356, 4047)
_TOO_LONG = (1317, 1907, 1969, 3024)
_FULL = (1040, 1203, 1226)
_LOST = (1053, 1077, 1158, 1159, 1160, 1161, 1927, 2003, 2006, 2013, 2055)
_PASSING = (9001, 9002, 9003, 9004, 9005, 9010, 9011, 9012, 9013)
"""TiDB could not reach PD, TiKV or TiFlash in time."""

_MEMORY = (1037, 1038, 1041, 8175, 8176)
_BLOCKED = (1129,)

_NEEDED = re.compile(r"(?i)the (?:global )?([A-Z, ]+?) privilege")
_COMMAND = re.compile(r"(?i)\b([A-Z]+) command denied.*? for (?:table|column) (\S+)")

Meaning = tuple[type[ItemError], Reason, str]
"""What kind of end it is, why, and what would mend it."""

_MEANINGS: dict[int, Meaning] = {
    **dict.fromkeys(_UNKNOWN, (Skip, Reason.NOT_APPLICABLE, "")),
    **dict.fromkeys(_TOO_LONG, (TimedOut, Reason.DEADLINE, "")),
    **dict.fromkeys(
        _FULL, (Retryable, Reason.UNREACHABLE, "raise max_connections, or try when it has less to do")
    ),
    **dict.fromkeys(_LOST, (Retryable, Reason.UNREACHABLE, "look into the server's own log")),
    **dict.fromkeys(_PASSING, (Retryable, Reason.BAD_ANSWER, "")),
    **dict.fromkeys(_MEMORY, (Failed, Reason.SERVER_PROTECTED, "try when the server has less to do")),
    **dict.fromkeys(_BLOCKED, (Failed, Reason.UNREACHABLE, "FLUSH HOSTS on the server")),
}


def explain(code: int, text: str, where: str, user: str) -> ItemError:
    """What `code` and the server's words mean, and what would mend it."""
    said = "".join(char if char.isprintable() else " " for char in text)
    said = said if len(said) <= EXCERPT else said[: EXCERPT - 3] + "..."
    message = f"{where}: {said} ({code})" if code else f"{where}: {said}"
    if code in REFUSED or code in _NOT_HERE:
        return Skip(Reason.NOT_PERMITTED, message, fix=_log_in(code, user))
    if code in _DENIED:
        return Skip(Reason.NOT_PERMITTED, message, fix=_grant(said, user))
    kind, reason, fix = _MEANINGS.get(code, (Failed, Reason.BAD_ANSWER, ""))
    return kind(reason, message, fix=fix)


def _log_in(code: int, user: str) -> str:
    if code == 1130:
        return f"let {user} connect from this machine: CREATE USER {user}@'...'"
    if code in (1820, 1862, 3118, 4151):
        return f"ALTER USER {user} with a new password, or ACCOUNT UNLOCK"
    return (
        "check user and password, or make an account that reads: "
        "CREATE USER clinic IDENTIFIED BY '...'; GRANT SELECT, PROCESS ON *.* TO clinic"
    )


def _grant(said: str, user: str) -> str:
    if (needed := _NEEDED.search(said)) is not None:
        return f"GRANT {needed[1].strip().split(',')[0]} ON *.* TO {user}"
    if (command := _COMMAND.search(said)) is not None:
        table = command[2].strip("'\"")
        return f"GRANT {command[1]} ON {table if '.' in table else '*.*'} TO {user}"
    return f"GRANT SELECT, PROCESS ON *.* TO {user}"
