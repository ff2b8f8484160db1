from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from parsl.config import Config
from parsl.dataflow.dependency_resolvers import DEEP_DEPENDENCY_RESOLVER
from parsl.errors import ConfigurationError
from parsl.executors.threads import ThreadPoolExecutor


def test_the_defaults() -> None:
    config = Config()
    (executor,) = config.executors
    assert isinstance(executor, ThreadPoolExecutor)
    assert (config.retries, config.exit_mode, config.garbage_collect) == (0, "cleanup", True)
    assert (config.strategy, config.strategy_period, config.max_idletime) == ("simple", 5, 120.0)
    assert (config.run_dir, config.initialize_logging) == ("runinfo", True)


def test_two_configurations_share_no_executor() -> None:
    assert Config().executors[0] is not Config().executors[0]


@pytest.mark.parametrize(
    "good",
    [
        {"executors": ()},
        {"executors": iter([ThreadPoolExecutor()])},
        {"dependency_resolver": DEEP_DEPENDENCY_RESOLVER},
        {"exit_mode": "wait"},
        {"retry_handler": lambda error, record: 1},
        {"run_dir": Path("somewhere")},
        {"strategy": None},
        {"strategy": "htex_auto_scale"},
        {"strategy_period": 0.5},
        {"max_idletime": 0},
        {"project_name": "project"},
        {"initialize_logging": False},
    ],
    ids=lambda good: next(iter(good)),
)
def test_allowed_values(good: Any) -> None:
    Config(**good)


@pytest.mark.parametrize(
    "wrong",
    [
        {"executors": ThreadPoolExecutor()},
        {"executors": [ThreadPoolExecutor]},
        {"executors": [1]},
        {"executors": "threads"},
        {"executors": 3},
        {"executors": [ThreadPoolExecutor(label="one"), ThreadPoolExecutor(label="one")]},
        {"executors": [ThreadPoolExecutor(label="_parsl_internal")]},
        {"memoizer": object()},
        {"dependency_resolver": lambda x: x},
        {"exit_mode": "zz"},
        {"exit_mode": None},
        {"garbage_collect": 1},
        {"internal_tasks_max_threads": 0},
        {"retries": -1},
        {"retries": 1.5},
        {"retries": True},
        {"retries": "3"},
        {"retry_handler": 3},
        {"run_dir": 3},
        {"run_dir": ""},
        {"std_autopath": "path"},
        {"strategy": "zz"},
        {"strategy": 3},
        {"strategy_period": "x"},
        {"strategy_period": 0},
        {"max_idletime": -1},
        {"monitoring": object()},
        {"usage_tracking": 4},
        {"usage_tracking": -1},
        {"usage_tracking": "yes"},
        {"project_name": 3},
        {"initialize_logging": "yes"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_the_error_names_the_wrong_parameter(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"Config: {next(iter(wrong))}"):
        Config(**wrong)


def test_an_executor_that_is_not_in_a_list_gets_a_hint() -> None:
    with pytest.raises(ConfigurationError, match=r"executors=\[\.\.\.\]"):
        Config(executors=ThreadPoolExecutor())  # type: ignore[arg-type]


def test_an_unknown_parameter_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        Config(retrys=3)  # type: ignore[call-arg]


def test_the_repr_is_the_constructor_call() -> None:
    shown = repr(Config(executors=[], retries=3))
    assert shown.startswith("Config(\n    executors=(),\n")
    assert "    retries=3,\n" in shown
    assert "unrecorded" not in shown
