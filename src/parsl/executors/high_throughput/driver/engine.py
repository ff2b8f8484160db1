"""The driver's side of the machinery: keeps an interchange going, with all that is needed to reach it."""

from __future__ import annotations

import collections
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parsl.common.forks import disown_in_children
from parsl.errors import ConfigurationError
from parsl.executors.errors import ThreadLost
from parsl.executors.high_throughput.driver.activity import ManagerActivity
from parsl.executors.high_throughput.driver.client import InterchangeClient, Replacement
from parsl.executors.high_throughput.driver.endpoints import Endpoints
from parsl.executors.high_throughput.driver.engine_settings import (
    EngineSettings,
    interchange_settings,
    manager_settings,
)
from parsl.executors.high_throughput.driver.interchange_process import (
    InterchangeProcess,
    open_standard_streams,
)
from parsl.executors.high_throughput.driver.launch_command import interchange_command, launch_command
from parsl.executors.high_throughput.errors import (
    CommandClientBadError,
    CommandClientTimeoutError,
    InterchangeLost,
)
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.settings import SETTINGS_FILE, ManagerSettings, write_settings

logger = logging.getLogger(__name__)

#: So many losses of the interchange within so many seconds, and it is not started again.
MAX_LOSSES = 3
LOSSES_WITHIN_S = 60.0
#: How long an interchange that takes another's place has until it serves, in seconds.
READY_WITHIN_S = 60.0
#: When to try again to start one where that is not possible just then (too many processes or open files), in
#: seconds after the attempt before.
START_AGAIN_AFTER_S = (0.5, 1.0, 2.0, 4.0, 8.0)
#: How long the interchange has to say which blocks are idle, in seconds.
HOLD_TIMEOUT_S = 5.0


