"""Long chains, wide joins and large payloads need their memory at most twice, and no deep stack."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import parsl
from parsl import Config, python_app
from parsl.dataflow.errors import DependencyError
from parsl.executors.threads import ThreadPoolExecutor
from parsl.providers import LocalProvider
from tests.system import run as runs
from tests.system import tasks
from tests.system.run import executor

if TYPE_CHECKING:
    import psutil

CHAIN = 100_000
FAN = 10_000
MB = 10**6
#: The maximum memory of the interchange, as a multiple of the payloads that wait in it.
MAX_COPIES = 3


@pytest.mark.parametrize("fails", [False, True], ids=["works", "fails"])
def test_a_chain_of_a_hundred_thousand_tasks(tmp_path: Path, fails: bool) -> None:
    add = python_app(tasks.add)
    config = Config(executors=[ThreadPoolExecutor(max_threads=2)], run_dir=str(tmp_path / "r"))
    with parsl.load(config):
        head: Future[int] = Future()
        last: Any = add(head, b=1)
        for _ in range(CHAIN - 1):
            last = add(last, b=1)
        if fails:
            head.set_exception(ValueError("the head"))
            error = last.exception(timeout=300)
            assert isinstance(error, DependencyError)
            assert "the head" in str(error)
        else:
            head.set_result(0)
            assert last.result(timeout=300) == CHAIN


def test_one_task_takes_ten_thousand_results(tmp_path: Path) -> None:
    with parsl.load(Config(executors=[executor()], run_dir=str(tmp_path / "r"))):
        add = python_app(tasks.add)
        total = python_app(lambda *numbers: sum(numbers))
        assert total(*[add(number) for number in range(FAN)]).result(timeout=300) == sum(range(FAN))


def peak_bytes(process: psutil.Process) -> int:
    """Return the peak memory of a process."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    [peak] = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(peak) * 1024


@pytest.mark.parametrize("way", ["local", "tcp"])
@pytest.mark.parametrize(("size", "count"), [(100 * MB, 3), (MB, 300)])
def test_large_payloads_arrive_whole_and_do_not_accumulate(
    tmp_path: Path, far: Path, way: str, size: int, count: int
) -> None:
    def digest(load: bytes) -> tuple[str, bytes]:
        import hashlib

        return hashlib.sha256(load).hexdigest(), load[::-1]

    provider = LocalProvider(init_blocks=1, max_blocks=1)
    one = executor(provider=provider, max_workers_per_node=2)
    with parsl.load(Config(executors=[one], run_dir=str(far if way == "tcp" else tmp_path / "r"))):
        app = python_app(digest)
        app(b"").result(timeout=60)
        loads = [number.to_bytes(4, "little") * (size // 4) for number in range(count)]
        futures = [app(load) for load in loads]
        for load, future in zip(loads, futures, strict=True):
            found, back = future.result(timeout=120)
            assert found == hashlib.sha256(load).hexdigest()
            assert back == load[::-1]
        [interchange] = runs.titled(runs.INTERCHANGE)
        peak = peak_bytes(interchange)
        print(f"{way}, {count} x {size // MB} MB: interchange {peak // MB} MB")
        assert peak < MAX_COPIES * size * count + 100 * MB
