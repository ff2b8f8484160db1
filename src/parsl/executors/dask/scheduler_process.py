"""The process of the scheduler that DaskExecutor starts. Its only argument is its file of settings.

It prints the address that it listens on, and ends with the end of its standard input.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from typing import Any

#: The scheduler serves nothing over HTTP, where any process of the host could read it.
_NO_PAGES: dict[str, list[str]] = {"distributed.scheduler.http.routes": []}


def main() -> None:
    """Run the scheduler until the standard input ends."""
    from parsl.common.processes import setproctitle

    setproctitle("parsl: dask scheduler")
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    with open(sys.argv[1]) as file:
        settings = json.load(file)
    asyncio.run(_serve(settings))


async def _serve(settings: dict[str, Any]) -> None:
    import dask
    from distributed import Scheduler, Security

    tls = settings["tls"]
    security = None
    if tls:
        security = Security(
            require_encryption=True,
            tls_ca_file=tls["ca_file"],
            tls_scheduler_cert=tls["cert"],
            tls_scheduler_key=tls["key"],
        )
    dask.config.set(_NO_PAGES)
    protocol = "tls" if tls else "tcp"
    async with Scheduler(
        host=settings["host"],
        port=0,
        protocol=protocol,
        security=security,
        dashboard=False,
        dashboard_address="127.0.0.1:0",
    ) as scheduler:
        sys.stdout.write(f"{scheduler.address}\n")
        sys.stdout.flush()
        await _end_of_input()


async def _end_of_input() -> None:
    loop = asyncio.get_running_loop()
    has_ended = asyncio.Event()

    def read() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(has_ended.set)

    threading.Thread(target=read, daemon=True).start()
    await has_ended.wait()
