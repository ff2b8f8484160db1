"""What PALS' mpiexec accepts on its command line, and where it puts the ranks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.testing.pals_options import PalsOptions, PalsUsageError, parse_options
from parsl.testing.pals_ranks import plan_ranks, read_hosts


def options(text):
    return parse_options(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "-n 24 --ppn 12 --hosts a,b cmd -x",
        "--np 24 -ppn 12 -hosts a,b cmd -x",
        "--np=24 --ppn=12 --hosts=a,b cmd -x",
        "-n24 -ppn=12 --hosts a,b -- cmd -x",
    ],
)
def test_the_spellings_of_an_option_are_the_same(text):
    assert options(text) == PalsOptions(command=("cmd", "-x"), np=24, ppn=12, hosts=("a", "b"))


def test_everything_that_the_guides_use():
    parsed = options(
        "-n 2 --ppn 1 -d 8 --cpu-bind list:0-7:8-15 --mem-bind list:0:1 --env A=1 --env B=x=y"
        " --hostfile nodes --no-vni ./hello --np 3"
    )
    assert parsed == PalsOptions(
        command=("./hello", "--np", "3"),
        np=2,
        ppn=1,
        depth=8,
        cpu_bind="list:0-7:8-15",
        env=(("A", "1"), ("B", "x=y")),
        hostfile="nodes",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--bind-to none cmd", "unrecognized option '--bind-to'"),
        ("--map-by=socket cmd", "unrecognized option '--map-by'"),
        ("--oversubscribe cmd", "unrecognized option '--oversubscribe'"),
        ("-x cmd", "unrecognized option '-x'"),
        ("-n", "option '-n' requires an argument"),
        ("-n 0 cmd", "invalid argument '0' for option '-n'"),
        ("--ppn x cmd", "invalid argument 'x' for option '--ppn'"),
        ("--cpu-bind socket:1 cmd", "invalid CPU binding 'socket:1'"),
        ("--cpu-bind list:7-0 cmd", "invalid CPU binding 'list:7-0'"),
        ("--mem-bind far cmd", "invalid memory binding 'far'"),
        ("--env A cmd", "NAME=VALUE is needed"),
        ("-n 2", "no command was given"),
    ],
)
def test_anything_else_is_refused(text, message):
    with pytest.raises(PalsUsageError) as caught:
        options(text)
    assert message in str(caught.value)


@given(st.lists(st.text(max_size=8) | st.sampled_from(["-n", "--ppn", "3", "--cpu-bind", "list:", "-d2"])))
def test_any_command_line_is_understood_or_refused(arguments):
    try:
        parse_options(arguments)
    except PalsUsageError:
        return


def places(text, hosts=("a", "b"), cpus=range(8)):
    return [(rank.rank, rank.local_rank, rank.host) for rank in plan_ranks(options(text), hosts, list(cpus))]


def test_nodes_are_filled_one_after_the_other():
    assert places("-n 3 --ppn 2 cmd") == [(0, 0, "a"), (1, 1, "a"), (2, 0, "b")]


def test_without_a_number_of_ranks_every_node_is_filled():
    assert places("--ppn 1 cmd", ["a", "b", "a"]) == [(0, 0, "a"), (1, 0, "b")]


def test_more_ranks_than_room_are_refused():
    with pytest.raises(PalsUsageError, match="3 ranks do not fit on 2 nodes with 1 ranks"):
        places("-n 3 --ppn 1 cmd")


def test_a_rank_knows_its_place():
    last = plan_ranks(options("-n 4 --ppn 2 cmd"), ["a", "b"], [0])[-1]
    assert last.environment() == {"PALS_RANKID": "3", "PALS_LOCAL_RANKID": "1", "PALS_NODEID": "1"}


@pytest.mark.parametrize(
    ("binding", "cpus"),
    [
        ("none", [None, None, None]),
        ("core", [(0,), (1,), (2,)]),
        ("depth -d 2", [(0, 1), (2, 3), None]),
        ("list:1,9:3", [(1,), (3,), (1,)]),
        ("list:8-15", [None, None, None]),
    ],
)
def test_ranks_are_bound_to_what_there_is(binding, cpus):
    ranks = plan_ranks(options(f"-n 3 --cpu-bind {binding} cmd"), ["a"], [0, 1, 2, 3])
    assert [rank.cpus for rank in ranks] == cpus


def test_a_node_file_may_have_comments_and_empty_lines():
    assert read_hosts("x1.hsn\n\n# spare\nx2.hsn  \n") == ["x1.hsn", "x2.hsn"]
