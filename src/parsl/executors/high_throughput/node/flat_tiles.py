"""Names of GPU tiles where Level Zero shows every tile as a device of its own.

With ``ZE_FLAT_DEVICE_HIERARCHY`` at FLAT (Aurora's ``frameworks`` module sets it) or COMBINED, the tiles of a
node are the devices 0, 1, 2, ..., and a ZE_AFFINITY_MASK of ``2.1`` shows a program no device at all.
"""

from __future__ import annotations

import re

from parsl.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

VARIABLE = "ZE_FLAT_DEVICE_HIERARCHY"
#: Its values with which tiles are devices.
FLAT_VALUES = ("FLAT", "COMBINED")

_TILE = re.compile(r"(\d{1,5})\.(\d{1,5})", re.ASCII)


def is_flat(environ: Mapping[str, str]) -> bool:
    """Return whether tiles are devices of their own in this environment."""
    return environ.get(VARIABLE, "").strip().upper() in FLAT_VALUES


def name_tiles(names: Sequence[str]) -> bool:
    """Return whether any of the names is that of a tile, such as ``2.1``."""
    return any(_TILE.fullmatch(device) for name in names for device in _devices(name))


def flat_names(names: Sequence[str]) -> tuple[str, ...]:
    """Rename tiles: of GPUs with two tiles, ``2.1`` is device 5. Other names are kept.

    How many tiles a GPU has is read off the names themselves.

    Args:
        names: The accelerators of a node's workers; one may list several devices, ``0.0,0.1``.

    Returns:
        As many names, in the same order.

    Raises:
        ConfigurationError: The names do not say which devices are meant.
    """
    if not name_tiles(names):
        return tuple(names)
    tiles_per_gpu = _tiles_per_gpu(names)
    return tuple(",".join(_flat_device(device, tiles_per_gpu) for device in _devices(name)) for name in names)


def _devices(name: str) -> Iterable[str]:
    return (device.strip() for device in name.split(","))


def _tiles_per_gpu(names: Sequence[str]) -> int:
    matches = [_TILE.fullmatch(device) for name in names for device in _devices(name)]
    highest = max(int(match[2]) for match in matches if match is not None)
    if highest == 0:
        raise _refusal(
            "they name the first tile of GPUs only, which does not tell how many tiles a GPU has",
            "Name the devices 0, 1, 2, ... yourself",
        )
    return highest + 1


def _flat_device(device: str, tiles_per_gpu: int) -> str:
    match = _TILE.fullmatch(device)
    if match is None:
        raise _refusal(
            f"{device!r} is among names of tiles, and may be a whole GPU or a tile",
            "Name all devices in the same way",
        )
    return str(int(match[1]) * tiles_per_gpu + int(match[2]))


def _refusal(reason: str, advice: str) -> ConfigurationError:
    return ConfigurationError(
        f"{VARIABLE} makes every tile a device of its own, named 0, 1, 2, ..., so that names such as '0.1' "
        f"have to be translated, but these available_accelerators cannot be: {reason}. {advice}; or write "
        f"`export {VARIABLE}=COMPOSITE` at the end of worker_init."
    )
