"""Constructors refuse wrong values immediately, and name the parameter."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import pytest

from parsl import launchers, providers
from parsl.config import Config
from parsl.dataflow.memoization import BasicMemoizer
from parsl.errors import ConfigurationError
from parsl.executors import HighThroughputExecutor, MPIExecutor, ThreadPoolExecutor
from parsl.launchers.errors import BadLauncher

#: A required or related parameter.
NEEDED: dict[str, dict[str, Any]] = {
    "WrappedLauncher": {"prepend": "env"},
    "AWSProvider": {"image_id": "ami-1", "key_name": "k"},
    "AzureProvider": {
        "vm_reference": {
            "publisher": "p",
            "offer": "o",
            "sku": "s",
            "version": "latest",
            "vm_size": "Standard_D2s_v3",
            "disk_size_gb": 10,
            "admin_username": "a",
        }
    },
    "GoogleCloudProvider": {
        "project_id": "p",
        "key_file": None,
        "region": "us-central1",
        "os_project": "o",
        "os_family": "f",
    },
    "KubernetesProvider": {"image": "i"},
    "MPIExecutor": {"provider": providers.LocalProvider(launcher=launchers.SimpleLauncher())},
}
KINDS = [
    Config,
    HighThroughputExecutor,
    MPIExecutor,
    ThreadPoolExecutor,
    BasicMemoizer,
    *(getattr(providers, name) for name in providers.__all__),
    *(getattr(launchers, name) for name in launchers.__all__),
]
#: Some are right for some parameters.
VALUES = [-1, 0, 1, 3.5, 10**20, float("nan"), float("inf"), "x", "", "a\nb", b"x", [], {}, (1, 2), [None]]


def made_with(kind: Any, name: str, value: object) -> Exception | None:
    """Return the error that a value causes, if any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            kind(**{**NEEDED.get(kind.__name__, {}), name: value})
        except (ConfigurationError, BadLauncher) as error:
            return error
    return None


@pytest.fixture(autouse=True)
def client_library(kind: Any) -> None:
    if kind is providers.KubernetesProvider:
        pytest.importorskip("kubernetes", reason="the provider needs it: pip install 'parsl[kubernetes]'")


@pytest.mark.parametrize("kind", dict.fromkeys(KINDS), ids=lambda kind: kind.__name__)
def test_the_error_names_the_refused_parameter(kind: Any) -> None:
    for name in inspect.signature(kind).parameters:
        for value in VALUES:
            error = made_with(kind, name, value)
            assert error is None or name in str(error), f"{name}={value!r}"


@pytest.mark.parametrize("kind", dict.fromkeys(KINDS), ids=lambda kind: kind.__name__)
def test_meaningless_values_are_refused_everywhere(kind: Any) -> None:
    for name in inspect.signature(kind).parameters:
        for value in (object(), -1, [None], float("nan")):
            assert made_with(kind, name, value) is not None, f"{name}={value!r}"
