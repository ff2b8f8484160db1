"""The CurveZMQ keys with which the processes of an executor authenticate each other and encrypt messages.

The interchange and the managers each know the other side's public key, and connect to no other peers.
"""

from __future__ import annotations

import json
import os
from abc import ABCMeta, abstractmethod
from pathlib import Path
from typing import Any, NamedTuple

from parsl.errors import ParslError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import zmq
    from zmq.auth.thread import ThreadAuthenticator

_DIRECTORY = "certificates"
_SERVER_FILE = "server.json"
_CLIENT_FILE = "client.json"
_FORMAT = "parsl-curve-keys-1"
_MAX_FILE_BYTES = 10_000
_KEY_CHARS = 40  # of Z85 for 32 bytes


class CertificateError(ParslError):
    """A key file cannot be read, or its keys may be known to others."""


class CurveKeys(NamedTuple):
    """The keys of the interchange or of a manager, each as 40 characters of Z85."""

    public: bytes
    secret: bytes
    #: The public key that all clients share, or that of the server; no other peer is accepted.
    peer_public: bytes

    def __repr__(self) -> str:
        """Hide the secret key: a repr may end up in a log."""
        return f"{type(self).__name__}(public={self.public.decode()!r}, secret=<hidden>)"


def create_certificates(base_dir: str | os.PathLike[str]) -> Path:
    """Make new keys in ``base_dir/certificates``, in files that only this user can ever read."""
    import zmq

    directory = Path(base_dir) / _DIRECTORY
    try:
        server_public, server_secret = zmq.curve_keypair()
        client_public, client_secret = zmq.curve_keypair()
        directory.mkdir(mode=0o700)
        _write(directory / _SERVER_FILE, CurveKeys(server_public, server_secret, client_public))
        _write(directory / _CLIENT_FILE, CurveKeys(client_public, client_secret, server_public))
    except zmq.ZMQError as error:
        raise CertificateError(
            f"This ZeroMQ library cannot encrypt ({error}). Install a pyzmq built with CURVE support, "
            "as those on the package index are, or set encrypted=False on a network you trust."
        ) from error
    except OSError as error:
        raise CertificateError(f"Encryption keys cannot be made in {directory}: {error}") from error
    return directory


class BaseContext(metaclass=ABCMeta):
    """A ZeroMQ context whose sockets authenticate and encrypt, for plug-ins with connections of their own.

    Args:
        cert_dir: A directory of :func:`create_certificates`; None for sockets without encryption.
    """

    def __init__(self, cert_dir: str | os.PathLike[str] | None) -> None:
        import zmq

        self.cert_dir = cert_dir
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.cert_dir or 'without encryption'}>"

    @property
    def encrypted(self) -> bool:
        """Whether sockets are encrypted."""
        return self.cert_dir is not None

    @property
    def closed(self) -> bool:
        """Whether the context has been terminated."""
        return bool(self._context.closed)

    def socket(self, socket_type: int, *args: Any, **kwargs: Any) -> zmq.Socket[bytes]:
        """Return a socket of a type such as ``zmq.DEALER``; further arguments as for ``zmq.Context.socket``.

        Raises:
            CertificateError: The keys cannot be read, or others may know them.
        """
        sock = self._context.socket(socket_type, *args, **kwargs)
        if self.cert_dir is not None:
            try:
                self._secure(sock, self.cert_dir)
            except Exception:
                sock.close(linger=0)
                raise
        return sock

    @abstractmethod
    def _secure(self, sock: zmq.Socket[bytes], cert_dir: str | os.PathLike[str]) -> None:
        """Set the keys of a socket that has no peers yet."""

    def term(self) -> None:
        """Terminate the context when all its sockets are closed; waits until then."""
        self._context.term()

    def destroy(self, linger: int | None = None) -> None:
        """Close all sockets, after at most ``linger`` milliseconds for unsent messages, and terminate."""
        self._context.destroy(linger)


