"""The connection to Google's services: the client library and credentials.

The library is imported when the first connection is made, because it takes half a second.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Any

from parsl.errors import ConfigurationError, OptionalModuleMissing

#: The versions of Compute Engine's interface.
VERSIONS = ("v1", "beta", "alpha")
_REQUEST_TIMEOUT_S = 60
_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


@dataclass(frozen=True)
class Access:
    """Where the services are, and as which account to use them."""

    #: The file of a service account's key; None for application default credentials.
    key_file: str | None
    version: str = "v1"
    #: The address of Compute Engine; None for the public one.
    api_endpoint: str | None = None


class Client:
    """Services of Google; any thread may use it, as each has connections of its own."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._credentials = _credentials(access.key_file)
        self._connections = threading.local()
        root = None if access.api_endpoint is None else access.api_endpoint.rstrip("/")
        self._compute = self._service("compute", access.version, root and f"{root}/compute/{access.version}/")
        self._collections: dict[str, Any] = {}
        self._root = root

    def __repr__(self) -> str:
        return f"<Client of {self._access.api_endpoint or 'Google'}, {_described(self._access.key_file)}>"

    def collection(self, name: str) -> Any:
        """Return the methods for a kind of resource of Compute Engine, such as ``instances``.

        They are kept, because the library takes tens of milliseconds to make them.
        """
        if name not in self._collections:
            self._collections[name] = getattr(self._compute, name)()
        return self._collections[name]

    def execute(self, request: Any) -> dict[str, Any]:
        """Send a request of one of the services, once; return the answer, or raise the library's error."""
        answer: dict[str, Any] = request.execute(http=self._connection())
        return answer

    def resource_manager(self) -> Any:
        """Return the service that knows which permissions an account has."""
        root = self._root and self._root.replace("://compute", "://cloudresourcemanager", 1)
        return self._service("cloudresourcemanager", "v3", root and f"{root}/")

    def _service(self, name: str, version: str, endpoint: str | None) -> Any:
        from googleapiclient.discovery import build

        options = None if endpoint is None else {"api_endpoint": endpoint}
        http = self._connection()
        return build(name, version, http=http, cache_discovery=False, client_options=options)

    def _connection(self) -> Any:
        """Return this thread's connection: those of the library may not be shared."""
        if (http := getattr(self._connections, "http", None)) is None:
            import httplib2
            from google_auth_httplib2 import AuthorizedHttp

            plain = httplib2.Http(timeout=_REQUEST_TIMEOUT_S)
            http = self._connections.http = AuthorizedHttp(self._credentials, http=plain)
        return http


def _credentials(key_file: str | None) -> Any:
    """Read credentials, or raise ConfigurationError; nothing is sent to a service."""
    _require_library()
    import google.auth
    from google.auth import exceptions
    from google.oauth2.service_account import Credentials

    try:
        if key_file is None:
            return google.auth.default(scopes=_SCOPES)[0]
        read: Any = Credentials.from_service_account_file
        return read(os.path.expanduser(key_file), scopes=_SCOPES)
    except (exceptions.GoogleAuthError, OSError, ValueError) as error:
        reason = str(error).rstrip(".")
        raise ConfigurationError(
            f"GoogleCloudProvider cannot use {_described(key_file)}: {reason}. {_remedy(key_file)}"
        ) from error


def _require_library() -> None:
    try:
        import google_auth_httplib2  # noqa: F401
        import googleapiclient  # noqa: F401
    except ImportError as error:
        modules = ["googleapiclient", "google_auth_httplib2"]
        install = "GoogleCloudProvider uses them: pip install 'parsl[google_cloud]'."
        remedy = f"{install} The import failed: {error}."
        raise OptionalModuleMissing(modules, remedy) from error


def _described(key_file: str | None) -> str:
    return "application default credentials" if key_file is None else f"key_file={key_file!r}"


def _remedy(key_file: str | None) -> str:
    if key_file is None:
        return (
            "Run `gcloud auth application-default login`, set GOOGLE_APPLICATION_CREDENTIALS to the file of "
            "a service account's key, or pass its path as key_file."
        )
    return (
        "It should be the file of a service account's key, from `gcloud iam service-accounts keys create "
        "FILE --iam-account=ACCOUNT`; key_file=None uses application default credentials."
    )
