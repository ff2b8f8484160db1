from __future__ import annotations

import inspect
import warnings

import pytest

from parsl.common.deprecations import Retired, accepts_retired, renamed, warn_retired
from parsl.errors import ConfigurationError


def _positive(value: int) -> int:
    if value <= 0:
        raise ValueError("give a positive one")
    return value * 2


class Oven:
    @accepts_retired(
        heat=renamed("temperature"),
        gas=Retired("leave it out"),
        level=Retired("write heat", "heat2", _positive),
    )
    def __init__(self, temperature: int = 180, *, heat2: int = 0) -> None:
        self.temperature = temperature
        self.heat2 = heat2


def made(**arguments: object) -> tuple[Oven, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        oven = Oven(**arguments)  # type: ignore[arg-type]
    assert {(one.category, one.filename) for one in caught} <= {(DeprecationWarning, __file__)}
    return oven, [str(one.message) for one in caught]


def test_what_is_current_is_no_warning():
    oven, said = made(temperature=200)
    assert oven.temperature == 200
    assert said == []


def test_a_renamed_argument_reaches_the_new_one():
    oven, said = made(heat=200)
    assert oven.temperature == 200
    assert said == ["Oven: heat has been retired: write temperature instead."]


def test_an_argument_without_a_successor_is_left_out():
    oven, said = made(gas=True, temperature=3)
    assert oven.temperature == 3
    assert said == ["Oven: gas has been retired: leave it out."]


def test_each_has_a_warning_of_its_own():
    oven, said = made(gas=True, heat=5, level=4)
    assert (oven.temperature, oven.heat2) == (5, 8)
    assert len(said) == 3


def test_the_older_and_the_new_one_at_once_are_an_error():
    with pytest.raises(ConfigurationError, match=r"both heat=1 and temperature=2 .* leave it out"):
        Oven(heat=1, temperature=2)  # type: ignore[call-arg]


def test_a_value_without_equivalent_is_an_error():
    with pytest.raises(ConfigurationError, match=r"Oven: level=-1 .* give a positive one"):
        Oven(level=-1)  # type: ignore[call-arg]


def test_unknown_arguments_are_refused():
    with pytest.raises(TypeError, match="Oven: unexpected keyword argument 'cold'"):
        Oven(cold=1)  # type: ignore[call-arg]


def test_the_signature_shows_what_to_write_now():
    assert list(inspect.signature(Oven).parameters) == ["temperature", "heat2"]


def test_the_warning_is_for_the_caller():
    def checkpoint() -> None:
        warn_retired("checkpoint()", "call the memoizer's")

    with pytest.warns(
        DeprecationWarning, match=r"^checkpoint\(\) has been retired: call the memoizer's\.$"
    ) as said:
        checkpoint()
    assert said[0].filename == __file__
