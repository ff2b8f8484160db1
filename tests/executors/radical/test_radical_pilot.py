"""RadicalPilotExecutor: its parameters here, and a real pilot in an environment of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from parsl.errors import OptionalModuleMissing
from parsl.executors import RadicalPilotExecutor
from parsl.executors.engines.errors import EngineUnreachable
from parsl.executors.radical import ResourceConfig
from parsl.executors.radical.messages import (
    REFUSED,
    TOO_LARGE,
    Ended,
    FromSession,
    Settings,
    Submit,
    decode_from_session,
)
from parsl.executors.radical.session import SessionProcess
from parsl.executors.radical.session_process import Session
from parsl.validate import ParameterError
from tests.support.engine_environments import (
    INSTALL_LIMIT_S,
    RADICAL_PILOT,
    ROOT,
    TEST_LIMIT_S,
    Unavailable,
    python_of,
    variables,
)
from tests.support.simulated_hosts import NAMESPACES, why_not


def test_the_size_of_the_pilot_is_that_of_the_configuration() -> None:
    config = ResourceConfig(workers=2, worker_cores_per_node=8, worker_gpus_per_node=1)
    assert (config.cores, config.gpus) == (16, 2)
    assert ResourceConfig(pilot_env_path="/opt/env/").python == "/opt/env/bin/python"


def test_packages_are_not_installed() -> None:
    with pytest.raises(ParameterError, match="install packages beforehand"):
        RadicalPilotExecutor("local.localhost", rpex_cfg=ResourceConfig(pilot_env_setup=["numpy"]))


def test_a_missing_package_is_named_with_the_line_to_type(tmp_path: Path) -> None:
    executor = RadicalPilotExecutor("local.localhost")
    executor.run_dir = str(tmp_path)
    with pytest.raises(OptionalModuleMissing, match=r"pip install 'parsl\[radical\]'"):
        executor.start()
    executor.shutdown()


class FakePilot:
    """Takes the place of RADICAL-Pilot's session and managers."""

    def __init__(self, **arguments: Any) -> None:
        self.uid = "session"
        self.submitted: list[Any] = []
        self.cancelled: list[str] = []
        self.changed: Any = None

    def ignore(self, *arguments: Any) -> None:
        pass

    submit_pilots = add_pilots = ignore

    def register_callback(self, changed: Any) -> None:
        self.changed = changed

    def submit_tasks(self, descriptions: list[Any]) -> None:
        self.submitted += descriptions

    def cancel_tasks(self, uids: list[str]) -> None:
        self.cancelled += uids


class FakeDescription(SimpleNamespace):
    def __init__(self, attributes: dict[str, Any]) -> None:
        super().__init__(**{"ranks": 1, "cores_per_rank": 1, "gpus_per_rank": 0.0, **attributes})

    def verify(self) -> None:
        if not isinstance(self.ranks, int | None):  # RADICAL-Pilot permits None
            raise TypeError(f"ranks is {self.ranks!r}")


@pytest.fixture
def pilots() -> FakePilot:
    """The pilot manager of a session."""
    return FakePilot()


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch, pilots: FakePilot) -> FakePilot:
    """The task manager of a session."""
    tasks = FakePilot()
    package = SimpleNamespace(
        Session=FakePilot,
        PilotManager=lambda session: pilots,
        TaskManager=lambda session: tasks,
        PilotDescription=dict,
        TaskDescription=FakeDescription,
    )
    monkeypatch.setitem(sys.modules, "radical", SimpleNamespace(pilot=package))
    monkeypatch.setitem(sys.modules, "radical.pilot", package)
    return tasks


def sent_after(use: Callable[[Session], None]) -> list[FromSession]:
    """Return what a session sends, after the message that it is open."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        use(Session(Settings({}, 0.0), theirs))
        theirs.close()
        with ours.makefile("rb") as stream:
            return [decode_from_session(each) for each in stream][1:]


def test_one_wrong_value_refuses_one_task(tasks: FakePilot) -> None:
    wrong, right = Submit(1, {"ranks": "four"}), Submit(2, {"ranks": 4})
    sent = sent_after(lambda session: session.handle([wrong, right]))
    assert sent == [Ended(1, REFUSED, "TypeError: ranks is 'four'")]
    assert [task.ranks for task in tasks.submitted] == [4]


def test_the_reason_of_a_task_that_has_waited_is_sent(tasks: FakePilot) -> None:
    def use(session: Session) -> None:
        session.handle([Submit(1, {"ranks": 99})])
        (submitted,) = tasks.submitted
        facts = {"exit_code": None, "exception": "RuntimeError('bisect failed')", "stderr": None}
        detail = "task can never be scheduled"
        tasks.changed(SimpleNamespace(uid=submitted.uid, exception_detail=detail, **facts), "FAILED")

    assert sent_after(use) == [
        Ended(1, "FAILED", "RuntimeError('bisect failed'); task can never be scheduled")
    ]


def test_what_the_pilot_can_never_run_is_refused_before_and_after_its_size_is_known(
    tasks: FakePilot, pilots: FakePilot
) -> None:
    def use(session: Session) -> None:
        session.handle([Submit(1, {"ranks": 9}), Submit(2, {"ranks": 8})])
        node = {"cores": [0.0] * 4 + [None], "gpus": [0.0]}  # one core is blocked
        pilots.changed(SimpleNamespace(resource_details={"node_list": [node, node]}), "PMGR_ACTIVE")
        session.handle([Submit(3, {"ranks": 3, "gpus_per_rank": 1.0}), Submit(4, {"cores_per_rank": 5})])
        session.handle([Submit(5, {"ranks": 4, "gpus_per_rank": 0.5})])
        session.handle([Submit(6, dict.fromkeys(("ranks", "cores_per_rank", "gpus_per_rank")))])

    room = "and the pilot has room for"
    assert sent_after(use) == [
        Ended(1, TOO_LARGE, f"it requests 9 rank(s) of 1 core(s), {room} 8 such ranks"),
        Ended(3, TOO_LARGE, f"it requests 3 rank(s) of 1 core(s) and 1 GPU(s), {room} 2 such ranks"),
        Ended(4, TOO_LARGE, f"it requests 1 rank(s) of 5 core(s), {room} 0 such ranks"),
    ]
    first = tasks.submitted[0].uid
    assert tasks.cancelled == [first]
    assert [task.ranks for task in tasks.submitted] == [9, 8, 4, None]


def test_a_session_whose_process_ends_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable, match="exit code 1"):  # this Python has no RADICAL-Pilot
        SessionProcess(None, Settings({}, 0.0), tmp_path, lambda message: None, lambda reason: None)


@pytest.mark.slow
@pytest.mark.timeout(TEST_LIMIT_S)
@pytest.mark.linux
def test_a_real_pilot(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    try:
        python = python_of(RADICAL_PILOT)
    except Unavailable as error:
        pytest.skip(str(error))
    home = tmp_path / "home"
    home.mkdir()
    program = ROOT / "tests" / "support" / "radical_pilot" / "pilot.py"
    prepare = 'ip link set lo up && exec "$@"'
    command = [
        str(python), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--rootdir={ROOT}",
        f"--basetemp={tmp_path}/tmp", str(program),
    ]  # fmt: skip
    done = subprocess.run(
        ["unshare", *NAMESPACES, "sh", "-c", prepare, "sh", *command],
        cwd=tmp_path,
        env={**variables(python), "HOME": str(home)},  # RADICAL-Pilot writes there
        capture_output=True,
        text=True,
        timeout=TEST_LIMIT_S - INSTALL_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
