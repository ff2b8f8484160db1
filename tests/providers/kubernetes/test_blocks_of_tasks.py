"""Tasks in pods of the stand-in: what users see of several nodes, and of an image that does not exist."""

from __future__ import annotations

import pytest

import parsl
from parsl import Config, python_app
from parsl.errors import ConfigurationError
from parsl.testing.provider_conformance import block_executor

pytestmark = pytest.mark.slow


@python_app
def rank():
    import os
    import time

    time.sleep(0.1)
    return os.environ["PARSL_NODE_RANK"]


@pytest.fixture
def load(make_provider, tmp_path):
    def load(**settings):
        provider = make_provider(init_blocks=1, max_blocks=1, **settings)
        run_dir = str(tmp_path / "runinfo")
        return parsl.load(Config(executors=[block_executor(provider)], run_dir=run_dir, usage_tracking=0))

    yield load
    parsl.clear()


def test_tasks_run_on_all_nodes_of_a_block(load, cluster):
    with load(nodes_per_block=2):
        ranks = set()
        while ranks != {"0", "1"}:
            ranks |= {future.result(60) for future in [rank() for _ in range(8)]}
    assert cluster.remaining() == []


def test_tasks_fail_with_the_words_of_the_kubelet(load, cluster):
    cluster.nodes.images = {"python:3.12"}
    text = r"(?s)ErrImagePull: .*pythn:3\.12.*not found"
    with load(image="pythn:3.12"), pytest.raises(Exception, match=text):
        rank().result(60)
    assert cluster.remaining() == []


def test_a_wrong_namespace_is_an_error_at_load(load):
    with pytest.raises(ConfigurationError, match='namespaces "elsewhere" not found'):
        load(namespace="elsewhere")
