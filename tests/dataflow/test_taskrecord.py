from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from parsl.dataflow.states import States
from tests.dataflow.fakes import HoldingExecutor, add, call, kernel

KEYS = [
    "app_fu",
    "args",
    "depends",
    "dfk",
    "exec_fu",
    "executor",
    "fail_cost",
    "fail_count",
    "fail_history",
    "from_memo",
    "func",
    "func_name",
    "hashsum",
    "id",
    "ignore_for_cache",
    "join",
    "joins",
    "kwargs",
    "memoize",
    "outputs",
    "resource_specification",
    "status",
    "time_invoked",
    "time_returned",
    "try_id",
    "try_time_launched",
    "try_time_returned",
]


@pytest.fixture
def record(tmp_path: Any) -> Any:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor, garbage_collect=False) as dfk:
        yield call(dfk, add, 1, label="a label", parsl_resource_specification={"priority": 2}).task_record


def test_a_record_can_be_read_like_a_dictionary(record: Any) -> None:
    assert [key for key in KEYS if key not in record] == []
    assert (record["id"], record["func_name"], record["args"]) == (0, "add", [1])
    assert record["resource_specification"] == {"priority": 2}
    assert record["status"] is States.launched
    assert record.get("label") == "a label"
    assert record.get("nothing", 7) == 7
    assert "nothing" not in record
    assert set(record) == set(record.keys())
    assert len({key: record[key] for key in record}) == len(record)
    with pytest.raises(KeyError):
        record["nothing"]


def test_plug_ins_see_lists_that_they_may_change(record: Any) -> None:
    record["args"].append(2)
    assert record["args"] == [1, 2]
    assert record.args == [1, 2]
    assert record["depends"] == []


def test_moments_are_datetimes(record: Any) -> None:
    assert isinstance(record["time_invoked"], datetime)
    assert isinstance(record["try_time_launched"], datetime)
    assert record["time_returned"] is None
    record.exec_fu.set_result(1)
    assert record["time_invoked"] <= record["try_time_launched"] <= record["time_returned"]
    assert abs((datetime.now() - record["time_returned"]).total_seconds()) < 60


def test_unset_fields_have_their_defaults(record: Any) -> None:
    names = ("fail_count", "fail_cost", "fail_history", "try_id", "joins", "memoize", "hashsum", "from_memo")
    assert [record[name] for name in names] == [0, 0, [], 0, None, False, None, None]


def test_a_memoizer_can_set_fields_but_not_invent_them(record: Any) -> None:
    record["hashsum"] = "abc"
    assert record.hashsum == "abc"
    with pytest.raises(KeyError):
        record["invented"] = 1
    with pytest.raises(AttributeError, match="no attribute 'invented'"):
        _ = record.invented


def test_repr(record: Any) -> None:
    assert repr(record) == "<TaskRecord 0 add launched on holding>"
