"""Checks of the provider's parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from parsl import validate
from parsl.providers.kubernetes.manifests import OWN_LABELS

_QUANTITY = re.compile(r"\d+(\.\d*)?([eE]\d+|m|k|Ki|[MGTPE]i?)?", re.ASCII)


def quantity(owner: object, name: str, value: object, *, optional: bool = False) -> str | None:
    """Check an amount, such as "500Mi", and return it as text."""
    if value is None and optional:
        return None
    expected = "an amount of Kubernetes, such as '500Mi', '2Gi' or 0.5" + (", or None" if optional else "")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        validate.wrong_type(owner, name, value, expected)
    if not _QUANTITY.fullmatch(str(value)):
        validate.wrong_value(owner, name, value, expected)
    return str(value)


def required_quantity(owner: object, name: str, value: object) -> str:
    """Check an amount that has to be there."""
    return quantity(owner, name, value) or ""


def user_number(owner: object, name: str, value: object) -> int | None:
    """Check the number of a user or group, also as text, or None."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, str):
        validate.wrong_value(owner, name, value, "a number, as `id` prints it, or None")
    return validate.integer(owner, name, value, low=0, optional=True)


def texts(owner: object, name: str, value: object) -> dict[str, str]:
    """Check a mapping of strings to strings, or None for an empty one."""
    items = mapping(owner, name, value)
    for key, item in items.items():
        if not isinstance(item, str):
            hint = "a string; in quotes if it looks like a number or a truth value"
            validate.wrong_type(owner, f"{name}[{key!r}]", item, hint)
    return items


def labels(owner: object, name: str, value: object) -> dict[str, str]:
    """Check labels of the user, or None for none: those by which Parsl finds its objects are its own."""
    items = texts(owner, name, value)
    for key in items:
        if key in OWN_LABELS:
            validate.wrong_value(owner, f"a key of {name}", key, f"one other than {', '.join(OWN_LABELS)}")
    return items


def template(owner: object, name: str, value: object) -> dict[str, Any]:
    """Check changes to the template of the pods, or None for none."""
    items = mapping(owner, name, value)
    for key in items:
        if key not in ("metadata", "spec"):
            expected = "metadata or spec: fields of a pod, such as containers, are in spec"
            validate.wrong_value(owner, f"a key of {name}", key, expected)
    return items


def amounts(owner: object, name: str, value: object) -> dict[str, str]:
    """Check a mapping of names of resources to amounts, or None for an empty one."""
    items = mapping(owner, name, value)
    return {key: required_quantity(owner, f"{name}[{key!r}]", item) for key, item in items.items()}


def mapping(owner: object, name: str, value: object) -> dict[str, Any]:
    """Check a mapping whose keys are strings, or None for an empty one."""
    items: Mapping[Any, Any] = validate.instance(owner, name, value, Mapping, optional=True) or {}
    for key in items:
        validate.text(owner, f"a key of {name}", key, allow_empty=False)
    return dict(items)


def mappings(owner: object, name: str, value: object) -> list[dict[str, Any]]:
    """Check a list of mappings, or None for an empty one."""
    return [dict(item) for item in validate.list_of(owner, name, value, Mapping, optional=True) or ()]


def names(owner: object, name: str, value: object) -> list[str]:
    """Check a list of names of objects, or None for an empty one."""
    return list(validate.list_of(owner, name, value, str, optional=True) or ())


def volumes(owner: object, name: str, value: object) -> list[tuple[str, str]]:
    """Check pairs of a PersistentVolumeClaim and the absolute path where to mount it."""
    pairs = validate.list_of(owner, name, value, (tuple, list))
    for number, pair in enumerate(pairs):
        where, expected = f"{name}[{number}]", "(the name of a PersistentVolumeClaim, an absolute path)"
        if len(pair) != 2 or not all(isinstance(part, str) and part for part in pair):
            validate.wrong_value(owner, where, pair, expected)
        if not pair[1].startswith("/"):
            validate.wrong_value(owner, where, pair, expected)
    return [(claim, path) for claim, path in pairs]


def secret_keys(owner: object, name: str, value: object) -> dict[str, tuple[str, str]]:
    """Check variables with the names of a Secret and of a key in it, or None for none."""
    items = mapping(owner, name, value)
    for key, item in items.items():
        is_pair = isinstance(item, (tuple, list)) and len(item) == 2
        if not is_pair or not all(isinstance(part, str) and part for part in item):
            expected = "(the name of a Secret, a key in it)"
            validate.wrong_value(owner, f"{name}[{key!r}]", item, expected)
    return {key: (item[0], item[1]) for key, item in items.items()}
