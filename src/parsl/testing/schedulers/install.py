"""Puts the commands of a cluster where a PATH can find them."""

from __future__ import annotations

import os
import shlex

from parsl.testing.schedulers.starter import module_command


def install_command(bin_directory: str, name: str, module: str, cluster: str, python: str) -> None:
    """Write an executable.

    Args:
        bin_directory: Where to; made if missing.
        name: Its name.
        module: Whose ``main`` it calls.
        cluster: The directory of the cluster, given to ``main`` before the arguments.
        python: The Python to run it with.
    """
    os.makedirs(bin_directory, exist_ok=True)
    executable = os.path.join(bin_directory, name)
    with open(executable, "w") as file:
        file.write(f'#!/bin/sh\nexec {shlex.join([*module_command(module, python), cluster])} "$@"\n')
    os.chmod(executable, 0o755)
