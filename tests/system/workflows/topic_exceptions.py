"""Errors of apps, of their dependents, and of programs."""

import os

from parsl import bash_app, python_app
from parsl.app.errors import BashAppNoReturn, BashExitFailure, MissingOutputs
from parsl.data_provider.files import File
from parsl.dataflow.errors import DependencyError


class NotConverged(Exception):
    def __init__(self, iterations, residual):
        super().__init__(f"residual {residual} after {iterations} iterations")
        self.iterations = iterations
        self.residual = residual


@python_app
def solve(iterations):
    raise NotConverged(iterations, residual=0.5)


@python_app
def divide(a, b):
    return a / b


@bash_app
def exits_with(code):
    return f"exit {code}"


@bash_app
def no_such_program():
    return "no-such-program-anywhere"


@bash_app
def returns_no_string():
    return 5


@bash_app
def forgets_its_output(outputs=()):
    return "true"


if __name__ == "__main__":
    try:
        divide(1, 0).result()
        raise SystemExit("there cannot be a result")
    except ZeroDivisionError as error:
        assert "division by zero" in str(error)

    try:
        solve(12).result()
        raise SystemExit("there cannot be a result")
    except NotConverged as error:
        assert (error.iterations, error.residual) == (12, 0.5)

    failed = divide(1, 0)
    dependent = divide(divide(failed, 2), 1)
    error = dependent.exception()
    assert isinstance(error, DependencyError)
    assert "ZeroDivisionError" in str(error) and str(failed.tid) in str(error)
    assert dependent.task_status() == "dep_fail" and failed.task_status() == "failed"

    error = exits_with(9).exception()
    assert isinstance(error, BashExitFailure) and error.exitcode == 9
    assert no_such_program().exception().exitcode == 127
    assert isinstance(returns_no_string().exception(), BashAppNoReturn)
    missing = File(os.path.abspath("never-written"))
    error = forgets_its_output(outputs=[missing]).exception()
    assert isinstance(error, MissingOutputs) and error.outputs[0].filepath == missing.filepath

    good = [divide(1, n) for n in (1, 2)]
    assert [future.result() for future in good] == [1.0, 0.5], "others are not disturbed"
