"""``parsl perf --config config.py``: measures the task rate of a configuration. Also ``parsl-perf``."""

from __future__ import annotations

import argparse
import sys
from ast import literal_eval
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any, NamedTuple

from parsl.cli import print_error, refuse, seconds
from parsl.cli.console import print_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.config import Config

#: Measures a batch of this many tasks, and returns the duration in seconds.
Measure = Callable[[int], float]
#: Measures batches, until one takes about as many seconds as requested; yields each size and duration (s).
Batches = Callable[[Measure, float], Iterator[tuple[int, float]]]
_DESCRIPTION = """\
Measure how many tasks per second a configuration runs, with tasks that do nothing. The command submits
batches of growing size, and waits for each, until a batch takes about --time seconds. The first batch
includes the waiting time for blocks. The command really starts the batch jobs of the configuration.
"""
_FIRST_BATCH = 10
#: A batch that takes at least this share of the requested time is the last one.
_LONG_ENOUGH = 0.7
#: The largest ratio of two successive sizes: the rate of a batch that waits for blocks is misleading.
_MAX_GROWTH = 100
_FAILED, _USAGE_ERROR, _INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if a task fails, 2 without one good configuration, 130 after Ctrl-C."""
    options = _parse(arguments)
    config = _find_config(options.config)
    if config is None:
        return _USAGE_ERROR
    batches: list[Batch] = []
    try:
        code = _measure(config, options, batches)
    except KeyboardInterrupt:
        print(file=sys.stderr)
        print_error("perf", "interrupted")
        code = _INTERRUPTED
    rates = [batch.tasks_per_s for batch in batches]
    if options.json:
        data = [{**batch._asdict(), "tasks_per_s": batch.tasks_per_s} for batch in batches]
        print_json({"batches": data, "last": rates[-1] if rates else None, "best": max(rates, default=None)})
    elif rates and code != _FAILED:
        print(f"{rates[-1]:,.0f} tasks/s in the last batch, {max(rates):,.0f} in the best")
    return code


class Batch(NamedTuple):
    """A batch of tasks, and how long it took until all were done (s)."""

    tasks: int
    done_s: float

    @property
    def tasks_per_s(self) -> float:
        """The rate of the batch."""
        return self.tasks / self.done_s


def _measure(config: Config, options: argparse.Namespace, batches: list[Batch]) -> int:
    """Measure a configuration, and append its batches to a list; return the exit code."""
    import parsl
    from parsl.errors import ConfigurationError

    try:
        kernel = parsl.load(config)
    except ConfigurationError as error:
        print_error("perf", error)
        return _USAGE_ERROR
    with kernel:
        try:
            _measure_batches(options, batches)
        except Exception as error:
            print_error("perf", f"a task has failed: {type(error).__name__}: {error}")
            return _FAILED
    return 0


def estimate(measure: Measure, target_s: float) -> Iterator[tuple[int, float]]:
    """Measure batches of sizes that approach the target duration."""
    size, is_first = _FIRST_BATCH, True
    while True:
        took_s = measure(size)
        yield size, took_s
        fitting = int(size * target_s / max(took_s, 1e-9))
        if not is_first and (took_s >= _LONG_ENOUGH * target_s or fitting <= size):
            return
        size, is_first = max(1, min(fitting, size * _MAX_GROWTH)), False


def exponential(measure: Measure, target_s: float) -> Iterator[tuple[int, float]]:
    """Measure batches of 1, 2, 4, ... tasks."""
    size = 1
    while True:
        took_s = measure(size)
        yield size, took_s
        if took_s >= target_s:
            return
        size *= 2


def _measure_batches(options: argparse.Namespace, batches: list[Batch]) -> None:
    from parsl import python_app

    @python_app
    def nothing(extra: bytes, parsl_resource_specification: Any = None) -> None: ...

    extra = bytes(options.argsize)

    def measure(size: int) -> float:
        if not options.json:
            print(f"{size:>9,} tasks: ", end="", flush=True)
        begin_s = monotonic()
        futures = [nothing(extra, **options.resources) for _ in range(size)]
        submitted_s = monotonic() - begin_s
        for future in futures:
            future.result()
        took_s = monotonic() - begin_s
        if not options.json:
            print(f"submitted in {submitted_s:.3f} s, done in {took_s:.3f} s: {size / took_s:,.0f} tasks/s")
        return took_s

    for size, took_s in options.iterate(measure, options.time):
        batches.append(Batch(size, took_s))


def _find_config(target: str) -> Config | None:
    """Return the only configuration, or print an error and return None."""
    from parsl.cli.checkup.config_loading import load_configs, split_target
    from parsl.vocabulary.findings import ERROR

    loaded = load_configs(target)
    if not loaded.configs and not split_target(target)[1]:
        by_function = load_configs(f"{target}:fresh_config")  # the name in upstream's files
        loaded = by_function if by_function.configs else loaded
    names = ", ".join(f"{target}:{name}" for name in loaded.configs)
    errors = [str(one) for one in loaded.findings if one.level == ERROR]
    if len(loaded.configs) != 1:
        errors.append(f"choose one of several configurations: {names}")
    if errors:
        print_error("perf", errors[0])
        return None
    return next(iter(loaded.configs.values()))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    from parsl.version import VERSION

    parser = argparse.ArgumentParser("parsl perf", description=_DESCRIPTION)
    parser.add_argument(
        "--config",
        required=True,
        metavar="FILE[:NAME]",
        help="a file with a configuration, or a function that makes one; or a module",
    )
    parser.add_argument(
        "--resources",
        type=_resources,
        default={},
        metavar="DICT",
        help="parsl_resource_specification of the tasks, such as \"{'priority': 1}\"",
    )
    parser.add_argument(
        "--time", type=seconds, default=120, metavar="SECONDS", help="the duration of the last batch (120)"
    )
    parser.add_argument(
        "--argsize", type=_size, default=0, metavar="BYTES", help="size of an argument of each task (0)"
    )
    parser.add_argument(
        "--iterate",
        type=_iteration,
        default="estimate",
        metavar="MODE",
        help="sizes of batches: estimate (from the rate so far), exponential, or such as 10,100,1000",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--version", action="version", version=f"parsl {VERSION}")
    return parser.parse_args(arguments)


def _resources(text: str) -> dict[str, Any]:
    try:
        value = literal_eval(text)
    except (SyntaxError, ValueError):
        value = None
    if not isinstance(value, dict):
        refuse(text, "a dictionary, such as {'priority': 1}")
    return {"parsl_resource_specification": value}


def _size(text: str) -> int:
    if not text.isdecimal():
        refuse(text, "a number of bytes, 0 or more")
    return int(text)


def _iteration(text: str) -> Batches:
    if text in ("estimate", "exponential"):
        return estimate if text == "estimate" else exponential
    sizes = text.split(",")
    if not all(size.strip().isdecimal() and int(size) for size in sizes):
        refuse(text, "estimate, exponential, or numbers of tasks with commas between")
    return lambda measure, _target_s: ((int(size), measure(int(size))) for size in sizes)


if __name__ == "__main__":
    sys.exit(main())
