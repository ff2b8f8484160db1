"""Waiting for descriptors, with epoll and with its stand-in."""

from __future__ import annotations

import os
import threading

import pytest

from parsl.common.system.polling import READABLE, WRITABLE, PortablePoller, make_poller

BOTH = [pytest.param(False, id="linux", marks=pytest.mark.linux), pytest.param(True, id="portable")]


@pytest.fixture(params=BOTH)
def poller(request):
    made = make_poller(request.param)
    yield made
    made.close()


@pytest.fixture
def pipe():
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def test_ready_descriptors_are_returned_with_their_events(poller, pipe):
    read, write = pipe
    poller.register(read, READABLE)
    poller.register(write, READABLE)
    assert poller.poll(0) == []
    poller.modify(write, READABLE | WRITABLE)
    assert poller.poll() == [(write, WRITABLE)]
    os.write(write, b"x")
    assert sorted(poller.poll(1.0)) == sorted([(read, READABLE), (write, WRITABLE)])


def test_an_unregistered_descriptor_is_not_returned(poller, pipe):
    read, write = pipe
    os.write(write, b"x")
    poller.register(read, READABLE)
    poller.unregister(read)
    assert poller.poll(0.01) == []


def test_a_closed_descriptor_is_forgotten(poller, pipe):
    duplicate = os.dup(pipe[1])
    poller.register(duplicate, READABLE)
    os.close(duplicate)
    assert poller.poll(0.01) == []
    if isinstance(poller, PortablePoller):
        assert repr(poller) == "<PortablePoller descriptors=0>"


def test_an_unknown_descriptor_cannot_be_modified(poller, pipe):
    with pytest.raises(FileNotFoundError):
        poller.modify(pipe[0], READABLE)


def test_another_thread_may_change_what_is_waited_for(poller, pipe):
    _, write = pipe
    poller.register(write, READABLE)
    found = []
    waiting = threading.Thread(target=lambda: found.extend(poller.poll(60)))
    waiting.start()
    poller.modify(write, WRITABLE)
    waiting.join(60)
    assert found == [(write, WRITABLE)]
