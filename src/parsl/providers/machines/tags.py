"""Tags of machines: those of the user, and those by which Parsl finds a machine again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from parsl import validate
from parsl.providers.machines.cloud import BLOCK_TAG, NODE_TAG, RUN_TAG, End, Machine, MachineState

_OWN_PREFIX = "parsl-"


def check_tags(owner: object, name: str, value: object, *, reserved: tuple[str, ...] = ()) -> dict[str, str]:
    """Check tags of the user.

    Args:
        owner: The object whose parameter it is.
        name: The name of the parameter.
        value: Its value: texts by their names, or None.
        reserved: Beginnings of names that the service keeps for itself, in lower case.

    Raises:
        ParameterTypeError: The value contains something else.
        ParameterValueError: A name is empty, or one of Parsl's or of the service's own.
    """
    tags = dict(validate.instance(owner, name, value, Mapping, optional=True) or {})
    for key, text in tags.items():
        validate.text(owner, f"a name in {name}", key, allow_empty=False, one_line=True)
        validate.text(owner, f"{name}[{key!r}]", text)
        if key.lower().startswith((_OWN_PREFIX, *reserved)):
            expected = f"one that does not begin with {' or '.join(map(repr, (_OWN_PREFIX, *reserved)))}"
            validate.wrong_value(owner, f"a name in {name}", key, expected)
    return tags


def tagged_machine(
    machine_id: str,
    state: MachineState,
    tags: Mapping[str, str],
    *,
    end: End | None = None,
    reason: str = "",
    created: datetime | str | None = None,
) -> Machine:
    """Return a machine with what its tags contain; one without Parsl's tags is of no run.

    Args:
        machine_id: The id of the machine.
        state: Its state.
        tags: All of its tags.
        end: How it has ended.
        reason: The service's words about the state.
        created: When it was created, as a time or in the format of ISO 8601.
    """
    node = tags.get(NODE_TAG, "")
    number = int(node) if node.isdecimal() else 0
    run, block, created_s = tags.get(RUN_TAG, ""), tags.get(BLOCK_TAG, ""), epoch_s(created)
    return Machine(machine_id, state, run, block, number, end, reason, created_s)


def epoch_s(time: datetime | str | None) -> float | None:
    """Return a time of a service in seconds since the epoch; None if there is none."""
    if isinstance(time, datetime):
        return time.timestamp()
    try:
        # Python 3.10 reads no "Z".
        return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() if time else None
    except ValueError:
        return None
