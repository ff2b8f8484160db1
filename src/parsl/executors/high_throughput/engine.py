"""The driver's side of the machinery: sockets, keys, the interchange's process, the client, settings."""

from __future__ import annotations

import collections
import logging
import os
import platform
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from parsl.errors import ConfigurationError
from parsl.executors.errors import ThreadLost
from parsl.executors.high_throughput import protocol
from parsl.executors.high_throughput.activity import ManagerActivity
from parsl.executors.high_throughput.arena import Arena
from parsl.executors.high_throughput.client import InterchangeClient, Replacement
from parsl.executors.high_throughput.errors import (
    CommandClientBadError,
    CommandClientTimeoutError,
    InterchangeLost,
)
from parsl.executors.high_throughput.launch_command import interchange_command, launch_command
from parsl.executors.high_throughput.listening import LocalSocket, is_local_address, listen_tcp, listen_unix
from parsl.executors.high_throughput.manager_selector import (
    BlockIdManagerSelector,
    ManagerSelector,
    RandomManagerSelector,
)
from parsl.executors.high_throughput.message_stream import MessageStream
from parsl.executors.high_throughput.settings import (
    SETTINGS_FILE,
    InterchangeSettings,
    ManagerSettings,
    write_settings,
)
from parsl.executors.high_throughput.spool import Spool, make_spool
from parsl.failure_facts import tail_of
from parsl.forks import disown_in_children
from parsl.version import VERSION

logger = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"
#: So many losses of the interchange within so many seconds, and it is not started again.
MOST_LOSSES = 3
LOSSES_WITHIN_S = 60.0
#: How long an interchange that takes another's place has until it serves, in seconds.
READY_WITHIN_S = 60.0
#: When to try again to start one where that is not possible just then (too many processes or open files), in
#: seconds after the attempt before.
START_AGAIN_AFTER_S = (0.5, 1.0, 2.0, 4.0, 8.0)
#: How long an interchange that has closed its connection has to end, in seconds.
_EXIT_PATIENCE_S = 5.0
#: How long the interchange has to say which blocks are idle, in seconds.
HOLD_TIMEOUT_S = 5.0


