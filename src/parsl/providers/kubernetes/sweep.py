"""Deletes the blocks of a run: ``python -m parsl.providers.kubernetes.sweep --namespace NAME --run RUN``.

The interchange runs this if the driver was killed, and users may run it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from parsl.errors import ConfigurationError, OptionalModuleMissing
from parsl.providers.kubernetes.cluster import Cluster
from parsl.providers.kubernetes.credentials import make_client
from parsl.providers.kubernetes.deletion import sweep


def main(argv: Sequence[str] | None = None) -> int:
    """Delete the Jobs of a run, with everything that belongs to them; return the exit code."""
    options = _parser().parse_args(argv)
    if not options.run:
        print("The name of the run is empty: that would be all runs.", file=sys.stderr)  # noqa: T201
        return 2
    try:
        cluster = Cluster(make_client(options.kubeconfig, options.context), options.namespace)
    except (ConfigurationError, OptionalModuleMissing) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    deleted, problems = sweep(cluster, options.run)
    print(f"Deleted {len(deleted)} Jobs of run {options.run}: {', '.join(deleted)}")  # noqa: T201
    for problem in problems:
        print(f"Jobs may be left: {problem}", file=sys.stderr)  # noqa: T201
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="parsl.providers.kubernetes.sweep", description=main.__doc__)
    parser.add_argument("--namespace", required=True, help="the namespace")
    parser.add_argument("--run", required=True, help="the value of the label parsl-run")
    parser.add_argument("--kubeconfig", help="the file with the credentials")
    parser.add_argument("--context", help="the context in that file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
