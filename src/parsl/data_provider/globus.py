"""Files on Globus endpoints: ``globus://endpoint-uuid/path``. Needs the package ``globus-sdk``."""

from __future__ import annotations

import os
from functools import cache
from logging import getLogger
from pathlib import Path

from parsl import validate
from parsl.data_provider.errors import CannotStage, StagingError, TransferError
from parsl.data_provider.transfers import LocalFileStaging
from parsl.errors import ConfigurationError, OptionalModuleMissing
from parsl.vocabulary import INTERNAL_LABEL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any

    from globus_sdk import TransferClient

    from parsl.data_provider.data_manager import DataManager
    from parsl.vocabulary.data_future import DataFuture
    from parsl.vocabulary.files import File

logger = getLogger(__name__)

#: The file that keeps tokens between runs.
TOKEN_FILE = Path("~/.parsl/globus-tokens.json")
#: The environment variables that identify the application that logs in.
CLIENT_ID = "PARSL_GLOBUS_CLIENT_ID"
CLIENT_SECRET = "PARSL_GLOBUS_CLIENT_SECRET"
#: How often the state of a long transfer is checked and logged, in seconds.
_CHECK_PERIOD_S = 60


class Globus:
    """The connection to the Globus service, shared by the whole process.

    ``PARSL_GLOBUS_CLIENT_ID`` identifies the application that logs in: the id of a native application,
    registered for free at https://app.globus.org/settings/developers. An application that logs in without
    a human has its secret in ``PARSL_GLOBUS_CLIENT_SECRET``. Tokens are stored in ``~/.parsl``, readable by
    the user only.
    """

    @classmethod
    def init(cls) -> None:
        """Log in on the terminal, unless a login is stored.

        Raises:
            OptionalModuleMissing: The package ``globus-sdk`` is not installed.
            ConfigurationError: No application is configured.
            StagingError: A user has to log in, and there is no terminal.
        """
        app = application()
        if not app.login_required():
            return
        if not os.isatty(0) and CLIENT_SECRET not in os.environ:
            raise StagingError(
                "Globus requires a login, and there is no terminal. Run parsl-globus-auth once"
            )
        app.login()

    @classmethod
    def get_authorizer(cls) -> Any:
        """Return the authorizer of requests to the transfer service."""
        from globus_sdk import TransferClient

        return application().get_authorizer(TransferClient.resource_server)

    @classmethod
    def transfer_file(cls, src_ep: str, dst_ep: str, src_path: str, dst_path: str) -> None:
        """Copy a file from one endpoint, given by its UUID, to another, and wait until the transfer ends.

        Raises:
            TransferError: The transfer fails, or the service cannot be reached.
        """
        sdk = import_sdk()
        source, destination = f"globus://{src_ep}{src_path}", f"globus://{dst_ep}{dst_path}"
        client = sdk.TransferClient(authorizer=cls.get_authorizer())
        data = sdk.TransferData(source_endpoint=src_ep, destination_endpoint=dst_ep, label="parsl")
        data.add_item(src_path, dst_path)
        try:
            task = _wait(client, client.submit_transfer(data)["task_id"], source)
        except sdk.GlobusError as error:
            raise TransferError(source, destination, f"Globus answered: {error}") from error
        if task["status"] != "SUCCEEDED":
            raise TransferError(source, destination, _failure_of(task))


