"""What is known about a failed attempt of a task beside what its exception says; the exception carries it.

Whoever learns something attaches it, on the way home: the task itself (exit code, the end of stderr), its
worker (host, time, memory), the manager or the driver (how a worker ended), the kernel (app, task, attempt).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The attribute of exceptions that has the facts.
_ATTRIBUTE = "_parsl_failure_facts"

#: How much of the end of an output is kept, in characters.
TAIL_CHARS = 2000


class FailureFacts:
    """Where, when and how an attempt of a task failed. What nobody knows is None.

    Args:
        known: What is known, by the names of the attributes.

    Attributes:
        app: The app's name.
        task_id: The task's number.
        attempt: The number of the attempt, counted from 1.
        executor: The executor's label.
        host: The node.
        block: The block, by its id.
        manager: The manager's name.
        worker: The worker's rank on its node.
        pid: The worker's process.
        exit_code: How the process ended: the worker, the command of a bash app, or the batch job.
        signal: The signal that ended it.
        peak_memory: The largest resident set there was, in bytes: of the worker's process, or of the largest
            process that it has started and waited for.
        ran_s: How long the attempt had been running, in seconds.
        stderr_tail: The end of what was written to stderr.
    """

    __slots__ = (
        "app",
        "attempt",
        "block",
        "executor",
        "exit_code",
        "host",
        "manager",
        "peak_memory",
        "pid",
        "ran_s",
        "signal",
        "stderr_tail",
        "task_id",
        "worker",
    )

    app: str | None
    task_id: int | None
    attempt: int | None
    executor: str | None
    host: str | None
    block: str | None
    manager: str | None
    worker: int | None
    pid: int | None
    exit_code: int | None
    signal: int | None
    peak_memory: int | None
    ran_s: float | None
    stderr_tail: str | None

    def __init__(self, **known: Any) -> None:
        for name in self.__slots__:
            setattr(self, name, known.get(name))

    def as_dict(self) -> dict[str, Any]:
        """Return what is known, by the names of the attributes."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if value is not None and value != ""}

    def __str__(self) -> str:
        """All in one line, except the end of stderr."""
        parts = [self._task(), self.place, self.usage]
        return "; ".join(part for part in parts if part)

    def _task(self) -> str:
        if self.task_id is None:
            return ""
        text = f"task {self.task_id} ({self.app})"
        if self.attempt is not None:
            text += f", attempt {self.attempt}"
        return f"{text} on executor {self.executor}" if self.executor else text

    @property
    def place(self) -> str:
        """Where it ran, in words."""
        names = {"host": self.host, "block": self.block, "worker": self.worker, "pid": self.pid}
        return ", ".join(f"{name} {value}" for name, value in names.items() if value not in (None, ""))

    @property
    def usage(self) -> str:
        """How long it ran, what it used and how its process ended, in words."""
        parts = []
        if self.ran_s is not None:
            parts.append(f"ran {self.ran_s:.3g} s")
        if self.peak_memory:
            parts.append(f"peak memory {self.peak_memory / 1e6:.0f} MB")
        if self.exit_code is not None:
            parts.append(f"exit code {self.exit_code}")
        if self.signal is not None:
            parts.append(f"signal {self.signal}")
        return ", ".join(parts)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_again, (self.as_dict(),)


def facts_of(error: BaseException | None) -> FailureFacts:
    """Return what is known about the failure that an exception stands for; perhaps nothing.

    Args:
        error: What a task's future raises: ``facts_of(future.exception()).host``.
    """
    facts = getattr(error, _ATTRIBUTE, None)
    return facts if isinstance(facts, FailureFacts) else FailureFacts()


def has_facts(error: BaseException) -> bool:
    """Whether something is attached to an exception."""
    return isinstance(getattr(error, _ATTRIBUTE, None), FailureFacts)


def attach(error: BaseException, **known: Any) -> None:
    """Add to what an exception carries; what is None adds nothing, the rest replaces what was there.

    Args:
        error: The exception. One that takes no attributes stays as it is.
        known: What is known, by the names of the attributes of FailureFacts.
    """
    news = {name: value for name, value in known.items() if value is not None}
    facts = FailureFacts(**{**facts_of(error).as_dict(), **news})
    try:
        # Not by setattr: an exception may be a frozen dataclass.
        BaseException.__setattr__(error, _ATTRIBUTE, facts)
    except Exception:
        pass


def note(error: BaseException) -> None:
    """Have Python (from 3.11 on) show what an exception carries below its traceback, once."""
    text = f"Parsl: {facts_of(error)}"
    try:
        notes = getattr(error, "__notes__", None) or []
        others = [other for other in notes if not str(other).startswith("Parsl: ")]
        BaseException.__setattr__(error, "__notes__", [*others, text])
    except Exception:
        pass


def tail_of(path: str, after: str = "", begin: int = 0) -> str:
    """Return the end of a text file; nothing if it cannot be read.

    Args:
        path: The file.
        after: Only what follows the last occurrence of this.
        begin: Only what follows so many bytes.
    """
    import os

    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(max(begin, size - TAIL_CHARS))
            text = stream.read(TAIL_CHARS).decode(errors="replace")
    except OSError:
        return ""
    return text.rpartition(after)[2].strip() if after else text.strip()


def _made_again(known: dict[str, Any]) -> FailureFacts:
    return FailureFacts(**known)
