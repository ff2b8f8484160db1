"""The interchange's loop: tasks from the driver to managers, results back.

It forwards payloads and never opens them. All it keeps is soft state: the driver has what must run, the
managers have what is running. It ends when the driver's end of its socket pair is closed, by whatever cause.
"""

from __future__ import annotations

import logging
import os
import select
import time
from collections.abc import Mapping
from typing import Any

from parsl.common import descriptors
from parsl.executors.high_throughput.interchange.admission import refusal
from parsl.executors.high_throughput.interchange.cleanup_commands import CleanupRunner
from parsl.executors.high_throughput.interchange.driver_link import DriverLink
from parsl.executors.high_throughput.interchange.heartbeats import HeartbeatSchedule
from parsl.executors.high_throughput.interchange.manager_links import LocalLinks, RemoteLinks, Unreachable
from parsl.executors.high_throughput.interchange.manager_record import ManagerRecord, Recount
from parsl.executors.high_throughput.interchange.node_health import NodeHealth
from parsl.executors.high_throughput.interchange.questions import Questions
from parsl.executors.high_throughput.interchange.receipts import Receipts
from parsl.executors.high_throughput.interchange.restoration import Restoration
from parsl.executors.high_throughput.interchange.result_frames import divided, frames_of
from parsl.executors.high_throughput.interchange.state import InterchangeState
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.message_stream import MessageStream
from parsl.executors.high_throughput.wire.protocol import (
    DecodeError,
    Failure,
    Task,
    decode_from_driver,
    decode_from_manager,
    encode,
)
from parsl.executors.high_throughput.wire.settings import InterchangeSettings
from parsl.executors.high_throughput.wire.spool import (
    DRIVER_END_TIMEOUT_S,
    remove_directory,
    remove_if_orphaned,
)

logger = logging.getLogger("parsl.htex.interchange")

#: How long a manager whose connection was closed has to come back, in seconds.
RECONNECT_GRACE_S = 3.0
#: When the loop is so late for its look at the managers, in seconds, what they said may lie unread.
STALL_S = 1.0
#: The driver hears of changes in what managers do at most this often, in seconds, and per 1,000 managers.
ACTIVITY_PERIOD_S = 0.5

#: A manager that is lost with less time left, in seconds, was lost to the end of its job.
JOB_END_MARGIN_S = 15.0
_NOT_KNOWN: Mapping[int, float] = {}


