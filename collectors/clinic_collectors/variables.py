"""What each SQL server was told, and what it is doing: variables, and evidence that a restart destroys."""

from __future__ import annotations

from collections.abc import Iterator

from clinic.collector import Category, Collector, Item, Sensitivity, Stage, Target, Volatility
from clinic_collectors import _evidence
from clinic_collectors._evidence import EVIDENCE, MYSQL_EVIDENCE
from clinic_collectors._named import named
from clinic_collectors._sql import ALL, MYSQL, Table, of_servers, on_servers

RESTART, USER_DATA, LEARN = Volatility.RESTART, Sensitivity.USER_DATA, Stage.LEARN

SETTINGS = (
    Table(
        "global", "global_variables.csv", "SHOW GLOBAL VARIABLES", components=ALL, stage=LEARN, priority=20,
    ),
    Table("session", "session_variables.csv", "SHOW VARIABLES", components=ALL, stage=LEARN),
    Table("status", "global_status.csv", "SHOW GLOBAL STATUS", components=ALL, volatility=Volatility.SECONDS),
    Table("plugins", "plugins.csv", "SHOW PLUGINS", components=MYSQL),
)  # fmt: skip

OF_CLUSTER = (
    Table("tidb", "db_vars/mysql.tidb.csv", "SELECT * FROM mysql.tidb", stage=LEARN, priority=20),
    # The value stands next to the name, where the redactor looks for it.
    Table(
        "defaults", "db_vars/variables_info.csv",
        "SELECT VARIABLE_NAME, CURRENT_VALUE, DEFAULT_VALUE, VARIABLE_SCOPE FROM information_schema.variables_info",
        stage=LEARN,
    ),
)  # fmt: skip


class Variables(Collector):
    """What each SQL server was told, and what it decided for itself."""

    name = "variables"
    category = Category.VARIABLES
    summary = "global and session variables, mysql.tidb; processes, transactions, locks, statements without SQL text"

    def items(self, target: Target) -> Iterator[Item]:
        yield from on_servers(self, target, SETTINGS, EVIDENCE, MYSQL_EVIDENCE)
        yield from of_servers(self, target, OF_CLUSTER, _evidence.OF_CLUSTER)
        yield from named(self, target)
