"""The command of the load test: a supercomputer's managers, one interchange and one driver.

    python -m chaos.load --managers 1000 --tasks 100000

A few processes simulate the managers and their workers, with the real protocol over real, encrypted
connections. At the end, every task has its own result, and the loss of every killed manager was noticed.
Otherwise the command prints what is wrong, and its exit code is 1.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil

import parsl
from chaos.load.crew import Crew
from chaos.load.machine import MachineProvider, WatchedExecutor
from chaos.load.meter import Meter
from chaos.load.orders import Order
from chaos.load.report import Facts, figures, findings, table
from parsl import Config, python_app
from parsl.common import descriptors
from parsl.executors.high_throughput.wire.settings import SETTINGS_FILE
from tests.support.waiting import wait_until

#: The time in which all managers must register, in seconds.
REGISTER_S = 300.0
#: The time in which the fleets must end after the run, in seconds.
END_S = 60.0
#: Outstanding tasks per slot: enough to keep every worker busy while other tasks wait.
WINDOW_PER_SLOT = 1.5
#: The rate is measured between these fractions of all tasks.
STEADY = (0.2, 0.9)
#: Managers die between these fractions of all tasks.
DYING = (0.1, 0.6)
#: How much later than the threshold a silent death may be noticed, in seconds.
PATIENCE_S = 60.0
#: The number of descriptors of a simulated manager.
PER_MANAGER = 2


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos.load", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--managers", type=int, default=10_624, help="the number of nodes (10,624: all of Aurora)")
    add("--workers", type=int, default=12, help="workers of a node (12)")
    add("--nodes-per-block", type=int, default=128, help="nodes of a batch job (128)")
    add("--tasks", type=int, default=1_000_000, help="the number of tasks (1,000,000)")
    add("--task-s", type=float, default=15.0, help="the mean duration of a task, in s (15)")
    add(
        "--deaths",
        type=float,
        default=0.01,
        help="the fraction of managers that die, half silently (0.01)",
    )
    add("--idle-s", type=float, default=30.0, help="how long the idle machine is measured, in s (30)")
    add("--period-s", type=float, default=30.0, help="heartbeat period, in s (30)")
    add("--threshold-s", type=float, default=120.0, help="heartbeat threshold, in s (120)")
    add("--fleets", type=int, default=4, help="the number of processes that simulate managers (4)")
    add("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    add("--output", type=Path, help="a file for the figures, as JSON")
    return parser.parse_args()


def executor(options: argparse.Namespace) -> WatchedExecutor:
    blocks = math.ceil(options.managers / options.nodes_per_block)
    return WatchedExecutor(
        label="load",
        address="127.0.0.1",
        provider=MachineProvider(blocks, options.nodes_per_block),
        max_workers_per_node=options.workers,
        heartbeat_period=options.period_s,
        heartbeat_threshold=options.threshold_s,
        block_error_handler=False,
    )


def fleets(options: argparse.Namespace, settings_file: str) -> list[Order]:
    """Return the orders of the fleets: as many as requested, or more if descriptors are few."""
    max_managers = descriptors.room_for(descriptors.limits()[1], PER_MANAGER)
    count = min(options.managers, max(options.fleets, math.ceil(options.managers / max_managers)))
    bounds = [options.managers * number // count for number in range(count + 1)]
    return [
        Order(
            settings_file=settings_file,
            first=first,
            last=last,
            nodes_per_block=options.nodes_per_block,
            workers=options.workers,
            task_s=options.task_s,
            seed=options.seed,
        )
        for first, last in itertools.pairwise(bounds)
    ]


@python_app
def echo(number: int) -> int:
    """Return the number. It never runs: a simulated worker returns the arguments."""
    return number


class Load:
    """One run: registration, rest, tasks."""

    def __init__(self, options: argparse.Namespace, machine: WatchedExecutor, crew: Crew) -> None:
        self._options = options
        self._machine = machine
        self._crew = crew
        self._random = random.Random(options.seed)
        roles = {
            "driver": [psutil.Process()],
            "interchange": [psutil.Process(machine.interchange_pid)],
            "fleets": [psutil.Process(process.pid) for process in crew.processes],
        }
        self.meter = Meter(roles)
        self.seen = bytearray(options.tasks)
        self.errors: list[BaseException] = []
        self.steady_s = 0.0
        self._gone: dict[str, float] = {}
        self._given_up: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Load joined={len(self._machine.joined)} seen={sum(map(bool, self.seen)):,}>"

    def register(self) -> None:
        """Wait until all managers have registered, or the time is over."""
        self.meter.begin()
        with suppress(AssertionError):  # the findings name the missing managers
            wait_until(lambda: len(self._machine.joined) >= self._options.managers, REGISTER_S)
        self.meter.end("registration")

    def rest(self) -> None:
        """Leave the machine idle for a while, with heartbeats only."""
        time.sleep(self._options.idle_s)
        self.meter.end("idle")

    def work(self) -> None:
        """Run all tasks, and kill managers meanwhile."""
        options = self._options
        window = int(WINDOW_PER_SLOT * options.managers * options.workers)
        steady = [int(part * options.tasks) for part in STEADY]
        deaths = self._deaths()
        results = parsl.map(echo, range(options.tasks), window=window, ordered=False, return_exceptions=True)
        self.meter.begin()
        for done, result in enumerate(results):
            while deaths and done >= deaths[-1][0]:
                self._crew.kill_one(deaths.pop()[1])
            if done == steady[0]:
                self.meter.end("filling")
            elif done == steady[1]:
                self.steady_s = self.meter.end("steady").seconds
            if done % 10_000 == 0:
                self.meter.look()
            self._note(result)
        self.meter.end("emptying")

    def _deaths(self) -> list[tuple[int, bool]]:
        """Return after how many tasks each manager dies, and whether silently; the last death comes first."""
        tasks, count = self._options.tasks, round(self._options.deaths * self._options.managers)
        moments = [int(tasks * self._random.uniform(*DYING)) for _ in range(count)]
        return sorted(((moment, number % 2 == 1) for number, moment in enumerate(moments)), reverse=True)

    def _note(self, result: object) -> None:
        if isinstance(result, BaseException):
            self.errors.append(result)
            return
        *_, [number], _ = result  # type: ignore[misc]  # the result of a simulated worker: the call
        self.seen[number] = min(255, self.seen[number] + 1)

    def wait_for_losses(self) -> None:
        """Wait until the interchange has given up the silently dead managers as well."""
        dead = {death.manager for death in self._crew.died}
        with suppress(AssertionError):  # the findings count the unnoticed deaths
            wait_until(lambda: dead <= self._machine.gone.keys(), self._options.threshold_s + PATIENCE_S)
        self._gone = dict(self._machine.gone)
        self._given_up = self._machine.given_up()

    def facts(self) -> Facts:
        """Return the facts about the run, after its end."""
        return Facts(
            managers=self._options.managers,
            joined=self._machine.joined,
            given_up=self._given_up,
            gone=self._gone,
            died=self._crew.died,
            refused=self._crew.refused,
            seen=self.seen,
            errors=self.errors,
            phases=self.meter.phases,
            peak_memory=self.meter.peak_memory,
            steady_rate=(STEADY[1] - STEADY[0]) * self._options.tasks / self.steady_s
            if self.steady_s
            else None,
            longest_silence_s=max((each.longest_silence_s for each in self._crew.ended), default=0.0),
        )


def main() -> int:
    """Run the load test. Returns: 0 if nothing is wrong."""
    options = arguments()
    print(f"load: {options.managers:,} managers, {options.tasks:,} tasks, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="parsl-load-") as directory:
        machine = executor(options)
        config = Config(executors=[machine], run_dir=f"{directory}/runinfo", retries=5, strategy="none")
        with parsl.load(config):
            crew = Crew(fleets(options, f"{machine.logdir}/{SETTINGS_FILE}"), options.seed)
            load = Load(options, machine, crew)
            for step in (load.register, load.rest, load.work, load.wait_for_losses):
                step()
        wrong = crew.close(END_S)
    facts = load.facts()
    wrong += findings(facts)
    print(table(figures(facts)))
    if options.output:
        options.output.write_bytes(msgspec.json.format(msgspec.json.encode(figures(facts))))
    for each in wrong:
        print(f"WRONG: {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
