from __future__ import annotations

from parsl.executors.cctools.wire import Decoder, encode


def test_records_survive_any_division_of_the_stream() -> None:
    batches = [
        [["submit", {"number": 1, "command": "true é"}]],
        [["cancel", 1], ["ended", 2, {"result": []}]],
    ]
    stream = b"".join(encode(batch) for batch in batches)
    for size in (1, 3, len(stream)):
        decoder = Decoder()
        records = []
        for start in range(0, len(stream), size):
            records += decoder.feed(stream[start : start + size])
        assert records == [record for batch in batches for record in batch]


def test_an_empty_batch_has_no_records() -> None:
    assert Decoder().feed(encode([])) == []
