"""Functions are named by content only as long as no dependency can change unnoticed."""

from __future__ import annotations

import collections
import functools
import gc
import operator
import types
import weakref
from typing import Any

import cloudpickle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.serialize import by_value, functions
from parsl.serialize.functions import FunctionCache, take_snapshot


def script(source: str) -> Any:
    """The namespace of a script: what it defines is of no module that a worker could import."""
    namespace = types.SimpleNamespace()
    namespace.__dict__["__name__"] = "__main__"
    exec(compile(source, "script.py", "exec"), namespace.__dict__)
    return namespace


def is_named(source: str) -> bool:
    return take_snapshot(script(source).task) is not None


class Calls:
    """Calls a function as the executor and a worker do."""

    def __init__(self) -> None:
        self.cache = FunctionCache()
        self.worker: dict[bytes, Any] = {}
        self.named = 0

    def __call__(self, function: Any, *args: Any) -> Any:
        found = self.cache.lookup(function)
        if found is None:
            return cloudpickle.loads(cloudpickle.dumps(function))(*args)
        self.named += 1
        copy = self.worker.setdefault(found.name, cloudpickle.loads(found.body))
        return copy(*args)


@pytest.fixture
def call() -> Calls:
    return Calls()


DECORATED = """
import functools
def twice(f):
    @functools.wraps(f)
    def g(x): return f(f(x))
    return g
@twice
def task(x): return x + 1
"""

COUNTS_IN_CLOSURE = """
def make():
    n = 0
    def count():
        nonlocal n
        n += 1
        return n
    return count
task = make()
"""

SETS_CLOSURE = """
def make():
    n = 1
    def get(): return n
    def set_to(x):
        nonlocal n
        n = x
    return get, set_to
task, set_to = make()
"""


@pytest.mark.parametrize(
    "source",
    [
        "def task(x): return x + 1",
        "task = lambda x: x",
        "def task(x=1, *, y='a'): return x",
        "N = 3\ndef task(): return N",
        "import math\ndef task(x): return math.sqrt(x)",
        "from math import sqrt\ndef task(x): return sqrt(x)",
        "from json import dumps\ndef task(x): return dumps(x)",
        "def helper(x): return x\ndef task(x): return helper(x)",
        "def task(n): return n and task(n - 1)",
        "def even(n): return odd(n - 1)\ndef odd(n): return even(n - 1)\ndef task(n): return odd(n)",
        "def make(n):\n    def add(x): return x + n\n    return add\ntask = make(3)",
        "import functools\ndef add(a, b): return a + b\ntask = functools.partial(add, 1)",
        DECORATED,
        "PAIR = (1, (2, frozenset('ab')))\ndef task(): return PAIR",
        "def task():\n    def inner(): return task\n    return inner",
        "def task(xs): return [x for x in xs if isinstance(x, int)]",
        "def task(x):\n    class Local:\n        y = x\n    return Local().y",
    ],
)
def test_functions_that_cannot_change_unnoticed_are_named(source: str) -> None:
    assert is_named(source)


@pytest.mark.parametrize(
    "source",
    [
        "XS = []\ndef task(): return XS",
        "OPTIONS = {}\ndef task(): return OPTIONS",
        "def task(xs=[]): return xs",
        "def task(*, xs={}): return xs",
        "n = 0\ndef task():\n    global n\n    n += 1\n    return n",
        "n = 0\ndef task():\n    def inner():\n        global n\n        n += 1\n    return inner",
        COUNTS_IN_CLOSURE,
        "def make(xs):\n    def get(): return xs\n    return get\ntask = make([])",
        "class A: pass\ndef task(): return A()",
        "class A: pass\nA_ = A()\ndef task(): return A_",
        "class A:\n    def f(self): pass\ntask = A().f",
        "class A:\n    def __call__(self): pass\ntask = A()",
        "XS = []\ndef helper(): return XS\ndef task(): return helper()",
        "import functools\ndef add(a, b): return a\ntask = functools.partial(add, [])",
        "def task(): pass\ntask.calls = 0",
        "PAIR = (1, [])\ndef task(): return PAIR",
        "import types\nm = types.ModuleType('m')\ndef task(): return m",
        "import functools\nXS = []\ndef f(): return XS\ndef task(): pass\nfunctools.update_wrapper(task, f)",
    ],
)
def test_functions_that_may_change_unnoticed_are_not_named(source: str) -> None:
    assert not is_named(source)


def test_importable_functions_are_named_and_go_by_reference(call: Calls) -> None:
    for function in (operator.add, functools.reduce, collections.namedtuple):
        assert take_snapshot(function) is not None
    assert call(operator.add, 1, 2) == 3
    found = call.cache.lookup(operator.add)
    assert found is not None
    assert cloudpickle.loads(found.body) is operator.add


def test_functions_of_modules_registered_by_the_user_go_by_value() -> None:
    from tests.serialize import helpers

    assert take_snapshot(helpers.uses_a_list) is not None
    cloudpickle.register_pickle_by_value(helpers)
    try:
        assert take_snapshot(helpers.uses_a_list) is None
    finally:
        cloudpickle.unregister_pickle_by_value(helpers)


def test_the_first_call_carries_its_function_and_later_ones_name_it(call: Calls) -> None:
    task = script("def task(x): return x + 1").task
    assert [call(task, x) for x in range(5)] == [1, 2, 3, 4, 5]
    assert call.named == 4
    assert len(call.worker) == 1


