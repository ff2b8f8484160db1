"""Python's help explains each parameter, which a class documents itself or inherits from a base class."""

from __future__ import annotations

import inspect
import pydoc
import re

import pytest

import parsl.launchers
import parsl.providers

KINDS = [getattr(package, name) for package in (parsl.providers, parsl.launchers) for name in package.__all__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_parameter_is_explained(kind: type) -> None:
    text = pydoc.plain(pydoc.render_doc(kind))
    explained = set(re.findall(r"^ \|\s+(\w+): [A-Z]", text, re.MULTILINE))
    if "``debug`` has no effect" in text:
        explained.add("debug")
    assert explained >= set(inspect.signature(kind).parameters)
