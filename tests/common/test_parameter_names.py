"""Mistyped parameters are refused with a suggestion, retired ones are translated with a warning."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import pytest

from parsl import launchers, providers
from parsl.common.parameter_names import (
    Retired,
    UnknownParameterError,
    accepts_retired,
    renamed,
    warn_retired,
)
from parsl.config import Config
from parsl.errors import ConfigurationError
from parsl.executors import HighThroughputExecutor, MPIExecutor, ThreadPoolExecutor

PUBLIC = [
    Config,
    HighThroughputExecutor,
    MPIExecutor,
    ThreadPoolExecutor,
    *(getattr(providers, name) for name in providers.__all__),
    *(getattr(launchers, name) for name in launchers.__all__),
]


@pytest.mark.parametrize("kind", dict.fromkeys(PUBLIC), ids=lambda kind: kind.__name__)
def test_each_constructor_knows_its_own_parameters(kind: Any) -> None:
    parameters = [name for name in inspect.signature(kind).parameters if len(name) > 3]
    assert parameters
    for name in parameters:
        mistyped = name[:-2] + name[-1] + name[-2] if name[-1] != name[-2] else name + name[-1]
        with pytest.raises(TypeError) as caught:
            kind(**{mistyped: None})
        assert str(caught.value) == (
            f"{kind.__name__}: unexpected keyword argument {mistyped!r}. Did you mean {name}?"
        )
        assert isinstance(caught.value, ConfigurationError)


@pytest.mark.parametrize(
    ("kind", "mistyped", "advice"),
    [
        (Config, "executor", "Did you mean executors?"),
        (Config, "retry", "Did you mean retry_handler?"),
        (Config, "app_cach", "Did you mean app_cache?"),
        (HighThroughputExecutor, "Label", "Did you mean label?"),
        (HighThroughputExecutor, "accelerators", "Did you mean available_accelerators?"),
        (HighThroughputExecutor, "max_worker", "Did you mean max_workers_per_node?"),
        (providers.PBSProProvider, "wall_time", "Did you mean walltime?"),
        (providers.LocalProvider, "blocks", "Did you mean init_blocks or max_blocks or min_blocks?"),
        (providers.SlurmProvider, "nodes", "Did you mean nodes_per_block?"),
        (launchers.MpiExecLauncher, "bind", "Did you mean bind_cmd?"),
        (launchers.WrappedLauncher, "image", "Its parameters are debug, prepend."),
    ],
)
def test_the_suggestion(kind: Any, mistyped: str, advice: str) -> None:
    with pytest.raises(UnknownParameterError) as caught:
        kind(**{mistyped: 1})
    assert str(caught.value).endswith(f"{mistyped!r}. {advice}")


def test_a_users_class_is_named_in_the_error() -> None:
    class Mine(HighThroughputExecutor):
        pass

    with pytest.raises(UnknownParameterError, match=r"^Mine: .*Did you mean encrypted"):
        Mine(encryptd=True)  # type: ignore[call-arg]


def test_self_is_not_a_parameter() -> None:
    with pytest.raises(TypeError):
        Config(**{"self": 1})  # noqa: PIE804 - a keyword argument


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


def test_a_current_argument_causes_no_warning():
    oven, messages = made(temperature=200)
    assert oven.temperature == 200
    assert messages == []


def test_a_renamed_argument_reaches_the_new_one():
    oven, messages = made(heat=200)
    assert oven.temperature == 200
    assert messages == ["Oven: heat has been retired: write temperature instead."]


def test_an_argument_without_a_successor_is_left_out():
    oven, messages = made(gas=True, temperature=3)
    assert oven.temperature == 3
    assert messages == ["Oven: gas has been retired: leave it out."]


def test_each_retired_argument_has_its_own_warning():
    oven, messages = made(gas=True, heat=5, level=4)
    assert (oven.temperature, oven.heat2) == (5, 8)
    assert len(messages) == 3


def test_old_and_new_argument_together_are_an_error():
    with pytest.raises(ConfigurationError, match=r"both heat=1 and temperature=2 .* leave it out"):
        Oven(heat=1, temperature=2)  # type: ignore[call-arg]


def test_a_value_without_equivalent_is_an_error():
    with pytest.raises(ConfigurationError, match=r"Oven: level=-1 .* give a positive one"):
        Oven(level=-1)  # type: ignore[call-arg]


def test_an_unknown_argument_next_to_retired_ones_is_refused():
    with pytest.raises(TypeError, match="Oven: unexpected keyword argument 'cold'"):
        Oven(cold=1)  # type: ignore[call-arg]


def test_the_signature_shows_only_current_arguments():
    assert list(inspect.signature(Oven).parameters) == ["temperature", "heat2"]


def test_the_warning_names_the_line_of_the_caller():
    def checkpoint() -> None:
        warn_retired("checkpoint()", "call the memoizer's")

    with pytest.warns(
        DeprecationWarning, match=r"^checkpoint\(\) has been retired: call the memoizer's\.$"
    ) as caught:
        checkpoint()
    assert caught[0].filename == __file__
