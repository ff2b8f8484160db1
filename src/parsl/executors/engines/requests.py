"""What a task requests of an engine, and whether the engine can ever satisfy it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import inf, isfinite
from typing import Any, NamedTuple

from parsl import validate
from parsl.executors.errors import InvalidResourceSpecification

#: The keys that requests may have, with the unit of each.
UNITS = {
    "cores": "a number of cores",
    "memory": "MB of memory",
    "disk": "MB of disk",
    "gpus": "a number of GPUs",
    "num_nodes": "a number of nodes",
    "priority": "a number by which waiting tasks are ordered",
    "category": "the name of a group of tasks with similar needs",
    "running_time_min": "a number of seconds; the task starts only where so many are left",
    "resources": 'a dict of further resources and amounts, such as {"licence": 1}',
}


class Request(NamedTuple):
    """What one task requests. None means that it requests nothing: the engine's default counts."""

    cores: float | None = None
    #: MB.
    memory: float | None = None
    #: MB.
    disk: float | None = None
    gpus: float | None = None
    num_nodes: int | None = None
    priority: float | None = None
    #: The group of tasks with similar needs that this task belongs to.
    category: str | None = None
    #: Seconds that the worker must still have.
    running_time_min: float | None = None
    #: Amounts of resources that only this engine's configuration defines, by name.
    resources: Mapping[str, float] = {}
    #: What only this engine understands, as the adapter has checked it.
    options: Mapping[str, Any] = {}


#: The request of a task without a specification.
NO_REQUEST = Request()


class Node(NamedTuple):
    """What one worker of an engine has for tasks. Infinity stands for an amount that is not limited."""

    cores: float = inf
    #: MB.
    memory: float = inf
    #: MB.
    disk: float = inf
    gpus: float = 0
    resources: Mapping[str, float] = {}


def read_request(specification: Mapping[str, Any] | None, known: Collection[str], executor: str) -> Request:
    """Check the resource specification of a task.

    Args:
        specification: As the user has written it; may be empty or None.
        known: The keys of :data:`UNITS` that the executor understands.
        executor: The name of the executor's class, for messages.

    Raises:
        InvalidResourceSpecification: A key is not known, or a value is not possible.
    """
    if not specification:
        return NO_REQUEST
    if unknown := specification.keys() - set(known):
        allowed = "; ".join(f"{key}: {UNITS[key]}" for key in sorted(known))
        nothing = "nothing: omit parsl_resource_specification"
        raise InvalidResourceSpecification(
            unknown, f"A task of a {executor} can request {allowed or nothing}."
        )
    given = {key: value for key, value in specification.items() if value is not None}
    return Request(**{key: _checked(key, value) for key, value in given.items()})


def unsatisfiable(request: Request, nodes: Iterable[Node]) -> str:
    """Return why none of an engine's nodes can ever run a task; empty if one can.

    Args:
        request: What the task requests.
        nodes: All nodes that the engine has; the search ends when enough of them fit. Without nodes, nothing
            is known, and nothing is refused.
    """
    candidates: list[Node] = []
    fitting = 0
    for node in nodes:
        candidates.append(node)
        fitting += not _shortages(request, node)
        if fitting == (request.num_nodes or 1):
            return ""
    if not candidates:
        return ""
    if request.num_nodes is not None and request.num_nodes > len(candidates):
        return f"the task requests {request.num_nodes} nodes, and the engine has {len(candidates)}"
    if fitting:
        return f"the task requests {request.num_nodes} such nodes, and the engine has {fitting}"
    best = min(candidates, key=lambda node: len(_shortages(request, node)))
    return "the task requests " + "; ".join(_shortages(request, best)) + " on the node that suits it best"


def _shortages(request: Request, node: Node) -> list[str]:
    short = []
    for name, unit in (
        ("cores", "cores"),
        ("memory", "MB of memory"),
        ("disk", "MB of disk"),
        ("gpus", "GPUs"),
    ):
        needed, there = getattr(request, name) or 0, getattr(node, name)
        if needed > there:
            short.append(f"{needed:g} {unit}, and there are {there:g}")
    for name, needed in request.resources.items():
        there = node.resources.get(name, 0)
        if needed > there:
            short.append(f"{needed:g} of {name!r}, and there are {there:g}")
    return short


def _checked(key: str, value: Any) -> Any:
    if key == "resources":
        return _checked_resources(value)
    if key == "category":
        if not isinstance(value, str) or not value:
            raise InvalidResourceSpecification({key}, f"{key} must be {UNITS[key]}, not {value!r}.")
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise InvalidResourceSpecification({key}, f"{key} must be {UNITS[key]}, not {value!r}.")
    if key != "priority" and value < 0:
        raise InvalidResourceSpecification({key}, f"{key} must not be negative, but is {value!r}.")
    if key == "num_nodes" and (not isinstance(value, int) or value < 1):
        raise InvalidResourceSpecification({key}, f"num_nodes must be a whole number from 1, not {value!r}.")
    return value


def _checked_resources(value: Any) -> Mapping[str, float]:
    amounts = _amounts(value)
    if amounts is None:
        raise InvalidResourceSpecification(
            {"resources"}, f"resources must be {UNITS['resources']}, not {value!r}."
        )
    return amounts


def check_amounts(owner: object, name: str, value: Any) -> dict[str, float]:
    """Check a parameter with resources and their amounts: a mapping, or None for none. Return a copy.

    Raises:
        ParameterError: It is something else.
    """
    amounts = _amounts({} if value is None else value)
    if amounts is None:
        validate.wrong_type(owner, name, value, 'a dict of names and amounts, such as {"licence": 1}')
    return amounts


def _amounts(value: Any) -> dict[str, float] | None:
    if not isinstance(value, Mapping) or not all(
        isinstance(name, str) and _is_amount(each) for name, each in value.items()
    ):
        return None
    return dict(value)


def _is_amount(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value) and value >= 0
