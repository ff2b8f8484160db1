"""Predicting which calls a function accepts, checked by calling it."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.app.parameters import explain_refusal, read_parameters


def no_parameters() -> None: ...
def two(a: Any, b: Any) -> None: ...
def with_default(a: Any, b: Any = 1) -> None: ...
def positional_only(a: Any, /, b: Any, c: Any = 1) -> None: ...
def keyword_only(a: Any, *, b: Any, c: Any = 1) -> None: ...
def any_positional(a: Any, *rest: Any) -> None: ...
def any_keyword(a: Any, b: Any = 1, **rest: Any) -> None: ...
def anything(*args: Any, **kwargs: Any) -> None: ...
def positional_and_any_keyword(a: Any, /, **rest: Any) -> None: ...


FUNCTIONS = [
    no_parameters,
    two,
    with_default,
    positional_only,
    keyword_only,
    any_positional,
    any_keyword,
    anything,
    positional_and_any_keyword,
    functools.partial(two, 1),
    functools.partial(keyword_only, b=2),
]


def takes(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    try:
        function(*args, **kwargs)
    except TypeError:
        return False
    return True


@given(st.sampled_from(FUNCTIONS), st.integers(0, 4), st.sets(st.sampled_from("abcd")))
def test_a_call_is_allowed_exactly_when_python_would_make_it(
    function: Any, given: int, names: set[str]
) -> None:
    args, kwargs = (0,) * given, dict.fromkeys(names, 0)
    is_right = takes(function, args, kwargs)
    parameters = read_parameters(function)
    assert parameters is not None
    assert parameters.allows(args, kwargs) == is_right
    # Python 3.13.0 itself binds, by mistake, what is positional-only and was given by name.
    if is_right or not takes(inspect.signature(function).bind, args, kwargs):
        assert (explain_refusal(function, args, kwargs) is None) == is_right
    if not kwargs and parameters.low <= given <= parameters.high:
        assert is_right


def test_the_error_shows_the_correct_call() -> None:
    assert explain_refusal(with_default, (), {}) == (
        "with_default() cannot be called like this: missing a required argument: 'a'; "
        "it is defined as with_default(a: 'Any', b: 'Any' = 1) -> 'None'"
    )


def special(x: Any, stdout: Any = "out", inputs: Any = (), *, walltime: Any = 5, other: Any = 1) -> None: ...


def test_special_defaults_count_as_given() -> None:
    parameters = read_parameters(special)
    assert parameters is not None
    assert parameters.complete((1,), {}) == ((1,), {"stdout": "out", "inputs": (), "walltime": 5})
    assert parameters.complete((1,), {"walltime": 7})[1]["walltime"] == 7


def test_special_arguments_given_by_position_become_keywords() -> None:
    parameters = read_parameters(special)
    assert parameters is not None
    assert parameters.complete((1, "o", [2]), {}) == ((1,), {"stdout": "o", "inputs": [2], "walltime": 5})


def test_special_arguments_can_be_given_to_any_function() -> None:
    parameters = read_parameters(two)
    assert parameters is not None
    assert parameters.allows((1, 2), {"walltime": 3})
    assert not parameters.allows((1,), {"walltime": 3})


def test_the_defaults_of_a_call_do_not_leak_into_the_next() -> None:
    parameters = read_parameters(special)
    assert parameters is not None
    parameters.complete((1,), {})[1]["stdout"] = "changed"
    assert parameters.complete((1,), {})[1]["stdout"] == "out"


def test_a_wrapper_keeps_its_own_signature_and_passes_special_defaults_on() -> None:
    @functools.wraps(special)
    def wrapper(*args: Any, **kwargs: Any) -> None: ...

    parameters = read_parameters(wrapper)
    assert parameters is not None
    assert parameters.allows((1, 2, 3, 4, 5), {})
    assert parameters.complete((), {}) == ((), {"stdout": "out", "inputs": (), "walltime": 5})


@pytest.mark.parametrize("function", [len, str, dict, print, functools.partial(len)])
def test_builtin_signatures_are_known_or_unknown_without_an_error(function: Any) -> None:
    parameters = read_parameters(function)
    assert parameters is None or parameters.allows(("abc",), {})
