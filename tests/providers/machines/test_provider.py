"""MachineProvider on a cloud in memory, whose machines run their user data as processes."""

from __future__ import annotations

import logging
import re
import sys

import pytest

from parsl.errors import ConfigurationError
from parsl.providers.api.failure import FailureKind
from parsl.providers.machines.cloud import End, Refused, checked_ids
from parsl.providers.machines.state_file import StateFile
from parsl.validate import ParameterError
from parsl.vocabulary.findings import Topic
from parsl.vocabulary.job_states import JobState
from parsl.vocabulary.provider_errors import SubmitException
from tests.support.clouds import memory_cloud
from tests.support.clouds.memory_cloud import MemoryCloud, MemoryProvider


@pytest.fixture
def memory(tmp_path):
    memory = MemoryCloud(tmp_path / "machines")
    yield memory
    memory.host.close()


@pytest.fixture
def make(memory):
    def make(**parameters):
        provider = MemoryProvider(memory, **parameters)
        provider.prepare("Some Run")
        return provider

    return make


def state_of(provider, job_id):
    (status,) = provider.status([job_id])
    return status.state


def test_a_block_has_a_machine_for_each_node(make, memory):
    provider = make(nodes_per_block=3)
    job = provider.submit("sleep 1000", 1)
    assert [spec.node for spec in memory.specs] == [0, 1, 2]
    assert {spec.block for spec in memory.specs} == {job}
    assert memory.specs[0].name == f"{job}-0"
    assert memory.specs[0].all_tags() == {
        "parsl-run": provider.run, "parsl-block": job, "parsl-node": "0"
    }  # fmt: skip
    assert provider.run.startswith("parsl-some-run-")
    assert job == f"{provider.run}-0"
    assert state_of(provider, job) is JobState.RUNNING


def test_two_providers_of_a_run_have_different_tags(make):
    assert make().run != make().run


def test_the_name_of_an_executor_is_the_tag(memory):
    provider = MemoryProvider(memory)
    provider.prepare("parsl-0f3a9c21-google-compute-e-1f75b6")
    assert provider.run == "parsl-0f3a9c21-google-compute-e-1f75b6"


def test_one_refused_machine_ends_the_whole_block(make, memory):
    provider = make(nodes_per_block=3)
    memory.quota = 2
    with pytest.raises(SubmitException, match="Memory: you have no quota left") as caught:
        provider.submit("sleep 1000", 1)
    assert caught.value.is_permanent
    assert not provider.machines()


def test_a_quota_may_become_free_while_machines_run(make, memory):
    provider = make()
    provider.submit("sleep 1000", 1)
    memory.quota = 0
    with pytest.raises(SubmitException) as caught:
        provider.submit("sleep 1000", 1)
    assert not caught.value.is_permanent


@pytest.mark.parametrize(
    ("kind", "is_permanent"),
    [(FailureKind.DENIED, True), (FailureKind.CAPACITY, False), (FailureKind.TRANSIENT, False)],
)
def test_refusals(make, memory, kind, is_permanent):
    memory.quota, memory.refusal = 0, Refused(kind, "no")
    with pytest.raises(SubmitException) as caught:
        make().submit("true", 1)
    assert caught.value.is_permanent is is_permanent


def test_the_command_for_a_killed_driver_is_known_before_the_first_block(make):
    provider = make()
    assert provider.cleanup_commands() == provider.cancel_commands(["any"])
    assert make(linger=True).cleanup_commands() == []


def test_a_request_that_fails(make, memory):
    memory.failing["create"] = FailureKind.DENIED
    with pytest.raises(SubmitException, match="the test refuses this") as caught:
        make().submit("true", 1)
    assert caught.value.is_permanent


def test_errors_of_the_check_are_raised_at_load(make, memory):
    memory.findings = [Topic("image").error("there is no image ami-1.", "Name another one.")]
    with pytest.raises(ConfigurationError, match=r"MemoryProvider: there is no image ami-1\. Name"):
        make()


def test_warnings_of_the_check_are_logged(make, memory, caplog):
    memory.findings = [Topic("quota").warning("max_blocks exceeds the quota.")]
    make()
    assert "max_blocks exceeds the quota." in caplog.text


