"""The comparison itself."""

from __future__ import annotations

import sys

import pytest

from tests.conformance.agreed import Agreed
from tests.conformance.api_text import Parameter, read_modules, read_parameters
from tests.conformance.differences import differences, same_value

OURS = """
__all__ = ["Thing"]
class Base: ...
class Thing(Base):
    limit = 3
    def __init__(self, first, second=2, *, only="x"):
        self.kept = first
    @property
    def size(self): ...
    def method(self, a, b=None): ...
    @classmethod
    def make(cls, of): ...
class Trouble(Exception): ...
class Demanding(Exception):
    def __init__(self, a, b): ...
def call(a, *args, **kwargs): ...
"""


@pytest.fixture
def found(tmp_path, monkeypatch):
    """The differences between a module and a page that describes it."""
    (tmp_path / "parsl_like.py").write_text(OURS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "parsl_like", raising=False)

    def find(text: str) -> list[str]:
        (described,) = read_modules(f"parsl_like\n{text}")
        return [key.removeprefix("parsl_like.") for key, _ in differences(described)]

    yield find
    sys.modules.pop("parsl_like", None)


@pytest.mark.parametrize(
    "line",
    [
        "  class Thing(Base): __init__(self, first: Any, second: int = 2, *, only: str = 'x') -> None",
        "  def call(a: Dict[str, int], *args: Any, **kwargs) -> Tuple[int, str]",
        "  class Trouble(Exception)",
        "  class Demanding(Exception): __init__(self, a, b)",
        "  __all__ = Thing",
        "  class Thing(Base)\n      property size\n      property kept\n      limit = 3",
        "  class Thing(Base)\n      def method(self, a, b=None)",
        "  class Thing(Base)\n      def make(cls, of)",
    ],
)
def test_equal_modules_have_no_differences(found, line):
    assert found(line) == []


@pytest.mark.parametrize(
    ("line", "difference"),
    [
        ("  class Thing(Base): __init__(self, first, third=3)", "Thing(third)"),
        ("  class Thing(Base): __init__(self, first, second=3)", "Thing(second)"),
        ("  class Thing(Base): __init__(self, first, second)", "Thing(second)"),
        ("  class Thing(Base): __init__(self, first, second=2, only='x')", "Thing(only)"),
        ("  class Thing(Base): __init__(self, second=2, *, only='x')", "Thing(first)"),
        ("  class Thing(Base): __init__(self, second=2, first=1)", "Thing(second)"),
        ("  class Thing(Other)", "Thing < Other"),
        ("  class Thing(Base)\n      limit = 4", "Thing.limit"),
        ("  class Thing(Base)\n      property method", "Thing.method"),
        ("  class Thing(Base)\n      property other", "Thing.other"),
        ("  class Thing(Base)\n      def method(self, a, b=None, c=None)", "Thing.method(c)"),
        ("  class Demanding(Exception)", "Demanding"),
        ("  def call(b)", "call(b)"),
        ("  def other()", "other"),
        ("  __all__ = Thing, Trouble", "Trouble"),
    ],
)
def test_a_difference_is_found(found, line, difference):
    assert difference in found(line)


def test_a_missing_module_misses_all_names():
    (module,) = read_modules("parsl.nothing\n  def f(a)\n  class A(B)\n      property p")
    assert [key for key, _ in differences(module)] == [
        "parsl.nothing.f",
        "parsl.nothing.A",
        "parsl.nothing.A.p",
    ]


def test_parameters_are_parsed():
    text = "self, a, b: Dict[str, Tuple[int, str]] = {'x': (1, ',')}, *, c=Some(x=1, y='='), **rest: Any"
    assert read_parameters(text) == (
        Parameter("a", None, "positional"),
        Parameter("b", "{'x': (1, ',')}", "positional"),
        Parameter("c", "Some(x=1, y='=')", "keyword"),
        Parameter("rest", None, "kwargs"),
    )


def test_an_unreadable_line_is_an_error():
    with pytest.raises(ValueError, match="not understood"):
        read_modules("parsl.a\n  something else")


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        (1, "1", True),
        (1.0, "1", False),
        (True, "1", False),
        ("a\\S", r"'a\\S'", True),
        (None, "None", True),
        ((), "[]", False),
        (int, "<class 'int'>", True),
    ],
)
def test_values(ours, theirs, same):
    assert same_value(ours, theirs) is same


def test_a_table_of_patterns():
    page = "# P\n\n## One\n\n| name | x |\n| --- | --- |\n| `a.b(c)`, `d.*` | `z` |\n\n## Two\n\n| `q` | |\n"
    agreed = Agreed(page, "One")
    assert agreed.patterns == ["a.b(c)", "d.*"]
    assert "a.b(c)" in agreed
    assert "d.e.f" in agreed
    assert "q" not in agreed
    assert agreed.idle({"d.x"}) == ["a.b(c)"]
