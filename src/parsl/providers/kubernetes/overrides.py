"""Merges a pod template of the user into Parsl's, by the rules of a strategic merge patch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

#: Lists whose items are merged by a key; all other lists are replaced as a whole.
_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "topologySpreadConstraints": "topologyKey",
}


class Conflict(ValueError):
    """An override cannot be merged.

    Args:
        path: Where in the pod template.
        reason: Why.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path or 'the template'} {self.reason}"


class Reserved(NamedTuple):
    """A field that only Parsl sets."""

    path: tuple[str, ...]
    reason: str


def merged(base: Mapping[str, Any], patch: Mapping[str, Any], reserved: Sequence[Reserved]) -> dict[str, Any]:
    """Return a template with a patch.

    Mappings are merged; lists are merged by their keys as kubectl does, or replaced; None removes a field.

    Args:
        base: The template.
        patch: What to change.
        reserved: The fields that have to be the same afterwards.

    Raises:
        Conflict: The patch changes or removes a reserved field, or has a value of a wrong kind.
    """
    result = _merged_mapping(base, patch, "")
    for field in reserved:
        if _at(result, field.path) != _at(base, field.path):
            raise Conflict(".".join(field.path), field.reason)
    return result


def _at(template: Any, path: Sequence[str]) -> Any:
    """Return the value at a path, on which an item of a list is named by its key; None if there is none."""
    value, name = template, ""
    for step in path:
        if isinstance(value, list):
            key = _KEYS.get(name, "name")
            value = {item[key]: item for item in value if isinstance(item, Mapping) and key in item}
        value = value.get(step) if isinstance(value, Mapping) else None
        name = step
    return value


def _merged(base: Any, patch: Any, name: str, path: str) -> Any:
    if base is None:
        return _without_none(patch)
    if isinstance(base, (Mapping, list)):
        kind = Mapping if isinstance(base, Mapping) else list
        if not isinstance(patch, kind):
            expected = "a mapping" if kind is Mapping else "a list"
            raise Conflict(path, f"is {patch!r}, and has to be {expected}")
    if isinstance(base, Mapping):
        return _merged_mapping(base, patch, path)
    if isinstance(base, list) and name in _KEYS:
        return _merged_list(base, patch, _KEYS[name], path)
    return _without_none(patch)


def _merged_mapping(base: Mapping[str, Any], patch: Mapping[str, Any], path: str) -> dict[str, Any]:
    result = dict(base)
    for name, value in patch.items():
        where = f"{path}.{name}" if path else name
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(base.get(name), value, name, where)
    return result


def _merged_list(base: list[Any], patch: list[Any], key: str, path: str) -> list[Any]:
    result = {item[key]: item for item in base}
    for number, item in enumerate(patch):
        where = f"{path}[{number}]"
        if not isinstance(item, Mapping) or key not in item:
            known = " or ".join(map(repr, result)) or "a new one"
            raise Conflict(where, f"needs the field {key!r}, by which items are merged: {known}")
        if item.get("$patch") == "delete":
            result.pop(item[key], None)
        else:
            result[item[key]] = _merged_mapping(result.get(item[key], {}), item, where)
    return list(result.values())


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_none(item) for name, item in value.items() if item is not None}
    return value
