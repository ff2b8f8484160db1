"""Accelerators: their names, and the environment that shows a worker only its own.

Where Level Zero shows every tile as a device of its own, 0, 1, 2, ..., names of tiles are translated: a mask
of ``2.1`` would show a program no device at all. Aurora's ``frameworks`` module sets that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from parsl import validate
from parsl.errors import ConfigurationError

#: A larger number for one node is a typing error.
MAX_ACCELERATORS = 65536
#: The variable that makes tiles devices of their own, and the values that do so.
FLAT_VARIABLE = "ZE_FLAT_DEVICE_HIERARCHY"
FLAT_VALUES = ("FLAT", "COMBINED")

_TILE = re.compile(r"(\d{1,5})\.(\d{1,5})", re.ASCII)
_EXPECTED = (
    "the number of accelerators of a node, or a list with the name of each worker's accelerators, "
    "such as 4, ['0', '1'], ['0,1', '2,3'] or ['0.0', '0.1']"
)


def check_accelerators(value: object, owner: object = "HighThroughputExecutor") -> tuple[str, ...]:
    """Return the names in an executor's ``available_accelerators``; a number n stands for "0" to "n-1".

    A name may list several devices, "0,1". A name that occurs several times is shared by workers.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value <= MAX_ACCELERATORS:
            validate.wrong_value(owner, "available_accelerators", value, _EXPECTED)
        return tuple(str(number) for number in range(value))
    if isinstance(value, str):
        validate.wrong_type(owner, "available_accelerators", value, f"{_EXPECTED}: write [{value!r}]")
    if isinstance(value, (bytes, dict, set, frozenset)) or not hasattr(value, "__iter__"):
        validate.wrong_type(owner, "available_accelerators", value, _EXPECTED)
    return tuple(_check_name(name, owner, f"available_accelerators[{at}]") for at, name in enumerate(value))


def _check_name(name: object, owner: object, parameter: str) -> str:
    expected = "the name of a device, such as '0' or '0.1', or several: '0,1'"
    if not isinstance(name, str):
        validate.wrong_type(owner, parameter, name, expected)
    if not name.isprintable() or not all(part.strip() for part in name.split(",")):
        validate.wrong_value(owner, parameter, name, expected)
    return name


def are_plain_numbers(names: Sequence[str]) -> bool:
    """Return whether the names are "0", "1", "2", ..., as they are when the user gave a number."""
    return all(name == str(number) for number, name in enumerate(names))


def accelerator_environment(name: str, cuda_device: str | None = None) -> dict[str, str]:
    """Return the variables that hide every other device from CUDA, ROCm and Level Zero programs.

    ``cuda_device`` is the device for CUDA instead, where several workers share one through MPS.
    """
    return {
        "CUDA_VISIBLE_DEVICES": name if cuda_device is None else cuda_device,
        "ROCR_VISIBLE_DEVICES": name,
        "ZE_AFFINITY_MASK": name,
        # By default, Level Zero orders devices by speed, so that numbers mean other devices on other nodes.
        "ZE_ENABLE_PCI_ID_DEVICE_ORDER": "1",
    }


def shared_cuda_device(rank: int, workers: int, devices: int) -> str:
    """Return the CUDA device of a worker where there are fewer devices than workers (MPS).

    Neighbouring workers share a device, because neighbouring CPUs are close to the same device.
    """
    return str(rank * devices // workers)


def are_tiles_flat(environ: Mapping[str, str]) -> bool:
    """Return whether tiles are devices of their own in this environment."""
    return environ.get(FLAT_VARIABLE, "").strip().upper() in FLAT_VALUES


def include_tiles(names: Sequence[str]) -> bool:
    """Return whether any of the names is that of a tile, such as ``2.1``."""
    return any(_TILE.fullmatch(device) for name in names for device in _devices(name))


def flat_names(names: Sequence[str]) -> tuple[str, ...]:
    """Translate names of tiles: of GPUs with two tiles, ``2.1`` is device 5. Keep other names.

    The number of tiles of a GPU follows from the names; ConfigurationError if they are ambiguous.
    """
    if not include_tiles(names):
        return tuple(names)
    tiles_per_gpu = _tiles_per_gpu(names)
    return tuple(",".join(_flat_device(device, tiles_per_gpu) for device in _devices(name)) for name in names)


def _devices(name: str) -> Iterable[str]:
    return (device.strip() for device in name.split(","))


def _tiles_per_gpu(names: Sequence[str]) -> int:
    matches = [_TILE.fullmatch(device) for name in names for device in _devices(name)]
    highest = max(int(match[2]) for match in matches if match is not None)
    if highest == 0:
        raise _ambiguous(
            "they only name the first tile of GPUs, which does not show how many tiles a GPU has",
            "Name the devices 0, 1, 2, ... yourself",
        )
    return highest + 1


def _flat_device(device: str, tiles_per_gpu: int) -> str:
    match = _TILE.fullmatch(device)
    if match is None:
        raise _ambiguous(
            f"{device!r} is among names of tiles, and may be a whole GPU or a tile",
            "Name all devices in the same way",
        )
    return str(int(match[1]) * tiles_per_gpu + int(match[2]))


def _ambiguous(reason: str, advice: str) -> ConfigurationError:
    return ConfigurationError(
        f"{FLAT_VARIABLE} makes every tile a device of its own, named 0, 1, 2, ..., so that names such as "
        f"'0.1' have to be translated, but these available_accelerators cannot be: {reason}. {advice}; or "
        f"write `export {FLAT_VARIABLE}=COMPOSITE` at the end of worker_init."
    )
