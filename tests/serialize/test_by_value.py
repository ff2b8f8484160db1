from __future__ import annotations

import functools
import pickle
import subprocess
import sys
import traceback
from types import ModuleType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import pytest

from parsl.serialize import by_value


class Untouchable:
    """Any access to the wrapped object is an error."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("__reduce_ex__", "__reduce__"):
            return object.__getattribute__(self, name)
        raise AssertionError(f"{name} was looked at")

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Untouchable, ()


@functools.lru_cache
def importable_cached(n: int) -> int:
    return n


def script(source: str) -> ModuleType:
    """As a script has it: not importable by name."""
    module = ModuleType("__main__")
    exec(source, module.__dict__)
    return module


def echoed(obj: object) -> bytes:
    """Pickle, and have another process unpickle it and pickle it again."""
    code = (
        "import sys, pickle\nfrom parsl.serialize import by_value\n"
        "sys.stdout.buffer.write(by_value.dumps(pickle.loads(sys.stdin.buffer.read())))"
    )
    pickled = by_value.dumps(obj)
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{code}"],
        input=pickled,
        capture_output=True,
        timeout=60,
        check=True,
    )
    return run.stdout


def test_lazy_objects_are_not_opened() -> None:
    pickled = by_value.dumps([Untouchable(), {"key": Untouchable()}])
    assert pickled.count(b"Untouchable") == 1


def test_objects_with_slots_are_restored() -> None:
    owner = script(
        "class Base:\n    __slots__ = ('a',)\n"
        "class Thing(Base):\n    __slots__ = ('b', 'unset', '__weakref__')\n"
        "class Open(Thing):\n    pass\n"
    )
    thing, other = owner.Thing(), owner.Open()
    thing.a, thing.b = 1, [2]
    other.a, other.extra = 3, 4
    back, open_back = pickle.loads(echoed([thing, other]))
    assert type(back) is owner.Thing
    assert (back.a, back.b) == (1, [2])
    assert not hasattr(back, "unset")
    assert not hasattr(back, "__dict__")
    assert (open_back.a, open_back.extra) == (3, 4)


def test_classes_that_manage_their_slots_themselves_do_so() -> None:
    class Pair(NamedTuple):
        left: int
        right: int

    assert pickle.loads(echoed(Pair(1, 2))) == (1, 2)


def test_a_cached_function_of_a_script_travels_with_its_settings() -> None:
    functions = script(
        "import functools\n@functools.lru_cache(maxsize=3, typed=True)\n"
        "def factorial(n):\n    return 1 if n == 0 else n * factorial(n - 1)\n"
    )
    back = pickle.loads(by_value.dumps(functions.factorial))
    assert back is not functions.factorial
    assert back(5) == 120
    assert back.cache_parameters() == {"maxsize": 3, "typed": True}


def test_an_importable_cached_function_goes_by_name() -> None:
    assert pickle.loads(by_value.dumps(importable_cached)) is importable_cached


def test_a_function_that_chooses_by_type_travels() -> None:
    functions = script(
        "import functools\n@functools.singledispatch\ndef name(of):\n    return 'any'\n"
        "@name.register\ndef _(of: int):\n    return 'number'\n"
    )
    assert functions.name(1) == "number"  # and is in the function's cache
    back = pickle.loads(by_value.dumps(functions.name))
    assert [back(1), back("x")] == ["number", "any"]


def test_weak_dictionaries_travel_with_their_items() -> None:
    assert dict(pickle.loads(by_value.dumps(WeakKeyDictionary({int: 1})))) == {int: 1}


@pytest.mark.parametrize("value", [1, "x", [1, {2: (3,)}], int, len])
def test_other_objects_are_pickled_as_usual(value: object) -> None:
    assert pickle.loads(by_value.dumps(value)) == value


def test_code_keeps_the_name_of_its_file_for_tracebacks() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    source = "def outer(x):\n    def inner():\n        return 1 / x\n    return inner\n"
    exec(compile(source, "/somewhere/script.py", "exec"), namespace)
    outer = pickle.loads(by_value.dumps(namespace["outer"]))
    assert outer.__code__.co_filename == outer(1).__code__.co_filename == "/somewhere/script.py"
    assert pickle.loads(by_value.dumps(outer(2))).__code__ == outer(2).__code__
    with pytest.raises(ZeroDivisionError) as caught:
        outer(0)()
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.lineno, last.name) == ("/somewhere/script.py", 3, "inner")
