"""States and ends of machines."""

from __future__ import annotations

import pytest

from parsl.providers.googlecloud.ends import end_of, machine_of
from parsl.providers.machines.cloud import End, MachineState


def operation(kind, target="7", time="12:00:00", **more):
    return {"operationType": kind, "targetId": target, "insertTime": time, **more}


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        ("compute.instances.preempted", End.RECLAIMED),
        ("compute.instances.hostError", End.FAULT),
        ("compute.instances.guestTerminate", End.ITSELF),
        ("compute.instances.automaticTerminationAfterRunDuration", End.ITSELF),
        ("delete", End.REQUESTED),
        ("stop", End.REQUESTED),
    ],
)
def test_operations_explain_ends(kind, end):
    assert end_of("7", [operation(kind)])[0] is end


@pytest.mark.parametrize("kind", ["setLabels", "insert", "compute.instances.migrateOnHostMaintenance"])
def test_other_operations_do_not(kind):
    assert end_of("7", [operation(kind)]) == (None, "")
    assert end_of("7", [operation("delete", target="8")]) == (None, "")


def test_the_first_cause_counts_and_the_words_are_the_services():
    operations = [
        operation("delete", time="12:00:05", user="me@example.org"),
        operation("compute.instances.preempted", statusMessage="Instance was preempted.", user="system"),
    ]
    assert end_of("7", operations) == (
        End.RECLAIMED,
        "compute.instances.preempted: Instance was preempted.",
    )
    assert end_of("7", [operation("delete", user="system")])[0] is End.ITSELF
    assert end_of("7", operations[:1]) == (End.REQUESTED, "delete by me@example.org")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("PROVISIONING", MachineState.STARTING),
        ("STAGING", MachineState.STARTING),
        ("RUNNING", MachineState.RUNNING),
        ("REPAIRING", MachineState.RUNNING),
        ("STOPPING", MachineState.ENDED),
        ("TERMINATED", MachineState.ENDED),
        ("A_NEW_ONE", MachineState.RUNNING),
    ],
)
def test_states(status, state):
    labels = {"parsl-run": "r", "parsl-block": "b", "parsl-node": "3"}
    machine = machine_of({"name": "m", "status": status, "labels": labels})
    assert (machine.state, machine.run, machine.block, machine.node) == (state, "r", "b", 3)
    assert machine.reason == status


def test_an_instance_without_labels_is_of_no_run():
    assert machine_of({"name": "m", "status": "RUNNING"}).run == ""
