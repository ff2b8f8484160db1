"""What is reported: every row of the table, the run it comes from and its target."""

from __future__ import annotations

from dataclasses import dataclass

PARSL = ("ours", "upstream")
PYTHON_POOLS = ("ours", "stdlib", "upstream", "loky", "dask", "ray")


@dataclass(frozen=True)
class Run:
    """One start of a workload, for every system that can do it.

    Attributes:
        workload: module below ``benchmarks.workloads``.
        systems: names of the systems that take part.
        options: command line of the workload.
        quick_options: the same for ``--quick``.
        max_rounds: the maximum number of repetitions; None for as many as requested.
        timeout_s: seconds after which a workload is ended.
    """

    workload: str
    systems: tuple[str, ...]
    options: tuple[str, ...] = ()
    quick_options: tuple[str, ...] = ()
    max_rounds: int | None = None
    timeout_s: float = 120.0


@dataclass(frozen=True)
class Target:
    """A target: a bound on our value, or on its ratio to a peer's."""

    bound: float
    peer: str | None = None


@dataclass(frozen=True)
class Measure:
    """One row.

    Attributes:
        name: as given to ``--only``.
        title: heading of the row.
        unit: unit of the value.
        run: where it comes from.
        key: which of the run's values it is.
        more_is_better: direction.
        target: what is to be reached; None for a row that only informs.
    """

    name: str
    title: str
    unit: str
    run: Run
    key: str
    more_is_better: bool = True
    target: Target | None = None


THROUGHPUT_5K = Run("throughput", PYTHON_POOLS, ("--tasks", "5000"), ("--tasks", "5000"))
THROUGHPUT_50K = Run(
    "throughput",
    PYTHON_POOLS,
    ("--tasks", "50000"),
    ("--tasks", "50000"),
    max_rounds=3,
)
ROUND_TRIP = Run("round_trip", PYTHON_POOLS, (), ("--trips", "1000"))
FIRST_RESULT = Run("first_result", PYTHON_POOLS)
RELOAD = Run("reload", PYTHON_POOLS, ("--cycles", "3"), ("--cycles", "3"), max_rounds=3)
THREADS = Run(
    "throughput",
    ("ours", "stdlib", "upstream"),
    ("--executor", "threads", "--tasks", "20000", "--limit-s", "10"),
    ("--executor", "threads", "--tasks", "20000", "--limit-s", "10"),
)
CHAIN = Run("chain", ("ours", "upstream", "dask", "ray"))
LONG_CHAIN = Run(
    "chain",
    ("ours",),
    ("--links", "100000", "--executor", "threads"),
    ("--links", "100000", "--executor", "threads"),
    max_rounds=1,
)
FAN_IN = Run("fan_in", ("ours", "upstream"))
DEEP = Run("deep", ("ours", "upstream"), max_rounds=2)
MEMOIZE = Run("memoize", ("ours",), (), ("--repeats", "3"))
EVENTS = Run("event_log", ("ours",), (), ("--repeats", "2"), max_rounds=1, timeout_s=300.0)
RECORDING = Run("recording", ("ours",), (), ("--tasks", "20000"), max_rounds=2)
MONITORING = Run("monitoring", ("ours",), (), ("--repeats", "2"), max_rounds=1, timeout_s=300.0)
MONITORED_RUN = Run("monitored_run", PARSL)
CHECKPOINT = Run("checkpoint", ("ours",), (), ("--records", "100000"), max_rounds=2)
SHELL = Run(
    "shell",
    (*PYTHON_POOLS, "hyperqueue"),
    ("--tasks", "1000"),
    ("--tasks", "500"),
)
PAYLOAD = Run("payload", PYTHON_POOLS, ("--duration-s", "1.0"), ("--duration-s", "0.5"))
OUTSTANDING = Run("outstanding", PYTHON_POOLS, max_rounds=2)
IMPORTS = Run("imports", PYTHON_POOLS, ("--repeats", "5"), ("--repeats", "3"), max_rounds=2)
ENDURANCE = Run("endurance", ("ours", "stdlib"), ("--tasks", "200000"), (), max_rounds=1)
MILLION = Run(
    "endurance",
    ("ours",),
    ("--tasks", "1000000"),
    ("--tasks", "1000000"),
    max_rounds=1,
    timeout_s=600.0,
)

#: The engines with executors of ours, by name and title.
ENGINES = (
    ("pool", "process pool"),
    ("dask", "Dask"),
    ("ray", "Ray"),
    ("work-queue", "Work Queue"),
    ("taskvine", "TaskVine"),
    ("taskvine-serverless", "TaskVine serverless"),
    ("flux", "stand-in for Flux"),
    ("globus-compute", "Globus Compute"),
    ("radical-pilot", "RADICAL-Pilot"),
)
#: Those that start a process for each task, or collect tasks for half a second.
SLOW_ENGINES = frozenset(
    {"work-queue", "taskvine", "taskvine-serverless", "flux", "globus-compute", "radical-pilot"}
)


