"""A mistyped parameter is refused with the one that was probably meant."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from parsl import launchers, providers
from parsl.common.parameter_names import UnknownParameterError
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
def test_what_is_advised(kind: Any, mistyped: str, advice: str) -> None:
    with pytest.raises(UnknownParameterError) as caught:
        kind(**{mistyped: 1})
    assert str(caught.value).endswith(f"{mistyped!r}. {advice}")


def test_a_class_of_a_users_own_is_named_in_the_error() -> None:
    class Mine(HighThroughputExecutor):
        pass

    with pytest.raises(UnknownParameterError, match=r"^Mine: .*Did you mean encrypted"):
        Mine(encryptd=True)  # type: ignore[call-arg]


def test_self_is_no_parameter() -> None:
    with pytest.raises(TypeError):
        Config(**{"self": 1})  # noqa: PIE804 - a keyword argument
