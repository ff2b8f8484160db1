"""Clusters that RayExecutor starts: what they listen on, their loss, and that nothing of them is left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.scripts import run_script

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray")]

#: What the scripts below begin with.
PRELUDE = """
import json, os, signal, sys, time
import psutil
import parsl
from parsl import Config, python_app
from parsl.executors import RayExecutor
from parsl.providers import LocalProvider


@python_app(executors=["ray"])
def double(x):
    return 2 * x


@python_app
def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.05)


def descendants():
    return psutil.Process().children(recursive=True)


def listening():
    ours = {process.pid for process in [psutil.Process(), *descendants()]}
    connections = psutil.net_connections("tcp")
    return {c.laddr.ip.removeprefix("::ffff:") for c in connections if c.status == "LISTEN" and c.pid in ours}
"""

ON_THIS_MACHINE = """
if __name__ == "__main__":
    handler = signal.getsignal(signal.SIGTERM)
    with parsl.load(Config(executors=[RayExecutor(num_cpus=2)])):
        results = [double(number).result() for number in range(3)]
        facts = {"results": results, "listening": sorted(listening())}
    facts["left"] = [process.name() for process in descendants()]
    facts["keeps handler"] = signal.getsignal(signal.SIGTERM) is handler
    facts["variables"] = [name for name in os.environ if name.startswith("RAY_AUTH")]
    print(json.dumps(facts))
"""

KILLED = """
if __name__ == "__main__":
    victim = sys.argv[1]
    with parsl.load(Config(executors=[RayExecutor(num_cpus=2)], retries=1)):
        double(1).result()
        futures = [wait_for("never") for _ in range(1000)]
        for process in descendants():
            if process.name() == victim:
                process.kill()
        errors = {f"{type(future.exception()).__name__}: {future.exception()}" for future in futures}
        try:
            double(1).result()
        except Exception as error:
            later = type(error).__name__
    left = [process.name() for process in descendants()]
    print(json.dumps({"errors": sorted(errors), "later": later, "left": left}))
"""

IN_BLOCKS = """
if __name__ == "__main__":
    # On a busy machine a node may take longer to start than Ray allows; another block replaces it then.
    provider = LocalProvider(init_blocks=1, max_blocks=2)
    executor = RayExecutor(num_cpus=2, provider=provider, block_error_handler=False)
    other = RayExecutor("ray-2", num_cpus=2, provider=LocalProvider(init_blocks=0, max_blocks=1))
    with parsl.load(Config(executors=[executor, other])):
        results = [double(number).result() for number in range(3)]
        executor.poll_facade()
        while not (activity := executor.block_activity()):
            time.sleep(0.05)  # it may be a second old, from before the node was there
        facts = {"results": results, "blocks": {block: each.workers for block, each in activity.items()}}
        facts["others"] = other.block_activity()
        facts["slots"] = [each.current_slots() for each in (executor, other)]
        try:
            double(1, parsl_resource_specification={"cores": 3})
        except Exception as error:
            facts["refusal"] = str(error)
    facts["left"] = [process.name() for process in descendants()]
    print(json.dumps(facts))
"""


def run(directory: Path, script: str, *arguments: str) -> tuple[dict[str, Any], str]:
    """Run a script in a directory; return what it has printed last, and its standard error."""
    (directory / "home").mkdir()
    printed = run_script(directory, PRELUDE + script, *arguments, HOME=str(directory / "home"))
    return json.loads(printed.output.splitlines()[-1]), printed.errors


def test_a_cluster_on_this_machine(tmp_path: Path) -> None:
    facts, errors = run(tmp_path, ON_THIS_MACHINE)
    assert facts == {
        "results": [0, 2, 4],
        "listening": ["127.0.0.1"],
        "left": [],
        "keeps handler": True,
        "variables": [],
    }
    assert errors == ""
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize("victim", ["gcs_server", "raylet"])
def test_a_cluster_that_is_killed_while_tasks_are_out(tmp_path: Path, victim: str) -> None:
    facts, _ = run(tmp_path, KILLED, victim)
    # Some may fail because their node has ended, before the loss of the whole cluster is known.
    assert all(error.startswith(("BadStateException", "ManagerLost")) for error in facts["errors"])
    assert facts["later"] == "BadStateException"
    assert facts["left"] == []


def test_a_cluster_in_blocks(tmp_path: Path) -> None:
    facts, _ = run(tmp_path, IN_BLOCKS)
    assert facts["results"] == [0, 2, 4]
    assert list(facts["blocks"].values()) == [2]
    assert facts["others"] == {}
    assert facts["slots"] == [2, 0]
    assert "3 cores, and there are 2" in facts["refusal"]
    assert facts["left"] == []
