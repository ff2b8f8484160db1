"""Which file systems other hosts are likely to see."""

from parsl.cli.checkup.directories import why_private
from parsl.common.mounts import Mount


def test_directories_that_are_local_to_each_node():
    assert "every node" in why_private("/tmp/runs", None)
    assert "ext4 at /" in why_private("/scratch", Mount("/", "ext4"))
    assert why_private("/lus/flare", Mount("/lus/flare", "lustre")) == ""
    assert why_private("/tmp/x", Mount("/tmp", "nfs")) == ""
    assert why_private("/somewhere", Mount("/somewhere", "unheardof")) == ""
