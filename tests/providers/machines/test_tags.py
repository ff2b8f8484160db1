"""Tags of machines."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from parsl.providers.machines.cloud import End, Machine, MachineState
from parsl.providers.machines.tags import check_tags, tagged_machine
from parsl.validate import ParameterTypeError, ParameterValueError


def test_tags_of_the_user_are_texts_by_name():
    assert check_tags(None, "tags", None) == {}
    assert check_tags(None, "tags", {"team": "blue", "empty": ""}) == {"team": "blue", "empty": ""}


@pytest.mark.parametrize(
    ("tags", "kind", "words"),
    [
        (["team"], ParameterTypeError, "tags"),
        ({"team": 1}, ParameterTypeError, r"tags\['team'\]"),
        ({1: "team"}, ParameterTypeError, "a name in tags"),
        ({"": "team"}, ParameterValueError, "a name in tags"),
        ({"Parsl-Run": "mine"}, ParameterValueError, "does not begin with 'parsl-' or 'aws:'"),
        ({"aws:x": "mine"}, ParameterValueError, "does not begin with 'parsl-' or 'aws:'"),
    ],
)
def test_wrong_tags_are_named(tags, kind, words):
    with pytest.raises(kind, match=words):
        check_tags(None, "tags", tags, reserved=("aws:",))


def test_a_machine_is_read_from_its_tags():
    tags = {"parsl-run": "r", "parsl-block": "b", "parsl-node": "3", "team": "blue"}
    ended = tagged_machine("m", MachineState.ENDED, tags, end=End.FAULT, reason="broken")
    assert ended == Machine("m", MachineState.ENDED, "r", "b", 3, End.FAULT, "broken")


@pytest.mark.parametrize(
    ("created", "created_s"),
    [
        ("2026-11-30T10:00:00Z", 1796032800.0),
        ("2026-11-30T02:00:00.500-08:00", 1796032800.5),
        (datetime(2026, 11, 30, 10, tzinfo=timezone.utc), 1796032800.0),
        (None, None),
        ("", None),
        ("yesterday", None),
    ],
)
def test_the_time_of_creation_is_read_as_services_write_it(created, created_s):
    assert tagged_machine("m", MachineState.RUNNING, {}, created=created).created_s == created_s


@pytest.mark.parametrize("node", ["²", "-1", "x", ""])
def test_tags_that_parsl_has_not_written_do_no_harm(node):
    machine = tagged_machine("m", MachineState.RUNNING, {"parsl-node": node})
    assert (machine.run, machine.block, machine.node) == ("", "", 0)