class ServerContext(BaseContext):
    """A context for sockets that bind. They admit only the holders of the keys of clients."""

    def __init__(self, cert_dir: str | os.PathLike[str] | None) -> None:
        keys = load_server_keys(cert_dir) if cert_dir is not None else None
        super().__init__(cert_dir)
        self.auth_thread: ThreadAuthenticator | None = None
        if keys is not None:
            from zmq.auth.thread import ThreadAuthenticator

            self.auth_thread = ThreadAuthenticator(self._context)
            self.auth_thread.start()
            self.auth_thread.configure_curve_callback("*", _OneClient(keys.peer_public))

    def _secure(self, sock: zmq.Socket[bytes], cert_dir: str | os.PathLike[str]) -> None:
        keys = load_server_keys(cert_dir)
        sock.curve_server = True
        sock.curve_publickey, sock.curve_secretkey = keys.public, keys.secret

    def term(self) -> None:
        """Terminate the context, like :meth:`BaseContext.term`."""
        self._stop_admission()
        super().term()

    def destroy(self, linger: int | None = None) -> None:
        """Close all sockets and terminate, like :meth:`BaseContext.destroy`."""
        self._stop_admission()
        super().destroy(linger)

    def _stop_admission(self) -> None:
        if self.auth_thread is not None:
            self.auth_thread.stop()
            self.auth_thread = None


class ClientContext(BaseContext):
    """A context for sockets that connect, to the holder of the server's keys only."""

    def _secure(self, sock: zmq.Socket[bytes], cert_dir: str | os.PathLike[str]) -> None:
        keys = load_client_keys(cert_dir)
        sock.curve_publickey, sock.curve_secretkey = keys.public, keys.secret
        sock.curve_serverkey = keys.peer_public


class _OneClient:
    """Admits the holders of one public key."""

    def __init__(self, public: bytes) -> None:
        self._public = public

    def callback(self, domain: str, key: bytes) -> bool:
        return key == self._public


def load_server_keys(directory: str | os.PathLike[str]) -> CurveKeys:
    """Read the server's keys from a directory of :func:`create_certificates`; refuse files open to others."""
    return _read(os.path.join(directory, _SERVER_FILE))


def load_client_keys(directory: str | os.PathLike[str]) -> CurveKeys:
    """Read a client's keys, like :func:`load_server_keys`."""
    return _read(os.path.join(directory, _CLIENT_FILE))


def _write(path: Path, keys: CurveKeys) -> None:
    content = {"format": _FORMAT, **{name: key.decode("ascii") for name, key in keys._asdict().items()}}
    # The file has its mode from the start, so that other users can never open it.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(content, stream)


def _read(path: str) -> CurveKeys:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise CertificateError(f"The encryption keys in {path} cannot be read: {error}") from error
    with os.fdopen(descriptor, "rb") as stream:
        _refuse_unless_private(path, os.fstat(descriptor))
        text = stream.read(_MAX_FILE_BYTES)
    try:
        content = json.loads(text)
        if content["format"] != _FORMAT:
            raise ValueError(f"its format is {content['format']!r}, not {_FORMAT!r}")
        keys = CurveKeys(*(content[name].encode() for name in CurveKeys._fields))
        if set(map(len, keys)) != {_KEY_CHARS}:
            raise ValueError(f"a key does not have {_KEY_CHARS} characters")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # Without the content of the file, which may include a secret key.
        raise CertificateError(f"{path} is not a file of encryption keys ({type(error).__name__}).") from None
    return keys


def _refuse_unless_private(path: str, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise CertificateError(
            f"The encryption keys in {path} belong to user {status.st_uid}, but this process runs as user "
            f"{os.geteuid()}: the owner of the file knows the keys. Run all of Parsl as one user."
        )
    if status.st_mode & 0o077:
        raise CertificateError(
            f"The encryption keys in {path} are open to other users (mode {status.st_mode & 0o777:04o}), "
            "so others may know them. Delete them and start again, on a file system that keeps mode 0600."
        )
