"""Which functions are short."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from parsl.executors.engines.short_functions import ShortFunctions, code_of

CODE, OTHER = (compile(source, "", "eval") for source in ("1", "2"))


def after(*calls: tuple[float, int], short: int = 100) -> ShortFunctions:
    """Return what is known after so many short calls, and then some with a duration and a size."""
    functions = ShortFunctions()
    for duration_s, size in (*[(0.0001, 100)] * short, *calls):
        functions.ran(CODE, duration_s, size)
    return functions


@pytest.mark.parametrize(
    ("functions", "is_short"),
    [
        (after(short=99), False),
        (after(), True),
        (after((0.002, 100)), False),
        (after((0.002, 100), short=200), True),  # a short call that was interrupted
        (after((0.002, 100), (0.002, 100), short=200), False),
        (after((0.02, 100), short=200), False),
        (after((0.0001, 65_537), short=200), False),
        (after((0.02, 100), *[(0.0001, 100)] * 100), True),
    ],
)
def test_a_function_is_short_after_a_hundred_short_calls(functions: ShortFunctions, is_short: bool) -> None:
    assert functions.cover(CODE, 100) is is_short
    assert not functions.cover(CODE, 65_537)
    assert not functions.cover(OTHER, 100)
    assert repr(functions) == f"<ShortFunctions {int(is_short)} of 1>"


def test_a_function_without_code_is_never_short() -> None:
    functions = ShortFunctions()
    for _ in range(200):
        functions.ran(None, 0.0001, 100)
    assert not functions.cover(None, 100)


def test_the_number_of_functions_is_limited() -> None:
    functions = after()
    for number in range(1000):
        functions.ran(compile(f"{number} + x", "", "eval"), 0.0001, 100)
    assert not functions.cover(CODE, 100)


def wrapped(function: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        function()

    return run


def plain() -> None:
    """Do nothing."""


def test_functions_that_may_share_their_code_are_not_identified_by_it() -> None:
    assert code_of(plain) is plain.__code__
    assert wrapped(plain).__code__ is wrapped(print).__code__
    assert code_of(wrapped(plain)) is None
    assert code_of(print) is None
