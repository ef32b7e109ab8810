"""What a restart of a SQL server destroys, by columns that hold no SQL text and no value of a row.

Digests, counts, times, states and names are taken; texts of statements, plans, keys and their decoded values are not.
Column names: "Information Schema" of docs.pingcap.com (TiDB v4.0 to v8.5), of mariadb.com/kb and dev.mysql.com.
"""

from __future__ import annotations

from clinic.collector import Volatility
from clinic_collectors._sql import ALL, MYSQL, Table

SECONDS, RESTART = Volatility.SECONDS, Volatility.RESTART

_PROCESSES = """
ID USER HOST DB COMMAND TIME STATE DIGEST MEM DISK TxnStart RESOURCE_GROUP SESSION_ALIAS ROWS_AFFECTED TIDB_CPU
TIKV_CPU TIME_MS STAGE MAX_STAGE PROGRESS MEMORY_USED MAX_MEMORY_USED EXAMINED_ROWS SENT_ROWS QUERY_ID TID
"""
_TRANSACTIONS = """
ID START_TIME CURRENT_SQL_DIGEST STATE WAITING_START_TIME MEM_BUFFER_KEYS MEM_BUFFER_BYTES SESSION_ID USER DB
ALL_SQL_DIGESTS RELATED_TABLE_IDS WAITING_TIME
"""
_DEADLOCKS = "DEADLOCK_ID OCCUR_TIME RETRYABLE TRY_LOCK_TRX_ID CURRENT_SQL_DIGEST TRX_HOLDING_LOCK"

_AVERAGE_AND_MOST = """
LATENCY PARSE_LATENCY COMPILE_LATENCY PROCESS_TIME WAIT_TIME BACKOFF_TIME TOTAL_KEYS PROCESSED_KEYS
ROCKSDB_DELETE_SKIPPED_COUNT ROCKSDB_KEY_SKIPPED_COUNT ROCKSDB_BLOCK_CACHE_HIT_COUNT ROCKSDB_BLOCK_READ_COUNT
ROCKSDB_BLOCK_READ_BYTE PREWRITE_TIME COMMIT_TIME GET_COMMIT_TS_TIME COMMIT_BACKOFF_TIME RESOLVE_LOCK_TIME
LOCAL_LATCH_WAIT_TIME WRITE_KEYS WRITE_SIZE PREWRITE_REGIONS TXN_RETRY MEM DISK RESULT_ROWS REQUEST_UNIT_READ
REQUEST_UNIT_WRITE QUEUED_RC_TIME
"""
_STATEMENTS = (
    *"SUMMARY_BEGIN_TIME SUMMARY_END_TIME STMT_TYPE SCHEMA_NAME DIGEST PLAN_DIGEST TABLE_NAMES INDEX_NAMES".split(),
    *"SAMPLE_USER EXEC_COUNT SUM_ERRORS SUM_WARNINGS SUM_LATENCY MIN_LATENCY SUM_COP_TASK_NUM".split(),
    *(f"{kind}_{name}" for name in _AVERAGE_AND_MOST.split() for kind in ("AVG", "MAX")),
    *"MAX_COP_PROCESS_TIME MAX_COP_PROCESS_ADDRESS MAX_COP_WAIT_TIME MAX_COP_WAIT_ADDRESS SUM_EXEC_RETRY".split(),
    *"SUM_EXEC_RETRY_TIME SUM_BACKOFF_TIMES BACKOFF_TYPES AVG_KV_TIME AVG_PD_TIME AVG_BACKOFF_TOTAL_TIME".split(),
    *"AVG_WRITE_SQL_RESP_TIME AVG_TIDB_CPU_TIME AVG_TIKV_CPU_TIME MIN_RESULT_ROWS AVG_AFFECTED_ROWS PREPARED".split(),
    *"FIRST_SEEN LAST_SEEN PLAN_IN_CACHE PLAN_CACHE_HITS PLAN_CACHE_UNQUALIFIED PLAN_IN_BINDING RESOURCE_GROUP".split(),
)
_MEMORY = "TIME OPS MEMORY_LIMIT MEMORY_CURRENT PROCESSID MEM DISK CLIENT DB USER SQL_DIGEST"
_ERRORS = "ERROR_NUMBER ERROR_MESSAGE ERROR_COUNT WARNING_COUNT FIRST_SEEN LAST_SEEN"


def _table(
    name: str, table: str, columns: str = "", volatility: Volatility = RESTART, priority: int = 50
) -> Table:
    """All of a table of TiDB's information schema, of the columns that there are."""
    wanted = tuple(columns.split())
    return Table(
        name, f"{table}.csv", f"SELECT * FROM information_schema.{table}", wanted, volatility=volatility,
        priority=priority,
    )  # fmt: skip


