"""Arbitrary text about CPUs, nodes and times is either parsed or refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.node.cpu_list import check_cpu_affinity, parse_cpu_list
from parsl.executors.high_throughput.node.facts import seconds_left
from parsl.executors.high_throughput.node.node_list import MAX_NODES, NoNodes, expand_slurm_list, read_nodes
from parsl.providers.batch.parameters import parse_walltime
from tests.fuzz.damage import a_few, cut

NUMERALS = st.sampled_from(["0", "1", "9", "08", "٣", "²", "1e9", "-1", "9" * 5000])
NODE_LIST = "nid[00001-00003,7],login1,r[1-2]n[01-02]-ib"
CPU_LIST = "list:0-7,104-111:8-15,112-119:16-23,120-127"


def pieces(alphabet: str) -> st.SearchStrategy[str]:
    """Text of such characters, with odd numbers in between."""
    return st.lists(st.sampled_from(list(alphabet)) | NUMERALS, max_size=12).map("".join)


@a_few
@given(pieces("abn[]-,. ") | cut(NODE_LIST) | st.text())
def test_lists_of_nodes(text: str) -> None:
    try:
        nodes = expand_slurm_list(text)
    except NoNodes:
        return
    assert 0 < len(nodes) <= MAX_NODES
    assert all(node and "[" not in node and "," not in node for node in nodes)


@pytest.mark.parametrize("text", ["n" + "[1]" * 5000, "[" * 5000, "n[" + "9" * 5000 + "]", "n[²]"])
def test_excessively_long_lists_of_nodes(text: str) -> None:
    with pytest.raises(NoNodes):
        expand_slurm_list(text)


@pytest.fixture(scope="module")
def node_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nodes") / "file"


@a_few
@given(content=st.binary() | cut(b"x1.hsn\nx1.hsn\r\nx2.hsn  # a comment\n\n"), count=st.integers(1, 3))
def test_node_files(node_file: Path, content: bytes, count: int) -> None:
    node_file.write_bytes(content)
    try:
        nodes = read_nodes({"PBS_NODEFILE": str(node_file)}, "here", count)
    except NoNodes:
        return
    assert len(set(nodes)) == len(nodes) >= count
    assert not any(set(node) & set(" \t\r\n#") for node in nodes)


@a_few
@given(pieces("list:-, ").map("list:".__add__) | cut(CPU_LIST) | st.text())
def test_lists_of_cpus(text: str) -> None:
    try:
        checked = check_cpu_affinity(text)
    except ConfigurationError:
        return
    if checked.startswith("list:"):
        groups = parse_cpu_list(checked.removeprefix("list:"))
        assert all(cpu >= 0 for group in groups for cpu in group)


@a_few
@given(pieces("0123456789:-. dh") | cut("1-02:03:04") | st.text(), st.sampled_from(["second", "minute"]))
def test_walltimes(text: str, bare: str) -> None:
    try:
        assert parse_walltime("the owner", text, bare=bare) >= 1
    except ConfigurationError:
        return


VARIABLES = ["SLURM_JOB_END_TIME", "PARSL_BLOCK_STARTED", "PARSL_BLOCK_WALLTIME_S"]


@a_few
@given(
    st.dictionaries(st.sampled_from(VARIABLES), st.text() | NUMERALS | st.integers().map(str)),
    st.none() | st.floats(1, 1e7),
)
def test_the_end_of_a_job(environment: dict[str, str], walltime_s: float | None) -> None:
    left_s = seconds_left(environment, walltime_s, 1.7e9)
    assert left_s is None or left_s > 0
