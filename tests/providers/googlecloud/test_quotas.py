"""Quotas, zones and prices."""

from __future__ import annotations

import pytest

from parsl.providers.googlecloud.instance import Fleet, InstanceSettings
from parsl.providers.googlecloud.prices import estimated_price
from parsl.providers.googlecloud.quotas import Demand, quota_finding
from parsl.providers.googlecloud.zones import FULL_FOR_S, ZoneChoice, zones_of
from parsl.vocabulary.findings import ERROR, OK, WARNING


def finding(quotas, max_blocks=5, nodes_per_block=2, cpus=4, **settings):
    machines = InstanceSettings(**{"machine_type": "n1-standard-4", "region": "r", **settings})
    fleet = Fleet("p", "r", "ip", "if", machines, None, nodes_per_block, max_blocks)
    rows = [{"metric": name, "limit": limit, "usage": used} for name, (limit, used) in quotas.items()]
    return quota_finding(Demand.of(fleet, cpus), rows)


def test_a_quota_that_suffices():
    assert finding({"CPUS": (50, 10)}).level == OK
    assert finding({"DISKS": (0, 0)}).level == OK
    assert finding({"CPUS": (50, 10)}, max_blocks=0).level == OK


def test_a_quota_for_some_blocks_is_a_warning_with_the_number():
    found = finding({"CPUS": (50, 33)})
    assert found.level == WARNING
    assert "Quota 'CPUS': limit 50, used 33; a block needs 8: 2 of max_blocks=5" in found.text


def test_a_quota_for_no_block_is_an_error_only_if_waiting_does_not_help():
    assert finding({"CPUS": (7, 0)}).level == ERROR
    assert "no block can ever start" in finding({"CPUS": (7, 0)}).text
    assert finding({"CPUS": (8, 8)}).level == WARNING


def test_the_tightest_quota_counts():
    quotas = {"CPUS": (24, 0), "IN_USE_ADDRESSES": (1, 0), "NVIDIA_T4_GPUS": (8, 0)}
    assert "IN_USE_ADDRESSES" in finding(quotas).text
    found = finding(quotas, has_external_address=False, accelerators={"nvidia-tesla-t4": 4})
    assert "NVIDIA_T4_GPUS': limit 8, used 0; a block needs 8" in found.text


def test_a_family_with_a_quota_of_its_own():
    quotas = {"CPUS": (0, 0), "N2_CPUS": (16, 0)}
    assert "N2_CPUS" in finding(quotas, machine_type="n2-standard-4").text
    assert finding(quotas, machine_type="n1-standard-4").level == ERROR


def test_spot_machines_have_quotas_of_their_own_if_the_project_has():
    quotas = {"CPUS": (24, 0), "PREEMPTIBLE_CPUS": (8, 0)}
    assert "'PREEMPTIBLE_CPUS': limit 8" in finding(quotas, is_spot=True).text
    quotas["PREEMPTIBLE_CPUS"] = (0, 0)
    assert "'CPUS': limit 24" in finding(quotas, is_spot=True).text


def test_zones_are_those_of_the_region_itself_that_are_up():
    zones = [
        {"name": "europe-west1-c", "region": "x/europe-west1", "status": "UP"},
        {"name": "europe-west1-b", "region": "x/europe-west1", "status": "UP"},
        {"name": "europe-west1-d", "region": "x/europe-west1", "status": "DOWN"},
        {"name": "europe-west10-a", "region": "x/europe-west10", "status": "UP"},
    ]
    assert zones_of("europe-west1", zones) == ["europe-west1-b", "europe-west1-c"]


def test_a_full_zone_is_the_last_choice_for_a_while():
    choice = ZoneChoice(["a", "b", "c"])
    choice.found_full("a", 0.0)
    choice.found_full("b", 5.0)
    assert choice.order(10.0) == ["c", "a", "b"]
    assert choice.order(10.0, tried=["c"]) == ["a", "b"]
    assert choice.order(FULL_FOR_S + 5.0) == ["a", "b", "c"]
    assert choice.order(0.0, tried="abc") == []


def test_prices_are_estimated_where_they_are_known():
    assert estimated_price("n1-standard-1", 1, 3.75, {}) == pytest.approx(0.0475, abs=0.0001)
    with_gpu = estimated_price("n1-standard-1", 1, 3.75, {"nvidia-tesla-t4": 2})
    assert with_gpu == pytest.approx(0.7475, abs=0.0001)
    assert estimated_price("x9-mega", 1, 1, {}) is None
    assert estimated_price("n1-standard-1", 1, 3.75, {"unknown": 1}) is None
