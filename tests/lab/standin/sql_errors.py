"""The errors that TiDB gives, with its numbers, states and words (pingcap/tidb, pkg/errno)."""

from __future__ import annotations


class SqlError(Exception):
    """An error that the client is told."""

    def __init__(self, number: int, state: str, message: str) -> None:
        super().__init__(message)
        self.number = number
        self.state = state
        self.message = message


def access_denied(user: str, host: str, *, with_password: bool) -> SqlError:
    """A login that is refused."""
    said = "YES" if with_password else "NO"
    return SqlError(1045, "28000", f"Access denied for user '{user}'@'{host}' (using password: {said})")


def privilege_needed(name: str) -> SqlError:
    """A table or statement for which a dynamic privilege is lacking."""
    words = f"Access denied; you need (at least one of) the {name} privilege(s) for this operation"
    return SqlError(1227, "42000", words)


def select_denied(user: str, table: str) -> SqlError:
    """A table that the user may not read."""
    return SqlError(1142, "42000", f"SELECT command denied to user '{user}'@'%' for table '{table}'")


def super_needed() -> SqlError:
    """An ADMIN statement without SUPER."""
    return SqlError(8121, "HY000", "privilege check for 'Super' fail")


def no_table(schema: str, table: str) -> SqlError:
    """A table that is not there."""
    return SqlError(1146, "42S02", f"Table '{schema}.{table}' doesn't exist")


def no_column(name: str) -> SqlError:
    """A column that is not there."""
    return SqlError(1054, "42S22", f"Unknown column '{name}' in 'field list'")


def no_database(name: str) -> SqlError:
    """A database that is not there, or (empty) none chosen."""
    if not name:
        return SqlError(1046, "3D000", "No database selected")
    return SqlError(1049, "42000", f"Unknown database '{name}'")


def syntax(statement: str) -> SqlError:
    """A statement that can't be read."""
    words = (
        "You have an error in your SQL syntax; check the manual that corresponds to your TiDB version for the "
        f'right syntax to use line 1 column {len(statement)} near "{statement[:80]}" '
    )
    return SqlError(1064, "42000", words)


def too_long() -> SqlError:
    """A statement that ran longer than max_execution_time."""
    words = "Query execution was interrupted, maximum statement execution time exceeded"
    return SqlError(3024, "HY000", words)


def insecure() -> SqlError:
    """A login without TLS where TLS is demanded."""
    words = "Connections using insecure transport are prohibited while --require_secure_transport=ON."
    return SqlError(3159, "HY000", words)


def cannot(statement: str) -> SqlError:
    """What a real TiDB could do and the stand-in can't: said as such, so that nobody looks for it in TiDB."""
    return SqlError(1105, "HY000", f"the stand-in of TiDB can't run this: {statement[:200]}")
