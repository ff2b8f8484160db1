"""An ensemble whose managers connect over a slow network that breaks messages and inserts nonsense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import parsl
from chaos import work
from chaos.ledger import findings, summary
from chaos.soak import DRAIN_S, Soak, config
from parsl.executors.high_throughput.driver import endpoints
from tests.support.relay import Relay, Weather, through_relay

if TYPE_CHECKING:
    from pathlib import Path

#: Messages of this load are some hundred bytes to a megabyte.
WEATHERS = {
    "slow": Weather(delay_s=0.03),
    "cut": Weather(delay_s=0.002, cut_after=2_000_000),
    "nonsense": Weather(cut_after=4_000_000, garbage=0.5),
}


@pytest.mark.parametrize("name", list(WEATHERS))
def test_an_ensemble_completes_over_a_bad_network(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    seconds, seed = request.config.getoption("--seconds"), request.config.getoption("--seed")
    monkeypatch.setattr(endpoints, "listen_unix", lambda log_dir: None)
    relay = Relay(WEATHERS[name], seed)
    try:
        loaded = config(tmp_path / "r", "tcp", launch_cmd=through_relay(relay))
        with parsl.load(loaded) as kernel:
            relay.lead_to(kernel.executors["soak"].engine.endpoints.port)  # type: ignore[attr-defined]
            soak = Soak(str(tmp_path / "journal"), seed)
            soak.run(seconds, lambda: None)
            soak.drain(DRAIN_S)
    finally:
        relay.close()
    print(f"{name}: {summary(soak.ledger)}; {relay!r} nonsense={relay.nonsense}")
    assert findings(soak.ledger, soak.submitted, work.begun(str(tmp_path / "journal"))) == []
    assert relay.cuts > 0 or name == "slow"
    assert relay.nonsense > 0 or name != "nonsense"
