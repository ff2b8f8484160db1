"""``parsl clouds`` with machines of a cloud in memory; tests/providers has real client libraries."""

from __future__ import annotations

import json
import time

import pytest

from parsl import Config, HighThroughputExecutor, ThreadPoolExecutor
from parsl.cli.checkup.config_loading import Loaded
from parsl.cli.main import main
from parsl.providers.api.failure import Failure, FailureKind, ServiceError
from parsl.providers.machines.cloud import Machine, MachineState
from parsl.vocabulary.findings import Finding
from tests.support.clouds.memory_cloud import MemoryProvider

HOUR_S = 3600.0


class Cloud:
    """A service with some machines."""

    service = "Memory"

    def __init__(self, *machines: Machine, **address: str) -> None:
        self.machines = list(machines)
        self._address = address or {"region": "here"}
        #: Raised by requests.
        self.failure: Failure | None = None
        #: Machines that do not end.
        self.stuck: set[str] = set()

    def address(self) -> dict[str, str]:
        return self._address

    def check_access(self) -> list[Finding]:
        return []

    def _request(self) -> None:
        if self.failure is not None:
            raise ServiceError(self.service, "List", self.failure)

    def list_all_runs(self) -> list[Machine]:
        self._request()
        return self.machines

    def list_run(self, run: str) -> list[Machine]:
        self._request()
        return [machine for machine in self.machines if machine.run == run]

    def terminate(self, machine_ids: list[str]) -> None:
        ended = set(machine_ids) - self.stuck
        self.machines = [machine for machine in self.machines if machine.machine_id not in ended]


def machine(machine_id: str, run: str, age_s: float | None = None) -> Machine:
    created_s = None if age_s is None else time.time() - age_s
    return Machine(machine_id, MachineState.RUNNING, run, f"{run}-0", created_s=created_s)


@pytest.fixture
def clouds(monkeypatch):
    """Return a function that sets the clouds of the configuration."""

    def configure(*clouds):
        executors = [HighThroughputExecutor(f"e{n}", MemoryProvider(one)) for n, one in enumerate(clouds)]
        loaded = Loaded({"config": Config(executors=executors or [ThreadPoolExecutor()])}, [])
        monkeypatch.setattr("parsl.cli.checkup.config_loading.load_configs", lambda target: loaded)
        return clouds[0] if clouds else None

    return configure


@pytest.fixture
def cloud(clouds):
    return clouds(Cloud(machine("m-1", "one", 3 * HOUR_S + 1), machine("m-2", "two")))