class Interchange:
    """Owns the loop, the driver's stream, the managers' socket. Single-threaded.

    Args:
        settings: what it is to be like.
        state: what decides which manager gets which task.
        driver: the connection to the driver.
        received: messages that came from there already.
    """

    def __init__(
        self,
        settings: InterchangeSettings,
        state: InterchangeState,
        driver: MessageStream,
        received: list[list[Any]],
    ) -> None:
        self._settings = settings
        self._state = state
        self._functions: dict[bytes, bytes] = {}
        self._frames: dict[int, list[Any]] = {}
        self._cleanup = CleanupRunner()
        self._receipts = Receipts()
        #: More would have no descriptor for their connection.
        self._most_managers = descriptors.room_for(descriptors.limits()[0])
        #: Managers that were lost: their tasks were failed, and they must not come back with them.
        self._given_up: set[bytes] = set()
        self._stopping = False
        #: The driver has said so, and needs nothing any more; else it is gone.
        self._is_told_to_stop = False
        self._heartbeats = HeartbeatSchedule(settings.heartbeat_period_s, time.monotonic())
        self._next_check = 0.0
        self._next_activity = 0.0
        self._has_news = False
        self._told_without_time = 0
        self._epoll = select.epoll()
        self._driver = DriverLink(driver, self._epoll)
        self._questions = Questions(state, self._driver.say, self._tell)
        self._nodes = NodeHealth(state, self._driver.say, settings.nodes, time.monotonic())
        self._local = LocalLinks(settings.local_fd, self._epoll) if settings.local_fd >= 0 else None
        self._remote: RemoteLinks | None = None
        if settings.listener_fd >= 0:
            self._epoll.register(settings.listener_fd, select.EPOLLIN)
        self._missing_after = time.monotonic() + settings.heartbeat_threshold_s
        if settings.is_replacement:
            state.restoration = Restoration(settings.expected)
        for frames in received:
            self._from_driver(frames)

    def __repr__(self) -> str:
        return f"<Interchange {self._settings.endpoint} {self._state!r}>"

    def run(self) -> None:
        """Serve until the driver is gone or says stop."""
        self._await_offers()
        self._driver.say(protocol.Ready(os.getpid()))
        driver_fd = self._driver.fileno()
        listener_fd = self._settings.listener_fd
        while not self._stopping:
            self._check_clocks()
            if self._receipts.unannounced:
                self._flush_driver()
            self._dispatch()
            self._flush_driver()  # last: nothing that was queued here waits for the next event
            pending = self._remote is not None and self._remote.has_input()
            for fd, _ in self._epoll.poll(0 if pending else self._timeout_s()):
                if fd == driver_fd:
                    self._serve_driver()
                elif self._local is not None and self._local.owns(fd):
                    self._local.serve(fd, self._take_local, self._lose_local)
                elif fd == listener_fd and self._remote is None:
                    self._open_remote()
            if self._remote is not None and (closed := self._remote.serve(self._take_remote)):
                self._heartbeats.doubt(closed, time.monotonic())
        if not self._is_told_to_stop:
            self._cleanup.begin()
        self._stop_managers()
        self._cleanup.finish()

    def _await_offers(self) -> None:
        """In another's place: hear first of all that has not ended, to check what managers claim."""
        poll = select.poll()
        poll.register(self._driver, select.POLLIN)
        while (waiting := self._state.restoration) and not (waiting.is_complete or self._stopping):
            poll.poll()
            self._serve_driver()

    def _open_remote(self) -> None:
        """Somebody connects over TCP for the first time: from now on ZeroMQ owns that socket."""
        self._epoll.unregister(self._settings.listener_fd)
        self._remote = RemoteLinks(self._settings, self._epoll)

    # Clocks

    def _timeout_s(self) -> float:
        moment = min(self._heartbeats.due_s, self._next_check, self._receipts.due_s)
        if self._has_news and self._state.restoration is None:
            moment = min(moment, self._next_activity)
        return max(0.0, moment - time.monotonic() + 0.001)

    def _check_clocks(self) -> None:
        now = time.monotonic()
        if now >= self._heartbeats.due_s:
            beat = encode(protocol.Heartbeat())
            for name in self._heartbeats.take(self._state.managers, now):
                if name in self._state.managers:
                    self._tell(name, [beat])  # which also tells whether its connection is closed
        if self._has_news and now >= self._next_activity and self._state.restoration is None:
            self._tell_activity(now)
        if now >= self._receipts.due_s:
            for name, serial in self._receipts.take_due():
                self._tell(name, [encode(protocol.Acknowledged(serial))])
        if now >= self._next_check:
            threshold = self._settings.heartbeat_threshold_s
            if self._next_check and now - self._next_check > STALL_S:
                logger.warning("this process stood still for %.1f s", now - self._next_check)
                self._state.extend_deadlines(now - self._next_check)
            for name, reason in self._state.silent(now, threshold, RECONNECT_GRACE_S):
                self._lose(name, reason)
            if self._state.restoration is not None and now >= self._missing_after:
                self._give_up_missing(None, "it did not come back after the interchange was lost")
            self._questions.look(now)
            self._nodes.look(now)
            if self._state.count_without_time(now) != self._told_without_time:
                self._has_news = True  # time has passed, or a manager has gone
            unreachable = self._state.unreachable()
            for name in unreachable:
                self._tell(name, [encode(protocol.ReportHeldTasks(0))])  # it answers if it is back
            waiting = unreachable or self._questions.wait_for_managers or self._state.restoration
            self._next_check = now + (0.5 if waiting else min(threshold / 4, 5.0))

    def _tell_activity(self, now: float) -> None:
        self._has_news = False
        self._told_without_time = self._state.count_without_time(now)
        self._next_activity = now + ACTIVITY_PERIOD_S * (1 + len(self._state.managers) / 1000)
        infos = self._state.infos(now)
        self._driver.say(protocol.Answer(0, infos, without_time=self._told_without_time))

    # The driver

    def _serve_driver(self) -> None:
        try:
            messages = self._driver.receive()
        except (EOFError, OSError):
            logger.info("the driver is gone")
            self._stopping = True
            return
        for frames in messages:
            self._from_driver(frames)

    def _from_driver(self, frames: list[Any]) -> None:
        message = decode_from_driver(frames[0])
        if isinstance(message, protocol.Tasks):
            self._functions.update(message.functions)
            self._keep_frames(message.tasks, frames)
            self._state.add_tasks(message.tasks)
            self._has_news = self._has_news or self._state.has_timed_tasks
        elif isinstance(message, protocol.Cancel):
            for task_id in message.ids:
                self._cancel(task_id)
        elif isinstance(message, protocol.Query):
            self._questions.ask(message, time.monotonic())
        elif isinstance(message, protocol.BlockEnded):
            for name in self._state.of_block(message.block):
                self._lose(name, f"the job of its block {message.block} has ended")
            self._give_up_missing(message.block, f"the job of its block {message.block} has ended")
        elif isinstance(message, protocol.Restored):
            if self._state.restoration is not None:
                self._state.restoration.complete()
                self._end_restoration()
        elif isinstance(message, protocol.HoldBlock):
            self._state.hold_block(message.block, message.is_held)
        elif isinstance(message, protocol.CleanupCommands):
            self._cleanup.take(message.commands, message.is_addition)
        elif isinstance(message, protocol.Stop):
            logger.info("told to stop: %s", message.reason)
            self._stopping = self._is_told_to_stop = True

    def _keep_frames(self, tasks: list[Task], frames: list[Any]) -> None:
        at = 1
        for task in tasks:
            if task.sizes:
                self._frames[task.id] = frames[at : at + len(task.sizes)]
                at += len(task.sizes)

    def _cancel(self, task_id: int) -> None:
        holder = self._state.cancel(task_id)
        if holder is None:
            self._frames.pop(task_id, None)
        else:
            self._tell(holder, [encode(protocol.Cancel([task_id]))])

    def _flush_driver(self) -> None:
        self._receipts.sealed(self._driver.seal())
        try:
            self._driver.flush()
        except OSError:
            self._stopping = True
            return
        for name in self._receipts.written(self._driver.written, time.monotonic()):
            self._state.announced(name)

    # Taking a lost interchange's place

    def _end_restoration(self) -> None:
        if not self._state.end_restoration():
            return
        logger.info("all that was known is known again: %r", self._state)
        self._questions.ask_postponed(time.monotonic())

    def _give_up_missing(self, block: str | None, reason: str) -> None:
        for name, of in self._state.give_up_missing(block):
            logger.warning("manager %s is gone: %s", name, reason)
            self._given_up.add(name)
            self._driver.say(protocol.ManagerGone(name.decode(), of, reason))
        self._end_restoration()

    # Managers

    def _take_remote(self, name: bytes, frames: list[Any]) -> None:
        message = self._decoded(name, frames[0])
        if isinstance(message, protocol.Register) and message.manager.encode() != name:
            logger.warning("a manager that calls itself %r and %r was not let in", message.manager, name)
        elif message is not None:
            self._from_manager(name, message, frames[1:])

    def _take_local(self, name: bytes | None, fd: int, frames: list[Any]) -> None:
        message = self._decoded(name or b"a new connection", frames[0])
        if isinstance(message, protocol.Register):
            name = message.manager.encode()
            assert self._local is not None
            self._local.name(fd, name)
        if name is not None and message is not None:
            self._from_manager(name, message, frames[1:])

    @staticmethod
    def _decoded(name: bytes, head: Any) -> Any:
        try:
            return decode_from_manager(head)
        except DecodeError as error:
            logger.warning("an unreadable message from %r was dropped: %s", name, error)
            return None

    def _lose_local(self, name: bytes) -> None:
        if name in self._state.managers:
            self._lose(name, "its process has ended")

    def _from_manager(self, name: bytes, message: Any, frames: list[Any]) -> None:
        now = time.monotonic()
        if isinstance(message, protocol.Register):
            self._register(name, message, now)
            return
        record = self._state.heard(name, now)
        if record is None:
            answer = (
                protocol.Reregister()
                if self._settings.is_replacement and name not in self._given_up
                else protocol.Refused("this manager was given up before; its tasks are lost")
            )
            self._tell(name, [encode(answer)])
            return
        if isinstance(message, protocol.Interrupted) and self._remote is not None:
            self._remote.forget_connection(name)
        if record.recount is Recount.WANTED or isinstance(message, protocol.Interrupted):
            self._tell(name, [encode(protocol.ReportHeldTasks(record.ask()))])
        if isinstance(message, protocol.Results):
            self._take_results(name, record, message, frames, now)
        elif isinstance(message, protocol.Draining):
            self._state.drain(name)
            self._tell(name, [encode(protocol.Draining())])
        elif isinstance(message, protocol.HeldTasks) and record.is_awaited(message.number):
            lost = self._state.recounted(name, message.ids)
            self._fail(record, lost, "has not got the task, or its result was lost: the connection broke")
        elif isinstance(message, protocol.Packages):
            self._questions.answered(name, message, now)
        elif isinstance(message, protocol.Goodbye):
            self._lose(name, message.reason, is_job_end=message.is_job_end, ran_s=message.ran_s)

    def _take_results(
        self, name: bytes, record: ManagerRecord, message: protocol.Results, frames: list[Any], now: float
    ) -> None:
        parts = divided(message.results, frames)
        if parts is None:
            self._tell(name, [encode(protocol.Refused("its results do not match their frames"))])
            self._lose(name, "it sent results that do not match their frames")
            return
        kept = self._state.results(name, message, now)
        self._nodes.results(record, kept, now)
        self._has_news = True
        self._receipts.arrived(name, record, is_large=bool(frames))
        if len(kept) < len(message.results) and frames:
            frames = frames_of(kept, message.results, parts)
        self._driver.bring(kept, frames)

    def _register(self, name: bytes, message: protocol.Register, now: float) -> None:
        others = len(self._state.managers) - (name in self._state.managers)
        refused = refusal(message, self._settings, others, self._most_managers)
        if refused is not None:
            logger.error("manager %s on %s refused: %s", message.manager, message.host, refused.reason)
            self._tell(name, [encode(protocol.Refused(refused.reason))])
            if refused.news is not None:
                self._driver.say(refused.news)
            return
        record, strange = self._state.register(name, message, now)
        self._receipts.announce(record)
        self._nodes.registered(record)
        for task_id in record.held:
            self._frames.pop(task_id, None)
        logger.info(
            "manager %s on %s joined: block %s, %d workers",
            name,
            message.host,
            message.block,
            message.workers,
        )
        self._tell(name, [encode(protocol.Welcome(self._settings.heartbeat_period_s))])
        if strange:
            self._tell(name, [encode(protocol.Cancel(strange))])
        if record.recount is Recount.WANTED:
            self._tell(name, [encode(protocol.ReportHeldTasks(record.ask()))])
        self._driver.say(protocol.ManagerJoined(record.info(now)))
        self._has_news = self._has_news or self._state.has_timed_tasks
        self._end_restoration()

    def _lose(
        self, name: bytes, reason: str, *, is_job_end: bool = False, ran_s: Mapping[int, float] = _NOT_KNOWN
    ) -> None:
        """A manager is gone, and with it what it held.

        Args:
            name: which.
            reason: why.
            is_job_end: whether it has said that its job is being ended.
            ran_s: how long its tasks had been running, in seconds, where it has said so.
        """
        record = self._state.remove(name)
        if self._remote is not None:
            self._remote.forget_connection(name)
        self._given_up.add(name)
        self._receipts.forget(name)
        level = logging.WARNING if record.held else logging.INFO
        logger.log(
            level, "manager %s on %s is gone: %s (%d tasks)", name, record.host, reason, len(record.held)
        )
        # Schedulers say when they begin to end a job; some of them then do so without a word.
        is_job_end = is_job_end or record.left_s(time.monotonic()) < JOB_END_MARGIN_S
        what = f"was lost with the task: {reason}"
        begun = {task_id for task_id in record.held if task_id in ran_s}
        for task_id in sorted(begun):
            self._fail(
                record, [task_id], what, is_manager_gone=True, is_job_end=is_job_end, ran_s=ran_s[task_id]
            )
        self._fail(record, sorted(record.held - begun), what, is_manager_gone=True, is_job_end=is_job_end)
        self._questions.forget(name)
        self._driver.say(protocol.ManagerGone(record.name, record.block, reason))

    def _fail(self, record: ManagerRecord, ids: list[int], what: str, **details: Any) -> None:
        """Fail tasks that a manager held; `what` says what it did."""
        failure = Failure(
            kind=protocol.MANAGER_LOST,
            message=f"Manager {record.name} on host {record.host}, block {record.block}, {what}.",
            host=record.host,
            block=record.block,
            manager=record.name,
            **details,
        )
        for task_id in ids:
            self._driver.bring([protocol.failed(task_id, failure)])

    def _dispatch(self) -> None:
        for name, tasks in self._state.match(time.monotonic()):
            self._has_news = True
            record = self._state.managers[name]
            known = record.functions
            wanted = {task.function for task in tasks if task.function} - known
            known |= wanted
            functions = {
                function: self._functions[function] for function in wanted if function in self._functions
            }
            frames = [frame for task in tasks if task.sizes for frame in self._frames.pop(task.id)]
            self._receipts.given(name)
            self._tell(name, [encode(protocol.Tasks(tasks, functions, record.written)), *frames])

    def _tell(self, name: bytes, parts: list[Any]) -> None:
        if self._local is not None and self._local.has(name):
            self._local.send(name, parts)
            return
        try:
            if self._remote is None:
                raise Unreachable("it never connected")
            self._remote.send(name, parts)
        except Unreachable as error:
            if self._state.lose_contact(name, time.monotonic()):
                host = self._state.managers[name].host
                logger.warning("manager %s on %s cannot be reached: %s", name, host, error)
                self._next_check = 0.0

    def _stop_managers(self) -> None:
        message = encode(protocol.Stop("the driver has ended"))
        for name in list(self._state.managers):
            self._tell(name, [message])
        for links in (self._local, self._remote):
            if links is not None:
                links.close()
        if self._is_told_to_stop:
            remove_directory(self._settings.spool)
        else:
            remove_if_orphaned(self._settings.spool, DRIVER_END_TIMEOUT_S)
        remove_directory(self._settings.socket_directory)
