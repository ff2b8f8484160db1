"""The public key of a machine's administrator, which Azure demands even if no one is to log in."""

from __future__ import annotations

from parsl.providers.api.calls import Calls
from parsl.providers.azure.access import Access


def fetch_public_key(access: Access, calls: Calls, name: str) -> str | None:
    """Fetch a public key that is a resource of the group.

    Raises:
        ServiceError: There is no such key.
    """
    keys, group = access.compute.ssh_public_keys, access.address.group_name
    key: str | None = calls.run("sshPublicKeys/read", lambda: keys.get(group, name)).public_key
    return key


def throwaway_public_key() -> str:
    """Return a public key whose private key no one has, so that no one can log in."""
    from cryptography.hazmat.primitives import serialization  # azure-identity depends on it
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    text = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return f"{text.decode()} parsl"
