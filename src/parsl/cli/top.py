"""``parsl top [RUN]``: watch a run in a terminal, live or afterwards."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec

from parsl.cli import print_error
from parsl.cli.console import console, print_json
from parsl.cli.run_choice import NOT_FOUND, NoRun, add_run_arguments, find_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.eventlog.watch import RunWatch

_DESCRIPTION = """\
Watch a run: is it moving, why does nothing run, what is slow, what has failed. The command only reads the
run's event log: it needs no connection to the run, and also shows runs that are over. With the extra "top"
(pip install 'parsl[top]') there are keys to look into an app, a block, a failure or a task.
The exit code is 2 if there is no such run, or if the run has no event log.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 2 if there is no such run, or if it has no event log; otherwise 0."""
    from parsl.eventlog.file import EventLogError
    from parsl.eventlog.watch import RunWatch

    options = _parse(arguments)
    try:
        run = find_run(options.run, options.run_dir)
        with RunWatch(run) as watch, suppress(KeyboardInterrupt):
            _show(watch, run, options)
    except (NoRun, EventLogError) as error:
        print_error("top", error)
        return NOT_FOUND
    return 0


def _show(watch: RunWatch, run: str, options: argparse.Namespace) -> None:
    from parsl.cli.live.plain import show_live
    from parsl.cli.live.snapshot import as_data, snapshot

    if options.json:
        watch.read_to_end()
        print_json(as_data(snapshot(watch, run)))
    elif options.once or not sys.stdout.isatty():
        from parsl.cli.live.picture import picture

        watch.read_to_end()
        console().print(picture(snapshot(watch, run)))
    elif options.plain or not sys.stdin.isatty() or find_spec("textual") is None:
        show_live(watch, run, console())
    else:
        from parsl.cli.live.screen import TopScreen

        TopScreen(watch, run).run()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="parsl top", description=_DESCRIPTION)
    add_run_arguments(parser)
    parser.add_argument("--once", action="store_true", help="print one picture, and exit; so does a pipe")
    parser.add_argument("--plain", action="store_true", help="do without keys, as without the extra")
    parser.add_argument("--json", action="store_true", help="print JSON, and exit")
    return parser.parse_args(arguments)
