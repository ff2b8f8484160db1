"""Nodes in blocks: their command, and what they are doing."""

from __future__ import annotations

import shlex

import pytest

from parsl.executors.engines.requests import Node
from parsl.executors.ray.blocks import BlockNodes, node_command, node_name
from parsl.executors.ray.nodes import RayNode
from parsl.executors.ray.target import Target


def node(block: str, number: int = 0, cores: float = 4, gpus: float = 0) -> RayNode:
    return RayNode(f"{block}-{number}", "host", node_name("ray", block), Node(cores=cores, gpus=gpus))


def test_the_command_joins_the_cluster_with_its_token() -> None:
    target = Target(host="192.0.2.1", num_cpus=4, resources={"fast disk": 1})
    command = node_command(target, "192.0.2.1:6379", "parsl-ray-0", "/run/to ken", "--num-gpus 2")
    words = shlex.split(command)
    assert words[0] == "env"
    assert "RAY_AUTH_TOKEN_PATH=/run/to ken" in words
    assert "RAY_USAGE_STATS_ENABLED=0" in words
    assert words[words.index("start") :] == [
        "start",
        "--block",
        "--disable-usage-stats",
        "--address=192.0.2.1:6379",
        "--node-name=parsl-ray-0",
        "--num-cpus=4",
        '--resources={"fast disk": 1}',
        "--num-gpus",
        "2",
    ]


def test_a_cluster_without_a_token_needs_none() -> None:
    assert "RAY_AUTH_MODE" not in node_command(Target(), "192.0.2.1:6379", "parsl-ray-0", None, "")


def test_blocks_are_seen_by_the_names_of_their_nodes() -> None:
    now_s = [0.0]
    blocks = BlockNodes("ray", lambda: now_s[0])
    head = RayNode("head", "host", "127.0.0.1", Node())
    other = RayNode("other", "host", node_name("gpu", "0"), Node())
    free = {"0-0": {"CPU": 4.0}, "0-1": {"CPU": 1.0}, "1-0": {"CPU": 4.0}}
    assert blocks.is_old()
    blocks.see([head, other, node("0"), node("0", 1), node("1")], free)
    assert not blocks.is_old()
    assert blocks.activity["0"].managers == 2
    assert blocks.activity["0"].workers == 8
    assert blocks.activity["0"].tasks == 3
    assert blocks.activity["1"].tasks == 0
    now_s[0] = 7.0
    assert blocks.is_old()
    blocks.see([node("0"), node("1")], free)
    assert blocks.activity["1"].idle_s == 7.0
    assert blocks.activity["0"].managers == 1
    assert repr(blocks) == "<BlockNodes, 2 blocks>"


@pytest.mark.parametrize("label", ["ray-2", "ray:", "ray:0", "ra"])
def test_a_node_belongs_to_one_label_only(label: str) -> None:
    other = RayNode("other", "host", node_name(label, "0"), Node())
    assert not BlockNodes("ray").belongs(other)
    assert BlockNodes(label).belongs(other)


def test_a_block_is_busy_when_tasks_hold_fractions_or_gpus() -> None:
    blocks = BlockNodes("ray")
    free = {"0-0": {"CPU": 3.9}, "1-0": {"CPU": 4.0, "GPU": 0.5}}
    blocks.see([node("0"), node("1", gpus=1)], free)
    assert [blocks.activity[block].tasks for block in "01"] == [1, 1]
    assert blocks.activity["0"].idle_s == 0


def test_a_block_that_holds_results_is_not_idle() -> None:
    blocks = BlockNodes("ray")
    free = {"0-0": {"CPU": 4.0}, "1-0": {"CPU": 4.0}}
    blocks.see([node("0"), node("1")], free, {"1-0"})
    assert [blocks.activity[block].tasks for block in "01"] == [0, 1]
    assert blocks.activity["1"].idle_s == 0
