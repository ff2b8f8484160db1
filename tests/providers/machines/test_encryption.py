"""The machines of a cloud get the keys of the interchange of their run: their connections are encrypted."""

from __future__ import annotations

import re

import parsl
from parsl import Config
from parsl.curvezmq import load_client_keys, load_server_keys
from parsl.executors.high_throughput.wire.settings import from_line
from parsl.testing.provider_conformance import block_executor
from tests.support.clouds.memory_cloud import MemoryCloud, MemoryProvider


def test_the_user_data_has_the_keys_for_the_interchange(tmp_path):
    memory, run_dir = MemoryCloud(tmp_path / "machines"), tmp_path / "runinfo"
    config = Config([block_executor(MemoryProvider(memory))], run_dir=str(run_dir))
    try:
        with parsl.load(config):
            assert parsl.python_app(sum)([1, 2]).result(timeout=60) == 3
            (directory,) = run_dir.rglob("certificates")
            client, server = load_client_keys(directory), load_server_keys(directory)
    finally:
        memory.host.close()
    (script,) = [spec.user_data for spec in memory.specs]
    (line,) = re.findall(r"[A-Za-z0-9+/=]{200,}", script)
    settings = from_line(line.encode())
    assert settings.keys == client
    assert (settings.cert_dir, settings.local_socket) == ("", ""), "no file of the driver"
    assert settings.keys.peer_public == server.public
    assert server.secret not in (settings.keys.public, settings.keys.secret)
