"""A little of everything that needs a library, for a separate installation: run by `make lowest`."""

from __future__ import annotations

import os

import parsl
from parsl import Config, HighThroughputExecutor, ThreadPoolExecutor, bash_app, python_app
from parsl.executors.base import ParslExecutor
from parsl.executors.high_throughput.driver import endpoints
from parsl.failure_facts import facts_of


@python_app
def double(x):
    return 2 * x


@python_app
def divide(a, b):
    return a / b


@python_app
def crash():
    import os

    os._exit(3)


@bash_app
def echo(text, stdout="out.txt"):
    return f"echo {text}"


def try_out(executor: ParslExecutor) -> None:
    """Run a workflow: functions by value, exceptions with tracebacks, large payloads, a lost worker."""
    with parsl.load(Config(executors=[executor])):
        offset = 1

        @python_app
        def by_value(x):
            return x + offset

        assert by_value(double(20)).result(timeout=60) == 41
        error = divide(1, 0).exception(timeout=60)
        assert isinstance(error, ZeroDivisionError)
        assert error.__traceback__ is not None
        assert facts_of(error).app == "divide"
        assert echo("hello").result(timeout=60) == 0
        if isinstance(executor, HighThroughputExecutor):
            data = os.urandom(1_000_000)
            assert double(data).result(timeout=60) == data * 2
            assert "exit code 3" in str(crash().exception(timeout=60))
            assert len(executor.connected_managers()) == 1
            assert executor.connected_managers_packages()
    print(f"{executor.label}: passed")


def new_executor(label: str, *, encrypted: bool = True) -> HighThroughputExecutor:
    return HighThroughputExecutor(
        label=label, max_workers_per_node=2, cores_per_worker=0.1, encrypted=encrypted
    )


if __name__ == "__main__":
    try_out(ThreadPoolExecutor(label="threads"))
    try_out(new_executor("unix_socket"))
    endpoints.listen_unix = lambda directory: None
    try_out(new_executor("tcp_encrypted"))
    try_out(new_executor("tcp_open", encrypted=False))
