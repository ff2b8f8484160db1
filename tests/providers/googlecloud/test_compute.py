"""Compute Engine as a cloud: machines on the stand-in, which run nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from parsl.providers.api.failure import FailureKind, ServiceError
from parsl.providers.googlecloud.client import Access
from parsl.providers.googlecloud.compute import ComputeEngine, reach
from parsl.providers.googlecloud.instance import Fleet, InstanceSettings
from parsl.providers.machines.cloud import Created, End, MachineSpec, MachineState, Refused
from parsl.providers.machines.sweep import sweep
from tests.support.clouds.google_compute import IMAGE_FAMILY, IMAGE_PROJECT, PROJECT, REGION, ZONES
from tests.support.clouds.google_server import Problem, rate_limit, server_error


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def engine(google, key_file, clock):
    machines = InstanceSettings(machine_type="n1-standard-1", region=REGION)
    fleet = Fleet(PROJECT, REGION, IMAGE_PROJECT, IMAGE_FAMILY, machines)
    return ComputeEngine(Access(key_file, api_endpoint=google.server.address), fleet, clock)


def spec(block="parsl-r1-0", node=0, run="r1"):
    return MachineSpec(run, block, node, "echo hello", 3600, {"team": "lab"})


def the_machine(engine, run="r1"):
    (machine,) = engine.list_run(run)
    return machine


def zone_of(google, name):
    return google.instances[name]["zone"].rpartition("/")[2]


def test_a_machine_is_created_with_the_labels_of_the_run_and_of_the_user(google, engine):
    assert engine.create([spec(), spec(node=1)]) == [Created("parsl-r1-0-0"), Created("parsl-r1-0-1")]
    assert google.running() == ["parsl-r1-0-0", "parsl-r1-0-1"]
    body = google.inserted[1]
    assert body["labels"] == {
        "team": "lab",
        "parsl-run": "r1",
        "parsl-block": "parsl-r1-0",
        "parsl-node": "1",
    }
    assert body["metadata"]["items"] == [{"key": "startup-script", "value": "echo hello"}]
    assert body["disks"][0]["initializeParams"]["sourceImage"].endswith("debian-12-v20261110")


def test_only_machines_of_the_run_are_listed(google, engine):
    engine.create([spec(), spec("parsl-r2-0", run="r2")])
    google.instances["database"] = {
        **google.instances["parsl-r1-0-0"],
        "name": "database",
        "labels": {},
    }
    assert [machine.machine_id for machine in engine.list_run("r1")] == ["parsl-r1-0-0"]
    assert the_machine(engine).state is MachineState.RUNNING
    assert {machine.run for machine in engine.list_all_runs()} == {"r1", "r2"}


def test_an_empty_list_is_never_all(google, engine):
    engine.create([spec()])
    for nothing in ([], [""], ""):
        with pytest.raises(ValueError, match="at least one id"):
            engine.terminate(nothing)
    assert google.running() == ["parsl-r1-0-0"]


def test_a_terminated_machine_ends_on_request(google, engine):
    engine.create([spec()])
    engine.terminate(["parsl-r1-0-0", "no-such-machine"])
    assert google.running() == []
    ended = the_machine(engine)
    assert (ended.state, ended.end) == (MachineState.ENDED, End.REQUESTED)
    engine.terminate(["parsl-r1-0-0"])


def test_a_machine_that_starts_is_known_before_it_is_running(google, engine):
    google.holds_operations = True
    engine.create([spec()])
    assert the_machine(engine).state is MachineState.STARTING
    google.finish_operations()
    assert the_machine(engine).state is MachineState.RUNNING


def test_a_machine_that_is_not_listed_yet_is_starting_for_a_while(google, engine, clock):
    google.holds_operations = True
    engine.create([spec()])
    google.instances.clear()
    assert the_machine(engine).state is MachineState.STARTING
    clock.now_s += 61
    assert (the_machine(engine).state, the_machine(engine).end) == (MachineState.ENDED, None)


def test_another_zone_is_tried_when_one_turns_out_to_be_full(google, engine):
    google.full_zones.update(ZONES[:2])
    engine.create([spec()])
    assert the_machine(engine).state is MachineState.STARTING
    the_machine(engine)
    assert zone_of(google, "parsl-r1-0-0") == ZONES[2]
    assert the_machine(engine).state is MachineState.RUNNING
    engine.create([spec(node=1)])
    assert zone_of(google, "parsl-r1-0-1") == ZONES[2], "full zones come last for a while"


def test_another_zone_is_tried_when_one_refuses_at_once(google, engine):
    problem = Problem(503, "ZONE_RESOURCE_POOL_EXHAUSTED", "The zone does not have enough resources.")
    google.server.fail(problem, f"POST .*/{ZONES[0]}/instances")
    assert engine.create([spec()]) == [Created("parsl-r1-0-0")]
    assert zone_of(google, "parsl-r1-0-0") == ZONES[1]


def test_a_machine_without_a_place_in_any_zone_has_the_services_words(google, engine):
    google.full_zones.update(ZONES)
    engine.create([spec()])
    for _ in ZONES:
        machine = the_machine(engine)
    assert (machine.state, machine.end) == (MachineState.ENDED, End.FAULT)
    assert "ZONE_RESOURCE_POOL_EXHAUSTED: The zone" in machine.reason
    assert "does not have enough resources available" in machine.reason


def test_a_quota_that_shows_only_in_the_operation_is_reported(google, engine):
    google.quotas["CPUS"] = 0
    engine.create([spec()])
    machine = the_machine(engine)
    assert machine.end is End.FAULT
    assert machine.reason == "QUOTA_EXCEEDED: Quota 'CPUS' exceeded.  Limit: 0 in region us-central1."


def test_a_refused_request_has_the_services_words(google, engine):
    google.permissions.discard("compute.instances.create")
    (refused,) = engine.create([spec()])
    assert isinstance(refused, Refused)
    assert refused.kind is FailureKind.DENIED
    assert "Required 'compute.instances.create' permission" in refused.message


def test_a_reclaimed_machine(google, engine):
    engine.create([spec()])
    the_machine(engine)
    google.preempt("parsl-r1-0-0")
    machine = the_machine(engine)
    assert (machine.state, machine.end) == (MachineState.ENDED, End.RECLAIMED)
    assert machine.reason == "compute.instances.preempted: Instance was preempted."


def test_the_reason_of_an_end_is_found_among_many_operations_of_others(google, engine):
    google.page_size = 1
    engine.create([spec(node=node) for node in range(4)])
    engine.list_run("r1")
    google.preempt("parsl-r1-0-0")
    engine.terminate([f"parsl-r1-0-{node}" for node in range(1, 4)])
    ends = {machine.machine_id: machine.end for machine in engine.list_run("r1")}
    assert ends["parsl-r1-0-0"] is End.RECLAIMED


def test_a_machine_that_is_reclaimed_before_it_was_ever_listed(google, engine):
    engine.create([spec()])
    google.preempt("parsl-r1-0-0")
    assert the_machine(engine).end is End.RECLAIMED


def test_a_machine_that_is_just_being_reclaimed_runs_until_the_cause_is_known(google, engine):
    engine.create([spec()])
    google.instances["parsl-r1-0-0"]["status"] = "STOPPING"
    assert the_machine(engine).state is MachineState.RUNNING
    google.preempt("parsl-r1-0-0")
    assert the_machine(engine).end is End.RECLAIMED


def test_a_machine_at_its_time_limit(google, engine):
    engine.create([spec()])
    the_machine(engine)
    google.end_run_duration("parsl-r1-0-0")
    assert the_machine(engine).end is End.ITSELF


def test_a_machine_that_is_gone_at_its_time_limit_needs_no_words_of_the_service(google, engine, clock):
    google.permissions.discard("compute.zoneOperations.list")
    engine.create([spec()])
    the_machine(engine)
    clock.now_s += 3590
    google.end_run_duration("parsl-r1-0-0")
    assert the_machine(engine).end is End.ITSELF


def test_a_machine_that_another_person_has_deleted(google, engine):
    engine.create([spec()])
    the_machine(engine)
    google.delete_by_hand("parsl-r1-0-0")
    machine = the_machine(engine)
    assert (machine.end, machine.reason) == (End.REQUESTED, "delete by owner@example.org")


def test_a_machine_that_has_shut_itself_down_is_deleted_and_remembered(google, engine):
    engine.create([spec()])
    google.power_off("parsl-r1-0-0")
    (listed,) = engine.list_all_runs()
    assert "its disk still costs money" in listed.reason
    assert the_machine(engine).end is End.ITSELF
    assert google.running() == []
    assert the_machine(engine).end is End.ITSELF
    assert "guestTerminate" in the_machine(engine).reason
    assert engine.list_all_runs() == []


def test_a_machine_that_becomes_visible_after_its_deletion_is_deleted_again(google, engine):
    google.holds_operations = True
    engine.create([spec()])
    late = google.instances.pop("parsl-r1-0-0")
    engine.terminate(["parsl-r1-0-0"])
    google.instances["parsl-r1-0-0"] = late
    google.holds_operations = False
    assert the_machine(engine).end is End.REQUESTED
    assert google.running() == []


def test_without_permission_to_read_operations_the_cause_remains_unknown(google, engine):
    google.permissions.discard("compute.zoneOperations.list")
    engine.create([spec()])
    the_machine(engine)
    google.preempt("parsl-r1-0-0")
    assert (the_machine(engine).state, the_machine(engine).end) == (MachineState.ENDED, None)


def test_another_process_sweeps_a_run_with_the_address_alone(google, engine):
    google.page_size = 2
    specs = [spec(node=number) for number in range(5)]
    engine.create([*specs, spec("parsl-r2-0", run="r2")])
    google.power_off("parsl-r1-0-4")
    other = reach(engine.address())
    terminated, left = sweep(other, "r1", sleep=lambda pause_s: None)
    assert (len(terminated), left) == (5, [])
    assert google.running() == ["parsl-r2-0-0"]
    reach(engine.address()).terminate(["parsl-r2-0-0"])
    assert google.running() == []


_AT_EXIT = """
import atexit
from parsl.providers.googlecloud.compute import reach
cloud = reach({address!r})
atexit.register(cloud.terminate, {names!r})
"""


def test_several_machines_are_deleted_while_the_interpreter_exits(google, engine):
    engine.create([spec(node=number) for number in range(3)])
    script = _AT_EXIT.format(address=engine.address(), names=google.running())
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert google.running() == []


def test_throttled_and_failing_requests_are_sent_again(google, engine):
    google.server.fail(rate_limit(), "POST .*/instances$")
    google.server.fail(server_error(), "GET .*/aggregated/instances")
    assert engine.create([spec()]) == [Created("parsl-r1-0-0")]
    assert the_machine(engine).state is MachineState.RUNNING


def test_a_lost_answer_creates_no_second_machine(google, engine):
    google.server.lose_answer("POST .*/instances$")
    assert engine.create([spec()]) == [Created("parsl-r1-0-0")]
    assert len(google.inserted) == 1
    assert google.running() == ["parsl-r1-0-0"]


def test_a_lasting_error_has_the_request_and_the_services_words(google, engine):
    google.permissions.discard("compute.instances.list")
    with pytest.raises(ServiceError, match=r"aggregatedList failed: 403 forbidden: Required 'compute\.inst"):
        engine.list_run("r1")


def test_the_price_of_a_machine_is_estimated(engine):
    assert engine.price_per_hour() == pytest.approx(0.0475, abs=0.0001)


def test_the_price_of_an_unknown_machine_type_is_unknown(google, engine):
    google.server.fail(Problem(404, "notFound", "was not found"), "machineTypes", times=4)
    assert engine.price_per_hour() is None


def test_another_process_keeps_stopped_machines_until_they_are_terminated(google, engine):
    engine.create([spec()])
    google.power_off("parsl-r1-0-0")
    other = reach(engine.address())
    machine = the_machine(other)
    assert (machine.state, machine.reason) == (
        MachineState.RUNNING,
        "TERMINATED: its disk still costs money",
    )
    assert google.running() == ["parsl-r1-0-0"]
    other.terminate([machine.machine_id])
    assert google.running() == []


def test_no_console_is_empty(google, engine):
    engine.create([spec()])
    assert engine.console_output("parsl-r1-0-0") == ""
    assert engine.console_output("no-such-machine") == ""
    google.permissions.discard("compute.instances.getSerialPortOutput")
    assert engine.console_output("parsl-r1-0-0") == ""
