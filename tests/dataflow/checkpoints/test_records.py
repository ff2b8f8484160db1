from __future__ import annotations

import io
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.dataflow.checkpoints import records as checkpoint_records
from parsl.dataflow.checkpoints.records import HEADER_BYTES, SIGNATURE, Scan, encode_record, read_record
from parsl.dataflow.errors import BadCheckpoint


def key(number: int) -> str:
    return f"{number:032x}"


def records(*results: Any) -> list[bytes]:
    return [encode_record(key(number), result) for number, result in enumerate(results)]


def scanned(data: bytes) -> tuple[list[int], int]:
    scan = Scan(io.BytesIO(data))
    return [int.from_bytes(found, "big") for found, _ in scan], scan.damaged_bytes


def test_a_record_is_an_ordinary_pickle() -> None:
    stream = io.BytesIO(b"".join(records(1, "two", [3])))
    loaded = [pickle.load(stream) for _ in range(3)]
    assert loaded == [
        {"hash": key(number), "exception": None, "result": result}
        for number, result in enumerate([1, "two", [3]])
    ]
    assert not stream.read()


def test_objects_without_an_importable_name_are_pickled_by_value() -> None:
    (record,) = records(lambda: 5)
    assert pickle.loads(record)["result"]() == 5


def test_whole_records_are_found_wherever_the_file_ends() -> None:
    parts = records(None, "x" * 50, b"y" * 300)
    data = b"".join(parts)
    ends = [sum(map(len, parts[: n + 1])) for n in range(3)]
    for length in range(len(data) + 1):
        found, damaged = scanned(data[:length])
        whole = [number for number in range(3) if ends[number] <= length]
        assert found == whole
        assert damaged == length - max((ends[number] for number in whole), default=0)


def test_whole_records_are_found_around_damage() -> None:
    parts = records(*range(5))
    for at in range(len(parts[0])):
        data = bytearray(b"".join(parts))
        data[2 * len(parts[0]) + at] ^= 0xFF
        found, damaged = scanned(bytes(data))
        assert found == [0, 1, 3, 4]
        assert damaged == len(parts[2])


@given(st.lists(st.binary(max_size=200), max_size=6), st.binary(max_size=100), st.integers(0, 6))
def test_arbitrary_bytes_may_separate_records(contents: list[bytes], junk: bytes, place: int) -> None:
    parts = records(*contents)
    parts.insert(min(place, len(parts)), junk)
    found, damaged = scanned(b"".join(parts))
    assert found == list(range(len(contents)))
    assert damaged == len(junk)


def test_zeros_of_a_file_system_that_lost_power_are_damage() -> None:
    one, two = records(1, 2)
    assert scanned(one + bytes(5_000_000) + two) == ([0, 1], 5_000_000)


def test_large_results_are_skipped_without_reading_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_records, "CHUNK_BYTES", 100)
    parts = records(b"x" * 100_000, 1, b"y" * 70_000, 2)
    data = b"".join(parts)
    assert scanned(data) == ([0, 1, 2, 3], 0)
    assert scanned(data[:-1]) == ([0, 1, 2], len(parts[3]) - 1)
    cut = len(data) - len(parts[3]) - 1
    assert scanned(data[:cut]) == ([0, 1], len(parts[2]) - 1)


def test_a_record_that_is_read_is_checked(tmp_path: Any) -> None:
    path = tmp_path / "file"
    first, second = records(b"x" * 2_000_000, 2)
    path.write_bytes(first + second)
    with path.open("rb") as stream:
        assert pickle.loads(read_record(stream, len(first), bytes.fromhex(key(1))) or b"")["result"] == 2
        assert read_record(stream, len(first), bytes.fromhex(key(0))) is None
        assert read_record(stream, 1, bytes.fromhex(key(0))) is None
    damaged = bytearray(first)
    damaged[-10] ^= 1
    path.write_bytes(damaged)
    with path.open("rb") as stream:
        assert scanned(bytes(damaged)) == ([0], 0)  # found only when the result is needed
        assert read_record(stream, 0, bytes.fromhex(key(0))) is None


def test_records_of_a_later_version_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_records, "VERSION", 9)
    (record,) = records(1)
    monkeypatch.undo()
    with pytest.raises(BadCheckpoint, match="version 9; this Parsl reads version 1"):
        scanned(record)
    assert record.startswith(SIGNATURE)
    assert len(record) > HEADER_BYTES
