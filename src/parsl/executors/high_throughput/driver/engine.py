"""The driver's side of the executor: the interchange, the connection to it, and the table of tasks."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from parsl.common.threads import disown_in_children
from parsl.executors.blocks.block_set import BlockListener, BlockSet
from parsl.executors.errors import ThreadLost
from parsl.executors.high_throughput.driver import launch, launch_commands
from parsl.executors.high_throughput.driver.activity import ManagerActivity
from parsl.executors.high_throughput.driver.cleanup_registry import CleanupRegistry
from parsl.executors.high_throughput.driver.connection import Connection, TaskSender
from parsl.executors.high_throughput.driver.endpoints import Endpoints
from parsl.executors.high_throughput.driver.failures import LostTasks
from parsl.executors.high_throughput.driver.launch import EngineSettings
from parsl.executors.high_throughput.driver.manager_warnings import ManagerWarnings
from parsl.executors.high_throughput.driver.notifications import Notifications
from parsl.executors.high_throughput.driver.supervisor import InterchangeSupervisor, open_standard_streams
from parsl.executors.high_throughput.driver.tasks import TaskTable
from parsl.executors.high_throughput.errors import CommandClientBadError, CommandClientTimeoutError
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.settings import SETTINGS_FILE, write_settings
from parsl.providers.base import ExecutionProvider
from parsl.vocabulary.run_observer import RunObserver

#: How long the interchange may take to report which blocks are idle, in seconds.
HOLD_TIMEOUT_S = 5.0


class EngineOwner(Protocol):
    """What the engine requires of the executor. The I/O thread calls the methods."""

    blocks: BlockSet
    observer: RunObserver

    def manager_connected(self, info: protocol.ManagerInfo) -> None: ...
    def manager_gone(self, gone: protocol.ManagerGone) -> None: ...
    def manager_refused(self, refused: protocol.ManagerRefused) -> None: ...
    def set_bad_state_and_fail_all(self, exception: BaseException) -> None: ...


class Engine(BlockListener):
    """Everything that an executor starts, and stops when it shuts down. Any thread may call it.

    The constructor binds the sockets and starts the interchange; nothing waits for it.
    """

    def __init__(self, settings: EngineSettings, owner: EngineOwner, provider: ExecutionProvider) -> None:
        self._settings = settings
        self._owner = owner
        self._log_dir = Path(settings.log_dir)
        #: Whether this is a forked child, in which everything belongs to the parent.
        self.is_disowned = False
        #: Whether everything has ended.
        self.is_closed = False
        #: Blocks that get no more tasks, and blocks whose jobs have ended.
        self._held_blocks: set[str] = set()
        self._ended_blocks: set[str] = set()
        #: The standing of nodes where workers were lost, and when it was reported.
        self._nodes: dict[str, tuple[protocol.NodeStanding, float]] = {}
        self.activity = ManagerActivity()
        self.warnings = ManagerWarnings(settings.label)
        self._log_dir.mkdir(parents=True, exist_ok=True)
        os.chmod(self._log_dir, 0o700)
        open_standard_streams()
        with ExitStack() as undo:
            self.endpoints = Endpoints(
                settings.owner,
                self._log_dir,
                address=settings.address,
                is_local=settings.is_local,
                port=settings.worker_port,
                ports=settings.worker_port_range,
            )
            undo.callback(self.endpoints.close)
            self.supervisor = InterchangeSupervisor(settings, self.endpoints.sockets)
            undo.callback(self.supervisor.process.discard)
            self._manager_settings = launch.manager_settings(settings, self.endpoints, self._cert_dir())
            write_settings(self._log_dir / SETTINGS_FILE, self._manager_settings)
            #: What the command of a block carries; the file has it where nodes see the driver's files.
            self._carried_settings = (
                None if settings.shares_files else launch.without_files(self._manager_settings)
            )
            undo.pop_all()
        self.tasks = TaskTable(self.endpoints.spool, self.endpoints.arena)
        self._notifications = Notifications(settings.label, owner.observer, self.tasks)
        self.connection = Connection(self.supervisor.process.sock, self.tasks, self, settings.label)
        self.sender = TaskSender(self.tasks, self.connection, self.endpoints)
        self._lost_tasks = LostTasks(settings.label, owner.blocks, self.tasks, settings.pool.walltime_s)
        self._cleanup = CleanupRegistry(settings.label, owner.blocks, provider, self.connection)

    def __repr__(self) -> str:
        return f"<Engine {self._settings.label} {self.supervisor!r} {self.activity!r}>"

    def _cert_dir(self) -> str:
        if not self._settings.encrypted or self.endpoints.tcp is None:
            return ""
        from parsl.curvezmq import create_certificates

        return str(create_certificates(self._log_dir))

    def start(self) -> None:
        """Begin to exchange messages. If that fails, nothing is left open."""
        try:
            self.connection.start()
        except BaseException:
            self.close(0)
            raise
        for listener in (self, self._lost_tasks, self._cleanup):
            self._owner.blocks.add_listener(listener)
        self._cleanup.start()
        disown_in_children(self)

    def stop(self) -> None:
        self.supervisor.stop()
        self.connection.send(_STOP)

    def close(self, timeout_s: float) -> None:
        """Fail what is left, end the interchange (after the timeout, kill it), and release everything."""
        self._lost_tasks.close()
        self.supervisor.stop()
        self._cleanup.jobs_cancelled()
        process = self.supervisor.process
        self.supervisor.end(timeout_s)
        self.connection.close(RuntimeError(f"Executor {self._settings.label} was shut down."), timeout_s)
        if self.supervisor.process is not process:
            self.supervisor.end(timeout_s)  # the lost one was just being replaced
        self.endpoints.close()
        self.is_closed = True

    def disown(self) -> None:
        """Release everything in a forked child, or others would take the child for the driver."""
        self.is_disowned = True
        self.supervisor.disown()
        self.endpoints.disown()
        self.connection.disown()

    def launch_command(self, template: str, block_id: str) -> str:
        owner, carried = self._settings.owner, self._carried_settings
        file = str(self._log_dir / SETTINGS_FILE) if carried is None else None
        settings = carried or self._manager_settings
        return launch_commands.launch_command(owner, template, file, block_id, settings)

    def hold_idle_blocks(self, blocks: list[str]) -> list[str]:
        """Dispatch no more tasks to the blocks that have none, and return these blocks."""
        for block in blocks:
            self._held_blocks.add(block)
            self.connection.send(protocol.HoldBlock(block, True))
        try:
            infos = self.connection.request("managers", HOLD_TIMEOUT_S).managers
            busy = {info.block for info in infos if info.tasks}
        except (CommandClientBadError, CommandClientTimeoutError):
            busy = set(blocks)
        for block in busy & set(blocks):
            self._held_blocks.discard(block)
            self.connection.send(protocol.HoldBlock(block, False))
        return [block for block in blocks if block not in busy]

    def job_ended(self, block_id: str) -> None:
        """Report the end of a block to the interchange: its managers have ended too."""
        self._held_blocks.discard(block_id)
        self._ended_blocks.add(block_id)
        self.connection.send(protocol.BlockEnded(block_id))

    # From the connection, in the I/O thread

    def handle_failures(self, failed: list[tuple[int, bytes]]) -> None:
        self._lost_tasks.fail(failed)

    def handle_event(self, message: Any) -> None:
        if isinstance(message, protocol.Ready):
            self.supervisor.mark_ready()
        elif isinstance(message, protocol.Answer):
            if self.activity.replace(message.managers, message.without_time):
                self._owner.blocks.changed()
        elif isinstance(message, protocol.ManagerJoined):
            self.activity.joined(message.info)
            self._notifications.manager_joined(message)
            self._owner.manager_connected(message.info)
            self.warnings.warn_of_time(message.info)
            if message.notice:
                self.warnings.warn_of_workers(message.info, message.notice)
        elif isinstance(message, protocol.ManagerGone):
            self.activity.gone(message.manager)
            self._notifications.manager_gone(message)
            self._owner.manager_gone(message)
        elif isinstance(message, protocol.NodeChange):
            if message.standing is not None:
                self._nodes[message.host] = message.standing, time.monotonic()
            self.warnings.warn_of_node(message)
            self._notifications.node_changed(message)
        elif isinstance(message, protocol.Started):
            self._notifications.tasks_started(message)
        elif isinstance(message, protocol.Dispatched):
            self._notifications.tasks_dispatched(message)
        elif isinstance(message, protocol.Measured):
            self._notifications.resource_samples(message)
        elif isinstance(message, protocol.ManagerRefused):
            self._owner.manager_refused(message)

    def opening_messages(self, *, is_replacement: bool) -> list[bytes]:
        """Return the settings of an interchange, and for a replacement what the lost interchange knew."""
        ended = self._ended_blocks.copy()
        managers = {info.manager: info.block for info in self.activity.infos() if info.block not in ended}
        expected, number = (managers, self._notifications.next_number) if is_replacement else (None, 0)
        nodes = [_aged(*known) for known in self._nodes.values()]
        settings = launch.interchange_settings(
            self._settings, self._manager_settings, self.endpoints, expected, nodes, number
        )
        if not is_replacement:
            return [settings]
        messages = [
            *(protocol.HoldBlock(block, True) for block in self._held_blocks.copy()),
            *map(protocol.BlockEnded, ended),
            protocol.CleanupCommands(self._cleanup.commands),
            *([_STOP] if self.supervisor.is_stopping else []),
        ]
        return [settings, *map(protocol.encode, messages)]

    def replace_interchange(self) -> socket.socket | None:
        """Return the socket to a replacement of the lost interchange; None if there will be none."""
        return self.supervisor.replace()

    def handle_loss(self, error: ThreadLost | None) -> None:
        """Fail the executor, unless it shuts down. The error is that of the I/O thread; None if it runs."""
        if not self.supervisor.is_stopping:
            self.endpoints.stop_listening()
            self._owner.set_bad_state_and_fail_all(error or self.supervisor.loss())


_STOP = protocol.Stop("the executor is shut down")


def _aged(node: protocol.NodeStanding, reported_s: float) -> protocol.NodeStanding:
    """Return the standing of a node now, given one that was reported earlier."""
    left_s = node.left_s and max(0.0, node.left_s - (time.monotonic() - reported_s))
    return protocol.NodeStanding(node.host, node.times_quarantined, left_s)
