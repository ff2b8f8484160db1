"""CPU lists such as ``list:0-7,104-111:8-15,112-119``, and the named ways of binding workers to CPUs."""

from __future__ import annotations

from collections.abc import Iterable

from parsl.validate import wrong_type, wrong_value

#: Ways of binding workers to CPUs that need no list.
AFFINITY_MODES = ("none", "block", "block-reverse", "alternating")
LIST_PREFIX = "list:"
#: No machine has a CPU with a higher number. The limit keeps a typing error from becoming a huge list.
MAX_CPU = 65535

_EXPECTED = (
    "one of 'none', 'block', 'block-reverse', 'alternating', or a list with the CPUs of each worker, "
    "the workers separated by colons, such as 'list:0-7,104-111:8-15,112-119'"
)


def check_cpu_affinity(text: object, owner: object = "HighThroughputExecutor") -> str:
    """Return the ``cpu_affinity`` of an executor if it is a mode or a valid list."""
    if not isinstance(text, str):
        wrong_type(owner, "cpu_affinity", text, _EXPECTED)
    if text in AFFINITY_MODES:
        return text
    if not text.startswith(LIST_PREFIX):
        wrong_value(owner, "cpu_affinity", text, _EXPECTED)
    try:
        parse_cpu_list(text[len(LIST_PREFIX) :])
    except ValueError as error:
        wrong_value(owner, "cpu_affinity", text, f"{_EXPECTED}; {error}")
    return text


def parse_cpu_list(text: str) -> tuple[tuple[int, ...], ...]:
    """Return the CPUs of each worker in ``0-7,104-111:8-15``, in order; ValueError names a bad part."""
    return tuple(_parse_group(group, worker) for worker, group in enumerate(text.split(":")))


def format_cpus(cpus: Iterable[int]) -> str:
    """Return CPUs in short notation, sorted: ``0-7,104-111``."""
    ranges: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if ranges and cpu == ranges[-1][1] + 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)


def _parse_group(group: str, worker: int) -> tuple[int, ...]:
    if not group.strip():
        raise ValueError(f"worker {worker} has no CPUs")
    cpus: dict[int, None] = {}
    for part in group.split(","):
        cpus.update(dict.fromkeys(_parse_range(part.strip())))
    return tuple(cpus)


def _parse_range(part: str) -> range:
    low_text, dash, high_text = part.partition("-")
    low = _parse_cpu(low_text, part)
    high = _parse_cpu(high_text, part) if dash else low
    if high < low:
        raise ValueError(f"{_shown(part)} runs backwards: write {high}-{low}")
    return range(low, high + 1)


def _parse_cpu(text: str, part: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{_shown(part)} is neither a CPU nor a range of CPUs")
    if len(digits) > len(str(MAX_CPU)) or int(digits) > MAX_CPU:
        raise ValueError(f"{_shown(part)} exceeds CPU {MAX_CPU}")
    return int(digits)


def _shown(part: str) -> str:
    return repr(part if len(part) <= 40 else part[:40] + "...")
