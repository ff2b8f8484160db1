"""Each result of a message keeps its frames."""

from __future__ import annotations

from parsl.executors.high_throughput.interchange.payloads import select_frames, split_frames
from parsl.executors.high_throughput.wire.protocol import DONE, Result

SMALL = Result(1, DONE, b"inline")
LARGE = Result(2, DONE, b"", (3, 2))
OTHER = Result(3, DONE, b"", (1,))


def test_frames_are_split_by_the_sizes_in_the_results() -> None:
    assert split_frames([LARGE, SMALL, OTHER], [b"abc", b"de", b"f"]) == [[b"abc", b"de"], [], [b"f"]]
    assert split_frames([SMALL], []) == [()]


def test_frames_of_other_sizes_are_rejected() -> None:
    assert split_frames([LARGE], []) is None
    assert split_frames([LARGE], [b"abc"]) is None
    assert split_frames([LARGE], [b"abc", b"too long"]) is None
    assert split_frames([LARGE], [b"abc", b"de", b"one too many"]) is None
    assert split_frames([SMALL], [b"surplus"]) is None


def test_only_frames_of_kept_results_are_selected() -> None:
    results = [LARGE, SMALL, OTHER]
    parts = split_frames(results, [b"abc", b"de", b"f"])
    assert parts is not None
    assert select_frames([OTHER], results, parts) == [b"f"]
    assert select_frames([SMALL, LARGE], results, parts) == [b"abc", b"de"]
