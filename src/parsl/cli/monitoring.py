"""``parsl monitoring [RUN]``: writes a run into a monitoring database, or completes it there."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence

from parsl.cli import print_error
from parsl.cli.console import print_json
from parsl.cli.run_choice import NoRun, add_run_arguments, find_run

_DESCRIPTION = """\
Write a run into a monitoring database, from its event log: the run of a script without MonitoringHub, or what
is missing because the process that wrote the database was killed. Existing rows stay. The exit code
is 1 if the database cannot be written, and 2 if the run has no event log.
"""
#: How long to wait for a locked database, in seconds.
_PATIENCE_S = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if the database cannot be written, 2 without an event log, otherwise 0."""
    from parsl.eventlog.file import EventLogError
    from parsl.monitoring.database.store import StoreError

    options = _parse(arguments)
    try:
        run = find_run(options.run, options.run_dir)
        database, is_complete = _fill(run, options.database)
    except (NoRun, EventLogError) as error:
        print_error("monitoring", error)
        return 2
    except StoreError as error:
        print_error("monitoring", error)
        return 1
    if options.json:
        print_json({"run": run, "database": database, "is_complete": is_complete})
    else:
        rest = "" if is_complete else "; the run is in progress, so more will follow"
        print(f"{run} is in {database}{rest}")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="parsl monitoring", description=_DESCRIPTION)
    add_run_arguments(parser)
    parser.add_argument(
        "--database",
        metavar="URL",
        help="sqlite:///PATH or postgresql://USER@HOST/DATABASE (default: the one of the run's "
        "MonitoringHub, or monitoring.db in the directory of the runs)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def _fill(run: str, endpoint: str | None) -> tuple[str, bool]:
    """Write a run; return the database, and whether it has all that the run will ever have."""
    from parsl.eventlog.file import EventReader
    from parsl.monitoring.database.endpoint import default_endpoint, store_for, without_password
    from parsl.monitoring.database.filling import Filling
    from parsl.monitoring.settings import known_settings

    settings = known_settings(run)
    if endpoint is None:
        runs = os.path.dirname(os.path.abspath(run))
        endpoint = default_endpoint(runs) if settings is None else settings.endpoint
    with EventReader(run) as reader:
        filling = Filling(
            reader,
            store_for(endpoint),
            resource_interval_s=30.0 if settings is None else settings.resource_interval_s,
            wait=_pause,
            warn=lambda text: print_error("monitoring", text),
            patience_s=_PATIENCE_S,
        )
        filling.run()
    return without_password(endpoint), filling.is_complete


def _pause(duration_s: float) -> bool:
    time.sleep(duration_s)
    return True
