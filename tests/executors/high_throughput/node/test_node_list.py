"""The nodes of a job, from PBS's file, from Slurm's list, or this host alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.executors.high_throughput.node.node_list import (
    NoNodes,
    expand_slurm_list,
    parse_node_file,
    read_nodes,
    unique_nodes,
)


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("x1.hsn.site\nx2.hsn.site\n", ["x1.hsn.site", "x2.hsn.site"]),
        ("x2\nx1\nx2\nx2\nx1\n", ["x2", "x1"]),
        ("x1.hsn.site\nx1\nx2\nx2.hsn.site\n", ["x1.hsn.site", "x2"]),
        ("x1.a\nx1.b\n", ["x1.a", "x1.b"]),
        ("10.0.0.1\n10.0.0.2\n10.0.0.1\n", ["10.0.0.1", "10.0.0.2"]),
        ("\n  x1  \n# all of them\nx2 # the second\n\r\nx3 slots=4", ["x1", "x2", "x3"]),
        ("", []),
    ],
    ids=["one each", "repeated", "short and long", "two domains", "addresses", "comments", "empty"],
)
def test_a_node_file_names_each_node_once_in_its_order(text: str, nodes: list[str]) -> None:
    assert parse_node_file(text) == nodes


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("n1", ["n1"]),
        ("n[1-3]", ["n1", "n2", "n3"]),
        ("nid[00998-01001]", ["nid00998", "nid00999", "nid01000", "nid01001"]),
        ("n[1,3-4,08],login", ["n1", "n3", "n4", "n08", "login"]),
        ("r[1-2]n[01-02]-ib", ["r1n01-ib", "r1n02-ib", "r2n01-ib", "r2n02-ib"]),
        ("a-1,b-[2-2]", ["a-1", "b-2"]),
        ("n[9-11].site.org", ["n9.site.org", "n10.site.org", "n11.site.org"]),
    ],
)
def test_slurms_brackets_are_expanded(text: str, nodes: list[str]) -> None:
    assert expand_slurm_list(text) == nodes


@pytest.mark.parametrize(
    "text", ["n[1-", "n]1[", "n[[1]]", "n[a-b]", "n[3-1]", "n1,,n2", "n[]", "n[1-99999999999]", ","]
)
def test_anything_but_slurms_notation_is_refused(text: str) -> None:
    with pytest.raises(NoNodes, match="not a list of nodes"):
        expand_slurm_list(text)


def test_a_list_of_too_many_nodes_is_refused() -> None:
    with pytest.raises(NoNodes, match="more than"):
        expand_slurm_list("n[1-1000]m[1-1000]k[1-1000]")


@given(st.lists(st.from_regex(r"[a-z]{1,3}\d?(\.[a-z]{1,2})?", fullmatch=True)))
def test_names_of_unique_nodes_are_some_of_those_given_in_order(names: list[str]) -> None:
    nodes = unique_nodes(names)
    assert nodes == sorted(set(nodes), key=names.index)
    assert {name.partition(".")[0] for name in nodes} == {name.partition(".")[0] for name in names}


def test_pbs_takes_precedence_over_slurm_and_the_host_comes_last(tmp_path: Path) -> None:
    file = tmp_path / "node file"
    file.write_text("x1.hsn\nx1.hsn\nx2.hsn\n")
    environ = {"PBS_NODEFILE": str(file), "SLURM_JOB_NODELIST": "n[1-2]"}
    assert read_nodes(environ, "here") == ["x1.hsn", "x2.hsn"]
    del environ["PBS_NODEFILE"]
    assert read_nodes(environ, "here") == ["n1", "n2"]
    assert read_nodes({}, "here") == ["here"]
    assert read_nodes({"PBS_NODEFILE": ""}, "here") == ["here"]


def test_a_node_file_that_is_missing_or_empty_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "nodes"
    with pytest.raises(NoNodes, match="nodes, which cannot be read: No such file"):
        read_nodes({"PBS_NODEFILE": str(file)}, "here")
    file.write_text("\n# none\n")
    with pytest.raises(NoNodes, match="nodes, which is empty"):
        read_nodes({"PBS_NODEFILE": str(file)}, "here")


def test_fewer_nodes_than_the_block_needs_are_an_error(tmp_path: Path) -> None:
    file = tmp_path / "nodes"
    file.write_text("x1\nx2\n")
    with pytest.raises(NoNodes, match=r"names 2 nodes \(x1, x2\), but the block needs 3"):
        read_nodes({"PBS_NODEFILE": str(file)}, "here", required=3)
    with pytest.raises(NoNodes, match=r"neither PBS_NODEFILE nor SLURM_.*=\$PE_HOSTFILE with Grid"):
        read_nodes({}, "here", required=2)
    assert read_nodes({"PBS_NODEFILE": str(file)}, "here", required=1) == ["x1", "x2"]
