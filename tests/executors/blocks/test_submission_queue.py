from __future__ import annotations

from parsl.executors.blocks.submitter import MAX_DELAY_S, PATIENCE_S, SubmissionQueue


def test_blocks_are_submitted_in_their_order() -> None:
    queue = SubmissionQueue()
    queue.add("abc")
    assert queue.drop("b")
    assert not queue.drop("b")
    assert [queue.take(0), queue.take(0), queue.take(0)] == ["a", "c", None]
    assert queue.due_in_s(0) is None


def test_after_a_failure_all_of_them_wait_ever_longer() -> None:
    queue = SubmissionQueue()
    queue.add("ab")
    now_s, waits_s = 100.0, []
    while "a" in queue or "b" in queue:
        block_id = queue.take(now_s)
        assert block_id == "a"
        given_up = queue.failed(block_id, now_s)
        assert queue.take(now_s) is None
        wait_s = queue.due_in_s(now_s) or 0.0
        waits_s.append(wait_s)
        now_s += wait_s
    assert waits_s[:6] == [1, 2, 4, 8, 16, MAX_DELAY_S]
    assert given_up == ["a", "b"]
    assert PATIENCE_S <= now_s - 100 < PATIENCE_S + 2 * MAX_DELAY_S


def test_a_success_ends_the_pause() -> None:
    queue = SubmissionQueue()
    queue.add("ab")
    assert queue.failed(queue.take(0) or "", 0) == []
    assert queue.take(1) == "a"
    queue.succeeded()
    assert queue.take(1) == "b"
    queue.failed("b", PATIENCE_S + 1)
    assert queue.due_in_s(PATIENCE_S + 1) == 1
    assert repr(queue) == "<SubmissionQueue 1 waiting, failing>"
    assert queue.clear() == ["b"]
