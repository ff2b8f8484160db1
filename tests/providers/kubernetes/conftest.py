from __future__ import annotations

import pytest

pytest.importorskip("kubernetes", reason="the extra kubernetes is not installed")

from parsl.providers import KubernetesProvider
from tests.support.kubernetes_cluster.cluster import KubernetesCluster


@pytest.fixture
def cluster(tmp_path):
    """A stand-in for a cluster, of which nothing is left at the end of the test."""
    cluster = KubernetesCluster(tmp_path / "cluster")
    yield cluster
    cluster.close()


@pytest.fixture
def make_provider(cluster, tmp_path):
    """Create providers for the stand-in; their blocks end with the test."""
    made = []

    def make(image="python:3.12", **settings):
        settings.setdefault("kubeconfig", str(cluster.kubeconfig))
        provider = KubernetesProvider(image, **settings)
        provider.script_dir = str(tmp_path / "scripts")
        made.append(provider)
        return provider

    yield make
    for provider in made:
        provider.close()
