"""The executor conformance suite with the SDK's real executor: pytest runs it next to an endpoint."""

from __future__ import annotations

from pathlib import Path

import globus_compute_sdk
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


class TestGlobusCompute(ExecutorConformance):
    cancels_queued = False
    restarts = False

    def make_executor(self, directory: Path) -> ParslExecutor:
        return GlobusComputeExecutor(make_executor())
