"""A run in the Trace Event Format, which Perfetto (https://ui.perfetto.dev) and Chrome show.

A process is a node of an executor, a thread is a worker, a slice is an attempt. Arrows lead from tasks to
those that depend on them. Counters show how many tasks wait and run. Moments are nanoseconds since the run
began; the format has microseconds.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any

from parsl.eventlog.attempts import Attempt, Attempts
from parsl.eventlog.records import BlockChanged, Record, RunBegan, Tasks

Event = dict[str, Any]
_NS_PER_S = 1e9
_NS_PER_US = 1000
#: Counters have at most this many moments.
_MAX_MOMENTS = 10_000
#: How many tasks without a known worker are shown at the same time, for each node.
_MAX_LANES = 256
#: Perfetto's process 0 is the system's idle process.
_RUN_PID = 1
_LATE = "terrible"
_ended_s = attrgetter("ended_s")


class Track:
    """A row of slices, which do not overlap: a worker, or a place for tasks whose worker is not known."""

    __slots__ = ("free_ns", "number", "pid", "reserved_ns", "tid")

    def __init__(self, pid: int, tid: int, number: int) -> None:
        self.pid = pid
        self.tid = tid
        #: Its place among all tracks.
        self.number = number
        #: Where the last slice ends, and where the last task ends that was assigned.
        self.free_ns = self.reserved_ns = 0


class Tracks:
    """The tracks of all workers, and the events that name them."""

    def __init__(self) -> None:
        self.in_order: list[Track] = []
        self._pids: dict[tuple[str, str], int] = {}
        self._workers: dict[tuple[int, str, int], Track] = {}
        self._lanes: defaultdict[int, list[Track]] = defaultdict(list)

    def new(self, pid: int) -> Track:
        """Return another track of a process."""
        number = len(self.in_order)
        track = Track(pid, number + 1, number)
        self.in_order.append(track)
        return track

    def of(self, attempt: Attempt, begin_ns: int, end_ns: int) -> tuple[Track | None, list[Event]]:
        """Return the track of an attempt, and the events that name it if it is new.

        There is no track for tasks whose worker is not known if too many of them overlap.
        """
        pid, news = self._process(attempt.executor, attempt.host or "the driver's host")
        if attempt.worker < 0:
            lane = next((lane for lane in self._lanes[pid] if lane.reserved_ns <= begin_ns), None)
            if lane is None and len(self._lanes[pid]) == _MAX_LANES:
                return None, news
            if lane is None:
                lane = self.new(pid)
                self._lanes[pid].append(lane)
                news.append(
                    _named("thread_name", pid, lane.tid, f"at the same time: {len(self._lanes[pid])}")
                )
            lane.reserved_ns = max(lane.reserved_ns, end_ns)
            return lane, news
        key = (pid, attempt.manager, attempt.worker)
        track = self._workers.get(key)
        if track is None:
            track = self._workers[key] = self.new(pid)
            name = f"worker {attempt.worker}" + (f" of {attempt.manager}" if attempt.manager else "")
            news.append(_named("thread_name", pid, track.tid, name))
        return track, news

    def _process(self, executor: str, host: str) -> tuple[int, list[Event]]:
        pid = self._pids.get((executor, host))
        if pid is not None:
            return pid, []
        pid = self._pids[executor, host] = _RUN_PID + 1 + len(self._pids)
        return pid, [_named("process_name", pid, 0, f"{executor} on {host}")]


class Counter:
    """How many tasks wait and run, moment by moment."""

    def __init__(self) -> None:
        self._width_ns = int(_NS_PER_S)
        self._changes: dict[int, list[int]] = {}

    def add(self, begin_ns: int, end_ns: int, which: int) -> None:
        """Count a task from one moment to another."""
        first, last = begin_ns // self._width_ns, end_ns // self._width_ns
        if first == last:
            return
        for place, change in ((first, 1), (last, -1)):
            changes = self._changes.get(place)
            if changes is None:
                changes = self._changes[place] = [0, 0]
            changes[which] += change
        if len(self._changes) > _MAX_MOMENTS:
            self._widen()

    def _widen(self) -> None:
        self._width_ns *= 2
        before, self._changes = self._changes, {}
        for place, changes in before.items():
            wider = self._changes.setdefault(place // 2, [0, 0])
            wider[0] += changes[0]
            wider[1] += changes[1]

    def events(self) -> Iterator[Event]:
        """Yield the events of the counter."""
        waiting = running = 0
        for place in sorted(self._changes):
            waiting += self._changes[place][0]
            running += self._changes[place][1]
            counts = {"waiting": waiting, "running": running}
            moment_us = place * self._width_ns / _NS_PER_US
            yield {"ph": "C", "name": "tasks", "pid": _RUN_PID, "ts": moment_us, "args": counts}


class TraceEvents:
    """Turns records into events. Owned by one thread. It keeps 12 bytes of each task, for the arrows.

    Args:
        with_flows: Whether dependencies have arrows.
    """

    def __init__(self, *, with_flows: bool = True) -> None:
        self._attempts = Attempts()
        self._with_flows = with_flows
        self._began_s = 0.0
        self._counter = Counter()
        self._tracks = Tracks()
        self._track_of = array("I")
        self._flow_ns = array("q")
        self._flows = 0
        self._blocks: dict[tuple[int, str], tuple[Track, BlockChanged]] = {}

    def take(self, record: Record) -> Iterator[Event]:
        """Take in the next record; yield its events."""
        if isinstance(record, RunBegan):
            self._began_s = record.began_s
            yield _named("process_name", _RUN_PID, 0, f"run of {record.workflow_name}")
        elif isinstance(record, BlockChanged):
            yield from self._change_block(record)
        attempts = self._attempts.take(record)
        if attempts:
            yield from self._slices(attempts, has_counts=isinstance(record, Tasks))

    def finish(self) -> Iterator[Event]:
        """Yield what is known only at the end: what still runs, and the counters."""
        yield from self._slices(self._attempts.running(), has_counts=False)
        last_ns = self._ns(self._attempts.last_s)
        for track, change in self._blocks.values():
            yield from self._block_slice(track, change, last_ns)
        yield from self._counter.events()

    def _ns(self, moment_s: float) -> int:
        since_s = moment_s - self._began_s
        return round(since_s * _NS_PER_S) if since_s > 0 else 0

    def _slices(self, attempts: list[Attempt], *, has_counts: bool) -> Iterator[Event]:
        """Yield the slices of attempts, worker by worker."""
        by_track: dict[Track, list[tuple[Attempt, int, int]]] = {}
        for attempt in sorted(attempts, key=_ended_s):
            begin_ns, end_ns = self._times(attempt, has_counts)
            if attempt.launched_s is None and attempt.started_s is None and not attempt.has_failed:
                continue  # from memoization: it ran nowhere
            track, news = self._tracks.of(attempt, begin_ns, end_ns)
            yield from news
            if track is not None:
                by_track.setdefault(track, []).append((attempt, begin_ns, end_ns))
        dependent: list[tuple[Attempt, Track, int]] = []
        for track, found in by_track.items():
            for attempt, begin_ns, end_ns in apart(found, track):
                yield self._slice(attempt, track, begin_ns, end_ns)
                if self._with_flows:
                    self._remember(attempt.task, track, max(begin_ns, end_ns - 1))
                    if attempt.depends:
                        dependent.append((attempt, track, begin_ns))
        for attempt, track, begin_ns in dependent:
            yield from self._flow(attempt, track, begin_ns)

    def _times(self, attempt: Attempt, has_counts: bool) -> tuple[int, int]:
        """Return when the slice of an attempt begins and ends; count how long it waited and ran."""
        end_ns = self._ns(attempt.ended_s)
        start_ns = None if attempt.started_s is None else self._ns(attempt.started_s)
        launch_ns = None if attempt.launched_s is None else self._ns(attempt.launched_s)
        if has_counts:
            if launch_ns is not None:
                self._counter.add(launch_ns, end_ns if start_ns is None else start_ns, 0)
            if start_ns is not None:
                self._counter.add(start_ns, end_ns, 1)
        begin_ns = launch_ns if start_ns is None else start_ns
        return end_ns if begin_ns is None else begin_ns, end_ns

    def _slice(self, attempt: Attempt, track: Track, begin_ns: int, end_ns: int) -> Event:
        event = {
            "ph": "X", "name": attempt.app, "cat": "task", "pid": track.pid, "tid": track.tid,
            "ts": begin_ns / _NS_PER_US, "dur": (end_ns - begin_ns) / _NS_PER_US, "args": _arguments(attempt),
        }  # fmt: skip
        if attempt.has_failed:
            event["cname"] = _LATE
        return event

    def _flow(self, attempt: Attempt, track: Track, begin_ns: int) -> Iterator[Event]:
        """Yield the arrows to an attempt."""
        for task in attempt.depends:
            if not 0 <= task < len(self._flow_ns) or self._flow_ns[task] < 0:
                continue
            self._flows += 1
            origin = self._tracks.in_order[self._track_of[task]]
            common = {"name": "dependency", "cat": "dependency", "id": self._flows}
            from_us, to_us = self._flow_ns[task] / _NS_PER_US, begin_ns / _NS_PER_US
            yield {"ph": "s", **common, "pid": origin.pid, "tid": origin.tid, "ts": from_us}
            yield {"ph": "f", "bp": "e", **common, "pid": track.pid, "tid": track.tid, "ts": to_us}

    def _remember(self, task: int, track: Track, moment_ns: int) -> None:
        """Remember where the arrows from a task begin."""
        missing = task + 1 - len(self._flow_ns)
        if missing > 0:
            more = missing + len(self._flow_ns) // 4
            self._flow_ns.extend(array("q", [-1]) * more)
            self._track_of.frombytes(bytes(self._track_of.itemsize * more))
        self._flow_ns[task] = moment_ns
        self._track_of[task] = track.number

    def _change_block(self, change: BlockChanged) -> Iterator[Event]:
        key = (change.executor, change.block)
        known = self._blocks.get(key)
        if known is None:
            track = self._tracks.new(_RUN_PID)
            name = f"block {change.block} of {self._attempts.executor_name(change.executor)}"
            yield _named("thread_name", _RUN_PID, track.tid, name)
        else:
            track = known[0]
            yield from self._block_slice(track, known[1], self._ns(change.time_s))
        self._blocks[key] = (track, change)

    def _block_slice(self, track: Track, change: BlockChanged, end_ns: int) -> Iterator[Event]:
        begin_ns = self._ns(change.time_s)
        arguments = {"job": change.job, "reason": change.reason}
        yield {
            "ph": "X", "name": change.state, "cat": "block", "pid": track.pid, "tid": track.tid,
            "ts": begin_ns / _NS_PER_US, "dur": max(0, end_ns - begin_ns) / _NS_PER_US, "args": arguments,
        }  # fmt: skip


def apart(found: list[tuple[Attempt, int, int]], track: Track) -> list[tuple[Attempt, int, int]]:
    """Move the slices of one worker apart.

    The driver knows how long attempts took, and when it received their results. Results that arrive together
    would overlap, although one worker has computed them one after the other.

    Args:
        found: Attempts with begin and end (ns), in the order of their ends.
        track: Where they go; its last slices have been written already.
    """
    moved = []
    limit_ns = found[-1][2]
    for attempt, begin_ns, end_ns in reversed(found):
        length_ns = end_ns - begin_ns
        if end_ns > limit_ns:
            end_ns = limit_ns
        limit_ns = begin_ns = end_ns - length_ns
        moved.append((attempt, begin_ns, end_ns))
    result = []
    free_ns = track.free_ns
    for attempt, begin_ns, end_ns in reversed(moved):
        begin_ns = max(begin_ns, free_ns)
        free_ns = max(end_ns, begin_ns)
        result.append((attempt, begin_ns, free_ns))
    track.free_ns = free_ns
    return result


def _arguments(attempt: Attempt) -> Event:
    arguments: Event = {"task": attempt.task, "attempt": attempt.number + 1, "state": attempt.state}
    if attempt.cpu_s >= 0:
        arguments["cpu_s"] = round(attempt.cpu_s, 6)
    if attempt.peak_memory > 0:
        arguments["peak_memory_bytes"] = attempt.peak_memory
    if attempt.launched_s is not None and attempt.started_s is not None:
        arguments["waited_s"] = round(max(0.0, attempt.started_s - attempt.launched_s), 6)
    if attempt.depends:
        arguments["depends"] = list(attempt.depends[:100])
    if attempt.error:
        arguments["error"] = f"{attempt.error}: {attempt.message}"
    return arguments


def _named(kind: str, pid: int, tid: int, name: str) -> Event:
    return {"ph": "M", "name": kind, "pid": pid, "tid": tid, "args": {"name": name}}


def trace_events(given: Iterable[Record], *, with_flows: bool = True) -> Iterator[Event]:
    """Yield the events of a run.

    Args:
        given: The records of its event log.
        with_flows: Whether dependencies have arrows.
    """
    trace = TraceEvents(with_flows=with_flows)
    for record in given:
        yield from trace.take(record)
    yield from trace.finish()
