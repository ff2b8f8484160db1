"""``parsl dashboard [RUN]``: shows runs in a browser, live and finished ones."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from parsl.cli import print_error
from parsl.cli.run_choice import NOT_FOUND, NoRun, find_run, runs_in
from parsl.common.rundirs import numbered_rundirs

_DESCRIPTION = """\
Show runs in a browser: what they do, why they wait, and what failed. Pages are served on loopback by this
process, which only reads; nothing is loaded from other hosts. Without RUN, all runs in --run-dir are listed.
The exit code is 2 if the run does not exist, or the port is in use.
"""
_VISUALIZE = """\
Upstream's name for `parsl dashboard`: shows the runs in the directory of a monitoring database.
"""
_INSTALL = """\
the dashboard needs packages that are not installed ({missing}). Install them:

    python -m pip install 'parsl[dashboard]'"""
_DEFAULT_DATABASE = "sqlite:///runinfo/monitoring.db"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 2 if the run does not exist or the port is in use; otherwise 0."""
    parser = argparse.ArgumentParser(prog="parsl dashboard", description=_DESCRIPTION)
    parser.add_argument(
        "run",
        metavar="RUN",
        nargs="?",
        help="a run's directory, its number in --run-dir, or 'last' for the newest; or a directory of runs",
    )
    parser.add_argument(
        "--run-dir",
        default="runinfo",
        metavar="DIRECTORY",
        help="the directory of the runs, Config.run_dir (default: %(default)s)",
    )
    _add_server_options(parser)
    options = parser.parse_args(arguments)
    try:
        path = _path(options.run, options.run_dir)
    except NoRun as error:
        print_error("dashboard", error)
        return NOT_FOUND
    return _serve(path, options.port, not options.no_token)


def visualize(arguments: Sequence[str] | None = None) -> int:
    """Run ``parsl-visualize [sqlite:///PATH/monitoring.db]``."""
    parser = argparse.ArgumentParser(prog="parsl-visualize", description=_VISUALIZE)
    parser.add_argument("database", metavar="URI", nargs="?", default=_DEFAULT_DATABASE, help="(%(default)s)")
    parser.add_argument("--listen", metavar="ADDRESS", help="no effect: pages are served on loopback")
    parser.add_argument("-d", "--debug", action="store_true", help="no effect")
    _add_server_options(parser, port=8080)
    options = parser.parse_args(arguments)
    try:
        path = directory_of(options.database)
    except ValueError as error:
        print(f"parsl-visualize: {error}", file=sys.stderr)
        return NOT_FOUND
    return _serve(path, options.port, not options.no_token)


def _add_server_options(parser: argparse.ArgumentParser, port: int = 0) -> None:
    default = f"{port}" if port else "a free one"
    parser.add_argument(
        "--port", type=_port, default=port, help=f"the port on loopback, 0 to 65535 (default: {default})"
    )
    parser.add_argument(
        "--no-token", action="store_true", help="let every user of this machine see the pages"
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 0 to 65535")
    return int(text)


def _path(run: str | None, run_dir: str) -> str:
    """Return the directory of a run or of several runs."""
    if run is None:
        if not os.path.isdir(run_dir):
            find_run("last", run_dir)  # its error explains what to do
        runs_in(run_dir)
        return run_dir
    if os.path.isdir(run) and not run.isdigit():
        runs_in(run)
        return run
    return find_run(run, run_dir)


def directory_of(database: str) -> str:
    """Return the directory of the runs that a monitoring database is about.

    Raises:
        ValueError: It is not the URI of an SQLite file, or there is neither such a file nor a run.
    """
    scheme = "sqlite:///"
    if not database.startswith(scheme):
        raise ValueError(
            f"{database!r} is not the URI of an SQLite file, such as {_DEFAULT_DATABASE}. Runs of other "
            "databases are shown from their directories: parsl dashboard DIRECTORY"
        )
    path = os.path.abspath(database.removeprefix(scheme))
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise ValueError(f"{directory}, the directory of {database!r}, does not exist")
    if not os.path.exists(path) and not numbered_rundirs(directory):
        raise ValueError(
            f"there is no database {path}, and no run in its directory. Name the database of your runs, or "
            "show a directory of runs: parsl dashboard DIRECTORY"
        )
    return directory


def _serve(path: str, port: int, with_token: bool) -> int:
    try:
        from parsl.dashboard.serve import PortInUse, serve
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("parsl"):
            raise
        print_error("dashboard", _INSTALL.format(missing=error.name))
        return NOT_FOUND
    try:
        serve(path, port, with_token, lambda text: print(text, flush=True))
    except PortInUse as error:
        print_error("dashboard", error)
        return NOT_FOUND
    return 0
