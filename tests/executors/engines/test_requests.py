"""Reading what a task requests, and comparing it with what an engine has."""

from __future__ import annotations

from itertools import repeat
from math import inf, nan
from typing import Any

import pytest

from parsl.executors.engines.requests import NO_REQUEST, UNITS, Node, Request, read_request, unsatisfiable
from parsl.executors.errors import InvalidResourceSpecification

ALL = frozenset(UNITS)


def test_no_specification_requests_nothing() -> None:
    assert read_request(None, ALL, "X") is NO_REQUEST
    assert read_request({}, ALL, "X") is NO_REQUEST


def test_known_keys_are_read_and_none_means_not_given() -> None:
    given = {"cores": 2, "memory": 100.5, "gpus": None, "priority": -3, "resources": {"licence": 1}}
    expected = Request(cores=2, memory=100.5, priority=-3, resources={"licence": 1})
    assert read_request(given, ALL, "X") == expected


def test_an_unknown_key_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(
        InvalidResourceSpecification, match=r"'core'.*a MyExecutor can request cores: a number"
    ):
        read_request({"core": 1}, {"cores"}, "MyExecutor")


def test_an_executor_without_requests_refuses_each() -> None:
    with pytest.raises(InvalidResourceSpecification, match="can request nothing: omit"):
        read_request({"cores": 1}, (), "X")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cores", "two"),
        ("cores", -1),
        ("cores", True),
        ("memory", inf),
        ("gpus", nan),
        ("num_nodes", 1.5),
        ("num_nodes", 0),
        ("priority", "high"),
        ("resources", ["licence"]),
        ("resources", {"licence": "one"}),
        ("resources", {"licence": -1}),
        ("resources", {1: 1}),
    ],
)
def test_an_impossible_value_is_refused(key: str, value: Any) -> None:
    with pytest.raises(InvalidResourceSpecification, match=key) as caught:
        read_request({key: value}, ALL, "X")
    assert caught.value.invalid_keys == {key}


def test_a_request_that_one_node_satisfies_is_possible() -> None:
    nodes = [Node(cores=1), Node(cores=4, gpus=1, memory=1000)]
    assert unsatisfiable(Request(cores=4, gpus=1), nodes) == ""


def test_a_request_needs_one_node_that_has_all_of_it() -> None:
    nodes = [Node(cores=8), Node(cores=1, gpus=1)]
    assert unsatisfiable(Request(cores=2, gpus=1), nodes) == (
        "the task requests 1 GPUs, and there are 0 on the node that suits it best"
    )


def test_no_more_nodes_are_compared_than_a_task_needs() -> None:
    nodes = repeat(Node(cores=4))
    assert unsatisfiable(Request(cores=4), nodes) == ""
    assert unsatisfiable(Request(cores=4, num_nodes=3), nodes) == ""


def test_further_resources_and_nodes_are_compared() -> None:
    assert "5 of 'licence'" in unsatisfiable(
        Request(resources={"licence": 5}), [Node(resources={"licence": 2})]
    )
    assert "requests 3 nodes" in unsatisfiable(Request(num_nodes=3), [Node(), Node()])


def test_each_of_several_nodes_needs_all_of_it() -> None:
    nodes = [Node(gpus=1), Node(), Node(gpus=1)]
    assert unsatisfiable(Request(num_nodes=2, gpus=1), nodes) == ""
    assert unsatisfiable(Request(num_nodes=3, gpus=1), nodes) == (
        "the task requests 3 such nodes, and the engine has 2"
    )


def test_without_known_nodes_nothing_is_refused() -> None:
    assert unsatisfiable(Request(cores=10**6), []) == ""
