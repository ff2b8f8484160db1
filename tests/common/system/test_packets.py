"""Packets arrive whole, each at one reader, with SOCK_SEQPACKET and with its stand-ins."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from parsl.common.system.packets import make_control_pair, make_shared_pair, open_shared_end

BOTH = [pytest.param(False, id="linux", marks=pytest.mark.linux), pytest.param(True, id="portable")]


@pytest.fixture(params=BOTH)
def shared_pair(request):
    ours, theirs = make_shared_pair(request.param)
    with ours, theirs:
        yield ours, theirs, request.param


@pytest.fixture(params=BOTH)
def control_pair(request):
    ours, theirs = make_control_pair(request.param)
    with ours, theirs:
        yield ours, theirs


def test_packets_arrive_whole_and_in_order(shared_pair):
    ours, theirs, _ = shared_pair
    ours.send(b"a" * 10_000)
    ours.send(b"b")
    buffer = bytearray(20_000)
    assert [theirs.recv_into(buffer), theirs.recv_into(buffer)] == [10_000, 1]


def test_unread_packets_can_be_read_back_from_a_duplicate(shared_pair):
    ours, theirs, is_portable = shared_pair
    for packet in (b"one", b"two", b"three"):
        ours.send(packet)
    with open_shared_end(os.dup(theirs.fileno()), is_portable) as duplicate:
        assert theirs.recv(100) == b"one"
        assert [duplicate.recv(100, socket.MSG_DONTWAIT) for _ in range(2)] == [b"two", b"three"]
        with pytest.raises(BlockingIOError):
            duplicate.recv(100, socket.MSG_DONTWAIT)


def send_many(sock):
    for _ in range(10_000):
        sock.send(b"x" * 4096)


def test_a_full_queue_does_not_block_a_nonblocking_sender(shared_pair):
    ours, theirs, _ = shared_pair
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        send_many(ours)
    assert len(theirs.recv(8192)) == 4096


def test_a_sender_learns_that_the_other_end_is_closed(shared_pair):
    ours, theirs, _ = shared_pair
    theirs.close()
    with pytest.raises(BrokenPipeError):
        ours.send(b"x")


def test_control_packets_carry_descriptors(control_pair):
    ours, theirs = control_pair
    read, write = os.pipe()
    socket.send_fds(ours, [b"first"], [write])
    ours.send(b"second")
    data, rights, _, _ = theirs.recvmsg(1000, socket.CMSG_SPACE(4), socket.MSG_DONTWAIT)
    os.close(write)
    received = int.from_bytes(rights[0][2], sys.byteorder)
    os.write(received, b"!")
    assert (data, os.read(read, 10), theirs.recv(1000)) == (b"first", b"!", b"second")
    os.close(received)
    os.close(read)


def test_nothing_to_receive_does_not_block(control_pair):
    _, theirs = control_pair
    with pytest.raises(BlockingIOError):
        theirs.recv(10, socket.MSG_DONTWAIT)


def test_a_large_control_packet_arrives_whole(control_pair):
    ours, theirs = control_pair
    ours.send(b"x" * 60_000)
    assert len(theirs.recv(65536)) == 60_000


def test_the_end_of_the_other_process_is_seen(control_pair):
    ours, theirs = control_pair
    ours.send(b"last")
    ours.close()
    assert [theirs.recv(100), theirs.recv(100)] == [b"last", b""]
