"""``parsl doctor config.py``: reports what would fail before it costs queue time."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from parsl.cli import seconds

_DESCRIPTION = """\
Check a configuration: import it, and report what would fail. With --script, show the job script, too.
This runs worker_init on this host, in a shell like that of the job, and lets the scheduler check the job if
it can. Nothing is submitted or started.
The exit code is 1 if something would fail.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if something would fail, otherwise 0."""
    options = _parse(arguments)
    # The checks import most of Parsl.
    from parsl.cli.checkup.config_loading import load_configs
    from parsl.cli.checkup.report import Report, as_data, as_text, examine
    from parsl.cli.checkup.subject import CheckOptions
    from parsl.vocabulary.findings import ERROR

    loaded = load_configs(options.config)
    checks = CheckOptions(not options.no_dry_run, not options.no_worker_init, options.timeout)
    examinations = {name: examine(config, checks) for name, config in loaded.configs.items()}
    report = Report(options.config, loaded.findings, examinations)
    if options.json:
        print(json.dumps(as_data(report), indent=2))
    else:
        print(as_text(report, with_scripts=options.script))
    return 1 if report.number_of(ERROR) else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="parsl doctor", description=_DESCRIPTION)
    parser.add_argument(
        "config",
        metavar="config.py[:NAME]",
        help="a file or module with a Config; NAME is one of several, or a function that makes one",
    )
    parser.add_argument(
        "--no-dry-run",
        action="store_true",
        help="do not let the scheduler check the job (Slurm: sbatch --test-only; Grid Engine: qsub -w v), "
        "which uses up a job id",
    )
    parser.add_argument("--no-worker-init", action="store_true", help="do not run worker_init here")
    parser.add_argument("--script", action="store_true", help="show the job script, too")
    # The opposite of --script, from when the job script was shown by default.
    parser.add_argument("--no-script", action="store_false", dest="script", help=argparse.SUPPRESS)
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="the limit for worker_init and for the scheduler's check (default: %(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)
