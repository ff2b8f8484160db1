"""Finds the variable stars of a survey: split, clean, analyse in parallel, join, draw. Restartable.

    python pipeline.py [--output DIR]

Kill it at any moment and start it again: what had been done is taken from the checkpoints.
"""

import argparse
import gzip
import os
import sys
from concurrent.futures import as_completed
from pathlib import Path

import parsl
from parsl import Config, File, HighThroughputExecutor, bash_app, python_app
from parsl.dataflow.dependency_resolvers import DEEP_DEPENDENCY_RESOLVER
from parsl.dataflow.memoization import BasicMemoizer

HERE = Path(__file__).parent


@bash_app(cache=True)
def split(inputs=(), outputs=()):
    """Write the observations of each star to a file of its own."""
    folder = os.path.dirname(outputs[0].filepath)
    return f"""gzip -dc '{inputs[0]}' | awk -F, -v folder='{folder}' '{{ print > (folder "/" $1 ".raw") }}'"""


@bash_app(cache=True)
def clean(inputs=(), outputs=()):
    """Leave out what the detector could not measure, and sort the rest by time."""
    return f"grep -v -e nan -e 99.999 '{inputs[0]}' | sort -t, -g -k2 > '{outputs[0]}'"


@python_app(cache=True)
def analyse(star, inputs=()):
    """Find the star's period and the kind of its light curve."""
    from light_curve import describe, read

    return {"star": star, **describe(read(inputs[0].filepath))}


@python_app(cache=True)
def join(found, outputs=()):
    """Write what was found to a table."""
    import csv

    with open(outputs[0].filepath, "w", newline="") as file:
        table = csv.DictWriter(file, ["star", "period_d", "range_mag", "kind"])
        table.writeheader()
        table.writerows(found)


@python_app(cache=True)
def draw(found, stars, inputs=(), outputs=()):
    """Draw what was found."""
    import picture

    files = dict(zip(stars, (file.filepath for file in inputs), strict=True))
    picture.draw(found, files, outputs[0].filepath)


def read_stars(survey):
    """The names of the survey's stars."""
    with gzip.open(survey, "rt") as file:
        return sorted({line.partition(",")[0] for line in file})


def build(survey, folder):
    """Describe the whole pipeline; nothing waits here. Returns: all futures, and those of table and plot."""
    stars = read_stars(survey)
    raw = split(inputs=[File(str(survey))], outputs=[File(f"{folder}/{star}.raw") for star in stars])
    cleaned = [
        clean(inputs=[part], outputs=[File(f"{folder}/{star}.csv")])
        for star, part in zip(stars, raw.outputs, strict=True)
    ]
    parts = [each.outputs[0] for each in cleaned]
    found = [analyse(star, inputs=[part]) for star, part in zip(stars, parts, strict=True)]
    table = join(found, outputs=[File(f"{folder}/stars.csv")])
    plot = draw(found, stars, inputs=parts, outputs=[File(f"{folder}/stars.png")])
    return [raw, *cleaned, *found, table, plot], table.outputs[0], plot.outputs[0]


def config(folder):
    return Config(
        executors=[HighThroughputExecutor(label="cores")],
        memoizer=BasicMemoizer(checkpoint_mode="task_exit"),
        dependency_resolver=DEEP_DEPENDENCY_RESOLVER,  # lists of futures are arguments here
        run_dir=f"{folder}/runinfo",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--survey", type=Path, default=HERE / "survey.csv.gz", help="observations to analyse")
    parser.add_argument("--output", type=Path, default=Path("stars"), help="where results go (stars)")
    options = parser.parse_args()
    folder = options.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with parsl.load(config(folder)):
        tasks, table, plot = build(options.survey.resolve(), folder)
        with parsl.progress("variable stars"):
            for task in as_completed(tasks):
                task.result()
        reused = sum(task.task_status() == "memo_done" for task in tasks)
        print(f"{len(tasks)} tasks, {reused} of them done in an earlier run")
        print(f"{table.result().filepath}\n{plot.result().filepath}")


if __name__ == "__main__":
    sys.exit(main())
