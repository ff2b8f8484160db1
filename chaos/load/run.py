"""One run of the load test, in a process of its own: registration, rest, tasks.

The options come as JSON on the command line; the outcome goes as one line of JSON to the standard output.
"""

from __future__ import annotations

import itertools
import math
import os
import random
import sys
import tempfile
import time
from contextlib import suppress

import psutil

import parsl
from chaos.load.crew import Crew
from chaos.load.machine import MachineProvider, WatchedExecutor
from chaos.load.meter import Meter
from chaos.load.options import Options, Outcome, decode_options, encode
from chaos.load.orders import Order
from chaos.load.report import Facts, figures, findings
from parsl import Config, python_app
from parsl.common import descriptors
from parsl.eventlog import EVENT_LOG
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


def executor(options: Options) -> WatchedExecutor:
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


def fleets(options: Options, settings_file: str) -> list[Order]:
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

    def __init__(self, options: Options, machine: WatchedExecutor, crew: Crew) -> None:
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


def run(options: Options) -> Outcome:
    """Run the load, and return its figures and what was wrong."""
    with tempfile.TemporaryDirectory(prefix="parsl-load-") as directory:
        machine = executor(options)
        config = Config(
            executors=[machine],
            run_dir=f"{directory}/runinfo",
            retries=5,
            strategy="none",
            event_log=options.event_log,
        )
        with parsl.load(config) as kernel:
            crew = Crew(fleets(options, f"{machine.logdir}/{SETTINGS_FILE}"), options.seed)
            load = Load(options, machine, crew)
            for step in (load.register, load.rest, load.work, load.wait_for_losses):
                step()
        wrong = crew.close(END_S)
        log = os.path.join(kernel.run_dir, EVENT_LOG)
        log_bytes = os.path.getsize(log) if options.event_log else None
    facts = load.facts()
    found = figures(facts)
    found["event log, bytes per task"] = None if log_bytes is None else log_bytes / options.tasks
    return Outcome(found, wrong + findings(facts))


if __name__ == "__main__":
    outcome = run(decode_options(sys.argv[1].encode()))
    print(encode(outcome).decode(), flush=True)
