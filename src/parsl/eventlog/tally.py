"""What a history does not keep: how many tasks ended lately, how long those of each app ran, what runs now.

A reader that needs it folds the same records into a :class:`Tally`. Its size does not depend on the number of
tasks.
"""

from __future__ import annotations

from math import exp, log

from parsl.eventlog import records
from parsl.vocabulary.run_observer import REPORTED_AFTER_S
from parsl.vocabulary.task_states import FINAL_STATES, States

#: The rate is known for this long (s).
MEMORY_S = 600
#: Run times are counted in classes of which each is wider than the one before by this factor.
_WIDTH = 1.1
_CLASSES_PER_E = 1 / log(_WIDTH)
_MIN_S = 1e-6
#: Makes the numbers of classes positive, so that int() rounds them down.
_OFFSET = 1000
#: The rate is that of the shortest of these periods (s) in which enough tasks have ended.
_PERIODS_S = (10, 60, MEMORY_S)
_ENOUGH = 10
#: Events are in the log half a second after they happen, so the last second is not complete.
_INCOMPLETE_S = 1
#: For how long a task is not known to run, on average (s): executors look once per REPORTED_AFTER_S.
_UNREPORTED_S = 1.5 * REPORTED_AFTER_S
_FINAL = frozenset(map(int, FINAL_STATES))
_RUNNING = int(States.running)


class RunTimes:
    """How long the tasks of one app ran, in classes of 10 % width.

    Attributes:
        number: How many tasks are counted.
        total_s: The sum of their run times.
        min_s, max_s: The extremes; 0 without tasks.
    """

    __slots__ = ("_classes", "max_s", "min_s", "number", "total_s")

    def __init__(self) -> None:
        self.number = 0
        self.total_s = self.min_s = self.max_s = 0.0
        self._classes: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.number} tasks, up to {self.max_s:.3g} s>"

    def add(self, run_s: float) -> None:
        """Count a task."""
        place = int(log(run_s if run_s > _MIN_S else _MIN_S) * _CLASSES_PER_E + _OFFSET)
        classes = self._classes
        classes[place] = classes.get(place, 0) + 1
        if run_s > self.max_s:
            self.max_s = run_s
        if run_s < self.min_s or not self.number:
            self.min_s = run_s
        self.number += 1
        self.total_s += run_s

    def quantile(self, share: float) -> float | None:
        """Return the run time that a share of the tasks did not exceed.

        Args:
            share: From 0 to 1; 0.5 for the median.

        Returns:
            Seconds, to within 5 %; None without tasks.
        """
        if not self.number:
            return None
        if share >= 1:
            return self.max_s
        left = share * self.number
        for place in sorted(self._classes):
            left -= self._classes[place]
            if left <= 0:
                middle_s = exp((place - _OFFSET + 0.5) / _CLASSES_PER_E)
                return min(max(middle_s, self.min_s), self.max_s)
        return self.max_s

    def number_up_to(self, limit_s: float) -> int:
        """Return how many tasks ran for at most this long (s). Limits are rounded to within 5 %."""
        if limit_s >= self.max_s:
            return self.number
        last = log(max(limit_s, _MIN_S)) * _CLASSES_PER_E + _OFFSET - 0.5
        return sum(number for place, number in self._classes.items() if place <= last)

    @property
    def mean_s(self) -> float | None:
        """The mean run time (s); None without tasks."""
        return self.total_s / self.number if self.number else None


class Tally:
    """Counts what happens from record to record. Owned by one thread.

    Attributes:
        running: The numbers of the tasks that are known to run. Tasks of less than a second never are.
        run_times: The run times by the number of the app.
        last_s: The latest moment in the log (seconds since the epoch); 0 if there is none yet.
    """

    def __init__(self) -> None:
        self.running: set[int] = set()
        self.run_times: dict[int, RunTimes] = {}
        self.last_s = 0.0
        #: By second: how many tasks ended in it, and for how many seconds they had run unreported.
        self._seconds: dict[int, list[float]] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.run_times)} apps, {len(self.running)} tasks run>"

    def take(self, record: records.Record) -> None:
        """Take in the next record."""
        if isinstance(record, records.Tasks):
            self._take_rows(record.rows)
        elif isinstance(record, records.TasksStarted):
            self.running.update(row.task for row in record.rows)
        else:
            moment_s = getattr(record, "time_s", 0.0)
            if moment_s > self.last_s:
                self.last_s = moment_s

    def _take_rows(self, rows: list[records.TaskRow]) -> None:
        running, run_times, last_s = self.running, self.run_times, self.last_s
        for row in rows:
            returned_s = row.returned_s
            if row.state == _RUNNING:
                running.add(row.id)
                continue
            if running:
                running.discard(row.id)
            if returned_s is None or row.state not in _FINAL:
                continue
            if returned_s > last_s:
                last_s = returned_s
            run_s = row.run_s
            self._count(int(returned_s), run_s)
            if run_s >= 0:
                times = run_times.get(row.app)
                if times is None:
                    times = run_times[row.app] = RunTimes()
                times.add(run_s)
        self.last_s = last_s

    def _count(self, moment: int, run_s: float) -> None:
        """Count a task that has ended in a second."""
        second = self._seconds.get(moment)
        if second is None:
            second = self._seconds[moment] = [0, 0.0]
            if len(self._seconds) > 2 * MEMORY_S:
                self._forget()
        second[0] += 1
        second[1] += min(max(run_s, 0.0), _UNREPORTED_S)

    def _forget(self) -> None:
        """Keep the latest seconds."""
        keep = sorted(self._seconds)[-MEMORY_S:]
        self._seconds = {second: self._seconds[second] for second in keep}

    def rate(self, now_s: float, began_s: float) -> float:
        """Return how many tasks per second ended lately.

        Args:
            now_s: The present moment (seconds since the epoch).
            began_s: When the run began.
        """
        return self._recent(now_s, began_s)[0]

    def busy_workers(self, now_s: float, began_s: float) -> float:
        """Return about how many workers are busy, with short tasks or long ones.

        Args:
            now_s: The present moment (seconds since the epoch).
            began_s: When the run began.
        """
        return len(self.running) + self._recent(now_s, began_s)[1]

    def _recent(self, now_s: float, began_s: float) -> tuple[float, float]:
        last = int(now_s) - _INCOMPLETE_S
        ended = work_s = 0.0
        length_s = 1.0
        for period_s in _PERIODS_S:
            first = max(last - period_s, int(began_s))
            found = [self._seconds[second] for second in range(first, last) if second in self._seconds]
            ended, work_s = sum(count for count, _ in found), sum(work for _, work in found)
            length_s = max(last - max(first, began_s), 0.0)
            if ended >= _ENOUGH or first <= began_s:
                break
        if length_s < 1.0:  # the run has only just begun
            values = self._seconds.values()
            ended, work_s = sum(count for count, _ in values), sum(work for _, work in values)
            length_s = max(now_s - began_s, 0.1)
        return ended / length_s, work_s / length_s
