"""The interchange's loop: tasks from the driver to managers, results back.

The interchange passes payloads on and never opens them. All its state is soft: the driver knows what must
run, the managers know what is running. The interchange ends when the driver closes its socket or is lost.
"""

from __future__ import annotations

import logging
import os
import select
import time
from collections.abc import Iterable, Mapping
from typing import Any

from parsl.common import descriptors
from parsl.common.system.polling import READABLE, make_poller
from parsl.executors.high_throughput.interchange import driver_link
from parsl.executors.high_throughput.interchange.cleanup_commands import CleanupRunner
from parsl.executors.high_throughput.interchange.links import Link, LocalLinks, Unreachable
from parsl.executors.high_throughput.interchange.manager import (
    JOB_END_MARGIN_S,
    HeartbeatSchedule,
    Manager,
    Recount,
    check_registration,
)
from parsl.executors.high_throughput.interchange.node_health import NodeHealth
from parsl.executors.high_throughput.interchange.remote_links import RemoteLinks
from parsl.executors.high_throughput.interchange.reports import Reports
from parsl.executors.high_throughput.interchange.state import InterchangeState
from parsl.executors.high_throughput.wire import protocol, spool
from parsl.executors.high_throughput.wire.message_stream import MessageStream
from parsl.executors.high_throughput.wire.protocol import decode_from_driver, decode_from_manager, encode
from parsl.executors.high_throughput.wire.settings import InterchangeSettings

logger = logging.getLogger("parsl.htex.interchange")

#: How long a manager whose connection was closed may take to come back (seconds).
RECONNECT_GRACE_S = 3.0
#: When the loop checks the managers later than planned by this time (seconds), their messages may lie unread.
STALL_S = 1.0
#: How often managers are checked (seconds) at least, and while something waits for a manager.
CHECK_PERIOD_S = 5.0
WAITING_CHECK_PERIOD_S = 0.5

_UNKNOWN: Mapping[int, float] = {}


