"""Pods that reach the driver through a Service, which is an address of no host and one port."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.simulated_hosts import run_among_hosts, why_not

pytestmark = [pytest.mark.slow, pytest.mark.linux]

#: The name of the Service, which is all that pods know, and of the simulated host that stands for it.
SERVICE = "parsl-driver.parsl.svc"
TIMEOUT_S = 200

#: What a node's proxy does with connections to a Service: it passes them on to the driver's pod.
PROXY = """
import asyncio


async def copy(reader, writer):
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve(reader, writer):
    with open("connections", "a") as log:
        print("connection", file=log)
    driver = await asyncio.open_connection("driver", 54321)
    await asyncio.gather(copy(reader, driver[1]), copy(driver[0], writer), return_exceptions=True)


async def main():
    async with await asyncio.start_server(serve, "0.0.0.0", 54321) as server:
        print("ready", flush=True)
        await server.serve_forever()


asyncio.run(main())
"""

DRIVER = f"""
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import parsl
from parsl import Config, HighThroughputExecutor, python_app
from parsl.providers import KubernetesProvider
from tests.support.kubernetes_cluster.cluster import KubernetesCluster


@python_app
def double(x):
    return 2 * x


if __name__ == "__main__":
    proxy = ["enter", "{SERVICE}", f"{{sys.executable}} proxy.py"]
    with subprocess.Popen(proxy, stdout=subprocess.PIPE) as service, ExitStack() as stack:
        stack.callback(service.kill)
        service.stdout.readline()
        cluster = KubernetesCluster(Path("cluster").absolute())
        stack.callback(cluster.close)
        executor = HighThroughputExecutor(
            provider=KubernetesProvider(
                "python:3.12", kubeconfig=str(cluster.kubeconfig), init_blocks=1, max_blocks=2
            ),
            address="{SERVICE}",
            worker_port=54321,
            max_workers_per_node=2,
            cores_per_worker=0.01,
        )
        with parsl.load(Config(executors=[executor], usage_tracking=0)):
            print(sum(future.result(100) for future in [double(number) for number in range(200)]))
        print(cluster.remaining())
"""


@pytest.mark.timeout(TIMEOUT_S)
def test_pods_reach_the_driver_through_a_service(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    (tmp_path / "proxy.py").write_text(PROXY)
    done = run_among_hosts(DRIVER, [SERVICE], tmp_path, TIMEOUT_S - 20)
    assert done.stdout == "39800\n[]\n", done.stderr
    assert (tmp_path / "connections").read_text().startswith("connection\n")
