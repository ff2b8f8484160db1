"""A script with every kind of function that users pass to apps; each runs on a worker.

``python script.py`` writes {kind: [outcome, what it should be]} to ``kinds.json`` in the current directory.
One kernel runs them all, each function three times: the first call carries it, later ones name it.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import linecache
import os
import sys
import threading
import types
from pathlib import Path
from typing import Any, NamedTuple

import next_to_the_script
from next_to_the_script import Counter, times

import parsl
from parsl import Config, HighThroughputExecutor, bash_app, python_app

OFFSET = 10
CASES: dict[str, Any] = {}


def kind(expected: Any) -> Any:
    """Make a case of a function: what it returns in the driver should be this."""

    def register(case: Any) -> Any:
        CASES[case.__name__] = case, expected
        return case

    return register


def three_times(function: Any, *args: Any, **kwargs: Any) -> Any:
    """The result of a function on a worker: of three calls, which must agree."""
    app = python_app(function)
    first, *others = [app(*args, **kwargs).result() for _ in range(3)]
    assert others == [first, first], (first, others)
    return first


def in_main(n: int) -> int:
    return helper(n) + OFFSET


def helper(n: int) -> int:
    return n * n


@kind([16 + 10, "in_main"])
def functions_of_main() -> Any:
    app = python_app(in_main)
    return [three_times(in_main, 4), app.__name__]


@kind([35, 14, 8])
def modules_next_to_the_script() -> Any:
    def by_module(n: int) -> int:
        return next_to_the_script.times(n)

    return [three_times(times, 5), three_times(by_module, 2), three_times(Counter(5).add, 3)]


@kind([5, 6])
def lambdas() -> Any:
    return [three_times(lambda n: n + 1, 4), three_times(lambda n, *, by=2: n * by, 3)]


@kind([103, 104])
def closures() -> Any:
    base = 100

    def add(n: int) -> int:
        return base + n

    before = three_times(add, 3)
    base = 101
    return [before, python_app(add)(3).result()]


@kind([120, 13])
def nested_and_recursive() -> Any:
    def factorial(n: int) -> int:
        return 1 if n == 0 else n * factorial(n - 1)

    def fibonacci(n: int) -> int:
        def step(a: int, b: int, left: int) -> int:
            return a if left == 0 else step(b, a + b, left - 1)

        return step(0, 1, n)

    return [three_times(factorial, 5), three_times(fibonacci, 7)]


def doubled(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return 2 * function(*args, **kwargs)

    return wrapper


@doubled
def decorated(n: int) -> int:
    return n + OFFSET


class Doubler:
    """A decorator that is a class."""

    def __init__(self, function: Any) -> None:
        functools.update_wrapper(self, function)
        self.function = function

    def __call__(self, *args: Any) -> Any:
        return 2 * self.function(*args)


@Doubler
def decorated_by_class(n: int) -> int:
    return n


@functools.lru_cache(maxsize=7)
def cached(n: int) -> int:
    return 1 if n == 0 else n + cached(n - 1)


@functools.singledispatch
def by_type(value: object) -> str:
    return "something"


@by_type.register
def _(value: int) -> str:
    return "a number"


@python_app
@doubled
def app_of_decorated(n: int) -> int:
    return n


@kind([24, 6, 29, "a number", "something", 6, "app_of_decorated"])
def decorated_functions() -> Any:
    return [
        three_times(decorated, 2),
        three_times(decorated_by_class, 3),
        three_times(cached, 7),
        three_times(by_type, 7),
        three_times(lambda value: by_type(value), "x"),
        app_of_decorated(3).result(),
        app_of_decorated.__name__,
    ]


@kind([32, 9, 1024])
def partials() -> Any:
    return [
        three_times(functools.partial(pow, 2), 5),
        three_times(functools.partial(lambda a, b: a + b, b=4), 5),
        three_times(functools.partial(functools.partial(pow, 2), 10)),
    ]


class Base:
    scale = 3

    def __init__(self, n: int) -> None:
        self.n = n

    def scaled(self, by: int = 1) -> int:
        return self.n * self.scale * by

    def __call__(self, n: int) -> int:
        return self.n + n

    @staticmethod
    def square(n: int) -> int:
        return n * n

    @classmethod
    def make(cls, n: int) -> int:
        return cls(n).scaled()

    @python_app
    def as_app(self, n: int) -> int:
        return self.n * n


class Derived(Base):
    scale = 5

    def scaled(self, by: int = 1) -> int:
        return super().scaled(by) + 1

    @property
    def twice(self) -> int:
        return 2 * self.n


@kind([13, 10, 81, 11, 12, 8])
def methods() -> Any:
    thing = Derived(4)
    return [
        three_times(Base(4).scaled) + 1,
        three_times(Derived(3), 7),
        three_times(Base.square, 9),
        three_times(Derived.make, 2),
        thing.as_app(3).result(),
        python_app(lambda one: one.twice)(thing).result(),
    ]


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value


@dataclasses.dataclass(slots=True)
class Box:
    value: Any
    more: list[Any] = dataclasses.field(default_factory=list)


class Wider(Slotted):
    __slots__ = ("__weakref__", "width")


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0


class Pair(NamedTuple):
    left: int
    right: int


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@kind([True, True, True, True, "Point(x=2, y=1)"])
def classes_of_the_script() -> Any:
    def swap(point: Point) -> Point:
        return Point(point.y, point.x)

    point = three_times(swap, Point(1, 2))
    color = three_times(lambda color: Color(3 - color.value), Color.RED)
    pair = three_times(lambda pair: Pair(pair.right, pair.left), Pair(1, 2))
    there = three_times(lambda color: color is Color.RED, Color.RED)
    return [type(point) is Point, color is Color.BLUE, type(pair) is Pair, there, str(point)]


@kind([True, 5, True, "Box(value=Point(x=1, y=0), more=[2])", True, 9, 3])
def classes_with_slots() -> Any:
    slotted = python_app(lambda value: Slotted(value + 2))(3).result()
    box = three_times(lambda box: Box(box.more[0], [2]), Box(1, [Point(1)]))
    wider = Wider(9)
    wider.width = 1

    def widen(one: Wider) -> Wider:
        one.width += 2
        return one

    wider = python_app(widen)(wider).result()
    return [
        type(slotted) is Slotted,
        slotted.value,
        type(box) is Box,
        str(box),
        type(wider) is Wider,
        wider.value,
        wider.width,
    ]


class Refused(Exception):
    """Its constructor does not take what ``args`` has."""

    def __init__(self, code: int, *, hint: str) -> None:
        super().__init__(f"refused with {code}: {hint}")
        self.code = code
        self.hint = hint


@kind(["Refused", "refused with 7: try again", 7, "try again", "ValueError"])
def exceptions_with_constructors() -> Any:
    @python_app
    def fail() -> None:
        try:
            raise ValueError("first")
        except ValueError as error:
            raise Refused(7, hint="try again") from error

    error: Any = fail().exception()
    return [type(error).__name__, str(error), error.code, error.hint, type(error.__cause__).__name__]


NOTEBOOK_CELLS = [
    "BASE = 5\ndef of_cell(n):\n    return BASE + n\n",
    "from parsl import python_app\n@python_app\ndef app_of_cell(n):\n    return of_cell(n) * 2\n",
    "class OfCell:\n    n = 3\n    def get(self):\n        return of_cell(self.n)\n",
    "BASE = 6\n",
    "def of_cell(n):\n    return BASE - n\n",
]


def run_cell(number: int) -> None:
    """As a notebook runs a cell: in ``__main__``, with its source where tracebacks look for it."""
    source, name = NOTEBOOK_CELLS[number], f"<ipython-input-{number}-a1b2c3>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    exec(compile(source, name, "exec"), sys.modules["__main__"].__dict__)


@kind([16, 16, 8, 9, 18, 3])
def notebooks() -> Any:
    main = sys.modules["__main__"].__dict__
    outcome = []
    for number in range(3):
        run_cell(number)
    outcome += [main["app_of_cell"](3).result() for _ in range(2)]
    outcome.append(three_times(main["OfCell"]().get))
    run_cell(3)
    outcome.append(three_times(main["of_cell"], 3))
    outcome.append(main["app_of_cell"](3).result())
    run_cell(4)
    outcome.append(three_times(main["of_cell"], 3))
    return outcome


@kind([[1, 4, 9], [0, 2], 6])
def generators_and_builtins() -> Any:
    def squares(n: int) -> list[int]:
        return [each * each for each in (number + 1 for number in range(n))]

    return [three_times(squares, 3), three_times(sorted, [2, 0]), three_times(sum, [1, 2, 3])]


@kind(["typed 3", 7, 6])
def annotations_and_defaults() -> Any:
    def typed(n: Point | int, label: str = "typed", *rest: Any, **named: Any) -> str:
        return f"{label} {n}"

    def with_default(n: int, point: Point = Point(3, 4)) -> int:
        return n * 0 + point.x + point.y

    def imports_inside(n: int) -> int:
        import math

        return math.factorial(n)

    return [three_times(typed, 3), three_times(with_default, 1), three_times(imports_inside, 3)]


@kind([["made up", 3], "made_up"])
def modules_made_at_run_time() -> Any:
    module = types.ModuleType("made_up")
    exec("WORDS = 'made up'\ndef say(n):\n    return [WORDS, n]\n", module.__dict__)
    return [three_times(module.say, 3), python_app(module.say).func.__module__]


@kind([0, "7\n"])
def bash_apps() -> Any:
    suffix = "7"

    @bash_app
    def shell(stdout: Any = None) -> str:
        return f"echo {suffix}"

    code = shell(stdout=os.path.abspath("echo.out")).result()
    return [code, Path("echo.out").read_text()]


class Lazy:
    """Stands for an object that is fetched when it is first used, as ProxyStore's proxies do.

    Everything but its pickling reaches the object, also ``__class__``: ``isinstance`` fetches it.
    """

    def __init__(self, fetch: Any) -> None:
        object.__setattr__(self, "_fetch", fetch)

    def _target(self) -> Any:
        if "_found" not in object.__getattribute__(self, "__dict__"):
            object.__setattr__(self, "_found", object.__getattribute__(self, "_fetch")())
        return object.__getattribute__(self, "_found")

    def __getattribute__(self, name: str) -> Any:
        if name in ("_target", "__reduce__", "__reduce_ex__"):
            return object.__getattribute__(self, name)
        return getattr(self._target(), name)

    def __reduce__(self) -> Any:
        return Lazy, (object.__getattribute__(self, "_fetch"),)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__reduce__()

    def __add__(self, other: Any) -> Any:
        return self._target() + other

    def __eq__(self, other: object) -> bool:
        return bool(self._target() == other)

    def __hash__(self) -> int:
        return hash(self._target())

    def __bool__(self) -> bool:
        return bool(self._target())

    def __len__(self) -> int:
        return len(self._target())


class Fetch:
    """Fetches a value, and records where."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self) -> Any:
        with open("fetched", "a") as file:
            file.write(f"{os.getpid()}\n")
        return self.value


