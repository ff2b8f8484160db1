"""The one connection of a process to a Ray cluster. Executors with the same target share it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.errors import ManagerLost
from parsl.executors.ray.session import Session
from parsl.executors.ray.target import Target
from parsl.executors.ray.watch import Peer, Watch

LossHandler = Callable[[ManagerLost], None]

_joining = threading.Lock()
_current: Connection | None = None


class Connection:
    """A connection to a cluster, which a session has opened or the script itself.

    When the cluster is lost, every user is notified at once, and Ray is shut down: otherwise Ray would end
    the whole process a minute later.

    Args:
        ray: The module.
        target: What it is connected to.
        session: What has opened it; None if that was the script, which then keeps it.
    """

    def __init__(self, ray: ModuleType, target: Target, session: Session | None) -> None:
        self.ray = ray
        self.target = target
        self.session = session
        self._users: dict[object, LossHandler] = {}
        self._closing = threading.Lock()
        self._has_ended = threading.Event()
        self.is_closed = False
        #: Held during calls of Ray that must not coincide with a shutdown.
        self.calls = threading.Lock()
        self.gcs_address: str = "" if target.is_client else ray.get_runtime_context().gcs_address
        self._watch = Watch(self._peers(), self._lost)
        self._watch.start()

    def __repr__(self) -> str:
        state = ", closed" if self.is_closed else ""
        return f"<Connection to {self.target}, {len(self._users)} executors{state}>"

    def _peers(self) -> list[Peer]:
        if self.target.endpoint is not None and self.target.is_client:
            return [Peer("the Ray Client server", self.target.endpoint)]
        host, _, port = self.gcs_address.rpartition(":")
        peers = [Peer("the head of the cluster", (host.strip("[]"), int(port)))]
        this_node = self.ray.get_runtime_context().get_node_id()
        peers.extend(
            Peer("the raylet of this node", node["RayletSocketName"])
            for node in self.ray.nodes()
            if node["NodeID"] == this_node and node.get("RayletSocketName", "").startswith("/")
        )
        return peers

    def add_user(self, user: object, on_loss: LossHandler) -> None:
        """Notify ``on_loss`` if the cluster is lost, until the user leaves."""
        self._users[user] = on_loss

    def leave(self, user: object) -> None:
        """Forget a user; without any, the connection is closed."""
        with _joining:
            self._users.pop(user, None)
            if not self._users:
                self._close()

    def _lost(self, peer: Peer) -> None:
        loss = ManagerLost(
            "of Ray",
            "",
            f"Ray is lost: {peer.name} ({peer.address}) has ended. Its tasks fail, and Ray is shut down in "
            "this process",
        )
        for on_loss in list(self._users.values()):
            on_loss(loss)
        self._close()

    def _close(self) -> None:
        with self._closing:
            is_first, self.is_closed = not self.is_closed, True
        if not is_first:
            if not self._watch.is_this_thread():  # the thread that closes may wait for the watch
                self.wait_closed()
            return
        self._watch.close()
        if self.session is not None:
            with self.calls:
                self.session.close()
        self._has_ended.set()

    def wait_closed(self) -> None:
        """Wait until a connection that is being closed is."""
        self._has_ended.wait()


def join(owner: Any, ray: ModuleType, target: Target, on_loss: LossHandler) -> Connection:
    """Return the connection of this process, opened if there is none.

    Raises:
        ConfigurationError: This process is connected to another cluster.
        EngineUnreachable: Nothing answers, or the cluster cannot be started.
        EngineMismatch: The cluster runs other versions.
    """
    global _current
    with _joining:
        if _current is not None and _current.is_closed:
            _current.wait_closed()
            _current = None
        if _current is None:
            _current = _new_connection(owner, ray, target)
        elif _current.target != target:
            raise ConfigurationError(
                f"RayExecutor {owner.label!r} needs {target}, but this process is connected to "
                f"{_current.target}, with other parameters. Ray connects a process to one cluster at a time: "
                "give all RayExecutors the same address and parameters"
            )
        _current.add_user(owner, on_loss)
        return _current


def _new_connection(owner: Any, ray: ModuleType, target: Target) -> Connection:
    if not ray.is_initialized():
        return Connection(ray, target, Session(owner, ray, target))
    given = _contradictions(ray, target)
    if given:
        raise ConfigurationError(
            f"RayExecutor {owner.label!r}: the script has initialised Ray already, and the executor uses "
            f"that, so {', '.join(given)} cannot have an effect. Omit them, or omit ray.init()"
        )
    return Connection(ray, target, None)


def _contradictions(ray: ModuleType, target: Target) -> Iterable[str]:
    """Return the parameters that contradict the Ray that the script has initialised."""
    given = {
        "num_cpus": target.num_cpus,
        "num_gpus": target.num_gpus,
        "resources": target.resources,
        "init_options": target.options,
        "provider": target.host,  # its nodes would join a cluster that may require no token, and runs tasks
    }
    names = [name for name, value in given.items() if value]
    if target.address not in (None, "auto") and not target.is_client:
        used = ray.get_runtime_context().gcs_address
        if target.address != used:
            names.append(f"address={target.address!r} (Ray uses {used})")
    return names