class Engine:
    """Owns the interchange's process and all that is needed to reach it.

    Args:
        settings: what the executor was told.
        on_event: called in the client's thread when managers join, leave or are refused, and when more tasks
            wait for a block with more time.
        on_lost: called in the client's thread, with the cause, when nothing comes from the interchange
            any more.
    """

    client: InterchangeClient

    def __init__(
        self,
        settings: EngineSettings,
        *,
        on_event: Callable[[Any], None],
        on_lost: Callable[[Exception], None],
    ) -> None:
        self._settings = settings
        self._on_event = on_event
        self._on_lost = on_lost
        self._log_dir = Path(settings.log_dir)
        self._process: InterchangeProcess | None = None
        self._stopping = threading.Event()
        #: This is a forked child, in which all of it is the parent's.
        self.is_disowned = False
        #: When interchanges were lost.
        self._losses: collections.deque[float] = collections.deque(maxlen=MAX_LOSSES)
        #: Blocks that get no more tasks, and those whose jobs are over.
        self._held_blocks: set[str] = set()
        self._ended_blocks: set[str] = set()
        #: How nodes stand on which workers have ended, and when that was said.
        self._nodes: dict[str, tuple[protocol.NodeStanding, float]] = {}
        #: What cancels the jobs, should this process die.
        self._will: list[list[str]] = []
        #: Ends an interchange that takes another's place, and does not serve in time.
        self._watch: threading.Timer | None = None
        #: Why a lost interchange has no other in its place.
        self._why_no_other = ""
        self._cert_dir = ""
        self.endpoints = Endpoints(
            settings.owner,
            address=settings.address,
            is_local=settings.is_local,
            port=settings.worker_port,
            ports=settings.worker_port_range,
        )
        self.activity = ManagerActivity()

    def __repr__(self) -> str:
        pid = self._process.pid if self._process else None
        return f"<Engine {self._settings.label} interchange={pid} {self.activity!r}>"

    def start(self) -> None:
        """Bind, start the interchange, write what managers need. Waits for nobody.

        Raises: ConfigurationError, OSError; nothing is left open then.
        """
        try:
            self._start()
        except BaseException:
            self._stopping.set()
            if self._process is not None:
                self._process.discard()
            self.endpoints.close()
            raise

    def _start(self) -> None:
        self._log_dir.mkdir(parents=True, exist_ok=True)
        os.chmod(self._log_dir, 0o700)
        open_standard_streams()
        endpoints = self.endpoints
        endpoints.bind(self._log_dir)
        self._process = process = self._start_interchange()
        if self._settings.encrypted and endpoints.tcp is not None:
            from parsl.curvezmq import create_certificates

            self._cert_dir = str(create_certificates(self._log_dir))
        process.write_first(self._interchange_settings(None))
        self.client = InterchangeClient(
            process.sock,
            self._take_event,
            self._lost,
            self._settings.label,
            endpoints.spool,
            start_again=self._start_again,
            arena=endpoints.arena,
        )
        self.client.start()
        disown_in_children(self)
        write_settings(self._log_dir / SETTINGS_FILE, self._manager_settings())

    # The interchange's process

    def _start_interchange(self) -> InterchangeProcess:
        command = interchange_command(self._settings.interchange_command)
        output = self._log_dir / "interchange.stderr"
        return InterchangeProcess(self._settings.owner, command, self.endpoints.sockets, output)

    def _start_again(self) -> Replacement | None:
        """Start an interchange in the place of the one that is lost, unless that has been in vain.

        Returns: what is needed to go on with it; None when all is lost.
        """
        lost = self._process
        if self._stopping.is_set() or lost is None:
            return None
        self._losses.append(time.monotonic())
        how = lost.how_it_ended()
        if self._stopping.is_set():
            return None
        is_used_up = len(self._losses) == MAX_LOSSES and self._losses[-1] - self._losses[0] < LOSSES_WITHIN_S
        if is_used_up or not (lost.is_ready or lost.was_killed):
            return None
        logger.warning(
            "The interchange of executor %s (pid %d) was %s. Another takes its place: no task is lost.",
            self._settings.label, lost.pid, how,
        )  # fmt: skip
        another = self._start_another()
        if another is None:
            return None
        ended = self._ended_blocks
        expected = {info.manager: info.block for info in self.activity.infos() if info.block not in ended}
        return Replacement(another.sock, self._interchange_settings(expected), self._what_holds)

    def _start_another(self) -> InterchangeProcess | None:
        """Start one more interchange, with patience: what is missing now may be there a moment later.

        Returns: it; None if none can be started, or is wanted any more.
        """
        for pause_s in (*START_AGAIN_AFTER_S, None):
            try:
                self._process = another = self._start_watched()
            except (ConfigurationError, OSError, RuntimeError) as error:
                logger.error("The interchange of executor %s: %s", self._settings.label, error)
                self._why_no_other = f" Another could not be started: {error}"
                if pause_s is None or self._stopping.wait(pause_s):
                    break
            else:
                self._why_no_other = ""
                return another
        return None

    def _start_watched(self) -> InterchangeProcess:
        """Start an interchange that is ended if it does not serve in time."""
        self._end_watch()
        process = self._start_interchange()
        watch = threading.Timer(READY_WITHIN_S, self._check_ready, (process,))
        watch.daemon = True
        try:
            watch.start()
        except RuntimeError:  # there can be no more threads
            process.discard()
            raise
        self._watch = watch
        return process

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _check_ready(self, process: InterchangeProcess) -> None:
        """A replacement that does not serve is no better than none: its end counts as another loss."""
        if self._process is process and not process.is_ready and not self._stopping.is_set():
            logger.error("the interchange (pid %d) has not begun to serve: killed", process.pid)
            process.kill()

    def _what_holds(self) -> list[Any]:
        """What an interchange must know that the one before has been told."""
        return [
            *(protocol.HoldBlock(block, True) for block in self._held_blocks.copy()),
            *(protocol.BlockEnded(block) for block in self._ended_blocks.copy()),
            protocol.CleanupCommands(self._will),
            *([protocol.Stop("the executor is shut down")] if self._stopping.is_set() else []),
        ]

    def _interchange_settings(self, expected: dict[str, str] | None) -> bytes:
        nodes = [_aged(*known) for known in self._nodes.values()]
        return interchange_settings(self._settings, self.endpoints, self._cert_dir, expected, nodes)

    def _manager_settings(self) -> ManagerSettings:
        return manager_settings(self._settings, self.endpoints, self._cert_dir)

    def launch_command(self, template: str | None, block_id: str) -> str:
        """The shell command that starts a manager."""
        file = str(self._log_dir / SETTINGS_FILE)
        return launch_command(self._settings.owner, template, file, block_id, self._manager_settings())

    # From the client's thread

    def _take_event(self, message: Any) -> None:
        if isinstance(message, protocol.Ready):
            if self._process is not None:
                self._process.is_ready = True
            self._end_watch()
            return
        if isinstance(message, protocol.Answer):
            if self.activity.replace(message.managers, message.without_time):
                self._on_event(message)
            return
        if isinstance(message, protocol.ManagerJoined):
            self.activity.joined(message.info)
        elif isinstance(message, protocol.ManagerGone):
            self.activity.gone(message.manager)
        elif isinstance(message, protocol.NodeChange) and message.standing is not None:
            self._nodes[message.host] = message.standing, time.monotonic()
        self._on_event(message)

    def _lost(self, thread_error: ThreadLost | None) -> None:
        if self._stopping.is_set() or self._process is None:
            return
        self.endpoints.stop_listening()
        self._on_lost(thread_error or self._interchange_lost(self._process))

    def _interchange_lost(self, process: InterchangeProcess) -> InterchangeLost:
        return InterchangeLost(
            f"The interchange of executor {self._settings.label} (pid {process.pid}) was "
            f"{process.how_it_ended()}{self._how_often()}.{self._why_no_other}{process.last_words()}"
        )

    def _how_often(self) -> str:
        count = len(self._losses)
        return f", as {count - 1} before it within {LOSSES_WITHIN_S:g} s" if count == MAX_LOSSES else ""

    # Any thread

    def block_ended(self, block: str) -> None:
        """The scheduler says that a block's job is over."""
        self._held_blocks.discard(block)
        self._ended_blocks.add(block)
        self.client.tell(protocol.BlockEnded(block))

    def leave_will(self, commands: list[list[str]]) -> None:
        """Say what is to be run should this process die, instead of what was said before."""
        self._will = commands
        self.client.tell(protocol.CleanupCommands(commands))

    def add_to_will(self, commands: list[list[str]]) -> None:
        """Say what else is to be run should this process die, before all that was said before."""
        self._will = commands + self._will
        self.client.tell(protocol.CleanupCommands(commands, is_addition=True))

    def hold_idle_blocks(self, blocks: list[str]) -> list[str]:
        """Stop giving tasks to blocks.

        Returns: those which have none; the others get tasks again.
        """
        for block in blocks:
            self._held_blocks.add(block)
            self.client.tell(protocol.HoldBlock(block, True))
        try:
            infos = self.client.ask("managers", HOLD_TIMEOUT_S).managers
            busy = {info.block for info in infos if info.tasks}
        except (CommandClientBadError, CommandClientTimeoutError):
            busy = set(blocks)
        for block in busy & set(blocks):
            self._held_blocks.discard(block)
            self.client.tell(protocol.HoldBlock(block, False))
        return [block for block in blocks if block not in busy]

    def say_stop(self) -> None:
        """Ask the interchange and all managers to end."""
        self._stopping.set()
        self.client.tell(protocol.Stop("the executor is shut down"))

    def close(self, timeout_s: float) -> None:
        """Wait for the interchange's end, for so long, then kill it; release everything."""
        self._stopping.set()
        process = self._process
        if process is not None:
            process.end(timeout_s)
        self.client.close(RuntimeError(f"Executor {self._settings.label} was shut down."), timeout_s)
        if self._process is not None and self._process is not process:
            self._process.end(timeout_s)  # it was taking the other's place just then
        self._end_watch()
        self.endpoints.close()

    def disown(self) -> None:
        """Let go of everything in a forked child, or others would take it for the driver after its end."""
        self.is_disowned = True
        self._stopping = threading.Event()  # the parent's may be locked
        self._stopping.set()
        self.endpoints.disown()
        self.client.disown()


def _aged(node: protocol.NodeStanding, said_s: float) -> protocol.NodeStanding:
    """What was said of a node then, as it is now."""
    if not node.left_s:
        return node
    left_s = max(0.0, node.left_s - (time.monotonic() - said_s))
    return protocol.NodeStanding(node.host, node.times_quarantined, left_s)
