"""A run recorded by MonitoringHub: the schema of the database, and the kinds of the values in it."""

import re
import sqlite3
import time
from textwrap import fill

import parsl
from parsl import Config, ThreadPoolExecutor, python_app
from parsl.monitoring import MonitoringHub

DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")


@python_app(cache=True)
def double(x):
    time.sleep(0.5)
    return 2 * x


@python_app
def fail(x):
    raise ValueError("bad input")


def kind(value):
    if isinstance(value, str) and (DATE.match(value) or UUID.match(value)):
        return "date" if DATE.match(value) else "uuid"
    return "text" if isinstance(value, str) and len(value) > 20 else repr(value)


def show(database):
    for table in ("workflow", "task", "try", "status", "node", "block", "resource"):
        columns = database.execute(f'PRAGMA table_info("{table}")').fetchall()
        words = [f"{name}:{kind}{'!' * needs}{'*' * bool(key)}" for _, name, kind, needs, _, key in columns]
        print(fill(" ".join([table, *words]), 100, subsequent_indent="  "))
    # A failed attempt may have no start.
    hidden = {"workflow_version", "host", "user", "hostname", "task_hashsum", "task_try_time_running"}
    for table, order in (("workflow", "run_id"), ("task", "task_id"), ("try", "task_id, try_id")):
        found = database.execute(f'SELECT * FROM "{table}" ORDER BY {order}')
        names = [column[0] for column in found.description]
        for row in found:
            values = zip(names, row, strict=True)
            words = [f"{name}={kind(value)}" for name, value in values if name not in hidden]
            print(fill(" ".join([table, *words]), 100, subsequent_indent="  "))
    for task in range(3):
        states = database.execute(
            "SELECT task_status_name FROM status WHERE task_id = ? ORDER BY timestamp", [task]
        )
        # The worker's states may be missing upstream, if its process has ended before they were sent.
        print(task, *(name for (name,) in states if not name.startswith("running")))


if __name__ == "__main__":
    config = Config(
        executors=[ThreadPoolExecutor()], retries=1, monitoring=MonitoringHub(workflow_name="squares")
    )
    with parsl.load(config):
        first = double(1)
        print(first.result(), double(first).result(), repr(fail(first).exception()))
    database = sqlite3.connect("runinfo/monitoring.db", timeout=60)
    deadline = time.monotonic() + 100
    while not database.execute("SELECT COUNT(time_completed) FROM workflow").fetchone()[0]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    show(database)
    database.close()

# prints:
# 2 4 ValueError('bad input')
# workflow run_id:TEXT!* workflow_name:TEXT workflow_version:TEXT time_began:DATETIME!
#   time_completed:DATETIME host:TEXT! user:TEXT! rundir:TEXT! tasks_failed_count:INTEGER!
#   tasks_completed_count:INTEGER!
# task task_id:INTEGER!* run_id:TEXT!* task_depends:TEXT task_func_name:TEXT! task_memoize:TEXT!
#   task_hashsum:TEXT task_inputs:TEXT task_outputs:TEXT task_stdin:TEXT task_stdout:TEXT
#   task_stderr:TEXT task_time_invoked:DATETIME task_time_returned:DATETIME task_fail_count:INTEGER!
#   task_fail_cost:FLOAT!
# try try_id:INTEGER!* task_id:INTEGER!* run_id:TEXT!* block_id:TEXT hostname:TEXT task_executor:TEXT!
#   task_try_time_launched:DATETIME task_try_time_running:DATETIME task_try_time_returned:DATETIME
#   task_fail_history:TEXT task_joins:TEXT
# status task_id:INTEGER!* task_status_name:TEXT!* timestamp:DATETIME!* run_id:TEXT!* try_id:INTEGER!
# node id:INTEGER!* run_id:TEXT! hostname:TEXT! uid:TEXT! block_id:TEXT! cpu_count:INTEGER!
#   total_memory:BIGINT! active:BOOLEAN! worker_count:INTEGER! python_v:TEXT! timestamp:DATETIME!
#   last_heartbeat:DATETIME!
# block run_id:TEXT!* executor_label:TEXT!* block_id:TEXT!* job_id:TEXT timestamp:DATETIME!*
#   status:TEXT!
# resource try_id:INTEGER!* task_id:INTEGER!* run_id:TEXT!* timestamp:DATETIME!*
#   resource_monitoring_interval:FLOAT psutil_process_pid:INTEGER psutil_process_memory_percent:FLOAT
#   psutil_process_children_count:FLOAT psutil_process_time_user:FLOAT
#   psutil_process_time_system:FLOAT psutil_process_memory_virtual:FLOAT
#   psutil_process_memory_resident:FLOAT psutil_process_disk_read:FLOAT
#   psutil_process_disk_write:FLOAT psutil_process_status:TEXT psutil_cpu_num:TEXT
#   psutil_process_num_ctx_switches_voluntary:FLOAT psutil_process_num_ctx_switches_involuntary:FLOAT
# workflow run_id=uuid workflow_name='squares' time_began=date time_completed=date rundir=text
#   tasks_failed_count=1 tasks_completed_count=2
# task task_id=0 run_id=uuid task_depends='' task_func_name='double' task_memoize='1'
#   task_inputs='None' task_outputs='None' task_stdin=None task_stdout='' task_stderr=''
#   task_time_invoked=date task_time_returned=date task_fail_count=0 task_fail_cost=0.0
# task task_id=1 run_id=uuid task_depends='0' task_func_name='double' task_memoize='1'
#   task_inputs='None' task_outputs='None' task_stdin=None task_stdout='' task_stderr=''
#   task_time_invoked=date task_time_returned=date task_fail_count=0 task_fail_cost=0.0
# task task_id=2 run_id=uuid task_depends='0' task_func_name='fail' task_memoize='0'
#   task_inputs='None' task_outputs='None' task_stdin=None task_stdout='' task_stderr=''
#   task_time_invoked=date task_time_returned=date task_fail_count=2 task_fail_cost=2.0
# try try_id=0 task_id=0 run_id=uuid block_id=None task_executor='threads' task_try_time_launched=date
#   task_try_time_returned=date task_fail_history='' task_joins=None
# try try_id=0 task_id=1 run_id=uuid block_id=None task_executor='threads' task_try_time_launched=date
#   task_try_time_returned=date task_fail_history='' task_joins=None
# try try_id=0 task_id=2 run_id=uuid block_id=None task_executor='threads' task_try_time_launched=date
#   task_try_time_returned=date task_fail_history=text task_joins=None
# try try_id=1 task_id=2 run_id=uuid block_id=None task_executor='threads' task_try_time_launched=date
#   task_try_time_returned=date task_fail_history=text task_joins=None
# 0 pending launched exec_done
# 1 pending launched exec_done
# 2 pending launched fail_retryable pending launched failed
