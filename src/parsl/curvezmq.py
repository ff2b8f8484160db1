"""The keys with which the parts of an executor know each other and encrypt what they say.

One pair of CurveZMQ keys is for the server, the interchange, and one for all of its clients, the
managers. Each side's file holds its own pair and the other's public key: the server talks to nobody
else, and the clients follow no other server.
"""

from __future__ import annotations

import os

from parsl.errors import ParslError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, NoReturn

_DIRECTORY = "certificates"
_SERVER_FILE = "server.json"
_CLIENT_FILE = "client.json"
_FORMAT = "parsl-curve-keys-1"
_MAX_FILE_BYTES = 10_000
_KEY_CHARS = 40  # of Z85 for 32 bytes


class CertificateError(ParslError):
    """A key file cannot be trusted, or not be read."""


class _Keys:
    """A pair of keys and the other side's public key, each as 40 characters of Z85."""

    __slots__ = ("peer_public", "public", "secret")

    public: bytes
    secret: bytes
    peer_public: bytes

    def __init__(self, public: bytes, secret: bytes, peer_public: bytes) -> None:
        for name, key in (("public", public), ("secret", secret), ("peer_public", peer_public)):
            if not isinstance(key, bytes) or len(key) != _KEY_CHARS:
                raise CertificateError(f"The {name} key is not one: it must be {_KEY_CHARS} bytes of Z85.")
            object.__setattr__(self, name, key)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Keys) or type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _Keys.__slots__)

    def __hash__(self) -> int:
        return hash((self.public, self.peer_public))

    def __repr__(self) -> str:
        # Reprs end up in logs: the secret key must not.
        return f"{type(self).__name__}(public={self.public.decode()!r}, secret=<hidden>)"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.public, self.secret, self.peer_public)


class ServerKeys(_Keys):
    """What the interchange needs: ``public``, ``secret``, and the clients' ``peer_public``."""

    __slots__ = ()

    @property
    def client_public(self) -> bytes:
        """The public key that all clients share; nobody else is let in."""
        return self.peer_public


class ClientKeys(_Keys):
    """What a manager needs: ``public``, ``secret``, and the server's ``peer_public``."""

    __slots__ = ()

    @property
    def server_public(self) -> bytes:
        """The public key of the only server to talk to."""
        return self.peer_public


def create_certificates(base_dir: str | os.PathLike[str]) -> Path:
    """Make new keys, in files that only this user can ever have read.

    Args:
        base_dir: Where to make the directory ``certificates`` for them.

    Returns:
        That directory, for :func:`load_server_keys` and :func:`load_client_keys`.

    Raises:
        CertificateError: They cannot be made, or are there already.
    """
    from pathlib import Path

    import zmq

    directory = Path(base_dir) / _DIRECTORY
    try:
        server_public, server_secret = zmq.curve_keypair()
        client_public, client_secret = zmq.curve_keypair()
    except zmq.ZMQError as error:
        raise CertificateError(
            f"This ZeroMQ library cannot encrypt ({error}). Install a pyzmq built with CURVE support, "
            "as those on the package index are, or set encrypted=False on a network you trust."
        ) from error
    try:
        directory.mkdir(mode=0o700)
        _write(directory / _SERVER_FILE, server_public, server_secret, client_public)
        _write(directory / _CLIENT_FILE, client_public, client_secret, server_public)
    except OSError as error:
        raise CertificateError(f"Encryption keys cannot be made in {directory}: {error}") from error
    return directory


def load_server_keys(directory: str | os.PathLike[str]) -> ServerKeys:
    """Read the server's keys.

    Args:
        directory: As returned by :func:`create_certificates`.

    Raises:
        CertificateError: The file is missing, is no key file, or others can read it or wrote it.
    """
    return ServerKeys(*_read(os.path.join(directory, _SERVER_FILE)))


def load_client_keys(directory: str | os.PathLike[str]) -> ClientKeys:
    """Read a client's keys; as :func:`load_server_keys`."""
    return ClientKeys(*_read(os.path.join(directory, _CLIENT_FILE)))


def _write(path: Path, public: bytes, secret: bytes, peer_public: bytes) -> None:
    import json

    content = {
        "format": _FORMAT,
        "public": public.decode("ascii"),
        "secret": secret.decode("ascii"),
        "peer_public": peer_public.decode("ascii"),
    }
    # The mode holds from the first moment: there is no instant at which others could open the file.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(content, stream)


def _read(path: str) -> tuple[bytes, bytes, bytes]:
    import json

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
        return content["public"].encode(), content["secret"].encode(), content["peer_public"].encode()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # Without the file's content, which may well contain a secret key.
        raise CertificateError(f"{path} is not a file of encryption keys ({type(error).__name__}).") from None


def _refuse_unless_private(path: str, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise CertificateError(
            f"The encryption keys in {path} belong to user {status.st_uid}, but this process runs as user "
            f"{os.geteuid()}: whoever owns the file knows the keys. Run all of Parsl as one user."
        )
    if status.st_mode & 0o077:
        raise CertificateError(
            f"The encryption keys in {path} are open to other users (mode {status.st_mode & 0o777:04o}), "
            "so they may be known. Delete them and start again, on a file system that keeps mode 0600."
        )
