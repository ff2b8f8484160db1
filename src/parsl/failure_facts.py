"""Facts about a failed attempt of a task that its exception carries in addition to its message.

Task, worker, manager, driver and kernel attach what they know while the exception travels to the user.
"""

from __future__ import annotations

from parsl.common.representation import rounded_s

#: The attribute of exceptions that holds the facts.
_ATTRIBUTE = "_parsl_failure_facts"

#: How much of the end of an output is kept, in characters.
TAIL_CHARS = 2000


class FailureFacts:
    """Where, when and how an attempt of a task failed. Unknown facts are None.

    Args:
        known: The known facts, by the names of the attributes. Other names are ignored.
    """

    app: str | None = None  #: The app's name.
    task_id: int | None = None  #: The task's number.
    attempt: int | None = None  #: The number of the attempt, counted from 1.
    executor: str | None = None  #: The executor's label.
    host: str | None = None  #: The node.
    block: str | None = None  #: The block's id.
    manager: str | None = None  #: The manager's name.
    worker: int | None = None  #: The worker's rank on its node.
    pid: int | None = None  #: The worker's process id.
    #: The exit code of the process that ended: the worker, the command of a bash app, or the batch job.
    exit_code: int | None = None
    signal: int | None = None  #: The signal that ended this process.
    #: The largest resident set, in bytes, of the worker or of a process that it started and waited for.
    peak_memory: int | None = None
    ran_s: float | None = None  #: How long the attempt had been running, in seconds.
    stderr_tail: str | None = None  #: The end of the output on stderr.

    def __init__(self, **known: object) -> None:
        for name in known.keys() & FailureFacts.__annotations__.keys():
            setattr(self, name, known[name])

    def as_dict(self) -> dict[str, object]:
        """Return the known facts, by the names of the attributes."""
        values = {name: getattr(self, name) for name in FailureFacts.__annotations__}
        return {name: value for name, value in values.items() if value is not None and value != ""}

    def __str__(self) -> str:
        """Return all facts in one line, except the end of stderr."""
        return "; ".join(filter(None, [self._task(), self.place, self.usage]))

    def _task(self) -> str:
        if self.task_id is None:
            return ""
        text = f"task {self.task_id} ({self.app})"
        if self.attempt is not None:
            text += f", attempt {self.attempt}"
        return f"{text} on executor {self.executor}" if self.executor else text

    @property
    def place(self) -> str:
        """Where the attempt ran, in words."""
        names = {"host": self.host, "block": self.block, "worker": self.worker, "pid": self.pid}
        return ", ".join(f"{name} {value}" for name, value in names.items() if value not in (None, ""))

    @property
    def usage(self) -> str:
        """How long the attempt ran, what it used and how its process ended, in words."""
        peak_mb = self.peak_memory / 1e6 if self.peak_memory else None
        facts = {
            "ran {}": None if self.ran_s is None else rounded_s(self.ran_s),
            "peak memory {:.0f} MB": peak_mb,
            "exit code {}": self.exit_code,
            "signal {}": self.signal,
        }
        return ", ".join(text.format(fact) for text, fact in facts.items() if fact is not None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


def facts_of(error: BaseException | None) -> FailureFacts:
    """Return the facts that an exception carries; without any, an object whose attributes are all None.

    Args:
        error: The exception of a task's future: ``facts_of(future.exception()).host``.
    """
    facts = getattr(error, _ATTRIBUTE, None)
    return facts if isinstance(facts, FailureFacts) else FailureFacts()


def has_facts(error: BaseException) -> bool:
    """Whether an exception carries facts."""
    return isinstance(getattr(error, _ATTRIBUTE, None), FailureFacts)


def attach(error: BaseException, **known: object) -> None:
    """Add facts to those of an exception, unless it accepts no attributes; None leaves an earlier value."""
    news = {name: value for name, value in known.items() if value is not None}
    facts = FailureFacts(**{**facts_of(error).as_dict(), **news})
    try:
        # Unlike setattr, this also works for an exception that is a frozen dataclass.
        BaseException.__setattr__(error, _ATTRIBUTE, facts)
    except Exception:
        pass


def note(error: BaseException) -> None:
    """Make Python (3.11 or newer) show the facts of an exception below its traceback, once."""
    text = f"Parsl: {facts_of(error)}"
    try:
        notes = getattr(error, "__notes__", None) or []
        others = [other for other in notes if not str(other).startswith("Parsl: ")]
        BaseException.__setattr__(error, "__notes__", [*others, text])
    except Exception:
        pass


def tail_of(path: str, after: str = "", begin: int = 0) -> str:
    """Return the end of a text file that follows the last ``after``; empty if the file cannot be read.

    At least ``begin`` bytes at the start of the file are skipped.
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