CHANGES = [
    ("N = 1\ndef task(): return N", "N = 2", 2),
    ("def helper(): return 1\ndef task(): return helper()", "def helper(): return 2", 2),
    ("def task(x=1): return x", "task.__defaults__ = (2,)", 2),
    ("def task(*, x=1): return x", "task.__kwdefaults__['x'] = 2", 2),
    ("def task(*, x=1): return x", "task.__kwdefaults__ = {'x': 2}", 2),
    ("def task(): return 1\ndef other(): return 2", "task.__code__ = other.__code__", 2),
    ("def task(): return task.n if hasattr(task, 'n') else 1", "task.n = 2", 2),
    ("def task():\n    try: return later()\n    except NameError: return 1", "def later(): return 2", 2),
    ("def task(): return len('a')", "def len(x): return 2", 2),
    (
        SETS_CLOSURE,
        "set_to(2)",
        2,
    ),
    (
        "import functools\ndef get(n): return n\ntask = functools.partial(get, n=1)",
        "task.keywords['n'] = 2",
        2,
    ),
    ("XS = [1]\ndef task(): return XS[-1]", "XS.append(2)", 2),
    ("class A: n = 1\ndef task(): return A.n", "A.n = 2", 2),
    ("N = 1\ndef inner(): return N\ndef task(): return inner()", "N = 2", 2),
]


@pytest.mark.parametrize(("source", "change", "after"), CHANGES)
def test_changes_between_calls_are_seen(call: Calls, source: str, change: str, after: object) -> None:
    namespace = script(source)
    assert [call(namespace.task) for _ in range(3)] == [1, 1, 1]
    exec(change, namespace.__dict__)
    assert [call(namespace.task) for _ in range(3)] == [after] * 3


def test_a_task_that_counts_in_a_global_starts_afresh_each_time(call: Calls) -> None:
    task = script("n = 0\ndef task():\n    global n\n    n += 1\n    return n").task
    assert [call(task) for _ in range(4)] == [1, 1, 1, 1]


def test_a_function_that_keeps_changing_leaves_few_names(call: Calls) -> None:
    namespace = script("N = 0\ndef task(): return N")
    for n in range(100):
        namespace.__dict__["N"] = n
        assert call(namespace.task) == n
    assert len(call.worker) < 10


def test_one_off_closures_leave_nothing_behind(call: Calls) -> None:
    closures = script("def make(n): return lambda: n")
    for n in range(100):
        assert call(closures.make(n)) == n
    gc.collect()
    assert call.named == 0
    assert repr(call.cache) == "<FunctionCache once=0 functions=0 names=0>"


def test_bound_methods_and_objects_travel_with_their_calls(call: Calls) -> None:
    namespace = script("class A:\n    n = 1\n    def get(self): return self.n\na = A()")
    assert call(namespace.a.get) == 1
    namespace.a.n = 2
    assert call(namespace.a.get) == 2
    assert call.named == 0


def test_a_function_that_was_called_once_is_not_kept() -> None:
    cache, function = FunctionCache(), script("def task(): pass").task
    cache.lookup(function)
    gone = weakref.ref(function)
    del function
    gc.collect()
    assert gone() is None


def test_the_number_of_named_functions_is_limited(call: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "MAX_NAMED", 10)
    tasks = [script(f"def task(): return {n}").task for n in range(20)]
    for _ in range(3):
        assert [call(task) for task in tasks] == list(range(20))
    assert len(call.worker) == 10


def test_the_memory_of_named_functions_is_limited(call: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process that receives a named function keeps it; constants and closures can be large."""
    monkeypatch.setattr(functions, "MAX_NAMED_BYTES", 25_000)
    tasks = [script(f"def task(): return len(b'{str(n) * 10_000}')").task for n in range(6)]
    for _ in range(3):
        assert [call(task) for task in tasks] == [10_000] * 6
    assert len(call.worker) == 3


def test_a_function_that_cannot_be_pickled_gets_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(function: object) -> bytes:
        raise TypeError("no")

    cache, task = FunctionCache(), script("def task(): pass").task
    cache.lookup(task)
    monkeypatch.setattr(by_value, "dumps", refuse)
    assert cache.lookup(task) is None


def test_all_of_many_globals_are_found() -> None:
    """More than fit one byte of an instruction's argument."""
    names = [f"g{n}" for n in range(700)]
    source = "\n".join(f"{name} = 1" for name in names) + f"\ndef task(): return {' + '.join(names)}"
    namespace = script(source)
    snapshot = take_snapshot(namespace.task)
    assert snapshot is not None
    for name in ("g0", "g255", "g256", "g699"):
        before = namespace.__dict__[name]
        namespace.__dict__[name] = 2
        assert not snapshot.still_holds()
        namespace.__dict__[name] = before
    assert snapshot.still_holds()


values = st.sampled_from(["1", "'a'", "(1, 2)", "[]", "{}", "len", "None", "(1, [])"])


@given(st.lists(st.tuples(st.sampled_from("abc"), values), max_size=8))
def test_calls_always_use_the_current_globals(changes: list[tuple[str, str]]) -> None:
    namespace, call = script("a = b = c = 1\ndef task(): return (a, b, c)"), Calls()
    for name, value in changes:
        exec(f"{name} = {value}", namespace.__dict__)
        for _ in range(2):
            assert call(namespace.task) == namespace.task()