def _engine_run(name: str) -> Run:
    sizes = ("--tasks", "500", "--trips", "50", "--repeats", "1")
    slow_sizes = ("--tasks", "40", "--trips", "8", "--repeats", "1")
    if name in SLOW_ENGINES:
        return Run("engines", ("ours",), ("--engine", name, *slow_sizes), (), max_rounds=1)
    return Run("engines", ("ours",), ("--engine", name), ("--engine", name, *sizes), max_rounds=2)


ENGINE_RUNS = {name: _engine_run(name) for name, _ in ENGINES}

AS_STDLIB = Target(1.0, "stdlib")


def _engine_measures(name: str, title: str) -> tuple[Measure, ...]:
    """The rows that compare an engine's executor with the engine used directly."""
    run = ENGINE_RUNS[name]
    least = 1.0 if name == "dask" else 0.8
    return (
        Measure(
            f"engine-{name}",
            f"{title}: rate / engine directly",
            "ratio",
            run,
            "rate_share",
            target=Target(least),
        ),
        Measure(f"engine-{name}-rate", f"{title}: no-op tasks", "tasks/s", run, "tasks_per_s"),
        Measure(
            f"engine-{name}-trip",
            f"{title}: added to a round trip",
            "ms",
            run,
            "added_ms",
            more_is_better=False,
            target=Target(1.0),
        ),
    )


