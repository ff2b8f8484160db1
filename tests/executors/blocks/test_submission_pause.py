from __future__ import annotations

from parsl.executors.blocks.submitter import MAX_PAUSE_S, PATIENCE_S, SubmissionPause


def test_pauses_grow_until_submissions_have_failed_for_too_long() -> None:
    pause = SubmissionPause()
    now_s, pauses_s = 100.0, []
    while not pause.failed(now_s):
        pauses_s.append(pause.left_s(now_s))
        now_s += pauses_s[-1]
        assert pause.left_s(now_s) == 0
    assert pauses_s[:6] == [1, 2, 4, 8, 16, MAX_PAUSE_S]
    assert PATIENCE_S <= now_s - 100 < PATIENCE_S + MAX_PAUSE_S


def test_a_success_ends_the_pause() -> None:
    pause = SubmissionPause()
    assert pause.left_s(0) == 0
    assert not pause.failed(0)
    pause.succeeded()
    assert pause.left_s(0) == 0
    assert not pause.failed(PATIENCE_S + 1)
    assert pause.left_s(PATIENCE_S + 1) == 1
