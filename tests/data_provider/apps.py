"""The apps of the tests of staging."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from parsl import bash_app, python_app

if TYPE_CHECKING:
    from parsl.dataflow.dflow import DataFlowKernel


def read(file: Any = None, inputs: Any = (), key: Any = None) -> tuple[str, str]:
    """Return path and content of the one file given."""
    (path,) = [os.fspath(each) for each in (file, key, *inputs) if each is not None]
    with open(path) as stream:
        return path, stream.read()


def write(text: str, outputs: Any = ()) -> list[str]:
    """Write a text to each of the outputs; return their paths."""
    for output in outputs:
        with open(output, "w") as stream:
            stream.write(text)
    return [os.fspath(output) for output in outputs]


def echo(text: str, stdout: Any = None) -> str:
    return f"echo {text}"


def app(kernel: DataFlowKernel, function: Any) -> Any:
    return python_app(function, data_flow_kernel=kernel)


def bash(kernel: DataFlowKernel, function: Any) -> Any:
    return bash_app(function, data_flow_kernel=kernel)
