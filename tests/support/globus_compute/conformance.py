"""The executor conformance suite with the SDK's real executor: pytest runs it next to an endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import globus_compute_sdk
import pytest
from globus_compute_sdk.sdk import executor as sdk_executor
from globus_sdk import AccessTokenAuthorizer

from parsl.executors import GlobusComputeExecutor
from parsl.executors.base import ParslExecutor
from parsl.testing.executor_conformance import ExecutorConformance
from tests.support.globus_compute.endpoint import ENDPOINT_ID


def make_executor() -> globus_compute_sdk.Executor:
    """Return the SDK's executor for the endpoint."""
    client = globus_compute_sdk.Client(authorizer=AccessTokenAuthorizer("token"))
    # The SDK delays submissions after four within 16 s, for the sake of the service.
    return globus_compute_sdk.Executor(
        endpoint_id=ENDPOINT_ID, client=client, api_burst_limit=8, api_burst_window_s=1
    )


def watcher(poll_period_s: float) -> Any:
    """Return the SDK's watcher of results that looks so often; its own looks twice per second."""
    return partial(sdk_executor._ResultWatcher, poll_period_s=poll_period_s)


@pytest.fixture(scope="module", autouse=True)
def _prompt_results() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sdk_executor, "_ResultWatcher", watcher(poll_period_s=0.02))
        yield


class TestGlobusCompute(ExecutorConformance):
    cancels_queued = False
    restarts = False

    def make_executor(self, directory: Path) -> ParslExecutor:
        return GlobusComputeExecutor(make_executor())