class Interchange:
    """Owns the loop, the driver's stream and the connections to managers. Single-threaded."""

    def __init__(self, settings: InterchangeSettings, state: InterchangeState, driver: MessageStream) -> None:
        now = time.monotonic()
        self._settings = settings
        self._state = state
        self._poller = make_poller()
        self._driver = driver_link.DriverLink(driver, self._poller)
        self._local = LocalLinks(settings.local_fd, self._poller) if settings.local_fd >= 0 else None
        self._remote: RemoteLinks | None = None
        if settings.listener_fd >= 0:
            self._poller.register(settings.listener_fd, READABLE)
        self._payloads = driver_link.TaskPayloads()
        self._cleanup = CleanupRunner()
        self._reports = Reports(state, self._driver)
        self._nodes = NodeHealth(state, self._driver, settings.nodes, now)
        self._heartbeats = HeartbeatSchedule(settings.heartbeat_period_s, now)
        #: The number of managers for whose connections there are descriptors.
        self._max_managers = descriptors.room_for(descriptors.limits()[0])
        self._missing_after_s = now + settings.heartbeat_threshold_s
        self._next_check_s = 0.0
        self._is_stopping = False
        #: Whether the driver has announced its end; without that, a closed socket means that it was lost.
        self._has_stop = False

    def __repr__(self) -> str:
        return f"<Interchange {self._settings.endpoint} {self._state!r}>"

    def run(self, received: Iterable[list[Any]] = ()) -> None:
        """Serve until the driver is gone or sends `Stop`. The received messages come first."""
        for frames in received:
            self._take_from_driver(frames)
        self._await_offers()
        self._driver.send(protocol.Ready(os.getpid()))
        while not self._is_stopping:
            self._check_clocks()
            if self._driver.announced:
                self._flush_driver()
            self._dispatch()
            self._flush_driver()  # last: nothing that was queued here waits for the next event
            self._serve_events()
        if not self._has_stop:
            self._cleanup.begin()
        self._stop_managers()
        if self._has_stop:
            self._await_cancellations()
        self._cleanup.finish()

    def _await_offers(self) -> None:
        """As a replacement, receive all tasks that have not ended first, to check what managers claim."""
        poll = select.poll()
        poll.register(self._driver, select.POLLIN)
        while (waiting := self._state.restoration) and not (waiting.is_complete or self._is_stopping):
            poll.poll()
            self._serve_driver()

    def _await_cancellations(self) -> None:
        """Wait until the driver has cancelled its jobs, or is lost before: then commands are left to run."""
        poll = select.poll()
        poll.register(self._driver, select.POLLIN)
        while self._cleanup.commands:
            poll.poll()
            try:
                messages = self._driver.receive()
            except (EOFError, OSError):
                return
            for frames in messages:
                message = decode_from_driver(frames[0])
                if isinstance(message, protocol.CleanupCommands):
                    self._cleanup.take(message.commands, message.is_addition)

    def _serve_events(self) -> None:
        has_input = self._remote is not None and self._remote.has_input()
        driver_fd = self._driver.fileno()
        for fd, _ in self._poller.poll(0 if has_input else self._timeout_s()):
            if fd == driver_fd:
                self._serve_driver()
            elif self._local is not None and self._local.owns(fd):
                self._serve_local(self._local, fd)
            elif fd == self._settings.listener_fd and self._remote is None:
                # The first connection over TCP: from now on ZeroMQ owns the listening socket.
                self._poller.unregister(fd)
                self._remote = RemoteLinks(self._settings, self._poller)
        if self._remote is not None:
            self._serve_remote(self._remote)

    def _timeout_s(self) -> float:
        due_s = min(self._heartbeats.due_s, self._next_check_s, self._driver.due_s, self._reports.due_s)
        return max(0.0, due_s - time.monotonic() + 0.001)

    def _check_clocks(self) -> None:
        now = time.monotonic()
        if now >= self._heartbeats.due_s:
            for manager in self._heartbeats.take(self._state.managers.values(), now):
                self._send(manager, protocol.Heartbeat())  # also finds out whether the connection is closed
        if now >= self._reports.due_s:
            self._reports.report_activity(now)
        if now >= self._driver.due_s:
            for manager in self._driver.take_unacknowledged():
                self._send(manager, protocol.Acknowledged(manager.written))
        if now >= self._next_check_s:
            self._check_managers(now)

    def _check_managers(self, now: float) -> None:
        threshold_s = self._settings.heartbeat_threshold_s
        if self._next_check_s and now - self._next_check_s > STALL_S:
            logger.warning("this process was not running for %.1f s", now - self._next_check_s)
            self._state.extend_deadlines(now - self._next_check_s)
        for manager, reason in self._state.silent(now, threshold_s, RECONNECT_GRACE_S):
            self._lose(manager, reason)
        if self._state.restoration is not None and now >= self._missing_after_s:
            self._give_up_missing(None, "it did not come back after the interchange was lost")
        self._reports.time_passed(now)
        self._nodes.review(now)
        disconnected = [manager for manager in self._state.managers.values() if not manager.is_connected]
        for manager in disconnected:
            self._send(manager, protocol.ReportHeldTasks(0))  # the manager replies if it is back
        if self._settings.reports_dispatch:  # again: who watches may learn of a task after its dispatch
            for manager in self._state.managers.values():
                if manager.held:
                    self._report_dispatch(manager)
        is_waiting = disconnected or self._reports.surveys or self._state.restoration
        period_s = WAITING_CHECK_PERIOD_S if is_waiting else min(threshold_s / 4, CHECK_PERIOD_S)
        self._next_check_s = now + period_s

    def _flush_driver(self) -> None:
        try:
            announced = self._driver.flush(time.monotonic())
        except OSError:
            self._is_stopping = True
            return
        for manager in announced:
            self._state.announced(manager)

    def _serve_driver(self) -> None:
        try:
            messages = self._driver.receive()
        except (EOFError, OSError):
            logger.info("the driver is gone")
            self._is_stopping = True
            return
        for frames in messages:
            self._take_from_driver(frames)

    def _take_from_driver(self, frames: list[Any]) -> None:
        match decode_from_driver(frames[0]):
            case protocol.Tasks() as message:
                self._payloads.keep(message, frames)
                self._state.add_tasks(message.tasks)
                self._reports.tasks_changed()
            case protocol.Cancel(ids):
                self._cancel(ids)
            case protocol.Query() as query:
                self._request_packages(self._reports.query(query, time.monotonic()))
            case protocol.BlockEnded(block):
                self._end_block(block)
            case protocol.HoldBlock(block, is_held):
                self._state.hold_block(block, is_held)
            case protocol.CleanupCommands(commands, is_addition):
                self._cleanup.take(commands, is_addition)
            case protocol.Restored() if self._state.restoration is not None:
                self._state.restoration.is_complete = True
                self._end_restoration()
            case protocol.Stop(reason):
                logger.info("stopping: %s", reason)
                self._is_stopping = self._has_stop = True

    def _cancel(self, ids: list[int]) -> None:
        for task_id in ids:
            manager = self._state.cancel(task_id)
            if manager is None:
                self._payloads.drop([task_id])
            else:
                self._send(manager, protocol.Cancel([task_id]))

    def _request_packages(self, managers: Iterable[Manager]) -> None:
        for manager in managers:
            self._send(manager, protocol.ReportPackages())

    def _end_block(self, block: str) -> None:
        reason = f"the job of its block {block} has ended"
        for manager in self._state.of_block(block):
            self._lose(manager, reason)
        self._give_up_missing(block, reason)

    def _end_restoration(self) -> None:
        if self._state.end_restoration():
            logger.info("the state of the lost interchange is restored: %r", self._state)
            self._request_packages(self._reports.resume(time.monotonic()))

    def _give_up_missing(self, block: str | None, reason: str) -> None:
        for name, of in self._state.give_up_missing(block):
            logger.warning("manager %s is gone: %s", name, reason)
            self._driver.send(protocol.ManagerGone(name.decode(), of, reason))
        self._end_restoration()

    def _serve_local(self, links: LocalLinks, fd: int) -> None:
        link = links.ready(fd)
        if link is None:
            return
        try:
            messages = link.receive()
        except (EOFError, OSError):
            links.close_link(fd)
            manager = self._state.managers.get(link.identity)
            if manager is not None and manager.link is link:
                self._lose(manager, "its process has ended")
            return
        for frames in messages:
            self._take_from_manager(link, frames)

    def _serve_remote(self, links: RemoteLinks) -> None:
        for link, frames in links.receive():
            self._take_from_manager(link, frames)
        for identity in links.take_closed():
            if (manager := self._state.managers.get(identity)) is not None:
                self._heartbeats.probe(manager, time.monotonic())

    def _take_from_manager(self, link: Link, frames: list[Any]) -> None:
        try:
            message = decode_from_manager(frames[0])
        except protocol.DecodeError as error:
            peer = link.identity or b"a new connection"
            logger.warning("an unreadable message from %r was dropped: %s", peer, error)
            return
        now = time.monotonic()
        if isinstance(message, protocol.Register):
            if link.identify(message.manager.encode()):
                self._register(link, message, now)
            else:
                names = (message.manager, link.identity)
                logger.warning("refused a manager that registers as %r and connects as %r", *names)
        elif (manager := self._state.managers.get(link.identity)) is not None:
            self._on_message(manager, message, frames[1:], now)
        elif link.identity:
            self._reply_to_unknown(link)

    def _on_message(self, manager: Manager, message: Any, frames: list[Any], now: float) -> None:
        manager.heard(now)
        if isinstance(message, protocol.Interrupted):
            manager.interrupted()
        if manager.recount is Recount.NEEDED:
            self._send(manager, protocol.ReportHeldTasks(manager.request_recount()))
        match message:
            case protocol.Results():
                self._take_results(manager, message, frames)
            case protocol.Started(tasks):
                self._driver.report_started(tasks, manager.number)
            case protocol.Measured():
                self._driver.send(message)
            case protocol.Draining():
                manager.draining = True
                self._send(manager, protocol.Draining())
            case protocol.HeldTasks(number, ids) if manager.is_awaited(number):
                lost = self._state.recounted(manager, ids)
                what = "did not receive the task, or its result was lost: the connection broke"
                failure = manager.failure(what)
                self._driver.deliver([protocol.failed(task_id, failure) for task_id in lost])
            case protocol.Packages(versions):
                manager.packages = versions
                self._reports.answer_surveys(now)
            case protocol.Goodbye(reason, is_job_end, ran_s):
                self._lose(manager, reason, is_job_end, ran_s)

    def _reply_to_unknown(self, link: Link) -> None:
        may_return = self._settings.is_replacement and link.identity not in self._state.lost
        refusal = protocol.Refused("this manager was given up before; its tasks are lost")
        self._reply(link, protocol.Reregister() if may_return else refusal)

    def _register(self, link: Link, message: protocol.Register, now: float) -> None:
        others = len(self._state.managers) - (link.identity in self._state.managers)
        refusal = check_registration(message, self._settings, others, self._max_managers)
        if refusal is not None:
            logger.error("refused manager %s on %s: %s", message.manager, message.host, refusal.reason)
            self._reply(link, protocol.Refused(refusal.reason))
            if refusal.report is not None:
                self._driver.send(refusal.report)
            return
        manager, unknown = self._state.register(message, link, now)
        self._nodes.registered(manager)
        self._payloads.drop(manager.held)
        logger.info("%r on %s registered", manager, manager.host)
        self._send(manager, protocol.Welcome(self._settings.heartbeat_period_s, manager.number))
        if unknown:
            self._send(manager, protocol.Cancel(unknown))
        if manager.recount is Recount.NEEDED:
            self._send(manager, protocol.ReportHeldTasks(manager.request_recount()))
        joined = protocol.ManagerJoined(manager.info(now), message.notice, message.pid, message.node)
        self._driver.announce(manager, joined)
        self._reports.tasks_changed()
        self._end_restoration()

    def _take_results(self, manager: Manager, message: protocol.Results, frames: list[Any]) -> None:
        parts = driver_link.split_frames(message.results, frames)
        if parts is None:
            self._send(manager, protocol.Refused("its results do not match their frames"))
            self._lose(manager, "it sent results that do not match their frames")
            return
        now = time.monotonic()
        kept = self._state.finish(manager, message, now)
        self._nodes.finished(manager, kept, now)
        self._reports.changed()
        if len(kept) < len(message.results) and frames:
            frames = driver_link.select_frames(kept, message.results, parts)
        self._driver.deliver(kept, frames, sender=manager)

    def _lose(
        self, manager: Manager, reason: str, is_job_end: bool = False, ran_s: Mapping[int, float] = _UNKNOWN
    ) -> None:
        """Remove a lost manager, and fail its tasks, which had been running for `ran_s` as far as known."""
        self._state.remove(manager)
        level = logging.WARNING if manager.held else logging.INFO
        logger.log(
            level, "manager %s on %s is gone: %s (%d tasks)",
            manager.name, manager.host, reason, len(manager.held),
        )  # fmt: skip
        what = f"was lost with the task: {reason}"
        is_job_end = is_job_end or manager.left_s(time.monotonic()) < JOB_END_MARGIN_S
        details = {"is_manager_gone": True, "is_job_end": is_job_end}
        for task_id in sorted(manager.held, key=lambda each: (each not in ran_s, each)):
            failure = manager.failure(what, ran_s=ran_s.get(task_id), **details)
            self._driver.deliver([protocol.failed(task_id, failure)])
        self._driver.send(protocol.ManagerGone(manager.name, manager.block, reason))

    def _dispatch(self) -> None:
        for manager, tasks in self._state.match(time.monotonic()):
            self._reports.changed()
            self._driver.acknowledged(manager)
            self._send_parts(manager, self._payloads.message(manager, tasks))
            if self._settings.reports_dispatch:
                self._report_dispatch(manager)

    def _report_dispatch(self, manager: Manager) -> None:
        self._driver.send(protocol.Dispatched(manager.number, list(manager.held)))

    def _send(self, manager: Manager, message: Any) -> None:
        self._send_parts(manager, [encode(message)])

    def _send_parts(self, manager: Manager, parts: list[Any]) -> None:
        try:
            manager.link.send(parts)
        except Unreachable as error:
            if manager.lose_contact(time.monotonic()):
                logger.warning("manager %s on %s is unreachable: %s", manager.name, manager.host, error)
                self._next_check_s = 0.0

    def _reply(self, link: Link, message: Any) -> None:
        """Send to a peer that is not registered."""
        try:
            link.send([encode(message)])
        except Unreachable:
            pass  # the peer is gone

    def _stop_managers(self) -> None:
        for manager in list(self._state.managers.values()):
            self._send(manager, protocol.Stop("the driver has ended"))
        for links in (self._local, self._remote):
            if links is not None:
                links.close()
        if self._has_stop:
            spool.remove_directory(self._settings.spool)
        else:
            spool.remove_if_orphaned(self._settings.spool, spool.DRIVER_END_TIMEOUT_S)
        spool.remove_directory(self._settings.socket_directory)
