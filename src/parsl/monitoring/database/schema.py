"""The tables of the database: upstream's, with exactly its names, columns and keys, and some of our own.

Queries and programs that were written for upstream's tables find what they expect there. What upstream has no
place for (why an attempt failed, why a block waits, which worker ran a task) is in tables next to them.

Keys have upstream's columns, but the run is the first one: rows of a run are next to each other, so that new
ones are appended, and a query about a run needs no further index.
"""

from __future__ import annotations

from typing import NamedTuple

_MAX_LISTED = 3

TEXT, INTEGER, BIGINT, FLOAT, DATETIME, BOOLEAN = "TEXT", "INTEGER", "BIGINT", "FLOAT", "DATETIME", "BOOLEAN"


class Column(NamedTuple):
    """A column, in SQL's terms."""

    name: str
    kind: str
    is_required: bool


class Table(NamedTuple):
    """A table.

    Attributes:
        name: The table's name.
        columns: Its columns, in order.
        key: The columns of its primary key.
        indexes: The columns of further indexes, by the name of the index.
        has_run: Whether ``run_id`` references the table ``workflow``.
        is_log: Whether a row never changes; rows of other tables are merged with what is there.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: dict[str, tuple[str, ...]]
    has_run: bool = False
    is_log: bool = False

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)


def _columns(text: str) -> tuple[Column, ...]:
    """Read ``"name KIND, name! KIND"``; the mark means NOT NULL."""
    columns = []
    for part in text.split(","):
        name, kind = part.split()
        columns.append(Column(name.rstrip("!"), kind, name.endswith("!")))
    return tuple(columns)


WORKFLOW = Table(
    "workflow",
    _columns("""
        run_id! TEXT, workflow_name TEXT, workflow_version TEXT, time_began! DATETIME,
        time_completed DATETIME, host! TEXT, user! TEXT, rundir! TEXT, tasks_failed_count! INTEGER,
        tasks_completed_count! INTEGER
    """),
    ("run_id",),
    {},
)
TASK = Table(
    "task",
    _columns("""
        task_id! INTEGER, run_id! TEXT, task_depends TEXT, task_func_name! TEXT, task_memoize! TEXT,
        task_hashsum TEXT, task_inputs TEXT, task_outputs TEXT, task_stdin TEXT, task_stdout TEXT,
        task_stderr TEXT, task_time_invoked DATETIME, task_time_returned DATETIME,
        task_fail_count! INTEGER, task_fail_cost! FLOAT
    """),
    ("run_id", "task_id"),
    {"ix_task_task_hashsum": ("task_hashsum",)},
)
TRY = Table(
    "try",
    _columns("""
        try_id! INTEGER, task_id! INTEGER, run_id! TEXT, block_id TEXT, hostname TEXT,
        task_executor! TEXT, task_try_time_launched DATETIME, task_try_time_running DATETIME,
        task_try_time_returned DATETIME, task_fail_history TEXT, task_joins TEXT
    """),
    ("run_id", "task_id", "try_id"),
    {},
)
STATUS = Table(
    "status",
    _columns("""
        task_id! INTEGER, task_status_name! TEXT, timestamp! DATETIME, run_id! TEXT, try_id! INTEGER
    """),
    ("run_id", "task_id", "timestamp", "task_status_name"),
    {},
    has_run=True,
    is_log=True,
)
NODE = Table(
    "node",
    _columns("""
        id! INTEGER, run_id! TEXT, hostname! TEXT, uid! TEXT, block_id! TEXT, cpu_count! INTEGER,
        total_memory! BIGINT, active! BOOLEAN, worker_count! INTEGER, python_v! TEXT,
        timestamp! DATETIME, last_heartbeat! DATETIME
    """),
    ("id",),
    {"ix_parsl_node_run": ("run_id", "uid", "timestamp")},
    is_log=True,
)
BLOCK = Table(
    "block",
    _columns("""
        run_id! TEXT, executor_label! TEXT, block_id! TEXT, job_id TEXT, timestamp! DATETIME,
        status! TEXT
    """),
    ("run_id", "block_id", "executor_label", "timestamp"),
    {},
    is_log=True,
)
RESOURCE = Table(
    "resource",
    _columns("""
        try_id! INTEGER, task_id! INTEGER, run_id! TEXT, timestamp! DATETIME,
        resource_monitoring_interval FLOAT, psutil_process_pid INTEGER,
        psutil_process_memory_percent FLOAT, psutil_process_children_count FLOAT,
        psutil_process_time_user FLOAT, psutil_process_time_system FLOAT,
        psutil_process_memory_virtual FLOAT, psutil_process_memory_resident FLOAT,
        psutil_process_disk_read FLOAT, psutil_process_disk_write FLOAT, psutil_process_status TEXT,
        psutil_cpu_num TEXT, psutil_process_num_ctx_switches_voluntary FLOAT,
        psutil_process_num_ctx_switches_involuntary FLOAT
    """),
    ("run_id", "task_id", "try_id", "timestamp"),
    {},
    has_run=True,
    is_log=True,
)

#: Where and how an attempt ran: the worker's own accounting, in seconds and bytes.
ATTEMPT = Table(
    "parsl_attempt",
    _columns("""
        run_id! TEXT, task_id! INTEGER, try_id! INTEGER, manager TEXT, worker INTEGER, run_s FLOAT,
        cpu_s FLOAT, peak_memory BIGINT
    """),
    ("run_id", "task_id", "try_id"),
    {},
)
#: Why attempts, or tasks that never ran, have failed. ``outcome`` is what followed.
FAILURE = Table(
    "parsl_failure",
    _columns("""
        run_id! TEXT, task_id! INTEGER, try_id! INTEGER, timestamp! DATETIME, outcome! TEXT, error! TEXT,
        message! TEXT, hostname TEXT, root_task INTEGER
    """),
    ("run_id", "task_id", "try_id"),
    {"ix_parsl_failure_error": ("run_id", "error")},
)
#: The scheduler's own words about a block: one row for each change of its state, job or reason.
BLOCK_REASON = Table(
    "parsl_block_reason",
    _columns("""
        run_id! TEXT, executor_label! TEXT, block_id! TEXT, timestamp! DATETIME, status! TEXT,
        reason! TEXT
    """),
    ("run_id", "executor_label", "block_id", "timestamp"),
    {},
    is_log=True,
)
#: The managers of a run, one row each; ``uid`` is the one in ``node``.
MANAGER = Table(
    "parsl_manager",
    _columns("""
        run_id! TEXT, executor_label! TEXT, uid! TEXT, hostname! TEXT, block_id! TEXT, pid! INTEGER,
        worker_count! INTEGER, accelerators! TEXT, time_joined! DATETIME, time_gone DATETIME,
        reason TEXT
    """),
    ("run_id", "executor_label", "uid"),
    {},
)
#: What happened to the standing of nodes, such as a quarantine.
NODE_EVENT = Table(
    "parsl_node_event",
    _columns("""
        run_id! TEXT, executor_label! TEXT, hostname! TEXT, timestamp! DATETIME, text! TEXT
    """),
    ("run_id", "executor_label", "hostname", "timestamp"),
    {},
    is_log=True,
)
#: How far the event log of each run has been taken in, and how many records the log itself lacks.
EVENT_LOG = Table(
    "parsl_event_log",
    _columns("""
        run_id! TEXT, path! TEXT, records! INTEGER, lost_records! INTEGER, is_complete! BOOLEAN,
        time_written! DATETIME
    """),
    ("run_id",),
    {},
)

#: Upstream's tables.
UPSTREAM_TABLES = (WORKFLOW, TASK, TRY, STATUS, NODE, BLOCK, RESOURCE)
OWN_TABLES = (ATTEMPT, FAILURE, BLOCK_REASON, MANAGER, NODE_EVENT, EVENT_LOG)
#: All tables, in an order in which they can be created and filled.
TABLES = UPSTREAM_TABLES + OWN_TABLES


def missing_columns(table: Table, existing: dict[str, bool]) -> list[str]:
    """Compare a table with the one that a database has.

    Args:
        table: What is needed.
        existing: The names of the columns that there are, and whether a row must give each a value.

    Returns:
        What is wrong, in words; empty if rows can be stored.
    """
    names = set(table.column_names)
    wrong = [f"no column {table.name}.{name}" for name in table.column_names if name not in existing]
    more = [name for name, is_required in existing.items() if is_required and name not in names]
    return wrong + [f"a column {table.name}.{name}, which needs a value that is not known" for name in more]


def listed(wrong: list[str]) -> str:
    """Return the first few of a list of what is wrong, and how many more there are."""
    more = len(wrong) - _MAX_LISTED
    return ", ".join(wrong[:_MAX_LISTED]) + (f", and {more} more differences" if more > 0 else "")
