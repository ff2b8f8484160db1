"""Python and bash apps: arguments, defaults, imports inside, standard streams, labels."""

import os

import parsl
from parsl import bash_app, python_app

SCALE = 10


def scaled(x):
    return SCALE * x


@python_app
def add(a, b=1, *rest, **named):
    return a + b + sum(rest) + sum(named.values())


@python_app(executors="all")
def imports_inside(values):
    import math

    return math.fsum(values)


@python_app
def uses_helper(x):
    return scaled(x)


@python_app
def from_inputs(inputs=()):
    return sum(inputs)


@bash_app
def greet(name, greeting="Hello", stdout=parsl.AUTO_LOGNAME, stderr=parsl.AUTO_LOGNAME):
    return 'echo "{}, {}!"'.format(greeting, name)


@bash_app
def to_both(stdout=None, stderr=None):
    return """
    echo to stdout
    echo to stderr >&2
    """


@bash_app
def quotes_and_braces(stdout=None):
    return "printf '%s\\n' \"${PATH:+set}\" 'a  b'"


if __name__ == "__main__":
    assert add(1).result() == 2
    assert add(1, 2, 3, c=4).result() == 10
    assert imports_inside([0.1] * 10).result() == 1.0
    assert uses_helper(4).result() == 40
    assert add(add(1, 2), b=add(3, 4)).result() == 10
    assert from_inputs(inputs=[add(i, 0) for i in range(10)]).result() == 45

    hello = greet("World")
    assert hello.result() == 0
    with open(hello.stdout) as f:
        assert f.read() == "Hello, World!\n"
    assert "task_logs" in hello.stdout and "greet" in os.path.basename(hello.stderr)

    both = to_both(stdout=os.path.abspath("both.out"), stderr=(os.path.abspath("both.err"), "w"))
    both.result()
    with open(both.stdout) as f:
        assert f.read() == "to stdout\n"
    with open("both.err") as f:
        assert "to stderr\n" in f.read()

    shell = quotes_and_braces(stdout=os.path.abspath("deep/er/quotes.out"))
    assert shell.result() == 0
    with open("deep/er/quotes.out") as f:
        assert f.read() == "set\na  b\n"

    squares = [python_app(lambda x: x * x)(i) for i in range(5)]
    assert [s.result() for s in squares] == [0, 1, 4, 9, 16]
