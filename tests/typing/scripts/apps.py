"""Apps as type checkers see them: results, parameters, futures as arguments."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from typing_extensions import assert_type

from parsl import bash_app, join_app, python_app
from parsl.app.bash import BashApp
from parsl.app.python import PythonApp
from parsl.dataflow.futures import AppFuture


@python_app
def scaled(x: int, y: str = "") -> float:
    return x * 1.5


@python_app(executors=["tasks"], cache=True)
def total(inputs: list[Any], walltime: float = 60) -> int:
    return sum(inputs)


@bash_app
def shell(name: str, stdout: str | None = None) -> str:
    return f"echo {name}"


@bash_app(cache=True)
def shell_with_options() -> str:
    return "true"


@join_app
def joined(x: int) -> Future[float]:
    return scaled(x)


@join_app
def joined_many(x: int) -> list[AppFuture[float]]:
    return [scaled(x)]


def untyped(x, y=1):  # type: ignore[no-untyped-def]
    return x


# Results have the type that the function returns.
assert_type(scaled(1).result(), float)
assert_type(scaled(1, "a"), AppFuture[float])
assert_type(total([1], walltime=5).result(), int)
assert_type(shell("a", stdout="out").result(), int)
assert_type(shell_with_options().result(), int)
assert_type(joined(1).result(), float)
assert_type(joined_many(1).result(), list[float])
assert_type(python_app(untyped)(1).result(), Any)

# Parameters are checked.
scaled("1")  # error: [call-overload]
scaled()  # error: [call-overload]
scaled(1, 2)  # error: [call-overload]
scaled(1, z=2)  # error: [call-overload]
total([1], walltime="long")  # error: [call-overload]
shell(1)  # error: [call-overload]
shell("a", stdout=1)  # error: [call-overload]
shell_with_options(1)  # error: [call-overload]
joined("1")  # error: [call-overload]

# Positional arguments may be futures.
assert_type(scaled(total([1])), AppFuture[float])
assert_type(scaled(1, scaled(2)), AppFuture[float])
total([scaled(1), scaled(2)])


# The decorators' own parameters are checked, and what they decorate.
python_app(executors="tasks")  # error: [call-overload]
python_app(cache=1)  # error: [call-overload]
join_app(executors=["tasks"])  # error: [call-overload]


@bash_app  # error: [arg-type]
def no_command_line() -> int:
    return 0


# The decorated function is still there.
print(scaled.__name__, scaled.func(1), isinstance(scaled, PythonApp), isinstance(shell, BashApp))