def test_a_reclaimed_machine(make, memory):
    provider = make()
    job = provider.submit("sleep 1000", 1)
    memory.end("m-0", End.RECLAIMED, "no capacity")
    (status,) = provider.status([job])
    assert status.state is JobState.CANCELLED
    assert "reclaimed the machine (no capacity)" in status.message


def test_a_failed_job_shows_the_end_of_the_console(make, wait_until):
    provider = make(worker_init="no-such-command || exit 7")
    job = provider.submit("true", 1)
    wait_until(lambda: provider.status([job])[0].terminal)
    (status,) = provider.status([job])
    assert (status.state, status.exit_code) == (JobState.FAILED, 7)
    assert "no-such-command" in status.message


def test_a_service_that_does_not_answer_ends_no_block(make, memory, caplog):
    provider = make()
    job = provider.submit("sleep 1000", 1)
    memory.failing["list"] = FailureKind.TRANSIENT
    assert [state_of(provider, job) for _ in range(3)] == [JobState.UNKNOWN] * 3
    assert caplog.text.count("the status of blocks is unknown") == 1
    del memory.failing["list"]
    assert state_of(provider, job) is JobState.RUNNING


def test_a_cancellation_that_fails_is_not_accepted(make, memory):
    provider = make()
    job = provider.submit("sleep 1000", 1)
    memory.failing["terminate"] = FailureKind.TRANSIENT
    assert provider.cancel([job, "unknown"]) == [False, False]
    del memory.failing["terminate"]
    assert provider.cancel([job, "unknown"]) == [True, False]
    assert state_of(provider, job) is JobState.CANCELLED


def test_machines_of_a_lost_answer_are_terminated(make, memory, caplog):
    provider = make()
    job = provider.submit("sleep 1000", 1)
    memory.create(list(memory.specs))
    assert len(provider.machines(provider.run)) == 2
    assert state_of(provider, job) is JobState.RUNNING
    assert [machine.machine_id for machine in provider.machines(provider.run)] == ["m-0"]
    assert "Terminating ['m-1']" in caplog.text


def test_an_incomplete_block_that_cannot_be_terminated_is_terminated_later(make, memory):
    provider = make(nodes_per_block=2)
    memory.quota, memory.failing["terminate"] = 1, FailureKind.TRANSIENT
    with pytest.raises(SubmitException):
        provider.submit("sleep 1000", 1)
    assert provider.has_leftovers
    del memory.failing["terminate"]
    assert provider.status([]) == []
    assert not provider.machines()
    provider.status([])
    assert not provider.has_leftovers


def test_machines_whose_creation_got_no_answer_count_until_they_are_certainly_gone(make, memory):
    provider = make(max_machine_hours=1.5)
    provider.clock = lambda: 0.0
    memory.failing["create"] = FailureKind.TRANSIENT
    with pytest.raises(SubmitException):
        provider.submit("true", 1)
    del memory.failing["create"]
    provider.status([])
    with pytest.raises(SubmitException, match="max_machine_hours"):
        provider.submit("true", 1)
    provider.clock = lambda: 60.0
    provider.status([])
    provider.submit("true", 1)


def test_nothing_is_left_at_the_end_but_machines_of_others(make, memory):
    provider, other = make(), make()
    provider.submit("sleep 1000", 1)
    other.submit("sleep 1000", 1)
    provider.close()
    assert [machine.run for machine in provider.machines()] == [other.run]


def test_a_sweep_that_fails_names_the_command(make, memory, caplog):
    provider = make()
    memory.failing["list"] = FailureKind.TRANSIENT
    provider.close()
    assert f"parsl clouds sweep config.py {provider.run}" in caplog.text


def test_machines_that_linger(make, memory):
    provider = make(linger=True)
    job = provider.submit("true", 1)
    assert provider.cancel_commands([job]) == []
    assert provider.cancel([job]) == [True]
    assert state_of(provider, job) is JobState.CANCELLED
    provider.close()
    assert memory.host.running() == ["m-0"]
    assert provider.sweep(provider.run) == (["m-0"], [])


