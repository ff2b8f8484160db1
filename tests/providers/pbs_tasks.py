"""Tasks that run in jobs of PBS."""

from __future__ import annotations


def where():
    import os

    return os.environ["PBS_JOBID"]


def run_until(marker, path):
    """Record the job in ``runs``, and run until the file ``marker`` exists."""
    import os
    import time

    with open(path, "a") as file:
        file.write(os.environ["PBS_JOBID"] + "\n")
    while not os.path.exists(marker):
        time.sleep(0.02)
    return os.environ["PBS_JOBID"]


def wait_for(marker):
    """Run until the file ``marker`` exists."""
    import os
    import time

    while not os.path.exists(marker):
        time.sleep(0.02)
    return os.environ["PBS_JOBID"]


def kill_manager():
    """Kill the manager of this task, and with it all of its workers."""
    import os
    import signal
    import time

    with open(f"/proc/{os.getppid()}/stat") as fork_server:
        manager = int(fork_server.read().rpartition(")")[2].split()[1])
    os.kill(manager, signal.SIGKILL)
    time.sleep(60)
