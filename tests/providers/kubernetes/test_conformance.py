"""The suite for providers, with a stand-in for a cluster."""

from __future__ import annotations

import pytest

from parsl.providers import KubernetesProvider
from parsl.testing.provider_conformance import ProviderConformance
from tests.providers.tasks_in_blocks import TasksInBlocks
from tests.support.kubernetes_cluster.objects import Refusal


class OnKubernetes:
    """Makes the provider."""

    @pytest.fixture(autouse=True)
    def _use_cluster(self, cluster):
        self.cluster = cluster

    def make_provider(self, directory):
        return KubernetesProvider("python:3.12", kubeconfig=str(self.cluster.kubeconfig), **self.limits)


@pytest.mark.slow
class TestTasks(OnKubernetes, TasksInBlocks):
    pass


@pytest.mark.slow
class TestKubernetes(OnKubernetes, ProviderConformance):
    retries_of_lost_tasks = 0
    injectable = ("throttling", "errors")

    def remaining(self, directory):
        return self.cluster.remaining()

    def lose(self, job_id):
        self.cluster.delete_pods_of(job_id)

    def faults(self, kind):
        if kind == "throttling":
            return self.cluster.refusing(9, throttled)
        return self.cluster.refusing(
            3, lambda: Refusal(500, "InternalError", "etcdserver: request timed out")
        )

    def driver_code(self, directory):
        options = {"kubeconfig": str(self.cluster.kubeconfig), **self.limits}
        return (
            f"from parsl.providers import KubernetesProvider\nprovider = KubernetesProvider('i', **{options})"
        )


def throttled():
    return Refusal(429, "TooManyRequests", "the server has received too many requests", Retry_After="1")
