"""The command that runs the interchange: reads the settings, opens the log, starts the loop."""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import sys
from typing import Any

import msgspec

from parsl.common import descriptors
from parsl.executors.high_throughput import manager_selector
from parsl.executors.high_throughput.interchange.loop import Interchange
from parsl.executors.high_throughput.interchange.matching import WorkerMatching
from parsl.executors.high_throughput.interchange.state import InterchangeState, Restoration
from parsl.executors.high_throughput.wire.message_stream import MessageStream
from parsl.executors.high_throughput.wire.settings import InterchangeSettings
from parsl.logconfigs.roles import start_role_log

logger = logging.getLogger("parsl.htex.interchange")


def _make_state(settings: InterchangeSettings) -> InterchangeState:
    restoration = Restoration(settings.expected) if settings.is_replacement else None
    if settings.counts_nodes:
        from parsl.executors.high_throughput.interchange.node_queue import NodeMatching

        return InterchangeState(NodeMatching(settings.shared_ranks), restoration, settings.next_manager)
    selector: manager_selector.ManagerSelector = manager_selector.RandomManagerSelector()
    if settings.pickled_selector:
        import pickle

        selector = pickle.loads(settings.pickled_selector)
    elif settings.selector == "block_id":
        selector = manager_selector.BlockIdManagerSelector()
    return InterchangeState(WorkerMatching(selector), restoration, settings.next_manager)


def _first_messages(stream: MessageStream) -> list[list[Any]]:
    """Wait for the settings, which the driver writes first, and return them with what came along."""
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    while True:
        poll.poll()
        if messages := stream.receive():
            return messages


def main(arguments: list[str] | None = None) -> int:
    """Run the interchange. The only argument is the number of the inherited descriptor."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1 or not arguments[0].isdigit():
        sys.stderr.write(
            "usage: interchange.py DESCRIPTOR\nStarted by HighThroughputExecutor, not by hand.\n"
        )
        return 2
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the interchange ends when the driver does
    stream = MessageStream(socket.socket(fileno=int(arguments[0])))
    os.set_inheritable(stream.fileno(), False)
    try:
        first, *received = _first_messages(stream)
    except EOFError:
        return 0
    settings = msgspec.msgpack.decode(first[0], type=InterchangeSettings)
    sys.path += [entry for entry in settings.path if entry not in sys.path]
    start_role_log(settings.log_file, is_debug=settings.debug, log_config=settings.log_config)
    from parsl.common.processes import setproctitle

    setproctitle("parsl: HTEX interchange")
    logger.info("up to %d open files, one for each connection", descriptors.raise_limit())
    try:
        Interchange(settings, _make_state(settings), stream).run(received)
    except BaseException:
        logger.exception("the interchange has failed with an internal error")
        raise
    logger.info("done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