@kind([11, [1, 2, 3, 4], 42, "int", 7, "not fetched here"])
def lazy_objects() -> Any:
    numbers = Lazy(Fetch([1, 2, 3]))
    add = python_app(lambda lazy, more: lazy + more)
    outcome = [add(Lazy(Fetch(1)), 10).result(), add(numbers, more=[4]).result()]
    lazy_result = python_app(lambda: Lazy(Fetch(42)))().result()
    here = str(os.getpid()) in Path("fetched").read_text().split()
    outcome += [lazy_result + 0, type(lazy_result + 0).__name__]
    outcome.append(
        three_times(lambda n: n + len(numbers), 4)
    )  # of a function's closure, it may be fetched here
    return [*outcome, "fetched in the driver" if here else "not fetched here"]


@kind(["NoDataFlowKernelError", True, True])
def apps_called_in_a_worker() -> Any:
    @python_app
    def inner() -> int:
        return 1

    @python_app
    def outer() -> Any:
        return inner().result()

    error = outer().exception()
    message = str(error)
    return [type(error).__name__, "inside a worker" in message, "join_app" in message]


LOCK = threading.Lock()


class Account:
    """Has a lock, which cannot be pickled; its methods use the script's globals."""

    def __init__(self, balance: int) -> None:
        self.lock = threading.Lock()
        self.balance = balance

    def doubled(self) -> int:
        with self.lock:
            return times(self.balance) + helper(1)


