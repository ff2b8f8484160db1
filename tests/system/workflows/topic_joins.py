"""Join apps: workflows whose shape is known only while they run."""

from parsl import join_app, python_app
from parsl.dataflow.errors import JoinError


@python_app
def add(*numbers):
    return sum(numbers)


@join_app
def fibonacci(n):
    if n < 2:
        return add(n)
    return add(fibonacci(n - 1), fibonacci(n - 2))


@python_app
def how_many():
    return 4


@join_app
def fan_out(n):
    return [add(i, 100) for i in range(n)]


@python_app
def breaks():
    raise RuntimeError("an inner task breaks")


@join_app
def starts_what_breaks():
    return breaks()


if __name__ == "__main__":
    assert fibonacci(9).result() == 34
    assert fan_out(how_many()).result() == [100, 101, 102, 103]
    assert fan_out(0).result() == []
    assert add(fan_out(2)[1], 1).result() == 102
    error = starts_what_breaks().exception()
    assert isinstance(error, JoinError), error
    assert isinstance(error.dependent_exceptions_tids[0][0], RuntimeError)