class GlobusStaging(LocalFileStaging):
    """Copies files between Globus endpoints and the working directory of an executor.

    Globus does the transfers; threads of the driver wait for them.

    Args:
        endpoint_uuid: The endpoint that can access the executor's disk.
        endpoint_path: The path of a directory on the endpoint; None if paths are the same for the endpoint
            and the executor.
        local_path: The path of the same directory for the executor.
    """

    schemes = ("globus",)
    endpoint_uuid = validate.Text(allow_empty=False)
    endpoint_path = validate.Text(optional=True)
    local_path = validate.Text(optional=True)

    def __init__(
        self, endpoint_uuid: str, endpoint_path: str | None = None, local_path: str | None = None
    ) -> None:
        validate.assign(self, locals())

    def initialize_globus(self) -> None:
        """Log in, unless a login is stored."""
        get_globus()

    def stage_in(
        self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any] | None
    ) -> DataFuture:
        """Submit the transfer."""
        here = self._prepare(dm, executor, file)
        arguments = (file.netloc, self.endpoint_uuid, file.path, here)
        return dm.fetch_once(executor, file, Globus.transfer_file, arguments, parent_fut, INTERNAL_LABEL)

    def stage_out(self, dm: DataManager, executor: str, file: File, app_fu: Future[Any]) -> Future[Any]:
        """Submit the transfer, to start when the task has completed."""
        here = self._prepare(dm, executor, file)
        arguments = (self.endpoint_uuid, file.netloc, here, file.path)
        future: Future[Any] = dm.submit_transfer(Globus.transfer_file, arguments, after=[app_fu])
        return future

    def _prepare(self, dm: DataManager, executor: str, file: File) -> str:
        """Log in, choose the file's local path, and return the path on the endpoint."""
        self.initialize_globus()
        # A path relative to the current directory has no meaning for Globus.
        file.local_path = os.path.join(self.local_path or os.getcwd(), dm.local_path(file, executor))
        return self._endpoint_path(file.local_path)

    def _endpoint_path(self, path: str) -> str:
        """Translate a path of the executor to a path on the endpoint."""
        if self.endpoint_path is None:
            return path
        if self.local_path is None:
            relative = os.path.basename(path)
        else:
            relative = os.path.relpath(path, self.local_path)
            if relative.startswith(os.pardir):
                raise CannotStage(
                    f"{path} is not in GlobusStaging's local_path ({self.local_path}), so its path on the "
                    "endpoint is unknown; set the executor's working_dir to a directory in local_path"
                )
        return os.path.join(self.endpoint_path, relative)


def get_globus() -> Globus:
    """Log in and return the connection to Globus; raises the errors of :meth:`Globus.init`."""
    Globus.init()
    return Globus()


def import_sdk() -> Any:
    """Return the package ``globus_sdk``; raises OptionalModuleMissing if it is not installed."""
    try:
        import globus_sdk
    except ImportError as error:
        raise OptionalModuleMissing(
            ["globus_sdk"],
            "Staging of globus:// files requires it. Install it with: pip install 'parsl[globus]'",
        ) from error
    return globus_sdk


def cli_run() -> None:
    """Log in to Globus: the command ``parsl-globus-auth``."""
    from sys import stdout

    Globus.init()
    stdout.write(f"Logged in to Globus; the tokens are in {TOKEN_FILE.expanduser()}\n")


@cache
def application() -> Any:
    """Return the user's application, with its stored login."""
    sdk = import_sdk()
    client_id = os.environ.get(CLIENT_ID)
    if not client_id:
        raise ConfigurationError(
            f"Globus requires an application to log in. Register one (a native application is free) at "
            f"https://app.globus.org/settings/developers, and set {CLIENT_ID} to its id"
        )
    from globus_sdk import token_storage

    path = TOKEN_FILE.expanduser()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    storage = token_storage.JSONTokenStorage(path)
    config = sdk.GlobusAppConfig(request_refresh_tokens=True, token_storage=storage)
    scopes = {sdk.TransferClient.resource_server: [sdk.TransferClient.scopes.all]}
    secret = os.environ.get(CLIENT_SECRET)
    if secret:
        return sdk.ClientApp(
            "parsl", client_id=client_id, client_secret=secret, scope_requirements=scopes, config=config
        )
    return sdk.UserApp("parsl", client_id=client_id, scope_requirements=scopes, config=config)


def _wait(client: TransferClient, task_id: str, source: str) -> Any:
    """Wait until a transfer ends, and log why it makes no progress."""
    while not client.task_wait(task_id, timeout=_CHECK_PERIOD_S, polling_interval=1):
        task = client.get_task(task_id)
        if task["nice_status"] not in (None, "OK", "Queued"):
            logger.warning("Globus task %s (%s) makes no progress: %s", task_id, source, task["nice_status"])
    return client.get_task(task_id)


def _failure_of(task: Any) -> str:
    fatal = task.get("fatal_error") or {}
    reason = fatal.get("description") or task.get("nice_status_short_description") or task.get("nice_status")
    return f"Globus task {task['task_id']} is {task['status']}: {reason or 'no reason given'}"
