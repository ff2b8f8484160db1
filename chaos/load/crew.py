"""The processes of the fleets: the command starts them, sends orders, and reads reports."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from chaos.load import orders
from chaos.load.orders import Died, Ended, Kill, Order, Refused, decode_news

#: The directory of the package ``chaos``.
ROOT = Path(__file__).parents[2]


class Crew:
    """Owns the processes of the fleets, and for each of them a thread that reads its reports.

    Args:
        fleets: The order of each fleet.
        seed: The seed for the choice of fleets whose managers die.
    """

    def __init__(self, fleets: list[Order], seed: int) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.died: list[Died] = []
        self.refused: list[Refused] = []
        self.ended: list[Ended] = []
        self.processes = [_start(order) for order in fleets]
        self._readers = [
            threading.Thread(target=self._read, args=(process,), daemon=True) for process in self.processes
        ]
        for reader in self._readers:
            reader.start()

    def __repr__(self) -> str:
        return f"<Crew fleets={len(self.processes)} died={len(self.died)}>"

    def kill_one(self, is_silent: bool) -> None:
        """Order a random fleet to kill one of its managers."""
        stdin = self._random.choice(self.processes).stdin
        assert stdin is not None
        stdin.write(orders.encode(Kill(is_silent)) + b"\n")
        stdin.flush()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            news = decode_news(line)
            with self._lock:
                self._list_for(news).append(news)

    def _list_for(self, news: Any) -> list[Any]:
        if isinstance(news, Died):
            return self.died
        return self.ended if isinstance(news, Ended) else self.refused

    def close(self, timeout_s: float) -> list[str]:
        """Wait for the fleets to end, and kill them after the timeout. Returns: what was wrong with them."""
        wrong = []
        for number, process in enumerate(self.processes):
            assert process.stdin is not None
            process.stdin.close()
            try:
                code = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            if code:
                wrong.append(f"fleet {number} ended with exit code {code}")
        for reader in self._readers:
            reader.join()
        return wrong


def _start(order: Order) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "chaos.load.fleet"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(orders.encode(order) + b"\n")
    process.stdin.flush()
    return process
