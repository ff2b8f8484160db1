"""A TCP relay that misbehaves like a bad network: it is slow, cuts, falls silent, and sends garbage."""

from __future__ import annotations

import asyncio
import random
import shlex
import threading
from collections.abc import Callable
from dataclasses import dataclass

from parsl.common.commands import python_command

_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Weather:
    """What happens to connections. Nothing is ever forwarded twice or in another order.

    Attributes:
        delay_s: each piece of up to 64 KB waits up to so long, in seconds.
        cut_after: connections are closed after so many bytes on average, in the middle of whatever passes;
            None for never.
        silent_after_s: a connection over which nothing has passed for so long, in seconds, is dropped as a
            firewall does it: it stays open on both sides, and nothing passes any more. None for never.
        garbage: the part of connections over which both sides receive garbage first.
        max_garbage: no connection begins with garbage after so many have; None for no limit.
    """

    delay_s: float = 0.0
    cut_after: float | None = None
    silent_after_s: float | None = None
    garbage: float = 0.0
    max_garbage: int | None = None


FAIR = Weather()


class Relay:
    """Leads connections from a port of this host to another; owns a thread with a loop of its own.

    Args:
        weather: what happens to connections; it may be changed at any time, for what passes from then on.
        seed: for the same chances again, as far as timing allows.
    """

    def __init__(self, weather: Weather = FAIR, seed: int = 0) -> None:
        self.weather = weather
        self._chance = random.Random(seed)
        self._port_behind = 0
        self._flows: set[_Flow] = set()
        #: The numbers of connections that were cut, fell silent, or began with garbage.
        self.cuts = self.silences = self.nonsense = 0
        self._loop = asyncio.new_event_loop()
        self._leads_somewhere = asyncio.Event()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay")
        self._thread.start()

    def __repr__(self) -> str:
        return f"<Relay flows={len(self._flows)} cuts={self.cuts} silences={self.silences}>"

    def lead_to(self, port: int) -> None:
        """Connect new connections and those already waiting to this port of this host."""
        self._port_behind = port
        self._loop.call_soon_threadsafe(self._leads_somewhere.set)

    def cut_all(self) -> None:
        """Close every connection, and accept new ones."""
        self._for_each_flow(lambda flow: flow.cut())

    def silence_all(self) -> None:
        """Let nothing pass over the existing connections, and accept new ones."""
        self._for_each_flow(lambda flow: flow.fall_silent())

    def close(self) -> None:
        """End the relay and all of its connections."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _for_each_flow(self, act: Callable[[_Flow], None]) -> None:
        async def run() -> None:
            for flow in list(self._flows):
                act(flow)

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(30)

    async def _end(self) -> None:
        self._server.close()
        self._leads_somewhere.set()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._leads_somewhere.wait()
            behind = await asyncio.open_connection("127.0.0.1", self._port_behind)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
            return
        flow = _Flow(self, self._chance, (reader, writer), behind)
        self._flows.add(flow)
        try:
            await flow.run()
        finally:
            self._flows.discard(flow)


_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Flow:
    """One connection, with both of its ends. The relay's loop owns it."""

    def __init__(self, relay: Relay, chance: random.Random, near: _End, far: _End) -> None:
        self._relay = relay
        self._chance = chance
        self._ends = (near, far)
        self._is_silent = False
        self._passed_at_s = asyncio.get_running_loop().time()
        mean = relay.weather.cut_after
        #: How many bytes may pass before it is cut.
        self._left = float("inf") if mean is None else chance.expovariate(1 / mean)

    async def run(self) -> None:
        """Forward until one side closes or the relay cuts the connection."""
        near, far = self._ends
        if self._begins_with_garbage():
            self._relay.nonsense += 1
            for _, writer in self._ends:
                writer.write(self._chance.randbytes(self._chance.randrange(1, 200)))
        pumps = [
            asyncio.ensure_future(self._pump(near[0], far[1])),
            asyncio.ensure_future(self._pump(far[0], near[1])),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # the relay ends
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        self.cut()

    def _begins_with_garbage(self) -> bool:
        weather = self._relay.weather
        if weather.max_garbage is not None and self._relay.nonsense >= weather.max_garbage:
            return False
        return self._chance.random() < weather.garbage

    def cut(self) -> None:
        """Close the connection at once, whatever is in transit."""
        for _, writer in self._ends:
            writer.transport.abort()

    def fall_silent(self) -> None:
        """Let nothing pass any more."""
        if not self._is_silent:
            self._is_silent = True
            self._relay.silences += 1

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        try:
            while data := await reader.read(_CHUNK):
                weather = self._relay.weather
                if (
                    weather.silent_after_s is not None
                    and clock() > self._passed_at_s + weather.silent_after_s
                ):
                    self.fall_silent()
                if self._is_silent:
                    continue
                self._passed_at_s = clock()
                if weather.delay_s:
                    await asyncio.sleep(self._chance.uniform(0, weather.delay_s))
                if len(data) > self._left:
                    writer.write(data[: int(self._left)])
                    self._relay.cuts += 1
                    return
                self._left -= len(data)
                writer.write(data)
                await writer.drain()
        except OSError:
            return  # one side has closed it


def through_relay(relay: Relay) -> str:
    """An executor's launch_cmd whose managers connect through a relay."""
    command = shlex.join(python_command("parsl.executors.high_throughput.process_worker_pool"))
    return f"{command} --settings {{settings}} --block_id {{block_id}} --port {relay.port}"
