"""Keys are never readable by others, and are refused if they were."""

from __future__ import annotations

import json
import os
import pickle
import stat

import pytest
import zmq

from parsl import curvezmq
from parsl.curvezmq import CertificateError, create_certificates, load_client_keys, load_server_keys


@pytest.fixture
def directory(tmp_path):
    return create_certificates(tmp_path)


def _mode(path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_each_side_knows_the_other(directory):
    server, client = load_server_keys(directory), load_client_keys(directory)
    assert server.peer_public == client.public
    assert client.peer_public == server.public
    assert server.secret != client.secret


def test_keys_are_new_each_time(tmp_path):
    first, second = tmp_path / "1", tmp_path / "2"
    for base in (first, second):
        base.mkdir()
    keys = [load_server_keys(create_certificates(base)) for base in (first, second)]
    assert keys[0] != keys[1]


def test_only_the_user_can_enter_and_read(tmp_path):
    umask = os.umask(0)
    try:
        directory = create_certificates(tmp_path)
    finally:
        os.umask(umask)
    assert directory == tmp_path / "certificates"
    assert _mode(directory) == 0o700
    assert {path.name: _mode(path) for path in directory.iterdir()} == {
        "server.json": 0o600,
        "client.json": 0o600,
    }


def test_files_have_their_mode_from_the_first_moment(tmp_path, monkeypatch):
    modes = []
    real_open = os.open

    def watched_open(path, flags, mode=0o777, **kwargs):
        descriptor = real_open(path, flags, mode, **kwargs)
        if flags & os.O_CREAT:
            modes.append((stat.S_IMODE(os.fstat(descriptor).st_mode), bool(flags & os.O_EXCL)))
        return descriptor

    monkeypatch.setattr(curvezmq.os, "open", watched_open)
    create_certificates(tmp_path)
    assert modes == [(0o600, True)] * 2


def test_existing_certificates_are_not_overwritten(tmp_path, directory):
    before = load_server_keys(directory)
    with pytest.raises(CertificateError, match="exists"):
        create_certificates(tmp_path)
    assert load_server_keys(directory) == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o606])
def test_a_file_open_to_others_is_refused(directory, mode):
    (directory / "client.json").chmod(mode)
    with pytest.raises(CertificateError, match=f"client.json are open to other users .mode {mode:04o}"):
        load_client_keys(directory)


def test_a_file_of_another_user_is_refused(directory, monkeypatch):
    owner = os.geteuid()
    monkeypatch.setattr(curvezmq.os, "geteuid", lambda: owner + 1)
    with pytest.raises(
        CertificateError, match=f"belong to user {owner}, but this process runs as user {owner + 1}"
    ):
        load_server_keys(directory)


def test_a_link_is_not_followed(directory):
    (directory / "client.json").rename(directory / "real.json")
    (directory / "client.json").symlink_to("real.json")
    with pytest.raises(CertificateError, match="cannot be read"):
        load_client_keys(directory)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CertificateError, match=r"server\.json cannot be read: .*No such file"):
        load_server_keys(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "[]", "null", "{}", '{"format": "other"}', "\x00\xff", '{"format": 1']
)
def test_other_files_are_refused(directory, content):
    (directory / "server.json").write_text(content)
    with pytest.raises(CertificateError, match="is not a file of encryption keys"):
        load_server_keys(directory)


def test_broken_keys_are_refused_without_showing_them(directory):
    path = directory / "server.json"
    content = json.loads(path.read_text())
    secret = content["secret"]
    content["secret"] = secret[:-1]
    path.write_text(json.dumps(content))
    with pytest.raises(CertificateError) as caught:
        load_server_keys(directory)
    assert secret[:10] not in str(caught.value)


def test_the_secret_is_in_no_repr(directory):
    for keys in (load_server_keys(directory), load_client_keys(directory)):
        assert keys.secret.decode() not in repr(keys)
        assert keys.public.decode() in repr(keys)


def test_keys_are_values(directory):
    keys = load_server_keys(directory)
    assert pickle.loads(pickle.dumps(keys)) == keys
    assert len({keys, load_server_keys(directory)}) == 1
    assert keys != load_client_keys(directory)
    with pytest.raises(AttributeError):
        keys.secret = b"x"


def test_keys_work_with_zeromq(directory, tmp_path):
    zmq = pytest.importorskip("zmq")
    server_keys, client_keys = load_server_keys(directory), load_client_keys(directory)
    with zmq.Context() as context, context.socket(zmq.PULL) as server, context.socket(zmq.PUSH) as client:
        server.curve_server = True
        server.curve_publickey, server.curve_secretkey = server_keys.public, server_keys.secret
        port = server.bind_to_random_port("tcp://127.0.0.1")
        client.linger = 0
        client.curve_publickey, client.curve_secretkey = client_keys.public, client_keys.secret
        client.curve_serverkey = client_keys.peer_public
        client.connect(f"tcp://127.0.0.1:{port}")
        client.send(b"hello")
        assert server.poll(10_000)
        assert server.recv() == b"hello"


@pytest.fixture(params=[True, False], ids=["encrypted", "open"])
def contexts(request, tmp_path):
    keys = create_certificates(tmp_path) if request.param else None
    server, client = curvezmq.ServerContext(keys), curvezmq.ClientContext(keys)
    yield server, client
    client.destroy(linger=0)
    server.destroy(linger=0)
    assert server.closed
    assert client.closed


def _connected(server, client):
    receiver, sender = server.socket(zmq.PULL), client.socket(zmq.PUSH)
    receiver.rcvtimeo = 30_000
    sender.connect(f"tcp://127.0.0.1:{receiver.bind_to_random_port('tcp://127.0.0.1')}")
    return receiver, sender


def test_contexts_of_both_sides_exchange_messages(contexts):
    server, client = contexts
    receiver, sender = _connected(server, client)
    sender.send(b"hello")
    assert receiver.recv() == b"hello"
    assert (server.encrypted, client.encrypted) == (receiver.mechanism == zmq.CURVE,) * 2


def test_a_client_with_other_keys_is_not_admitted(tmp_path):
    server = curvezmq.ServerContext(create_certificates(tmp_path))
    public, secret = (key.decode() for key in zmq.curve_keypair())
    known = json.loads((tmp_path / "certificates" / "client.json").read_text())  # with the server's key
    (tmp_path / "client.json").touch(mode=0o600)
    (tmp_path / "client.json").write_text(json.dumps({**known, "public": public, "secret": secret}))
    client = curvezmq.ClientContext(tmp_path)
    try:
        receiver, sender = _connected(server, client)
        monitor = sender.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
        sender.send(b"hello")  # at once: without a connection, it would wait for one
        assert monitor.poll(30_000)
        assert not receiver.poll(0)
        sender.disable_monitor()
        monitor.close(linger=0)
    finally:
        client.destroy(linger=0)
        server.destroy(linger=0)


def test_a_server_without_keys_is_refused_at_once(tmp_path):
    with pytest.raises(CertificateError, match="cannot be read"):
        curvezmq.ServerContext(tmp_path)
