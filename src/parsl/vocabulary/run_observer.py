"""What executors notify the kernel of while a run goes on, and what they measure of each attempt.

The module imports nothing slow: executors that run tasks in threads need it for their first task.
"""

from __future__ import annotations

from collections import namedtuple
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from typing import Any

    from parsl.vocabulary.run_facts import BlockFacts, ManagerFacts, ResourceSample


#: A task that has been running for this long is reported (seconds); executors look as often.
REPORTED_AFTER_S = 1.0


# Not typing.NamedTuple, because the import of typing takes longer than a first task.
class Accounting(
    namedtuple(
        "Accounting",
        ("run_s", "cpu_s", "peak_memory", "manager", "worker"),
        defaults=(-1.0, -1.0, -1, -1, -1),
    )
):
    """What one attempt has used, measured where it ran.

    The future of an executor may have it when done, packed, as its attribute ``attempt_usage``: see
    :data:`pack_usage` and :func:`usage_of`.
    """

    __slots__ = ()

    #: Seconds from the worker's receipt of the task to its outcome.
    run_s: float
    #: Seconds of processor time, user and system, of the task and of its processes that were waited for;
    #: -1 if unknown.
    cpu_s: float
    #: Bytes: the largest resident set of the task's processes. For a task in a worker's own process it is the
    #: worker's largest one so far, as systems keep no mark per task; -1 if unknown.
    peak_memory: int
    #: The manager's number, see :class:`ManagerFacts <parsl.vocabulary.run_facts.ManagerFacts>`; -1 if none.
    manager: int
    #: The worker's rank at its manager; -1 if none.
    worker: int


#: The fields of an `Accounting`, packed.
USAGE_FORMAT = "ddqii"
_PACKED = Struct(f"<{USAGE_FORMAT}")
_RUN_S = Struct("<d")

#: Packs the fields of an `Accounting`. Few readers need them, and unpacking takes as long as a tenth of the
#: rest that a driver does for a short task. What is packed is also in results and in event logs.
pack_usage = _PACKED.pack
USAGE_BYTES = _PACKED.size


def unpack_usage(packed: bytes) -> Accounting | None:
    """Return what was packed; None where nothing was measured."""
    # The constructor of a named tuple takes several times as long.
    return tuple.__new__(Accounting, _PACKED.unpack(packed)) if len(packed) == _PACKED.size else None


def run_s_of(packed: bytes) -> float:
    """Return only how long the attempt has run, in seconds; 0 where nothing was measured."""
    return _RUN_S.unpack_from(packed)[0] if len(packed) == _PACKED.size else 0.0


def usage_of(future: Future[Any] | None) -> Accounting | None:
    """Return what the attempt of an executor's future has used.

    None where nothing was measured: the task has not started, or its worker was lost. The facts of the
    exception then say what is known.
    """
    packed = getattr(future, "attempt_usage", None)
    return unpack_usage(packed) if type(packed) is bytes else None


class RunObserver:
    """Receives what happens in the executors of a run. The methods of this class do nothing.

    An executor's attribute ``observer`` is one. The kernel assigns its own before it starts the executor.
    Executors call the methods from their own threads, and with locks held. A method must return at once: it
    must not wait, call an executor or raise an exception. Moments are seconds since the epoch, by the
    driver's clock.
    """

    #: Whether to call :meth:`tasks_dispatched`. This costs a message each time.
    observes_dispatch: bool = False

    def manager_joined(self, label: str, manager: ManagerFacts) -> None:
        """A manager has connected; called again if it registers again, with the same number.

        Args:
            label: The executor's label.
            manager: What is known about the manager and its node.
        """

    def manager_gone(self, label: str, number: int, reason: str) -> None:
        """A manager has left or is lost.

        Args:
            label: The executor's label.
            number: The manager's number.
            reason: Why, for people.
        """

    def node_changed(self, label: str, host: str, text: str) -> None:
        """The standing of a node has changed: it is set aside because workers keep failing, or trusted again.

        Args:
            label: The executor's label.
            host: The node.
            text: What has changed, for people.
        """

    def tasks_dispatched(self, label: str, number: int, held: Sequence[int]) -> None:
        """A manager has been sent tasks. Only for an observer with ``observes_dispatch``.

        Args:
            label: The executor's label.
            number: The manager's number.
            held: The executor's numbers of all tasks that the manager holds.
        """

    def tasks_started(self, label: str, started: Sequence[tuple[Future[Any], float, int, int]]) -> None:
        """Tasks have been running for a second or longer. Shorter tasks are never reported.

        A task may be reported again after connections were lost. The first report is the most exact: the
        moment lacks the time that the report has taken.

        Args:
            label: The executor's label.
            started: The executor's futures, the moments when workers began to run their tasks, and where:
                the manager's number and the worker's rank, each -1 if there is none.
        """

    def resource_samples(
        self, label: str, samples: Sequence[tuple[Future[Any], float, ResourceSample]]
    ) -> None:
        """Running tasks were measured. Only executors with a ``resource_interval_s`` do this.

        There is no sample for a task that is shorter than the interval, and none at the end of a task: its
        accounting has what it has used.

        Args:
            label: The executor's label.
            samples: The executor's futures, the moments, and what their tasks used then.
        """

    def block_changed(self, label: str, block: BlockFacts) -> None:
        """The state, the job id or the scheduler's message of a block has changed.

        Args:
            label: The executor's label.
            block: What is known about the block now.
        """


#: The observer of executors that have no other one.
NO_OBSERVER = RunObserver()
