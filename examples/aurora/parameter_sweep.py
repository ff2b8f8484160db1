"""An ensemble: how an oscillator moves depends on how hard it is driven, one task for each strength.

A last task depends on all others. It gathers what they found into a table and a picture.

    python parameter_sweep.py --tasks 400 --output sweep
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

import parsl
from parsl import python_app
from rich.console import Console
from rich.table import Table

from config import aurora_single_tile_config

WEAKEST, STRONGEST = 0.20, 0.65


@python_app
def simulate(drive: float) -> tuple[float, list[float], str]:
    import os

    from oscillator import sample_orbit

    return drive, sample_orbit(drive), f"{os.uname().nodename}/{os.environ['PARSL_WORKER_RANK']}"


@python_app
def gather(picture: str, inputs: Sequence[Any] = ()) -> dict[str, Any]:
    from pathlib import Path

    from report import summarize, svg_plot, text_plot

    orbits = sorted((drive, samples) for drive, samples, _ in inputs)
    Path(picture).write_text(svg_plot(orbits))
    return {
        "ranges": summarize(orbits),
        "plot": text_plot(orbits),
        "workers": len({worker for _, _, worker in inputs}),
    }


def main() -> None:
    options = parse_arguments()
    console = Console()
    options.output.mkdir(parents=True, exist_ok=True)
    picture = options.output.resolve() / "oscillator.svg"
    step = (STRONGEST - WEAKEST) / max(options.tasks - 1, 1)
    with parsl.load(aurora_single_tile_config):
        started_s = time.monotonic()
        orbits = [simulate(WEAKEST + step * number) for number in range(options.tasks)]
        gathered = gather(str(picture), inputs=orbits)
        with parsl.progress("oscillators", log_percent=25):
            for orbit in as_completed(orbits):
                orbit.result()
            findings = gathered.result()
        wall_s = time.monotonic() - started_s
    show(console, findings)
    console.print(
        f"{options.tasks + 1} tasks on {findings['workers']} workers in {wall_s:.1f} s: "
        f"{(options.tasks + 1) / wall_s:.0f} tasks/s"
    )
    console.print(f"Picture: {picture}", soft_wrap=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=400, help="strengths to try (default: 400)")
    parser.add_argument("--output", type=Path, default=Path("sweep"), help="folder for the picture")
    options = parser.parse_args()
    if options.tasks < 1:
        parser.error("--tasks has to be at least 1")
    return options


def show(console: Console, findings: dict[str, Any]) -> None:
    table = Table(title="Motion of the oscillator")
    for heading in ("drive from", "to", "runs"):
        table.add_column(heading, justify="right")
    table.add_column("motion")
    ranges = findings["ranges"]
    wide = [row for row in ranges if row[3] * 100 >= sum(runs for *_, runs in ranges)]
    for first, last, motion, runs in wide:
        table.add_row(f"{first:.4f}", f"{last:.4f}", str(runs), motion)
    console.print(table)
    if len(wide) < len(ranges):
        console.print(f"... and {len(ranges) - len(wide)} narrower ranges in between.")
    console.print("Position, once in each period, over the strength of the drive:\n")
    console.print(findings["plot"], markup=False, highlight=False, soft_wrap=True)
    console.print()


if __name__ == "__main__":
    main()
