"""Whatever a checkpoint file contains: whole records load with their own results, the rest is skipped."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.dataflow.checkpoints.loaded import LoadedCheckpoints
from parsl.dataflow.checkpoints.records import encode_record
from parsl.dataflow.errors import BadCheckpoint
from tests.fuzz.damage import a_few, cut, scratched

RESULTS = {md5(bytes([number])).hexdigest(): f"result {number}" for number in range(4)}
RECORDS = [encode_record(key, value) for key, value in RESULTS.items()]
OURS = b"".join(RECORDS)
#: As upstream writes them: pickle after pickle.
THEIRS = b"".join(pickle.dumps({"hash": key, "exception": None, "result": value}) for key, value in
                  RESULTS.items())  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkpoint file to write to; warnings about it are dropped."""
    logging.disable(logging.WARNING)
    yield tmp_path_factory.mktemp("checkpoint") / "tasks.pkl"
    logging.disable(logging.NOTSET)


def loaded(file: Path, content: bytes) -> dict[str, object] | None:
    """The results by the hashes of their calls; None if the file is refused as a checkpoint."""
    file.write_bytes(content)
    try:
        checkpoints = LoadedCheckpoints([str(file)])
    except BadCheckpoint:
        return None
    try:
        found = {}
        for key in checkpoints:
            try:
                found[key] = checkpoints[key].result()
            except KeyError:
                continue  # it was there, and is damaged
        return found
    finally:
        checkpoints.close()


@a_few
@given(length=st.integers(0, len(OURS)))
def test_a_truncated_file_has_the_records_before_the_end(file: Path, length: int) -> None:
    ends = [sum(map(len, RECORDS[: n + 1])) for n in range(len(RECORDS))]
    whole = [key for key, end in zip(RESULTS, ends, strict=True) if end <= length]
    assert loaded(file, OURS[:length]) == {key: RESULTS[key] for key in whole}


@a_few
@given(content=scratched(OURS) | cut(OURS))
def test_damage_loses_records_and_never_yields_wrong_ones(file: Path, content: bytes) -> None:
    found = loaded(file, content)
    assert found is None or found.items() <= RESULTS.items()


@a_few
@given(content=st.binary(max_size=300))
def test_other_files_are_refused_or_empty(file: Path, content: bytes) -> None:
    assert loaded(file, content) in (None, {})


@a_few
@given(content=cut(THEIRS))
def test_damaged_files_of_upstream_yield_no_wrong_results(file: Path, content: bytes) -> None:
    found = loaded(file, content)
    assert found is None or found.items() <= RESULTS.items()


@a_few
@given(content=scratched(THEIRS))
def test_overwritten_bytes_in_files_of_upstream_do_no_harm(file: Path, content: bytes) -> None:
    """Upstream's files have no checksums: results may be wrong, but loading does not fail."""
    loaded(file, content)


def test_a_record_with_a_damaged_start_is_not_read_without_its_checksum(file: Path) -> None:
    key = next(iter(RESULTS))
    content = bytearray(RECORDS[0])
    content[1] ^= 5  # of the signature
    content[content.index(key.encode())] ^= 1  # of the key in the pickle
    assert loaded(file, bytes(content)) == {}
