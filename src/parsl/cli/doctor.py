"""``parsl doctor CONFIG.py``: reports what would fail, before it costs queue time."""

from __future__ import annotations

import argparse

from parsl.cli.checkup.config_loading import load_configs
from parsl.cli.checkup.examination import CheckOptions, examine
from parsl.cli.checkup.report import Report, as_data, as_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_DESCRIPTION = """\
Check a configuration: import it, show the job script that would be submitted, and report what would fail.
The command runs worker_init on this host, in a shell like the job's, and lets the scheduler check the job if
the scheduler supports that. It submits and starts nothing.
The exit code is 1 if something would fail.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The command line; by default that of this process.

    Returns:
        1 if something would fail, otherwise 0.
    """
    options = _parse(arguments)
    loaded = load_configs(options.config)
    check_options = CheckOptions(not options.no_dry_run, not options.no_worker_init, options.timeout)
    examinations = {name: examine(config, check_options) for name, config in loaded.configs.items()}
    report = Report(options.config, loaded.findings, examinations)
    if options.json:
        import json

        print(json.dumps(as_data(report), indent=2))
    else:
        print(as_text(report, with_scripts=not options.no_script))
    return 1 if report.errors else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="parsl doctor", description=_DESCRIPTION)
    parser.add_argument(
        "config",
        metavar="CONFIG.py[:NAME]",
        help="a file or module with a Config; NAME is one of several, or a function that makes one",
    )
    parser.add_argument(
        "--no-dry-run",
        action="store_true",
        help="do not have the scheduler check the job (Slurm: sbatch --test-only; Grid Engine: qsub -w v), "
        "which uses up a job id",
    )
    parser.add_argument("--no-worker-init", action="store_true", help="do not run worker_init here")
    parser.add_argument("--no-script", action="store_true", help="do not show the job script")
    parser.add_argument(
        "--timeout",
        type=_positive,
        default=60.0,
        metavar="SECONDS",
        help="for worker_init and for the scheduler's check (default: %(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    return parser.parse_args(arguments)


def _positive(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError(text)
    return seconds
