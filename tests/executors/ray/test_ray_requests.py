"""What a task requests, in Ray's terms."""

from __future__ import annotations

from parsl.executors.engines.requests import Request
from parsl.executors.ray.requests import MB, bundle, options_key, task_options


def test_only_what_is_requested_becomes_an_option() -> None:
    assert task_options(Request()) == {}
    request = Request(cores=2, gpus=0.5, memory=100, resources={"licence": 1})
    expected = {"num_cpus": 2, "num_gpus": 0.5, "memory": 100 * MB, "resources": {"licence": 1}}
    assert task_options(request) == expected


def test_a_bundle_has_a_core_unless_another_number_is_requested() -> None:
    assert bundle(Request(num_nodes=2)) == {"CPU": 1.0}
    assert bundle(Request(num_nodes=2, cores=4, gpus=1)) == {"CPU": 4, "GPU": 1}
    assert bundle(Request(num_nodes=2, cores=0, resources={"licence": 1})) == {"licence": 1}


def test_a_bundle_is_never_empty() -> None:
    assert bundle(Request(num_nodes=2, cores=0)) == {"CPU": 1.0}


def test_equal_options_have_equal_keys() -> None:
    assert options_key(Request(cores=1)) == options_key(Request(cores=1, priority=3))
    keys = {
        options_key(Request(resources=amounts))
        for amounts in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1}, {})
    }
    assert len(keys) == 3
