"""Warnings name a line of the user's code, and end no thread."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import parsl
from parsl.common.notices import warn_user
from parsl.config import Config
from parsl.dataflow.dflow import DataFlowKernel
from parsl.executors import ThreadPoolExecutor
from parsl.vocabulary.lean_future import LeanFuture


def test_a_warning_that_a_call_causes_names_its_line(tmp_path: Any) -> None:
    config = Config(executors=[ThreadPoolExecutor()], run_dir=str(tmp_path), strategy="none")
    with DataFlowKernel(config) as kernel:
        held = LeanFuture[None]()

        @parsl.python_app(data_flow_kernel=kernel)
        def write(after: Any, outputs: Any) -> None: ...

        calls = [write(held, outputs=[parsl.File(tmp_path / "x")])]
        with pytest.warns(UserWarning, match="declares the output") as caught:
            calls.append(write(held, outputs=[parsl.File(tmp_path / "x")]))
        held.set_result(None)
        assert [call.exception() for call in calls] == [None, None]
    assert [warning.filename for warning in caught] == [__file__]


def test_no_thread_is_lost_to_a_warning_that_is_an_error() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_user("this", UserWarning)
        warn_user("that", UserWarning, in_call=True)
