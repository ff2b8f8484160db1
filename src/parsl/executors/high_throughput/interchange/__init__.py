"""The interchange: the process between the driver and the managers, with one loop that owns its state."""

from __future__ import annotations

from parsl.common import pass_on_upstream_names


def main(arguments: list[str] | None = None) -> int:
    """Run the interchange; the entry point of the command ``interchange.py``."""
    from parsl.executors.high_throughput.interchange.command import main as run

    return run(arguments)


pass_on_upstream_names(__name__)
