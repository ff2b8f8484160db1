"""Names that public code imports from modules that upstream's modules import them into."""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
from importlib import import_module

import pytest

from parsl.common.passed_on import find, pairs


@pytest.mark.parametrize(("module", "name"), pairs(), ids=lambda part: part)
def test_each_name_is_there(module: str, name: str) -> None:
    assert getattr(import_module(module), name) is find(module, name)


def test_the_names_of_public_scripts_are_the_real_ones() -> None:
    import parsl
    from parsl.app.futures import File, Future  # type: ignore[attr-defined]
    from parsl.config import ConfigurationError  # type: ignore[attr-defined]
    from parsl.dataflow.futures import DataFuture  # type: ignore[attr-defined]
    from parsl.executors.high_throughput.errors import ManagerLost
    from parsl.executors.high_throughput.interchange import (  # type: ignore[attr-defined]
        ManagerLost as PassedOn,
    )
    from parsl.jobs.states import JobStatus
    from parsl.providers.base import JobStatus as OfProviders

    assert Future is concurrent.futures.Future
    assert (File, PassedOn, OfProviders) == (parsl.File, ManagerLost, JobStatus)
    assert ConfigurationError is parsl.errors.ConfigurationError
    assert DataFuture is parsl.app.futures.DataFuture


def test_another_name_is_an_error_that_names_the_module() -> None:
    with pytest.raises(AttributeError, match=r"module 'parsl\.app\.futures' has no attribute 'Nothing'"):
        _ = import_module("parsl.app.futures").Nothing
    with pytest.raises(ImportError, match="Nothing"):
        from parsl.dataflow.dflow import Nothing  # type: ignore[attr-defined]  # noqa: F401


def test_the_table_is_loaded_only_for_a_script_that_needs_it() -> None:
    code = "import sys, parsl.dataflow.dflow; print('parsl.common.passed_on' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