def test_hours_are_limited(make, memory):
    provider = make(max_machine_hours=2.5)
    first = provider.submit("sleep 1000", 1)
    provider.submit("sleep 1000", 1)
    with pytest.raises(SubmitException, match=r"max_machine_hours is 2\.5") as caught:
        provider.submit("sleep 1000", 1)
    assert not caught.value.is_permanent
    provider.cancel([first])
    provider.status([first])
    provider.submit("sleep 1000", 1)


def test_a_limit_that_earlier_runs_have_used_up_is_permanent(make, memory):
    provider = make(max_machine_hours=1.5)
    provider.clock = lambda: 0.0
    job = provider.submit("sleep 1000", 1)
    provider.clock = lambda: 3600.0
    memory.end("m-0", End.REQUESTED)
    provider.status([job])
    with pytest.raises(SubmitException, match=r"another block needs 1\.00") as caught:
        provider.submit("true", 1)
    assert caught.value.is_permanent


def test_a_limit_below_one_block_is_an_error_at_load(memory):
    provider = MemoryProvider(memory, max_machine_hours=1, walltime="02:00:00", nodes_per_block=2)
    text = r"max_machine_hours is 1, but a block may need 4:.*Raise max_machine_hours"
    assert re.match(text, str(*provider.check()))
    with pytest.raises(ConfigurationError, match=text):
        provider.prepare("run")
    assert MemoryProvider(memory, max_machine_hours=4, walltime="02:00:00", nodes_per_block=2).check() == []


@pytest.mark.parametrize(
    ("content", "words"), [(None, "missing' is no directory"), ("{}", "cannot be read.*parsl clouds list")]
)
def test_a_state_file_that_cannot_be_used_is_found_by_the_check(memory, tmp_path, content, words):
    path = tmp_path / "missing" / "state.json"
    if content is not None:
        path.parent.mkdir()
        path.write_text(content)
    provider = MemoryProvider(memory, state_file=str(path))
    (finding,) = provider.check()
    assert (finding.level, finding.topic) == ("error", "state_file")
    assert re.search(words, str(finding))
    with pytest.raises(ConfigurationError, match=words):
        provider.prepare("run")
    assert not list(tmp_path.rglob("*.lock"))