MEASURES: tuple[Measure, ...] = (
    Measure(
        "throughput-5k",
        "no-op tasks, 5,000",
        "tasks/s",
        THROUGHPUT_5K,
        "tasks_per_s",
        target=Target(2.5, "stdlib"),
    ),
    Measure(
        "throughput-50k",
        "no-op tasks, 50,000",
        "tasks/s",
        THROUGHPUT_50K,
        "tasks_per_s",
        target=Target(2.5, "stdlib"),
    ),
    Measure(
        "round-trip",
        "round trip, median",
        "ms",
        ROUND_TRIP,
        "median_ms",
        more_is_better=False,
        target=Target(1.2, "stdlib"),
    ),
    Measure("round-trip-p99", "round trip, p99", "ms", ROUND_TRIP, "p99_ms", more_is_better=False),
    Measure(
        "first-result",
        "import, load, first result",
        "s",
        FIRST_RESULT,
        "seconds",
        more_is_better=False,
        target=Target(0.6),
    ),
    Measure(
        "reload",
        "load, one task, cleanup",
        "s",
        RELOAD,
        "seconds",
        more_is_better=False,
        target=Target(0.6),
    ),
    Measure(
        "threads",
        "no-op tasks, threads",
        "tasks/s",
        THREADS,
        "tasks_per_s",
        target=Target(20_000.0),
    ),
    Measure(
        "chain",
        "chain of 1,000 tasks",
        "links/s",
        CHAIN,
        "links_per_s",
        target=Target(2500.0),
    ),
    Measure(
        "long-chain",
        "chain of 100,000 tasks, threads",
        "links/s",
        LONG_CHAIN,
        "links_per_s",
        target=Target(2500.0),
    ),
    Measure(
        "fan-in",
        "one task after 10,000",
        "s",
        FAN_IN,
        "seconds",
        more_is_better=False,
    ),
    Measure(
        "deep",
        "DEEP, 100,000 plain values",
        "ms",
        DEEP,
        "ms",
        more_is_better=False,
        target=Target(50.0),
    ),
    Measure(
        "memo-share",
        "rate with cache and task_exit / without",
        "ratio",
        MEMOIZE,
        "share",
        target=Target(0.75),
    ),
    Measure("memo-rate", "tasks with cache and task_exit", "tasks/s", MEMOIZE, "tasks_per_s"),
    Measure(
        "memo-hits",
        "calls whose results are known",
        "tasks/s",
        MEMOIZE,
        "hits_per_s",
        target=Target(20_000.0),
    ),
    Measure(
        "events-rate",
        "no-op rate with the event log / without",
        "ratio",
        EVENTS,
        "rate_share",
        target=Target(0.97),
    ),
    Measure(
        "events-trip",
        "round trip with the event log / without",
        "ratio",
        EVENTS,
        "trip_share",
        more_is_better=False,
        target=Target(1.03),
    ),
    Measure(
        "events-size",
        "event log per no-op task",
        "B",
        EVENTS,
        "bytes_per_task",
        more_is_better=False,
        target=Target(200.0),
    ),
    Measure(
        "monitoring-writer",
        "tasks recorded by the monitoring writer",
        "tasks/s",
        RECORDING,
        "tasks_per_s",
        target=Target(5000.0),
    ),
    Measure(
        "monitoring-processor",
        "processor time of that writer per task",
        "µs",
        RECORDING,
        "processor_us",
        more_is_better=False,
    ),
    Measure(
        "monitoring-rate",
        "no-op rate with MonitoringHub / without",
        "ratio",
        MONITORING,
        "rate_share",
        target=Target(0.9),
    ),
    Measure(
        "monitoring-end",
        "end of that run waits for the writer",
        "s",
        MONITORING,
        "end_s",
        more_is_better=False,
        target=Target(1.0),
    ),
    Measure(
        "monitoring-run",
        "script of 4 tasks with MonitoringHub",
        "s",
        MONITORED_RUN,
        "seconds",
        more_is_better=False,
    ),
    Measure(
        "checkpoint",
        "load a checkpoint of 1,000,000",
        "s",
        CHECKPOINT,
        "seconds",
        more_is_better=False,
        target=Target(10.0),
    ),
    Measure(
        "checkpoint-memory",
        "memory after that",
        "MB",
        CHECKPOINT,
        "growth_mb",
        more_is_better=False,
        target=Target(50.0),
    ),
    Measure("bash", "bash tasks (true)", "tasks/s", SHELL, "tasks_per_s", target=Target(700.0)),
    Measure("payload-1KB", "1 KB argument", "tasks/s", PAYLOAD, "1KB"),
    Measure("payload-100KB", "100 KB argument", "tasks/s", PAYLOAD, "100KB", target=AS_STDLIB),
    Measure("payload-1MB", "1 MB argument", "tasks/s", PAYLOAD, "1MB", target=AS_STDLIB),
    Measure("payload-10MB", "10 MB argument", "tasks/s", PAYLOAD, "10MB", target=AS_STDLIB),
    Measure(
        "memory",
        "driver memory per waiting task",
        "bytes",
        OUTSTANDING,
        "bytes_per_task",
        more_is_better=False,
        target=Target(2500.0),
    ),
    Measure(
        "import-time",
        "import of the package",
        "ms",
        IMPORTS,
        "package_ms",
        more_is_better=False,
        target=Target(120.0),
    ),
    Measure(
        "import-memory",
        "memory after that import",
        "MB",
        IMPORTS,
        "package_mb",
        more_is_better=False,
        target=Target(25.0),
    ),
    Measure(
        "import-script-time",
        "import of what a script uses",
        "ms",
        IMPORTS,
        "script_ms",
        more_is_better=False,
        target=Target(120.0),
    ),
    Measure(
        "import-script-memory",
        "memory after that import",
        "MB",
        IMPORTS,
        "script_mb",
        more_is_better=False,
        target=Target(25.0),
    ),
    Measure(
        "import-worker-time",
        "import of the worker",
        "ms",
        IMPORTS,
        "worker_ms",
        more_is_better=False,
        target=Target(100.0),
    ),
    Measure(
        "import-worker-memory",
        "memory after that import",
        "MB",
        IMPORTS,
        "worker_mb",
        more_is_better=False,
    ),
    Measure(
        "endurance",
        "200,000 tasks: rate at end / start",
        "ratio",
        ENDURANCE,
        "end_to_start",
        target=Target(0.8),
    ),
    Measure("endurance-rate", "200,000 tasks: rate", "tasks/s", ENDURANCE, "tasks_per_s"),
    Measure(
        "endurance-memory",
        "200,000 tasks: driver grows by",
        "MB",
        ENDURANCE,
        "growth_mb",
        more_is_better=False,
    ),
    Measure(
        "million",
        "1,000,000 tasks: rate at end / start",
        "ratio",
        MILLION,
        "end_to_start",
        target=Target(0.8),
    ),
    Measure("million-rate", "1,000,000 tasks: rate", "tasks/s", MILLION, "tasks_per_s"),
    Measure(
        "million-memory",
        "1,000,000 tasks: driver grows by",
        "MB",
        MILLION,
        "growth_mb",
        more_is_better=False,
    ),
    *(measure for engine in ENGINES for measure in _engine_measures(*engine)),
)


def select_measures(only: str | None, *, with_million: bool = False) -> list[Measure]:
    """The rows of a run.

    Args:
        only: comma-separated names or beginnings of names; None for all.
        with_million: whether the million tasks replace the two hundred thousand.

    Raises:
        ValueError: a name fits no measure; the message lists the known ones.
    """
    left_out = ENDURANCE if with_million else MILLION
    if only is None:
        return [measure for measure in MEASURES if measure.run is not left_out]
    prefixes = [name.strip() for name in only.split(",") if name.strip()]
    for prefix in prefixes:
        if not any(measure.name.startswith(prefix) for measure in MEASURES):
            known = ", ".join(measure.name for measure in MEASURES)
            raise ValueError(f"unknown measure {prefix!r}; known are {known}")
    return [measure for measure in MEASURES if measure.name.startswith(tuple(prefixes))]
