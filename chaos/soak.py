"""The command of the soak test: tasks of mixed lengths for a while, and processes killed at random meanwhile.

    python -m chaos.soak --seconds 3600

At the end, every task has ended, none began more than once per attempt, every result is right, and memory,
descriptors and processes are back at their initial level. Otherwise the command prints what is wrong, and its
exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import parsl
from chaos import work
from chaos.breaker import Breaker
from chaos.footprint import Footprint
from chaos.ledger import Ledger, Outcome, findings, summary
from parsl import Config, HighThroughputExecutor, bash_app, python_app
from parsl.dataflow.futures import AppFuture
from parsl.executors.high_throughput.driver import endpoints
from parsl.executors.high_throughput.wire.settings import SETTINGS_FILE, read_settings
from parsl.providers import LocalProvider
from tests.support.waiting import wait_until

#: The maximum number of outstanding tasks.
WINDOW = 200
#: Attempts of a task after the first: enough for the breaks that one task can meet.
RETRIES = 20
#: The time in which the last tasks must end, in seconds.
DRAIN_S = 120.0
#: The period between samples of memory, descriptors and processes, in seconds.
SAMPLE_S = 1.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to submit tasks, in s (60)")
    parser.add_argument("--break-every", type=float, default=1.0, help="mean time between breaks, in s (1)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--way", choices=("local", "tcp"), default="local", help="how managers connect")
    return parser.parse_args()


def config(run_dir: Path, way: str, **options: Any) -> Config:
    """Return the configuration of a soak test; the options are those of its executor."""
    executor = HighThroughputExecutor(
        label="soak",
        address="127.0.0.1" if way == "tcp" else None,
        max_workers_per_node=2,
        cores_per_worker=0.1,
        heartbeat_period=1,
        heartbeat_threshold=5,
        block_error_handler=False,  # blocks are killed on purpose
        provider=LocalProvider(init_blocks=2, min_blocks=2, max_blocks=2),
        **options,
    )
    return Config(
        executors=[executor], run_dir=str(run_dir), retries=RETRIES, retry_handler=_cost, strategy_period=1
    )


def _cost(error: Exception, record: Any) -> float:
    """Return the cost of a failure: a task that fails on its own is not retried."""
    return RETRIES + 1 if isinstance(error, ValueError) else 1


class Soak:
    """Submits tasks of all kinds, keeps a window of them outstanding, and records their outcomes."""

    def __init__(self, journal: str, seed: int) -> None:
        self._journal = journal
        self._random = random.Random(seed)
        self._apps = {
            name: python_app(getattr(work, name)) for name in ("rest", "reckon", "carry", "complain")
        }
        self._apps["command"] = bash_app(work.command)
        self._under_way: dict[int, tuple[str, Any, AppFuture[Any]]] = {}
        self.submitted = 0
        self.ledger = Ledger()

    def __repr__(self) -> str:
        return f"<Soak submitted={self.submitted} under_way={len(self._under_way)}>"

    def submit(self) -> None:
        """Submit a task of random kind and length."""
        number, chance = self.submitted, self._random
        name = chance.choices(("rest", "reckon", "carry", "command", "complain"), (60, 20, 8, 8, 4))[0]
        extra: tuple[Any, ...] = ()
        expected: Any = number
        if name in ("rest", "reckon"):
            extra = (min(chance.expovariate(1 / 0.01), 1.0),)
        elif name == "carry":
            expected = chance.randbytes(chance.choice((100, 50_000, 1_000_000)))
            extra = (expected,)
        elif name == "command":
            expected = 0
        self._under_way[number] = name, expected, self._apps[name](self._journal, number, *extra)
        self.submitted += 1

    @property
    def has_room(self) -> bool:
        return len(self._under_way) < WINDOW

    def collect(self) -> None:
        """Record the outcomes of the tasks that have ended."""
        for number, (name, expected, future) in list(self._under_way.items()):
            if future.done():
                del self._under_way[number]
                self.ledger.add(number, _outcome(name, expected, future))

    def run(self, seconds: float, meanwhile: Callable[[], None]) -> None:
        """Keep the window full for a time."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.collect()
            while self.has_room:
                self.submit()
            meanwhile()
            time.sleep(0.01)

    def drain(self, seconds: float) -> None:
        """Wait until the outstanding tasks have ended, or the time is over."""

        def has_ended() -> bool:
            self.collect()
            return not self._under_way

        with suppress(AssertionError):  # the findings name the tasks that have not ended
            wait_until(has_ended, seconds)


def _outcome(name: str, expected: Any, future: AppFuture[Any]) -> Outcome:
    record, error = future.task_record, future.exception()
    is_right = error is None and future.result() == expected
    how = None if error is None else type(error)
    return Outcome(name, record.fail_count + record.job_ends, how, is_right)


def _sampler(footprint: Footprint) -> Callable[[], None]:
    next_s = time.monotonic()

    def take_when_due() -> None:
        nonlocal next_s
        if time.monotonic() >= next_s:
            footprint.take()
            next_s = time.monotonic() + SAMPLE_S

    return take_when_due


def main() -> int:
    """Run the soak test. Returns: 0 if nothing is wrong."""
    options = arguments()
    print(f"soak: {options.seconds:g} s, {options.way}, seed {options.seed}", flush=True)
    footprint = Footprint()
    with tempfile.TemporaryDirectory(prefix="parsl-soak-") as directory:
        journal = os.path.join(directory, "journal")
        run_dir = Path(directory, "runinfo")
        if options.way == "tcp":
            endpoints.listen_unix = lambda log_dir: None  # managers must connect over the network
        with parsl.load(config(run_dir, options.way)):
            [settings] = map(read_settings, run_dir.rglob(SETTINGS_FILE))
            is_local = bool(settings.local_socket)
            assert is_local == (options.way == "local"), f"managers do not use the way {options.way}"
            soak = Soak(journal, options.seed)
            breaker = Breaker(options.break_every, options.seed)
            breaker.start()
            soak.run(options.seconds, _sampler(footprint))
            breaker.end()
            soak.drain(DRAIN_S)
        wrong = findings(soak.ledger, soak.submitted, work.begun(journal)) + footprint.growth()
    print(f"{soak.submitted:,} tasks: {summary(soak.ledger)}")
    print("breaks: " + ", ".join(f"{count} {what}" for what, count in sorted(breaker.breaks.items())))
    print(f"footprint: {footprint.samples[0]} -> {footprint.samples[-1]}")
    for each in wrong:
        print(f"WRONG: {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
