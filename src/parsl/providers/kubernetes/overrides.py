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
        reserved: The fields that the patch may not change.

    Raises:
        Conflict: The patch changes a reserved field, or has a value of a wrong kind.
    """
    for field in reserved:
        _refuse(base, patch, field)
    return _merged_mapping(base, patch, "")


def _refuse(base: Any, patch: Any, field: Reserved, index: int = 0) -> None:
    """Refuse a patch that changes a field; an item of a list is named by its key."""
    if index == len(field.path):
        if patch != base:
            raise Conflict(".".join(field.path), field.reason)
        return
    step = field.path[index]
    if isinstance(patch, Mapping) and step in patch:
        _refuse(base.get(step) if isinstance(base, Mapping) else None, patch[step], field, index + 1)
    elif isinstance(patch, Sequence) and not isinstance(patch, str) and index:
        key = _KEYS.get(field.path[index - 1], "name")
        _refuse(dict(_by_key(base or (), key)), dict(_by_key(patch, key)), field, index)


def _by_key(items: Sequence[Any], key: str) -> list[tuple[Any, Any]]:
    return [(item[key], item) for item in items if isinstance(item, Mapping) and key in item]


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
