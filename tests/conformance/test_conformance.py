"""Every public name of upstream is here, with its parameters, their order and their defaults."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.conformance.agreed import deliberate, not_yet
from tests.conformance.api_text import Module, read_modules
from tests.conformance.differences import differences

MODULES = {module.path: module for module in read_modules((Path(__file__).with_name("api.txt")).read_text())}


@cache
def found(path: str) -> dict[str, str]:
    return dict(differences(MODULES[path]))


def all_found() -> set[str]:
    return {key for path in MODULES for key in found(path)}


@pytest.mark.parametrize("module", MODULES)
def test_module(module):
    agreed, later = deliberate(), not_yet()
    unexplained = [
        f"{key}: {what}" for key, what in found(module).items() if key not in agreed and key not in later
    ]
    assert not unexplained, "close these, or give a reason in docs/compatibility.md:\n" + "\n".join(
        unexplained
    )


def test_deliberate_differences_are_differences():
    idle = deliberate().idle(all_found())
    assert not idle, f"no difference any more; remove them from docs/compatibility.md: {idle}"


def test_names_listed_as_missing_are_missing():
    later = not_yet()
    names = {name.path for module in MODULES.values() for name in module.names}
    there = sorted(name for name in names if name in later and name not in all_found())
    assert not there, (
        f"they are there now; remove them from 'Not there yet' in docs/compatibility.md: {there}"
    )
    assert not later.idle(names), "these are no names of upstream's"


def test_no_name_is_in_both_tables():
    later = not_yet()
    assert [one for one in deliberate().patterns if one in later] == []


def test_the_whole_file_is_readable():
    assert len(MODULES) > 80
    assert sum(len(module.names) for module in MODULES.values()) > 600
    assert all(isinstance(module, Module) and module.names for module in MODULES.values())
