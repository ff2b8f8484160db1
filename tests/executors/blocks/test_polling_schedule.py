from __future__ import annotations

from parsl.executors.blocks.polling_schedule import PollingSchedule

INTERVAL_S = 30.0


def queried_at_s(
    times: PollingSchedule, until_s: int, events: range = range(0), start_s: int = 0
) -> list[int]:
    queried = []
    for second in range(start_s, until_s):
        if second in events:
            times.event()
        is_due_in_s = times.due_in_s(second)
        if times.take_due(second, INTERVAL_S):
            assert is_due_in_s == 0
            queried.append(second)
        else:
            assert is_due_in_s > 0
    return queried


def test_without_a_job_there_is_no_query() -> None:
    assert queried_at_s(PollingSchedule(), 1000) == []


def test_queries_after_a_submission_become_less_frequent() -> None:
    times = PollingSchedule()
    times.job_submitted(0)
    assert queried_at_s(times, 130) == [2, 12, 32, 62, 92, 122]


def test_an_event_causes_a_query_at_once_and_a_few_more() -> None:
    times = PollingSchedule()
    times.job_submitted(0)
    assert queried_at_s(times, 130, events=range(40, 41)) == [2, 12, 32, 40, 41, 43, 47, 55, 85, 115]


def test_endless_events_cause_few_queries() -> None:
    times = PollingSchedule()
    times.job_submitted(0)
    queried = queried_at_s(times, 300, events=range(100, 300))
    assert len([second for second in queried if second >= 150]) <= 16
    assert len(queried_at_s(times, 700, start_s=300)) <= 15
    assert queried_at_s(times, 710, events=range(700, 701), start_s=700) == [700, 701, 703, 707]


def test_a_known_end_causes_a_query_at_once() -> None:
    times = PollingSchedule()
    times.job_submitted(0)
    assert queried_at_s(times, 3) == [2]
    for second in (3, 4, 5):
        times.job_ended()
        assert times.take_due(second, INTERVAL_S)