class EngineSettings(msgspec.Struct, kw_only=True, frozen=True):
    """The executor's settings, checked, as the machinery needs them."""

    owner: str
    label: str
    log_dir: str
    worker_log_dir: str
    address: str | None
    #: Workers can only be on this host.
    is_local: bool
    worker_port: int | None
    worker_port_range: tuple[int, int] | None
    encrypted: bool
    debug: bool
    interchange_command: list[str] | None
    selector: ManagerSelector
    heartbeat_period_s: float
    heartbeat_threshold_s: float
    drain_period_s: float | None
    cores_per_worker: float
    mem_per_worker_gb: float | None
    enforces_memory: bool
    max_workers: int | None
    prefetch: int
    cpu_affinity: str
    accelerators: list[str]
    #: These as in ManagerSettings.
    mpi_launcher: str = ""
    nodes_per_block: int = 1
    max_launches: int | None = None
    walltime_s: float | None = None


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
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        #: This is a forked child, in which all of it is the parent's.
        self.is_disowned = False
        #: The interchange has begun to serve.
        self._is_ready = False
        #: When interchanges were lost.
        self._losses: collections.deque[float] = collections.deque(maxlen=MOST_LOSSES)
        #: Blocks that get no more tasks, and those whose jobs are over.
        self._held_blocks: set[str] = set()
        self._ended_blocks: set[str] = set()
        #: How nodes stand on which workers have ended, and when that was said.
        self._nodes: dict[str, tuple[protocol.NodeStanding, float]] = {}
        #: Why a lost interchange has no other in its place.
        self._why_no_other = ""
        #: How much interchanges had written to their file before the present one.
        self._said_before = 0
        self._cert_dir = ""
        self._listener: socket.socket | None = None
        self._local: LocalSocket | None = None
        #: Directory for large payloads; empty where workers can be on other hosts.
        self.spool = ""
        self._spool: Spool | None = None
        #: Memory for middle-sized arguments; None where workers can be on other hosts.
        self.arena: Arena | None = None
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
                self._process.kill()
                self._process.wait()
            self._release()
            raise

    def _start(self) -> None:
        self._log_dir.mkdir(parents=True, exist_ok=True)
        os.chmod(self._log_dir, 0o700)
        _open_standard_streams()
        self._bind()
        self._process, ours = self._start_interchange()
        if self._settings.encrypted and self._listener is not None:
            from parsl.curvezmq import create_certificates

            self._cert_dir = str(create_certificates(self._log_dir))
        self._write_first(ours)
        self.client = InterchangeClient(
            ours,
            self._take_event,
            self._lost,
            self._settings.label,
            self.spool,
            start_again=self._start_again,
            arena=self.arena,
        )
        self.client.start()
        disown_in_children(self)
        write_settings(self._log_dir / SETTINGS_FILE, self._manager_settings())

    # Sockets

    def _bind(self) -> None:
        settings = self._settings
        self._local = listen_unix(self._log_dir)
        if settings.is_local and self._local is not None:
            self._spool = make_spool()
            if self._spool is not None:
                self.spool = self._spool.directory
                self.arena = Arena(self.spool)
            if settings.address is None and settings.worker_port is None:
                return  # nobody can come from elsewhere: nothing has to listen on a network
        low, high = settings.worker_port_range or (0, 1)
        self._listener = listen_tcp(settings.owner, self._bind_address(), settings.worker_port, (low, high))

    def _bind_address(self) -> str:
        """As few interfaces as will do."""
        address = self._settings.address
        if address is None:
            return _LOOPBACK if self._settings.is_local else ""
        try:
            found = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)[0][4][0]
        except OSError as error:
            raise ConfigurationError(
                f"{self._settings.owner}: address is {address!r}, which this host cannot resolve ({error}). "
                "Give an address or a name of this host that the workers can reach."
            ) from error
        return str(found) if is_local_address(str(found)) else ""

    def _addresses(self) -> list[str]:
        if self._settings.address is not None:
            return [self._settings.address]
        if self._settings.is_local:
            return [_LOOPBACK]
        from parsl.addresses import get_all_addresses

        found = get_all_addresses()
        return sorted(found, key=lambda address: (address.startswith("127."), ":" in address, address))

    def _listening(self) -> list[socket.socket]:
        return [
            sock for sock in (self._listener, self._local.sock if self._local else None) if sock is not None
        ]

    @property
    def port(self) -> int:
        """The TCP port for managers; 0 if there is none."""
        return 0 if self._listener is None else int(self._listener.getsockname()[1])

    # The interchange's process

    def _start_interchange(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        """Returns: the process, and our end of its socket."""
        self._is_ready = False
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                return self._spawn(theirs), ours
            except BaseException:
                ours.close()
                raise

    def _start_again(self) -> Replacement | None:
        """Start an interchange in the place of the one that is lost, unless that has been in vain.

        Returns: what is needed to go on with it; None when all is lost.
        """
        lost = self._process
        if self._stopping.is_set() or lost is None:
            return None
        self._losses.append(time.monotonic())
        how = _how_it_ended(lost)
        if self._stopping.is_set():
            return None
        is_used_up = len(self._losses) == MOST_LOSSES and self._losses[-1] - self._losses[0] < LOSSES_WITHIN_S
        if is_used_up or not (self._is_ready or _was_killed(lost)):
            return None
        logger.warning(
            "The interchange of executor %s (pid %d) was %s. Another takes its place: no task is lost.",
            self._settings.label, lost.pid, how,
        )  # fmt: skip
        ours = self._start_another()
        if ours is None:
            return None
        ended = self._ended_blocks
        expected = {info.manager: info.block for info in self.activity.infos() if info.block not in ended}
        return Replacement(ours, self._interchange_settings(expected), self._what_holds)

    def _start_another(self) -> socket.socket | None:
        """Start one more interchange, with patience: what is missing now may be there a moment later.

        Returns: our end of its socket; None if none can be started, or is wanted any more.
        """
        for pause_s in (*START_AGAIN_AFTER_S, None):
            try:
                self._process, ours = self._start_watched()
            except (ConfigurationError, OSError, RuntimeError) as error:
                logger.error("The interchange of executor %s: %s", self._settings.label, error)
                self._why_no_other = f" Another could not be started: {error}"
                if pause_s is None or self._stopping.wait(pause_s):
                    break
            else:
                self._why_no_other = ""
                return ours
        return None

    def _start_watched(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        """Start an interchange that is ended if it does not serve in time."""
        process, ours = self._start_interchange()
        watch = threading.Timer(READY_WITHIN_S, self._check_ready, (process,))
        watch.daemon = True
        try:
            watch.start()
        except RuntimeError:  # there can be no more threads
            process.kill()
            process.wait()
            ours.close()
            raise
        return process, ours

    def _check_ready(self, process: subprocess.Popen[bytes]) -> None:
        """A replacement that does not serve is no better than none: its end counts as another loss."""
        if self._process is process and not self._is_ready and not self._stopping.is_set():
            logger.error("the interchange (pid %d) has not begun to serve: killed", process.pid)
            process.kill()

    def _what_holds(self) -> list[Any]:
        """What an interchange must know that the one before has been told."""
        return [
            *(protocol.HoldBlock(block, True) for block in self._held_blocks.copy()),
            *(protocol.BlockEnded(block) for block in self._ended_blocks.copy()),
            *([protocol.Stop("the executor is shut down")] if self._stopping.is_set() else []),
        ]

    def _spawn(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        command = interchange_command(self._settings.interchange_command)
        descriptors = [theirs.fileno(), *(sock.fileno() for sock in self._listening())]
        output = self._log_dir / "interchange.stderr"
        with open(output, "ab") as file:
            self._said_before = file.tell()
            try:
                return subprocess.Popen(
                    [*command, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    pass_fds=descriptors,
                    start_new_session=True,
                )
            except OSError as error:
                raise ConfigurationError(
                    f"{self._settings.owner}: the interchange cannot be started: {error}. "
                    f"Its command is {shlex.join(command)}"
                ) from error

    def _write_first(self, ours: socket.socket) -> None:
        """The interchange's settings are the first thing that it reads."""
        stream = MessageStream(ours)
        stream.queue([self._interchange_settings(None)])
        ours.setblocking(True)
        try:
            stream.flush()
        except OSError:
            pass  # it has ended already; the client is about to notice, and to say how

    def _interchange_settings(self, expected: dict[str, str] | None) -> bytes:
        """All that an interchange needs.

        Args:
            expected: where it takes another's place, the block of each manager that was connected.
        """
        settings = self._settings
        selector = type(settings.selector)
        pickled = b""
        if selector not in (RandomManagerSelector, BlockIdManagerSelector):
            import cloudpickle

            pickled = cloudpickle.dumps(settings.selector)
        host = self._listener.getsockname()[0] if self._listener else ""
        record = InterchangeSettings(
            listener_fd=self._listener.fileno() if self._listener else -1,
            endpoint=f"tcp://[{host}]:{self.port}" if ":" in host else f"tcp://{host}:{self.port}",
            local_socket=str(self._local.path) if self._local else "",
            socket_directory=self._local.made if self._local else "",
            local_fd=self._local.sock.fileno() if self._local else -1,
            cert_dir=self._cert_dir,
            spool=self.spool,
            log_file=str(self._log_dir / "interchange.log"),
            debug=settings.debug,
            heartbeat_period_s=settings.heartbeat_period_s,
            heartbeat_threshold_s=settings.heartbeat_threshold_s,
            counts_nodes=bool(settings.mpi_launcher),
            selector="block_id" if selector is BlockIdManagerSelector else "random",
            pickled_selector=pickled,
            parsl_version=VERSION,
            python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
            path=_absolute_path(),
            is_replacement=expected is not None,
            expected=expected or {},
            nodes=[_aged(*known) for known in self._nodes.values()],
        )
        return msgspec.msgpack.encode(record)

    def _manager_settings(self) -> ManagerSettings:
        settings = self._settings
        return ManagerSettings(
            addresses=self._addresses(),
            port=self.port,
            local_socket=str(self._local.path) if self._local else "",
            local_host=platform.node(),
            socket_directory=str(self._local.made) if self._local else "",
            cert_dir=self._cert_dir,
            spool=self.spool,
            log_dir=settings.worker_log_dir,
            debug=settings.debug,
            cores_per_worker=settings.cores_per_worker,
            mem_per_worker_gb=settings.mem_per_worker_gb,
            enforces_memory=settings.enforces_memory,
            max_workers=settings.max_workers,
            prefetch=settings.prefetch,
            heartbeat_period_s=settings.heartbeat_period_s,
            heartbeat_threshold_s=settings.heartbeat_threshold_s,
            drain_period_s=settings.drain_period_s,
            cpu_affinity=settings.cpu_affinity,
            accelerators=settings.accelerators,
            mpi_launcher=settings.mpi_launcher,
            nodes_per_block=settings.nodes_per_block,
            max_launches=settings.max_launches,
            walltime_s=settings.walltime_s,
            path=_absolute_path(),
        )

    def launch_command(self, template: str | None, block_id: str) -> str:
        """The shell command that starts a manager."""
        file = str(self._log_dir / SETTINGS_FILE)
        return launch_command(self._settings.owner, template, file, block_id, self._manager_settings())

    # From the client's thread

    def _take_event(self, message: Any) -> None:
        if isinstance(message, protocol.Ready):
            self._is_ready = True
            return
        if isinstance(message, protocol.Answer):
            if self.activity.replace(message.managers, message.without_time):
                self._on_event(message)
            return
        if isinstance(message, protocol.ManagerJoined):
            self.activity.joined(message.info)
        elif isinstance(message, protocol.ManagerGone):
            self.activity.gone(message.manager)
        elif isinstance(message, protocol.NodeNews) and message.standing is not None:
            self._nodes[message.host] = message.standing, time.monotonic()
        self._on_event(message)

    def _lost(self, thread_error: ThreadLost | None) -> None:
        if self._stopping.is_set() or self._process is None:
            return
        for sock in self._listening():
            sock.close()  # or managers would wait for another interchange
        self._on_lost(thread_error or self._interchange_lost(self._process))

    def _interchange_lost(self, process: subprocess.Popen[bytes]) -> InterchangeLost:
        tail = tail_of(str(self._log_dir / "interchange.stderr"), begin=self._said_before)
        said = f" Its last words:\n{tail}" if tail else ""
        return InterchangeLost(
            f"The interchange of executor {self._settings.label} (pid {process.pid}) was "
            f"{_how_it_ended(process)}{self._how_often()}.{self._why_no_other}{said}"
        )

    def _how_often(self) -> str:
        count = len(self._losses)
        return f", as {count - 1} before it within {LOSSES_WITHIN_S:g} s" if count == MOST_LOSSES else ""

    # Any thread

    def block_ended(self, block: str) -> None:
        """The scheduler says that a block's job is over."""
        self._held_blocks.discard(block)
        self._ended_blocks.add(block)
        self.client.tell(protocol.BlockEnded(block))

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
            self._end(process, timeout_s)
        self.client.close(RuntimeError(f"Executor {self._settings.label} was shut down."), timeout_s)
        if self._process is not None and self._process is not process:
            self._end(self._process, timeout_s)  # it was taking the other's place just then
        self._release()

    @staticmethod
    def _end(process: subprocess.Popen[bytes], timeout_s: float) -> None:
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            logger.warning("the interchange did not end within %g s: killed", timeout_s)
            process.kill()
            process.wait()

    def disown(self) -> None:
        """Let go of everything in a forked child, or others would take it for the driver after its end."""
        self.is_disowned = True
        self._stopping = threading.Event()  # the parent's may be locked
        self._stopping.set()
        self.spool, self.arena = "", None
        if self._spool is not None:
            self._spool.let_go()
            self._spool = None
        self.client.disown()
        for sock in self._listening():
            sock.close()

    def _release(self) -> None:
        if self._listener is not None:
            self._listener.close()
        if self._local is not None:
            self._local.close()
        if self.arena is not None:
            self.arena.close()
        if self._spool is not None:
            self._spool.remove()
            self._spool = None


def _how_it_ended(process: subprocess.Popen[bytes]) -> str:
    """How a process that has closed its connection came to its end; it is ended if it has not."""
    try:
        code = process.wait(timeout=_EXIT_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return "out of step and has been ended"
    return f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _aged(node: protocol.NodeStanding, said_s: float) -> protocol.NodeStanding:
    """What was said of a node then, as it is now."""
    if not node.left_s:
        return node
    left_s = max(0.0, node.left_s - (time.monotonic() - said_s))
    return protocol.NodeStanding(node.host, node.times_aside, left_s)


def _was_killed(process: subprocess.Popen[bytes]) -> bool:
    return process.returncode is not None and process.returncode < 0


def _open_standard_streams() -> None:
    """Where one of the descriptors 0 to 2 is closed, open it: a socket in its place would be printed into."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)


def _absolute_path() -> list[str]:
    return [os.path.abspath(entry) for entry in sys.path]
