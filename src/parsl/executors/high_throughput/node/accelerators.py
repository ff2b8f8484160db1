"""Accelerators: which ones there are, and the environment that shows a worker only its own."""

from __future__ import annotations

from parsl import validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: More on one node is a typing error.
MAX_ACCELERATORS = 65536

_EXPECTED = (
    "the number of accelerators of a node, or a list with the name of each worker's accelerators, "
    "such as 4, ['0', '1'], ['0,1', '2,3'] or ['0.0', '0.1']"
)


def check_accelerators(value: object, owner: object = "HighThroughputExecutor") -> tuple[str, ...]:
    """Check the ``available_accelerators`` of an executor.

    Args:
        value: A number, standing for the names "0", "1" and so on, or the names. A name may list
            several devices, "0,1", and may occur several times: then workers share the device.
        owner: The object under construction, or a name to show instead.

    Returns:
        The names, one for each worker that can have one.

    Raises:
        ParameterError: It is neither, or a name is none.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value <= MAX_ACCELERATORS:
            validate.wrong_value(owner, "available_accelerators", value, _EXPECTED)
        return tuple(str(number) for number in range(value))
    if isinstance(value, str):
        validate.wrong_type(owner, "available_accelerators", value, f"{_EXPECTED}: write [{value!r}]")
    if isinstance(value, (bytes, dict, set, frozenset)) or not hasattr(value, "__iter__"):
        validate.wrong_type(owner, "available_accelerators", value, _EXPECTED)
    return tuple(
        _check_name(name, owner, f"available_accelerators[{index}]") for index, name in enumerate(value)
    )


def are_plain_numbers(names: Sequence[str]) -> bool:
    """Return whether ``names`` are "0", "1", "2"..., as they are when the user gave their number."""
    return all(name == str(number) for number, name in enumerate(names))


def accelerator_environment(name: str, cuda_device: str | None = None) -> dict[str, str]:
    """Return what hides every device but ``name`` from CUDA, ROCm and Level Zero programs.

    Args:
        name: The worker's accelerator.
        cuda_device: What CUDA is to see instead, where several workers share a device by MPS.
    """
    return {
        "CUDA_VISIBLE_DEVICES": name if cuda_device is None else cuda_device,
        "ROCR_VISIBLE_DEVICES": name,
        "ZE_AFFINITY_MASK": name,
        # Otherwise Level Zero orders devices by speed, and a number means another device on another node.
        "ZE_ENABLE_PCI_ID_DEVICE_ORDER": "1",
    }


def shared_cuda_device(rank: int, workers: int, devices: int) -> str:
    """Return the CUDA device of a worker where there are fewer devices than workers (MPS).

    Neighbouring workers share a device, because neighbouring CPUs are near the same device.

    Args:
        rank: The worker, from 0.
        workers: How many workers the node has.
        devices: How many CUDA devices the node has, at least 1.
    """
    return str(rank * devices // workers)


def _check_name(name: object, owner: object, parameter: str) -> str:
    expected = "the name of a device, such as '0' or '0.1', or several: '0,1'"
    if not isinstance(name, str):
        validate.wrong_type(owner, parameter, name, expected)
    if not name.isprintable() or not all(part.strip() for part in name.split(",")):
        validate.wrong_value(owner, parameter, name, expected)
    return name
