"""Which jobs start where, and why the others wait."""

from hypothesis import given
from hypothesis import strategies as st

from parsl.testing.schedulers.dispatch import (
    NEVER_ENOUGH_CPUS,
    NEVER_ENOUGH_NODES,
    RUN_LIMIT,
    TOO_FEW_NODES,
    Node,
    decide,
)
from parsl.testing.schedulers.records import HELD, QUEUED, WAITING, Chunk, Job, Queue

NODES = [Node(f"n{number}", 8) for number in range(4)]


def job(number, nodes=1, cpus=8, **fields):
    values = {"state": QUEUED, "queue": "debug", "owner": "sci", **fields}
    return Job(
        number=number, name="j", chunks=(Chunk(nodes, cpus),), workdir="", output_path="", error_path="",
        created_s=0, modified_s=0, **values,
    )  # fmt: skip


def running(each, *hosts):
    placements = decide([each], [], [Node(host, 8) for host in hosts], [], 0).placements[each.number]
    return each._replace(placements=placements)


def starts(decision):
    return {number: [place.host for place in placed] for number, placed in decision.placements.items()}


def test_jobs_start_in_their_order_on_the_first_free_nodes():
    decision = decide([job(1, 2), job(2), job(3, 2)], [], NODES, [], 0)
    assert starts(decision) == {1: ["n0", "n1"], 2: ["n2"]}
    assert decision.waits == {3: TOO_FEW_NODES}


def test_a_smaller_job_overtakes_one_that_does_not_fit():
    decision = decide([job(2, 4), job(3)], [running(job(1, 2), "n0", "n1")], NODES, [], 0)
    assert starts(decision) == {3: ["n2"]}


def test_a_job_that_can_never_run_is_reported():
    decision = decide([job(1, 5), job(2, 1, 9)], [], NODES, [], 0)
    assert decision.waits == {1: NEVER_ENOUGH_NODES, 2: NEVER_ENOUGH_CPUS}


def test_a_dead_node_is_not_used_but_may_come_back():
    nodes = [NODES[0]._replace(is_up=False), *NODES[1:]]
    decision = decide([job(1, 4), job(2)], [], nodes, [], 0)
    assert decision.waits == {1: TOO_FEW_NODES}
    assert starts(decision) == {2: ["n1"]}


def test_a_queue_lets_a_user_run_so_many_jobs():
    queues = [Queue("debug", max_running_per_user=1)]
    decision = decide([job(1), job(2), job(3, owner="other"), job(4, queue="prod")], [], NODES, queues, 0)
    assert set(starts(decision)) == {1, 3, 4}
    assert decision.waits == {2: RUN_LIMIT}


def test_held_jobs_and_those_whose_time_has_not_come_do_not_start():
    todo = [job(1, state=HELD), job(2, state=WAITING, not_before_s=10), job(3, state=WAITING, not_before_s=1)]
    assert set(starts(decide(todo, [], NODES, [], 5))) == {3}


def test_pieces_share_a_node_only_where_they_may():
    assert starts(decide([job(1, 3, 4, place="free")], [], NODES, [], 0)) == {1: ["n0", "n0", "n1"]}
    assert starts(decide([job(1, 3, 4)], [], NODES, [], 0)) == {1: ["n0", "n1", "n2"]}


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.integers(1, 9), st.sampled_from(["scatter", "free"])), max_size=12
    )
)
def test_no_node_is_used_beyond_its_cpus(requested):
    todo = [job(number, nodes, cpus, place=place) for number, (nodes, cpus, place) in enumerate(requested, 1)]
    decision = decide(todo, [], NODES, [], 0)
    used = dict.fromkeys((node.name for node in NODES), 0)
    for placements in decision.placements.values():
        for place in placements:
            used[place.host] += place.cpus
    assert max(used.values()) <= 8
    assert set(decision.placements) | set(decision.waits) == {each.number for each in todo}
