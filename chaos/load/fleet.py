"""A process that simulates many managers: each with its own encrypted connection, in one loop.

python -m chaos.load.fleet       (the command starts it, and writes its order to it)
"""

from __future__ import annotations

import heapq
import itertools
import os
import random
import select
import socket
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import zmq

from chaos.load import orders
from chaos.load.member import Member
from chaos.load.orders import Died, Ended, Order, Refused, decode_kill, decode_order
from parsl.common import descriptors
from parsl.executors.high_throughput.manager.registration import make_dealer
from parsl.executors.high_throughput.manager.state import Worker
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.connections import receive, send
from parsl.executors.high_throughput.wire.protocol import decode_to_manager, encode
from parsl.executors.high_throughput.wire.settings import read_settings

#: How many managers connect before the fleet serves the others again.
_AT_ONCE = 16
#: How much shorter or longer than the mean tasks are, as a fraction of it.
_SPREAD = 0.5
_ADDRESS = "127.0.0.1"


class Fleet:
    """Owns the loop, the connections and the clock of its managers. Single-threaded."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._settings = read_settings(Path(order.settings_file))
        self._random = random.Random(order.seed + order.first)
        self._context = zmq.Context()
        self._context.set(zmq.MAX_SOCKETS, order.last - order.first + 16)
        self._epoll = select.epoll()
        self._epoll.register(0, select.EPOLLIN)
        os.set_blocking(0, False)
        self._orders = b""
        self._unconnected = deque(range(order.first, order.last))
        self._members: dict[int, Member] = {}
        #: Members that may have input which their edge-triggered descriptor does not report.
        self._unread: set[Member] = set()
        self._unsent: set[Member] = set()
        self._ends: list[tuple[float, int, float, Member, Worker]] = []
        self._numbers = itertools.count()
        self._beats: deque[tuple[float, Member]] = deque()
        self._longest_silence_s = 0.0
        self._is_over = False

    def __repr__(self) -> str:
        return f"<Fleet members={len(self._members)} running={len(self._ends)}>"

    def run(self) -> None:
        """Simulate until the interchange sends Stop, or the command closes the pipe."""
        while not self._is_over:
            for fd, _ in self._epoll.poll(self._timeout_s()):
                if fd == 0:
                    self._read_orders()
                elif fd in self._members:  # the member may have died at this moment
                    self._unread.add(self._members[fd])
            self._connect_some()
            self._end_tasks(time.monotonic())
            self._send_results()
            unread, self._unread = self._unread, set()
            for member in unread:
                self._serve(member)
            self._beat(time.monotonic())
        _report(Ended(self._longest_silence_s, sum(member.tasks for member in self._members.values())))
        self._context.destroy(linger=0)

    def _timeout_s(self) -> float | None:
        if self._unconnected or self._unread or self._unsent:
            return 0.0
        moments = [queue[0][0] for queue in (self._ends, self._beats) if queue]
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _connect_some(self) -> None:
        for _ in range(min(_AT_ONCE, len(self._unconnected))):
            self._connect(self._unconnected.popleft())

    def _connect(self, number: int) -> None:
        """Check that the address accepts connections, connect and register, as a real manager does."""
        settings, order = self._settings, self._order
        socket.create_connection((_ADDRESS, settings.port)).close()
        sock = make_dealer(self._context, settings, f"node{number:05d}")
        member = Member(number, str(number // order.nodes_per_block), order.workers, sock)
        sock.connect(f"tcp://{_ADDRESS}:{settings.port}")
        fd = int(sock.getsockopt(zmq.FD))
        self._members[fd] = member
        self._epoll.register(fd, select.EPOLLIN)
        member.heard_at = now = time.monotonic()
        self._send(member, member.introduction(settings_python()))
        self._beats.append((now + settings.heartbeat_period_s, member))

    def _send(self, member: Member, message: Any) -> None:
        if not member.is_dead:
            send(member.sock, [encode(message)])
            self._unread.add(member)

    def _serve(self, member: Member) -> None:
        if member.is_dead:
            return
        try:
            while True:
                self._take(member, decode_to_manager(receive(member.sock)[0]))
        except zmq.Again:
            pass

    def _take(self, member: Member, message: Any) -> None:
        member.heard_at = now = time.monotonic()
        if isinstance(message, protocol.Tasks):
            member.acknowledge(message.acknowledged)
            self._begin(member, member.accept(message.tasks, now), now)
        elif isinstance(message, protocol.Acknowledged):
            member.acknowledge(message.serial)
        elif isinstance(message, protocol.ReportHeldTasks):
            self._send(member, member.held(message.number))
        elif isinstance(message, protocol.ReportPackages):
            self._send(member, member.packages())
        elif isinstance(message, protocol.Stop):
            self._is_over = True
        elif isinstance(message, protocol.Refused):
            member.is_dead = True
            _report(Refused(member.name, message.reason))

    def _begin(self, member: Member, workers: list[Worker], now: float) -> None:
        mean = self._order.task_s
        for worker in workers:
            run_s = mean * self._random.uniform(1 - _SPREAD, 1 + _SPREAD)
            heapq.heappush(self._ends, (now + run_s, next(self._numbers), run_s, member, worker))

    def _end_tasks(self, now: float) -> None:
        ends = self._ends
        while ends and ends[0][0] <= now:
            _, _, run_s, member, worker = heapq.heappop(ends)
            if not member.is_dead:
                self._begin(member, member.finish(worker, run_s, now), now)
                self._unsent.add(member)

    def _send_results(self) -> None:
        unsent, self._unsent = self._unsent, set()
        for member in unsent:
            self._send(member, member.take_results())

    def _beat(self, now: float) -> None:
        beats, period_s = self._beats, self._settings.heartbeat_period_s
        while beats and beats[0][0] <= now:
            at, member = beats.popleft()
            if not member.is_dead:
                self._send(member, protocol.Heartbeat())
                self._longest_silence_s = max(self._longest_silence_s, now - member.heard_at)
                beats.append((at + period_s, member))

    # Orders of the command

    def _read_orders(self) -> None:
        data = os.read(0, 65536)
        self._is_over = self._is_over or not data
        *lines, self._orders = (self._orders + data).split(b"\n")
        for line in lines:
            self._kill(decode_kill(line).is_silent)

    def _kill(self, is_silent: bool) -> None:
        fd, member = self._random.choice([pair for pair in self._members.items() if not pair[1].is_dead])
        member.is_dead = True
        self._epoll.unregister(fd)
        _report(Died(member.name, is_silent, time.time()))
        if not is_silent:
            del self._members[fd]
            member.sock.close(linger=0)


def settings_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _report(news: Any) -> None:
    os.write(1, orders.encode(news) + b"\n")


def main() -> int:
    """Read the order, and simulate its managers."""
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1)
    descriptors.raise_limit()
    Fleet(decode_order(line)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
