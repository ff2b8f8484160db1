"""The parameter ``vm_reference``: what kind of machine to rent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from parsl import validate

_IMAGE_KEYS = ("publisher", "offer", "sku", "version")
_TEXT_KEYS = (*_IMAGE_KEYS, "image_id", "vm_size", "admin_username", "password")
_PLAN_KEYS = ("name", "publisher", "product")
_KEYS = (*_TEXT_KEYS, "disk_size_gb", "plan")
#: Names that Azure refuses for the account of an administrator; the most usual ones.
_REFUSED_USERS = frozenset({"admin", "administrator", "guest", "root", "test", "user"})


@dataclass(frozen=True)
class Image:
    """An image of the marketplace."""

    publisher: str
    offer: str
    sku: str
    version: str = "latest"

    def __str__(self) -> str:
        return f"{self.publisher}:{self.offer}:{self.sku}:{self.version}"


@dataclass(frozen=True)
class VmReference:
    """The kind of machine."""

    vm_size: str
    #: An image of the marketplace, or the resource id of an image of one's own.
    image: Image | str
    admin_username: str = "parsl"
    password: str | None = field(default=None, repr=False)
    disk_size_gb: int | None = None
    #: Name, publisher and product of the purchase plan that some images of the marketplace have.
    plan: Mapping[str, str] | None = None


class ShownWithoutPassword(dict[str, Any]):
    """A dictionary whose ``repr``, which logs and error messages contain, hides the password."""

    def __repr__(self) -> str:
        return repr(self.masked)

    @property
    def masked(self) -> dict[str, Any]:
        """A plain dictionary without the password, for messages, which contain the type."""
        return {key: "***" if key == "password" and self[key] else self[key] for key in self}


def check_vm_reference(owner: object, name: str, value: object) -> ShownWithoutPassword:
    """Check the parameter; for :func:`parsl.validate.Custom`."""
    if not isinstance(value, Mapping):
        validate.wrong_type(owner, name, value, "a dict with publisher, offer, sku, version and vm_size")
    shown = ShownWithoutPassword(value)
    unknown = [key for key in value if key not in _KEYS]
    if unknown:
        validate.wrong_value(owner, name, shown.masked, f"no {unknown[0]!r}; the keys are {', '.join(_KEYS)}")
    for key in _TEXT_KEYS:
        if not isinstance(value.get(key, ""), str | None):
            validate.wrong_type(owner, f"{name}[{key!r}]", value[key], "text")
    _check_image(owner, name, shown)
    _check_plan(owner, f"{name}['plan']", shown.get("plan"))
    _check_account(owner, name, shown)
    size = shown.get("disk_size_gb")
    validate.integer(owner, f"{name}['disk_size_gb']", size, low=1, high=4095, optional=True)
    return shown


def read_vm_reference(value: Mapping[str, Any]) -> VmReference:
    """Read a dictionary that :func:`check_vm_reference` has accepted."""
    image = value.get("image_id") or Image(*(value.get(key) or "latest" for key in _IMAGE_KEYS))
    return VmReference(
        vm_size=value["vm_size"],
        image=image,
        admin_username=value.get("admin_username") or "parsl",
        password=value.get("password") or None,
        disk_size_gb=value.get("disk_size_gb"),
        plan=value.get("plan"),
    )


def _check_image(owner: object, name: str, value: ShownWithoutPassword) -> None:
    if not value.get("vm_size"):
        validate.wrong_value(owner, name, value.masked, "a vm_size, such as 'Standard_D4s_v5'")
    missing = [key for key in ("publisher", "offer", "sku") if not value.get(key)]
    if missing and not value.get("image_id"):
        parts = " and ".join(missing)
        expected = f"{parts} of an image (list them with 'az vm image list --output table'), or image_id"
        validate.wrong_value(owner, name, value.masked, expected)


def _check_plan(owner: object, name: str, value: object) -> None:
    if value is None:
        return
    expected = f"a dict of {', '.join(_PLAN_KEYS)}, as 'az vm image show' prints it"
    if not isinstance(value, Mapping) or not all(isinstance(part, str) for part in value.values()):
        validate.wrong_type(owner, name, value, expected)
    if set(value) != set(_PLAN_KEYS) or not all(value.values()):
        validate.wrong_value(owner, name, value, expected)


def _check_account(owner: object, name: str, value: ShownWithoutPassword) -> None:
    user = value.get("admin_username") or "parsl"
    if user.lower() in _REFUSED_USERS or not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", user, re.IGNORECASE):
        expected = "a name of a user for Linux that Azure accepts, such as 'parsl'"
        validate.wrong_value(owner, f"{name}['admin_username']", user, expected)
    password = value.get("password")
    if password and not 6 <= len(password) <= 72:
        expected = "a password of 6 to 72 characters, or none: machines need no one to log in"
        validate.wrong_value(owner, f"{name}['password']", "***", expected)
