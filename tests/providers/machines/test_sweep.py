"""The last-resort sweep does not give up at the first error."""

from __future__ import annotations

import pytest

from parsl.providers.api.failure import Failure, FailureKind, ServiceError
from parsl.providers.machines import sweep as module
from parsl.providers.machines.cloud import Machine, MachineState
from parsl.providers.machines.sweep import CERTAIN_LOOKS, MAX_FAILURES, main, sweep


class Cloud:
    """Answers each look with the next of a list: ids of machines, or a failure."""

    service = "Some cloud"

    def __init__(self, *looks: list[str] | Failure) -> None:
        self.looks = list(looks)
        self.terminated: list[str] = []
        self.slept: list[float] = []

    def list_run(self, run: str) -> list[Machine]:
        look = self.looks.pop(0) if self.looks else []
        if isinstance(look, Failure):
            raise ServiceError(self.service, "List", look)
        return [Machine(id_, MachineState.RUNNING, run, "b") for id_ in look if id_ not in self.terminated]

    def terminate(self, machine_ids: list[str]) -> None:
        self.terminated += machine_ids


FAULT = Failure(FailureKind.TRANSIENT, "try again")


def test_failed_looks_are_repeated():
    cloud = Cloud(FAULT, ["m-1"], FAULT, [])
    assert sweep(cloud, "run", failures=2, sleep=cloud.slept.append) == (["m-1"], [])
    assert cloud.slept == [2.0] * 3


def test_too_many_failures_are_raised():
    cloud = Cloud(FAULT, FAULT, FAULT)
    with pytest.raises(ServiceError):
        sweep(cloud, "run", failures=2, sleep=cloud.slept.append)
    assert len(cloud.slept) == 2


def test_a_denial_is_raised_at_once():
    cloud = Cloud(Failure(FailureKind.DENIED, "no"))
    with pytest.raises(ServiceError):
        sweep(cloud, "run", failures=9, sleep=cloud.slept.append)
    assert not cloud.slept


def test_a_pause_that_the_service_requests_is_made():
    cloud = Cloud(Failure(FailureKind.THROTTLED, "slowly", retry_after_s=90.0))
    sweep(cloud, "run", sleep=cloud.slept.append)
    assert cloud.slept == [90.0]


def test_machines_that_do_not_end_are_returned():
    cloud = Cloud()
    cloud.list_run = lambda run: [Machine("m-1", MachineState.RUNNING, run, "b")]
    assert sweep(cloud, "run", sleep=cloud.slept.append) == (["m-1"], ["m-1"])


def test_the_program_looks_until_new_machines_are_listed(monkeypatch, capsys):
    cloud = Cloud(FAULT, *[[]] * (CERTAIN_LOOKS - 1), ["m-late"])
    monkeypatch.setattr(module, "cloud_at", lambda name, address: cloud)
    monkeypatch.setattr("time.sleep", cloud.slept.append)
    monkeypatch.setattr(module.sweep, "__kwdefaults__", {**sweep.__kwdefaults__, "sleep": cloud.slept.append})
    assert main(["module", "{}", "run"]) == 0
    assert cloud.terminated == ["m-late"]
    assert sum(cloud.slept) >= 120


def test_no_run_is_not_all_runs(capsys):
    cloud = Cloud(["m-1"])
    with pytest.raises(ValueError, match="that could stand for all runs"):
        sweep(cloud, "", sleep=cloud.slept.append)
    assert cloud.terminated == []
    assert main(["module", "{}", ""]) == 2
    assert "all runs" in capsys.readouterr().err


def test_the_program_reports_a_service_that_does_not_answer(monkeypatch, capsys):
    cloud = Cloud(*[FAULT] * (MAX_FAILURES + 1))
    monkeypatch.setattr(module, "cloud_at", lambda name, address: cloud)
    monkeypatch.setattr(module.sweep, "__kwdefaults__", {**sweep.__kwdefaults__, "sleep": cloud.slept.append})
    assert main(["module", "{}", "run"]) == 1
    assert "machines of run run may be running, and cost money" in capsys.readouterr().err
