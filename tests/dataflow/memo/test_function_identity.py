from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from typing import Any

from parsl import python_app
from parsl.app.bash_task import BashTask
from parsl.dataflow.memo.function_identity import id_of_function
from parsl.dataflow.memo.ids import by_name


def define(source: str, name: str = "f", **names: Any) -> Any:
    """The function defined by a module with this source."""
    module: dict[str, Any] = {"__name__": "module", **names}
    exec(compile(source, "module.py", "exec"), module)
    return module[name]


def same(one: str, other: str) -> bool:
    return id_of_function(define(one)) == id_of_function(define(other))


class TestByCode:
    def test_a_changed_body_is_another_function(self) -> None:
        assert not same("def f(x): return x + 1", "def f(x): return x + 2")
        assert not same("def f(x): return x + 1", "def f(x): return x - 1")
        assert not same("def f(x): return x.a", "def f(x): return x.b")
        assert not same("def f(x): return [y + 1 for y in x]", "def f(x): return [y + 2 for y in x]")
        assert not same("def f(x): return x in {'a', 'b'}", "def f(x): return x in {'a', 'c'}")
        assert not same("def f(x): return 1", "def f(x): return 1.0")
        assert not same("def f(x): return True", "def f(x): return 1")

    def test_another_name_or_other_parameters_make_another_function(self) -> None:
        assert id_of_function(define("def f(x): pass")) != id_of_function(define("def g(x): pass", "g"))
        assert not same("def f(x): pass", "def f(y): pass")
        assert not same("def f(x=1): return x", "def f(x=2): return x")
        assert not same("def f(*, x=1): return x", "def f(*, x=2): return x")

    def test_comments_docstrings_and_lines_do_not_count(self) -> None:
        assert same("def f(x):\n    return x", "\n\n# here\ndef f(x):\n    # there\n\n    return x")
        assert same('def f(x):\n    "One."\n    return x', 'def f(x):\n    "Another."\n    return x')
        inner = "def f(x):\n    class C:\n        y = 1\n    return C\n"
        assert same(inner, "\n\n" + inner)

    def test_named_functions_of_the_module_count(self) -> None:
        source = "def g(x): return x {} 1\ndef f(x): return g(x)"
        assert not same(source.format("+"), source.format("-"))
        deeper = "def h(x): return x {} 1\ndef g(x): return h(x)\ndef f(x): return [g(y) for y in x]"
        assert not same(deeper.format("+"), deeper.format("-"))
        app = "@app\ndef g(x): return x {} 1\ndef f(x): return g(x)"
        plus, minus = (define(app.format(sign), app=python_app) for sign in "+-")
        assert id_of_function(plus) != id_of_function(minus)

    def test_the_values_of_globals_do_not_count(self) -> None:
        assert same("count = 1\ndef f(x): return x + count", "count = 2\ndef f(x): return x + count")

    def test_values_in_the_closure_count(self) -> None:
        source = "def make(n):\n    def f(x): return x * n\n    return f\n"
        make = define(source, "make")
        assert id_of_function(make(2)) == id_of_function(make(2))
        assert id_of_function(make(2)) != id_of_function(make(3))
        assert id_of_function(make({"a": 1})) != id_of_function(make({"a": 2}))
        assert id_of_function(make(object())) == id_of_function(make(object()))
        assert id_of_function(make(define("def f(x): return 1"))) != id_of_function(
            make(define("def f(x): return 2"))
        )

    def test_a_mutable_object_that_collects_results_does_not_count(self) -> None:
        seen: list[int] = []

        def f(x: int, also: list[int] = []) -> None:  # noqa: B006 - that is what is tested
            seen.append(x)
            also.append(x)

        before = id_of_function(f)
        f(1)
        assert id_of_function(f) == before

    def test_changes_between_two_calls_count(self) -> None:
        f = define("def g(x): return x + 1\ndef f(x, y=1): return g(x) + y")
        names = f.__globals__
        at_first, g = id_of_function(f), names["g"]
        exec("def g(x): return x - 1", names)
        assert id_of_function(f) != at_first
        del names["g"]
        assert id_of_function(f) != at_first
        names["g"] = g
        assert id_of_function(f) == at_first
        f.__defaults__ = (2,)
        assert id_of_function(f) != at_first
        f.__defaults__, f.__kwdefaults__ = (1,), {"z": 1}
        assert id_of_function(f) != at_first

    def test_a_function_among_the_defaults_counts(self) -> None:
        f = define("def h(x): return x\ndef g(x): return h(x)\ndef f(x, y=g): return y(x)")
        at_first = id_of_function(f)
        assert id_of_function(f) == at_first
        exec("def h(x): return -x", f.__globals__)
        assert id_of_function(f) != at_first

    def test_a_variable_that_gets_another_value_counts(self) -> None:
        make = define(
            "def make():\n    def f(): return n\n    n = 1\n    yield f\n    n = 2\n    yield f", "make"
        )
        ids = [id_of_function(f) for f in make()]
        assert ids[0] != ids[1]

    def test_objects_in_the_closure_are_not_kept_alive(self) -> None:
        class Large:
            pass

        large = Large()
        f = define("def make(n):\n    def f(x): return n\n    return f", "make")(large)
        assert id_of_function(f) == id_of_function(f)
        gone = weakref.ref(large)
        del f, large
        gc.collect()
        assert gone() is None

    def test_functions_may_call_themselves_and_each_other(self) -> None:
        source = "def f(x): return g(x)\ndef g(x): return f(x) {} 1"
        assert same(source.format("+"), source.format("+"))
        assert not same(source.format("+"), source.format("-"))
        make = "def make():\n    def f(x): return f(x)\n    return f\n"
        assert id_of_function(define(make, "make")()) == id_of_function(define(make, "make")())

    def test_a_bash_app_is_identified_by_its_function(self) -> None:
        one, same_one, other = (BashTask(define(f"def f(x): return 'echo {text}'")) for text in "aab")
        assert id_of_function(one) == id_of_function(same_one) != id_of_function(other)

    def test_the_identity_is_the_same_in_every_process(self) -> None:
        script = (
            "from parsl.dataflow.memo.function_identity import id_of_function\n"
            "def helper(x): return x in {'a', 'b', 'c', 'd', 'e'}\n"
            "def f(x, y={'a', 'b', 'c'}):\n"
            "    if x in {'a', 'b', 'c', 'd', 'e'}: return helper(x)\n"
            "print(id_of_function(f))\n"
        )
        outputs = {
            subprocess.run(
                [sys.executable, "-c", script],
                env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            for seed in "123"
        }  # fmt: skip
        assert len(outputs) == 1


class TestByName:
    def test_the_body_does_not_count(self) -> None:
        with by_name():
            assert same("def f(x): return x + 1", "def f(x): return x + 2")
            assert id_of_function(define("def f(x): pass")) != id_of_function(define("def g(x): pass", "g"))

    def test_comparison_by_name_ends_with_the_block(self) -> None:
        with by_name():
            pass
        assert not same("def f(x): return x + 1", "def f(x): return x + 2")