def test_machines_are_listed_with_their_age(cloud, capsys):
    assert main(["clouds", "list", "config.py"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Memory here: 2 machines of 2 runs",
        "  one  one-0  m-1  running  3 h 0 min old",
        "  two  two-0  m-2  running",
    ]


def test_the_machines_of_one_run_are_listed(cloud, capsys):
    assert main(["clouds", "list", "config.py", "two"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Memory here: 1 machine of run two",
        "  two  two-0  m-2  running",
    ]


def test_a_list_as_json(cloud, capsys):
    assert main(["clouds", "list", "config.py", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first.pop("age_s") >= 3 * HOUR_S
    common = {"state": "running", "place": "Memory here"}
    assert first == {"run": "one", "block": "one-0", "id": "m-1", **common}
    assert second == {"run": "two", "block": "two-0", "id": "m-2", "age_s": None, **common}


def test_a_sweep_as_json(cloud, capsys):
    cloud.stuck = {"m-2"}
    assert main(["clouds", "sweep", "--all", "config.py", "--yes", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == [
        {"place": "Memory here", "run": "one", "terminated": ["m-1"], "left": []},
        {"place": "Memory here", "run": "two", "terminated": ["m-2"], "left": ["m-2"]},
    ]
    assert "still running, and cost money: m-2" in err


def test_json_remains_valid_if_a_cloud_does_not_answer(clouds, capsys):
    broken = clouds(Cloud(region="there"), Cloud(machine("m-1", "one")))
    broken.failure = Failure(FailureKind.DENIED, "not allowed", "Denied")
    assert main(["clouds", "list", "--json", "config.py"]) == 1
    out, err = capsys.readouterr()
    assert [row["id"] for row in json.loads(out)] == ["m-1"]
    assert "Memory: List failed: Denied: not allowed. `parsl doctor config.py` checks" in err


@pytest.mark.parametrize(
    "words",
    [["config.py", "--yes", "one"], ["--yes", "config.py", "one"], ["config.py", "one", "--yes"]],
)
def test_options_may_stand_anywhere(cloud, words):
    assert main(["clouds", "sweep", *words]) == 0
    assert [one.machine_id for one in cloud.machines] == ["m-2"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["list", "config.py", "--all"], "neither --all nor --yes"),
        (["list", "config.py", "--yes"], "neither --all nor --yes"),
        (["list", "config.py", ""], "RUN is empty"),
        (["sweep", "config.py", "--yes"], "either a RUN or --all"),
        (["sweep", "config.py", "--all", "one", "--yes"], "either a RUN or --all"),
        (["sweep", "config.py", "", "--yes"], "RUN is empty"),
        (["sweep", "config.py", "", "--all", "--yes"], "RUN is empty"),
        (["sweep", "config.py", "one", "--json"], "add --yes"),
        (["list", "config.py", "one", "two"], "unrecognized arguments: two"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(cloud, words, reason, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["clouds", *words])
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err
    assert len(cloud.machines) == 2


@pytest.mark.parametrize(
    ("error", "runs", "code", "reason"),
    [(KeyboardInterrupt, "--all", 130, "interrupted"), (EOFError, "one", 1, "use --yes")],
    ids=["interrupted", "without a terminal"],
)
def test_a_question_without_an_answer_terminates_nothing(
    cloud, monkeypatch, capsys, error, runs, code, reason
):
    def end(prompt):
        raise error

    monkeypatch.setattr("builtins.input", end)
    assert main(["clouds", "sweep", "config.py", runs]) == code
    assert reason in capsys.readouterr().err
    assert len(cloud.machines) == 2


def test_an_interrupted_list_is_no_traceback(cloud, monkeypatch, capsys):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(cloud, "list_all_runs", interrupt)
    assert main(["clouds", "list", "config.py"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_file_that_does_not_exist_is_the_only_error(tmp_path, capsys):
    assert main(["clouds", "list", str(tmp_path / "nofile.py")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "nofile.py cannot be used" in line


def test_a_configuration_without_machines(clouds, capsys):
    clouds()
    assert main(["clouds", "list", "config.py"]) == 2
    assert "no provider that rents machines" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ({"region": "us-east-2", "profile": "lab"}, "Memory us-east-2 lab"),
        (
            {
                "project": "mine",
                "region": "us-central1",
                "version": "v1",
                "key_file": "k",
                "api_endpoint": "e",
            },
            "Memory mine",
        ),
        ({"group_name": "mine", "subscription_id": "1-2", "key_file": "k", "endpoint": "e"}, "Memory mine"),
    ],
)
def test_the_place_is_what_a_user_knows_it_by(clouds, address, place, capsys):
    clouds(Cloud(**address))
    assert main(["clouds", "list", "config.py"]) == 0
    assert capsys.readouterr().out == f"{place}: 0 machines of 0 runs\n"


def test_the_regions_of_one_project_are_listed_once(clouds, capsys):
    clouds(Cloud(project="mine", region="here"), Cloud(project="mine", region="there"))
    assert main(["clouds", "list", "config.py"]) == 0
    assert capsys.readouterr().out == "Memory mine: 0 machines of 0 runs\n"


def test_two_accounts_in_one_region_are_both_listed(clouds, capsys):
    clouds(Cloud(region="here", key_file="a"), Cloud(region="here", key_file="b"))
    assert main(["clouds", "list", "config.py"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["Memory here a: 0 machines of 0 runs", "Memory here b: 0 machines of 0 runs"]


def test_another_account_of_a_project_is_used_when_the_first_one_may_not(clouds, capsys):
    first, second = (Cloud(machine("m", "one"), project="lab", key_file=name) for name in "ab")
    clouds(first, second)
    assert main(["clouds", "list", "config.py"]) == 0
    assert capsys.readouterr().out.count("1 machine of 1 run") == 1
    first.failure = Failure(FailureKind.DENIED, "no right", "403")
    assert main(["clouds", "list", "config.py"]) == 1
    out, err = capsys.readouterr()
    assert "1 machine of 1 run" in out
    assert "no right" in err


def test_machines_with_an_empty_tag_are_left_to_the_user(cloud, capsys):
    cloud.machines.append(machine("unnamed", ""))
    assert main(["clouds", "sweep", "config.py", "--all", "--yes"]) == 1
    assert [each.machine_id for each in cloud.machines] == ["unnamed"]
    assert "empty tag parsl-run; terminate them by hand: unnamed" in capsys.readouterr().err


def test_json_has_what_was_terminated_before_an_interrupt(cloud, monkeypatch, capsys):
    terminate = cloud.terminate

    def interrupt_later(machine_ids):
        terminate(machine_ids)
        monkeypatch.setattr(cloud, "terminate", interrupt)

    def interrupt(machine_ids):
        raise KeyboardInterrupt

    monkeypatch.setattr(cloud, "terminate", interrupt_later)
    assert main(["clouds", "sweep", "config.py", "--all", "--yes", "--json"]) == 130
    (row,) = json.loads(capsys.readouterr().out)
    assert row["terminated"]


def test_json_is_a_document_without_a_provider_too(clouds, capsys):
    clouds()
    assert main(["clouds", "list", "config.py", "--json"]) == 2
    assert json.loads(capsys.readouterr().out) == []


def test_an_error_has_advice(cloud, capsys):
    cloud.failure = Failure(FailureKind.TRANSIENT, "no answer", "502")
    assert main(["clouds", "list", "config.py"]) == 1
    assert "502: no answer. `parsl doctor config.py` checks" in capsys.readouterr().err