EVIDENCE = (
    Table(
        "processes", "processlist.csv", "SELECT * FROM information_schema.processlist", tuple(_PROCESSES.split()),
        ALL, volatility=SECONDS, priority=10,
    ),
    _table("transactions", "tidb_trx", _TRANSACTIONS, SECONDS, 10),
    _table("deadlocks", "deadlocks", _DEADLOCKS),
    # Texts and plans can be a hundred times the rest: a server that knows all these columns is asked for no others.
    Table(
        "statements", "statements_summary.csv",
        tuple(
            f"SELECT {columns} FROM information_schema.statements_summary" for columns in (", ".join(_STATEMENTS), "*")
        ),
        _STATEMENTS, priority=20,
    ),
    _table("memory", "memory_usage", "", SECONDS),
    _table("memory-actions", "memory_usage_ops_history", _MEMORY),
    _table("client-errors", "client_errors_summary_global", _ERRORS),
)  # fmt: skip

OF_CLUSTER = (
    Table(
        "lock-waits", "db_vars/data_lock_waits.csv", "SELECT * FROM information_schema.data_lock_waits",
        ("TRX_ID", "CURRENT_HOLDING_TRX_ID", "SQL_DIGEST"), volatility=SECONDS, priority=10,
    ),
    Table("analyze", "db_vars/analyze_status.csv", "SELECT * FROM information_schema.analyze_status"),
)  # fmt: skip

_INNODB_TRX = """
trx_id trx_state trx_started trx_requested_lock_id trx_wait_started trx_weight trx_mysql_thread_id
trx_operation_state trx_tables_in_use trx_tables_locked trx_lock_structs trx_lock_memory_bytes trx_rows_locked
trx_rows_modified trx_concurrency_tickets trx_isolation_level trx_is_read_only trx_autocommit_non_locking
"""
_WAITS = """
requesting_trx_id blocking_trx_id ENGINE REQUESTING_ENGINE_TRANSACTION_ID REQUESTING_THREAD_ID
BLOCKING_ENGINE_TRANSACTION_ID BLOCKING_THREAD_ID
"""
_SUMS = """
LOCK_TIME CPU_TIME ERRORS WARNINGS ROWS_AFFECTED ROWS_SENT ROWS_EXAMINED CREATED_TMP_DISK_TABLES CREATED_TMP_TABLES
SELECT_FULL_JOIN SELECT_FULL_RANGE_JOIN SELECT_RANGE SELECT_RANGE_CHECK SELECT_SCAN SORT_MERGE_PASSES SORT_RANGE
SORT_ROWS SORT_SCAN NO_INDEX_USED NO_GOOD_INDEX_USED TIMER_WAIT
"""
_DIGESTS = (
    *"SCHEMA_NAME DIGEST COUNT_STAR MIN_TIMER_WAIT AVG_TIMER_WAIT MAX_TIMER_WAIT FIRST_SEEN LAST_SEEN".split(),
    *(f"SUM_{name}" for name in _SUMS.split()),
)
# Not the texts of errors, which quote the row that broke.
_REPLICA = """
Connection_name Slave_IO_State Replica_IO_State Master_Host Source_Host Master_Port Source_Port Connect_Retry
Master_Log_File Source_Log_File Read_Master_Log_Pos Read_Source_Log_Pos Relay_Log_File Relay_Log_Pos
Relay_Master_Log_File Relay_Source_Log_File Slave_IO_Running Replica_IO_Running Slave_SQL_Running Replica_SQL_Running
Last_Errno Exec_Master_Log_Pos Exec_Source_Log_Pos Relay_Log_Space Seconds_Behind_Master Seconds_Behind_Source
Last_IO_Errno Last_SQL_Errno Slave_SQL_Running_State Replica_SQL_Running_State Using_Gtid Gtid_IO_Pos Auto_Position
Retrieved_Gtid_Set Executed_Gtid_Set Parallel_Mode SQL_Delay SQL_Remaining_Delay
"""

MYSQL_EVIDENCE = (
    Table(
        "innodb-transactions", "innodb_trx.csv", "SELECT * FROM information_schema.innodb_trx",
        tuple(_INNODB_TRX.split()), MYSQL, volatility=SECONDS, priority=10,
    ),
    Table(
        "innodb-lock-waits", "innodb_lock_waits.csv",
        ("SELECT * FROM information_schema.innodb_lock_waits", "SELECT * FROM performance_schema.data_lock_waits"),
        tuple(_WAITS.split()), MYSQL, volatility=SECONDS, priority=10,
    ),
    Table(
        "digests", "events_statements_summary_by_digest.csv",
        "SELECT * FROM performance_schema.events_statements_summary_by_digest", _DIGESTS, MYSQL,
    ),
    Table(
        "replication", "replica_status.csv", ("SHOW ALL SLAVES STATUS", "SHOW REPLICA STATUS", "SHOW SLAVE STATUS"),
        tuple(_REPLICA.split()), MYSQL, volatility=SECONDS, priority=10,
    ),
)  # fmt: skip
