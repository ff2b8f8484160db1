"""Connections that silently drop data or deliver garbage: tasks complete nevertheless."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parsl.providers import LocalProvider
from tests.support.relay import FAIR, Relay, Weather, through_relay
from tests.system import run as runs
from tests.system import tasks

if TYPE_CHECKING:
    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartRun
    from tests.system.run import Run

pytestmark = pytest.mark.slow

#: Idle connections are dropped after this time.
SILENT_AFTER_S = 1.5


@pytest.fixture
def relay() -> Iterator[Relay]:
    relay = Relay(Weather())
    yield relay
    relay.close()


def another_block() -> dict[str, Any]:
    """Settings that replace a block that has ended."""
    provider = LocalProvider(init_blocks=1, min_blocks=1, max_blocks=1)
    return {"strategy": "simple", "block_error_handler": False, "provider": provider}


def start_behind(relay: Relay, start_run: StartRun, far: Path, **options: Any) -> Run:
    run = start_run(
        run_dir=far,
        address="127.0.0.1",
        launch_cmd=through_relay(relay),
        **another_block(),
        **options,
    )
    relay.lead_to(run.executor.engine.endpoints.port)
    run.warm_up()
    return run


def test_heartbeats_keep_a_connection_open_that_would_be_dropped_when_idle(
    relay: Relay, start_run: StartRun, far: Path
) -> None:
    run = start_behind(relay, start_run, far, heartbeat_period=0.3, heartbeat_threshold=30)
    relay.weather = Weather(silent_after_s=SILENT_AFTER_S)
    [before] = run.executor.connected_managers()
    future = run.call(tasks.sleep_in_c, 2 * SILENT_AFTER_S)
    assert future.result(timeout=60) is None
    assert relay.silences == 0
    [after] = run.executor.connected_managers()
    assert after["manager"] == before["manager"]


def test_a_task_on_a_silently_dropped_connection_completes_in_a_retry(
    relay: Relay, start_run: StartRun, far: Path, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_behind(relay, start_run, far, retries=1, heartbeat_period=0.3, heartbeat_threshold=2)
    interchange = run.only(runs.INTERCHANGE).pid
    lost = run.only(runs.MANAGER)
    future = run.call(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/release")
    wait_until((tmp_path / "started").exists)
    first_worker = int((tmp_path / "started").read_text())
    relay.silence_all()
    assert relay.silences > 0
    wait_until(lambda: (tmp_path / "started").read_text() != str(first_worker), what="the second attempt")
    lost.wait(timeout=60)
    (tmp_path / "release").touch()
    assert future.result(timeout=60) != first_worker
    assert future.task_record.fail_count == 1
    assert run.only(runs.INTERCHANGE).pid == interchange


def test_garbage_during_registration_only_delays_a_manager(
    relay: Relay, start_run: StartRun, far: Path
) -> None:
    """ZeroMQ may mistake garbage for a greeting; the manager connects again after 19 s."""
    # The first connection only checks that the port is open.
    relay.weather = Weather(garbage=1.0, max_garbage=2)
    run = start_run(run_dir=far, address="127.0.0.1", launch_cmd=through_relay(relay))
    relay.lead_to(run.executor.engine.endpoints.port)
    run.warm_up()
    assert relay.nonsense == 2
    assert run.executor.connected_blocks() == ["0"]


def test_garbage_after_a_cut_does_not_end_a_manager(
    relay: Relay, start_run: StartRun, far: Path, wait_until: WaitUntil
) -> None:
    run = start_behind(relay, start_run, far, retries=3, heartbeat_period=0.3, heartbeat_threshold=30)
    relay.weather = Weather(garbage=1.0)
    begun = relay.nonsense
    relay.cut_all()
    wait_until(lambda: relay.nonsense > begun)
    relay.weather = FAIR
    assert run.call(tasks.add, 1).result(timeout=60) == 1
    logs = [path.read_text() for path in far.rglob("manager.log")]
    assert logs
    assert not any("Traceback" in text for text in logs)
