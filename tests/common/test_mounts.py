"""The mounted file systems."""

from parsl.common.mounts import Mount, find_mount, parse_mounts, read_mounts

TEXT = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:50 / /lus/flare rw - lustre 10.0.0.1@o2ib:/flare rw
31 22 0:51 /x /home\040of\040users rw,relatime shared:5 master:2 - nfs4 server:/home rw
32 22 0:52 / /tmp rw - tmpfs tmpfs rw
broken line
"""


def test_the_table_is_read():
    assert parse_mounts(TEXT) == [
        Mount("/", "ext4"),
        Mount("/lus/flare", "lustre"),
        Mount("/home of users", "nfs4"),
        Mount("/tmp", "tmpfs"),
    ]
    assert read_mounts("/no/such/table") == []


def test_the_deepest_file_system_has_a_path():
    mounts = parse_mounts(TEXT)
    assert find_mount("/lus/flare/project", mounts) == Mount("/lus/flare", "lustre")
    assert find_mount("/lus/flares", mounts) == Mount("/", "ext4")
    assert find_mount("/home of users", mounts).is_shared
    assert find_mount("/x", []) is None


def test_later_mounts_hide_earlier_ones():
    assert find_mount("/a", [Mount("/", "rootfs"), Mount("/", "nfs")]).is_shared
