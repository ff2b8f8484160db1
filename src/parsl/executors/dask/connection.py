"""The connection to the scheduler of a Dask cluster."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

from parsl.errors import ConfigurationError
from parsl.executors.engines.errors import HOW_TO_INSTALL, EngineMismatch, EngineUnreachable

logger = logging.getLogger(__name__)

#: How long closing the connection to a scheduler may take, in seconds.
CLOSE_S = 5.0


def connect(executor: Any, target: Any, security: Any, timeout_s: float) -> Any:
    """Connect to a cluster. A client of the user is not used, but shows where the scheduler is.

    Args:
        executor: The executor, for messages.
        target: An address, a ``distributed.Client``, or an object with the interface of Dask's clusters.
        security: As ``distributed.Client`` takes it; None for that of the cluster or of Dask's configuration.
        timeout_s: How long to wait for the scheduler (seconds).

    Returns:
        A ``distributed.Client`` of the executor's own.

    Raises:
        EngineUnreachable: Nothing answers, or not as a scheduler of Dask.
        EngineMismatch: The scheduler runs other versions.
        ConfigurationError: The client belongs to a loop that this thread cannot wait for.
    """
    from distributed import Client

    if isinstance(target, Client):
        if target.asynchronous:
            raise ConfigurationError(
                f"DaskExecutor {executor.label!r} cannot use {target!r}, which is asynchronous: parsl.load "
                "would wait for the loop that it runs in. Pass the scheduler's address instead"
            )
        if target.status != "running":
            raise EngineUnreachable(executor, f"its client is {target.status}: {target!r}")
        security = target.security
        target = target.cluster or target.scheduler.address
    client = _new_client(executor, target, security, timeout_s)
    try:
        _check_versions(executor, client)
        _register_plugin(executor, client)
    except BaseException:
        close(client)
        raise
    return client


def close(client: Any) -> None:
    """Close a client, even if its scheduler is lost."""
    try:
        client.close(timeout=CLOSE_S)
    except Exception as error:
        logger.info("The client of the scheduler was not closed: %s: %s", type(error).__name__, error)


def _new_client(executor: Any, target: Any, security: Any, timeout_s: float) -> Any:
    from distributed import Client

    where = target if isinstance(target, str) else repr(target)
    try:
        if isinstance(target, str):
            _probe(target, security, timeout_s)
        return Client(target, security=security, timeout=timeout_s, set_as_default=False, name="parsl")
    except ImportError as error:
        raise EngineMismatch(executor, f"the scheduler at {where} refuses this client: {error}") from error
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise EngineUnreachable(
            executor,
            f"no scheduler of Dask answers at {where} within {timeout_s:g} s: {reason}. Check that it runs "
            "(dask scheduler), that this host can reach it, and that both use TLS or neither does",
        ) from error


def _probe(address: str, security: Any, timeout_s: float) -> None:
    """Check that a scheduler sends its greeting: a client waits for it without a limit.

    Raises:
        OSError: Nothing answers within the time.
    """
    import dask

    scheme, _, location = address.rpartition("://")
    scheme = scheme or dask.config.get("distributed.comm.default-scheme", "tcp")
    if scheme not in ("tcp", "tls"):
        return
    host, _, port = location.rpartition(":")
    if not host or not port.isdecimal():
        return  # an address with a default, or none: the client explains it
    with ExitStack() as stack:
        connection = stack.enter_context(socket.create_connection((host.strip("[]"), int(port)), timeout_s))
        connection.settimeout(timeout_s)
        if scheme == "tls":
            from distributed import Security

            if not isinstance(security, Security):
                security = Security(**(security or {}))  # None: of Dask's configuration
            context = security.get_connection_args("scheduler")["ssl_context"]
            if context is None:
                return  # the client explains what is missing
            connection = stack.enter_context(context.wrap_socket(connection))
        if not connection.recv(1):
            raise ConnectionError("the connection was closed")


def _check_versions(executor: Any, client: Any) -> None:
    """Compare what has to be equal, because driver and scheduler exchange pickled graphs."""
    from distributed.versions import get_versions

    here = _relevant(get_versions()["packages"])
    there = _relevant(client.sync(client.scheduler.versions)["packages"])
    if different := [name for name in here if here[name] != there[name]]:
        raise EngineMismatch(
            executor,
            f"the driver runs {_shown(here, different)}, and the scheduler at {client.scheduler.address} "
            f"{_shown(there, different)}. Start both from the same environment",
        )


def _relevant(packages: Any) -> dict[str, str]:
    """Return the versions that have to be equal: a release of Dask, and the first two numbers of Python."""
    found = dict(packages)
    python = ".".join(str(found.get("python", "unknown")).split(".")[:2])
    return {"Python": python, "distributed": str(found.get("distributed", "unknown"))}


def _shown(versions: dict[str, str], names: list[str]) -> str:
    return " and ".join(f"{name} {versions[name]}" for name in names)


def _register_plugin(executor: Any, client: Any) -> None:
    from parsl.executors.dask.single_runs import SingleRuns

    try:
        client.register_plugin(SingleRuns(client.id))
    except ModuleNotFoundError as error:
        raise EngineMismatch(
            executor,
            f"the scheduler at {client.scheduler.address} cannot import {error.name}. {HOW_TO_INSTALL}",
        ) from error
    except Exception as error:
        raise EngineMismatch(
            executor,
            f"the scheduler at {client.scheduler.address} has refused Parsl's plugin, without which Dask "
            f"runs tasks of lost workers again: {type(error).__name__}: {error}",
        ) from error


class LossWatch:
    """Detects the loss of the scheduler at once, even when no task is in progress.

    It waits for an event that exists in the scheduler, over a connection of its own. The end of the
    connection ends the wait.

    Args:
        client: The ``distributed.Client``.
        on_lost: Called in the client's loop, with the reason.
    """

    def __init__(self, client: Any, on_lost: Callable[[str], object]) -> None:
        from distributed import Event

        self._client = client
        self._on_lost = on_lost
        self._is_over = False
        #: Whether the scheduler is lost.
        self.is_lost = False
        self._event = Event(f"parsl-{uuid4()}", client=client)

    def start(self) -> None:
        """Begin to wait."""
        import asyncio

        def begin() -> None:
            self._task = asyncio.ensure_future(self._wait())

        self._client.loop.add_callback(begin)

    def stop(self) -> None:
        """End the wait."""
        self._is_over = True
        if self.is_lost or self._client.status != "running":
            return
        try:
            self._client.sync(self._event.set, callback_timeout=CLOSE_S)
            self._client.sync(self._event.clear, callback_timeout=CLOSE_S)
        except Exception as error:
            logger.info("The scheduler did not receive the end of the run: %s", error)

    async def _wait(self) -> None:
        reason = "its client was closed"
        try:
            await self._event.wait()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        if not self._is_over:
            self.is_lost = True
            self._on_lost(f"the connection to the scheduler at {self._address()} has ended: {reason}")

    def _address(self) -> str:
        return getattr(self._client.scheduler, "address", "an address that is no longer known")