def locked(n: int) -> int:
    with LOCK:
        return helper(n)


@kind([7 * 7 + 1, 16, 3, True])
def what_only_dill_can_do() -> Any:
    def open_account(balance: int) -> Account:
        return Account(balance)

    opened = python_app(open_account)(3).result()
    return [
        python_app(Account.doubled)(Account(7)).result(),
        three_times(locked, 4),
        opened.balance,
        isinstance(opened, Account),
    ]


@kind(["SerializationError", True, "SerializationError", True, "SerializationError", True])
def what_cannot_travel() -> Any:
    @python_app
    def take(what: Any) -> None: ...

    errors = [
        take(i for i in ()).exception(),
        take([take(1)]).exception(),
        take({"dfk": parsl.dfk()}).exception(),
    ]
    outcome: list[Any] = []
    for error, word in zip(errors, ("generator", "future", "DataFlowKernel"), strict=True):
        outcome += [type(error).__name__, word in str(error)]
    return outcome


@kind([True, True, True, 499999500000])
def numpy_arrays() -> Any:
    import numpy

    array = numpy.arange(1_000_000)

    def look(given: Any) -> Any:
        return given.sum(), given.flags.writeable, given.base is not None

    def double(given: Any) -> Any:
        return given * 2

    total, writeable, is_view = python_app(look)(array).result()
    doubled = python_app(double)(array).result()
    return [bool(writeable), bool(is_view), bool((doubled == array * 2).all()), int(total)]


def outcome_of(case: Any) -> Any:
    try:
        return case()
    except Exception as error:
        import traceback

        return f"{type(error).__name__}: {error}\n{traceback.format_exc()}"


if __name__ == "__main__":
    executor = HighThroughputExecutor(label="htex", max_workers_per_node=2, cores_per_worker=0.1)
    with parsl.load(Config(executors=[executor], run_dir="runinfo")):
        outcomes = {name: [outcome_of(case), expected] for name, (case, expected) in CASES.items()}
    Path("kinds.json").write_text(json.dumps(outcomes))