def test_a_state_file_that_can_be_used(memory, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert MemoryProvider(memory, state_file="state.json").check() == []
    assert list(tmp_path.glob("state*")) == []


def test_a_restarted_driver_terminates_what_the_earlier_one_has_left(make, memory, tmp_path, caplog):
    path = str(tmp_path / "state")
    dead = make(state_file=path, max_machine_hours=10.0)
    dead.clock = lambda: 0.0
    dead.submit("sleep 1000", 1)
    dead._file.close()  # as if the process were dead
    later = make(state_file=path, max_machine_hours=10.0)
    assert not memory.host.running()
    assert f"an earlier run, {dead.run}, had left machines" in caplog.text
    later.close()
    caplog.clear()
    make(state_file=path).close()
    assert not caplog.records


def test_the_earlier_machines_end_although_no_block_can_start(make, memory, tmp_path):
    path = str(tmp_path / "state")
    dead = make(state_file=path)
    dead.submit("sleep 1000", 1)
    dead._file.close()  # as if the process were dead
    provider = MemoryProvider(memory, state_file=path, max_machine_hours=1, walltime="02:00:00")
    for _ in range(2):  # the file is free again
        with pytest.raises(ConfigurationError, match="max_machine_hours is 1"):
            provider.prepare("run")
        assert not memory.host.running()


def test_the_hours_of_earlier_runs_count(make, tmp_path):
    path = str(tmp_path / "state")
    times = iter((0.0,))
    first = make(state_file=path)
    first.clock = lambda: next(times, 1800.0)
    first.submit("sleep 1000", 1)
    first.close()
    second = make(state_file=path, max_machine_hours=1.25)
    with pytest.raises(SubmitException, match=r"0\.50 hours are used"):
        second.submit("true", 1)
    second.close()


def test_a_driver_that_has_died_has_used_the_hours_up_to_the_walltime(make, tmp_path):
    path = str(tmp_path / "state")
    dead = make(state_file=path)
    dead.submit("sleep 1000", 1)
    dead._file.close()  # as if the process were dead
    later = make(state_file=path, max_machine_hours=1.5)
    with pytest.raises(SubmitException, match=r"1\.00 hours are used"):
        later.submit("true", 1)
    later.close()


def test_a_later_driver_leaves_machines_that_linger(make, memory, tmp_path):
    path = str(tmp_path / "state")
    first = make(state_file=path, linger=True)
    first.cancel([first.submit("true", 1)])
    first.close()
    make(state_file=path, linger=True).close()
    assert memory.host.running() == ["m-0"]


def test_a_later_driver_terminates_what_could_not_be_terminated(make, memory, tmp_path):
    path = str(tmp_path / "state")
    first = make(state_file=path)
    first.submit("sleep 1000", 1)
    memory.failing["list"] = FailureKind.TRANSIENT
    first.close()
    memory.failing.clear()
    make(state_file=path).close()
    assert memory.host.running() == []


def test_a_later_driver_terminates_where_the_earlier_one_was(make, memory, tmp_path, monkeypatch, caplog):
    path, elsewhere = str(tmp_path / "state"), {"region": "elsewhere"}
    dead = make(state_file=path)
    memory.address = lambda: elsewhere
    dead.submit("sleep 1000", 1)
    dead._file.close()  # as if the process were dead
    there, memory.address = [], lambda: {"region": "here"}
    monkeypatch.setattr(memory_cloud, "reach", there.append, raising=False)  # None is no cloud
    make(state_file=path).close()
    assert there == [elsewhere, elsewhere]
    assert f"run {dead.run} in tests.support.clouds.memory_cloud" in caplog.text
    monkeypatch.setattr(memory_cloud, "reach", lambda address: memory)
    make(state_file=path).close()
    assert memory.host.running() == []
    assert StateFile(path).read().runs == []


def test_too_long_a_script_is_refused(make, memory):
    text = "accepts at most 16384: shorten worker_init"
    with pytest.raises(SubmitException, match=text):
        make().submit("#" * 16384, 1)
    (finding,) = MemoryProvider(memory, worker_init="#" * 16384).check()
    assert (finding.level, text in finding.text) == ("error", True)
    with pytest.raises(ConfigurationError, match=text):
        make(worker_init="#" * 16384)


def test_an_empty_run_is_not_all_runs(make, memory):
    provider = make()
    provider.submit("sleep 1000", 1)
    for request in (provider.machines, provider.sweep):
        with pytest.raises(ValueError, match="the name of the run is empty"):
            request("")
    assert memory.host.running() == ["m-0"]


def test_no_machines_are_listed_of_a_service_that_cannot_be_reached(make, memory):
    provider = make()
    memory.access_findings = [Topic("region").error("there is no region 'moon'.", "Name another one.")]
    memory.failing["list"] = FailureKind.TRANSIENT
    with pytest.raises(ConfigurationError, match=r"MemoryProvider: there is no region 'moon'\. Name another"):
        provider.machines()


def test_max_blocks_limits_the_machines_at_the_start(memory):
    with pytest.raises(ParameterError, match=r"init_blocks is 5.*at most max_blocks, which is 2"):
        MemoryProvider(memory, init_blocks=5, max_blocks=2)
    MemoryProvider(memory, init_blocks=0, max_blocks=0)


def test_the_cost(make, memory):
    assert make(max_blocks=4, nodes_per_block=2).hourly_cost() == 4.0
    assert make(max_blocks=4, price_per_hour=2.0).hourly_cost() == 8.0
    memory.price = None
    assert make().hourly_cost() is None


def test_the_command_for_a_killed_driver_contains_no_secrets(make):
    provider = make()
    (command,) = provider.cancel_commands(["any"])
    assert command[0] == sys.executable
    assert command[-3:] == ["tests.support.clouds.memory_cloud", '{"region": "here"}', provider.run]


@pytest.mark.parametrize("wrong", [[], [""], "i-1"])
def test_an_empty_list_of_ids_is_refused(wrong):
    with pytest.raises(ValueError, match="expected a list of at least one id"):
        checked_ids(wrong)


def test_nothing_is_logged_for_a_normal_block(make, caplog):
    with caplog.at_level(logging.INFO):
        provider = make()
        provider.cancel([provider.submit("sleep 1000", 1)])
        provider.close()
    assert not caplog.records
