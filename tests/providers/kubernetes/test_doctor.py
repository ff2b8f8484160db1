"""What ``parsl doctor`` reports about a cluster, without starting anything."""

from __future__ import annotations

import textwrap

import pytest

from parsl.cli.doctor import main


@pytest.fixture
def report(cluster, tmp_path, capsys):
    """Return what the doctor prints about a configuration with these parameters of the provider."""

    def report(parameters):
        text = f"""
            from parsl import Config, HighThroughputExecutor
            from parsl.providers import KubernetesProvider
            provider = KubernetesProvider("python:3.12", kubeconfig={str(cluster.kubeconfig)!r}, {parameters})
            config = Config(executors=[HighThroughputExecutor(label="pods", provider=provider)])
        """
        (tmp_path / "config.py").write_text(textwrap.dedent(text))
        main([str(tmp_path / "config.py")])
        return " ".join(capsys.readouterr().out.split())

    return report


def test_a_good_configuration(cluster, report):
    text = report("price_per_hour=0.25, max_blocks=8")
    assert "Blocks would be accepted in namespace default" in text
    assert "max_blocks=8 costs about 2.00 dollars an hour (an estimate)" in text
    assert "that every node has its own copy of" not in text
    assert cluster.remaining() == []


def test_the_cost_of_more_blocks_at_the_start_than_max_blocks(report):
    text = report("price_per_hour=0.1, max_blocks=2")
    assert "init_blocks=4 costs about 0.40 dollars an hour" in text


def test_a_cost_that_is_not_known(report):
    text = report("max_blocks=8")
    assert "no price for a pod. -> Set price_per_hour in the provider, in dollars for a pod." in text


def test_a_bad_one(cluster, report):
    assert 'namespaces "elsewhere" not found' in report("namespace='elsewhere'")
    cluster.denied = {"create secrets"}
    assert "lack rights in namespace default: create secrets" in report("")
