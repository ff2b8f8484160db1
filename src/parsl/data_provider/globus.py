"""Files on Globus endpoints: ``globus://endpoint-uuid/path``. Needs the package ``globus-sdk``."""

from __future__ import annotations

import os
from logging import getLogger
from pathlib import Path

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.data_provider.errors import CannotStage, StagingError, TransferError
from parsl.data_provider.staged_call import StagedCall, make_parents
from parsl.data_provider.staging import Staging
from parsl.errors import ConfigurationError, OptionalModuleMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any

    from globus_sdk import TransferClient

    from parsl.data_provider.data_manager import DataManager
    from parsl.vocabulary.data_future import DataFuture
    from parsl.vocabulary.files import File

logger = getLogger(__name__)

#: Where tokens are kept between runs.
TOKEN_FILE = Path("~/.parsl/globus-tokens.json")
#: The environment variables that name the application that logs in.
CLIENT_ID = "PARSL_GLOBUS_CLIENT_ID"
CLIENT_SECRET = "PARSL_GLOBUS_CLIENT_SECRET"
#: How often the state of a transfer that takes long is looked at and logged, in seconds.
_LOOK_PERIOD_S = 60


class Globus:
    """The connection to the Globus service. There is one for the whole process.

    The application that logs in is named by ``PARSL_GLOBUS_CLIENT_ID``: the id of a native application,
    registered for free at https://app.globus.org/settings/developers. For one that needs no human to log in,
    ``PARSL_GLOBUS_CLIENT_SECRET`` is its secret. Tokens are kept in ``~/.parsl``, readable by the user only.
    """

    _app: Any = None

    @classmethod
    def init(cls) -> None:
        """Log in, unless that has been done before; asks on the terminal.

        Raises:
            OptionalModuleMissing: The package ``globus-sdk`` is not installed.
            ConfigurationError: No application is named.
            StagingError: A human has to log in, and there is no terminal.
        """
        app = cls._application()
        if not app.login_required():
            return
        if not os.isatty(0) and CLIENT_SECRET not in os.environ:
            raise StagingError(
                "Globus wants a login, and there is no terminal to ask on. Run parsl-globus-auth once"
            )
        app.login()

    @classmethod
    def get_authorizer(cls) -> Any:
        """Return what signs requests to the transfer service."""
        from globus_sdk import TransferClient

        return cls._application().get_authorizer(TransferClient.resource_server)

    @classmethod
    def transfer_file(cls, src_ep: str, dst_ep: str, src_path: str, dst_path: str) -> None:
        """Copy a file from one endpoint to another, and wait for that.

        Args:
            src_ep: The UUID of the endpoint that has the file.
            dst_ep: The UUID of the endpoint that is to get it.
            src_path: The path there.
            dst_path: The path here.

        Raises:
            TransferError: Globus gives it up, or cannot be asked for it.
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
            raise TransferError(source, destination, _what_happened(task))

    @classmethod
    def _application(cls) -> Any:
        if cls._app is None:
            cls._app = _new_application()
        return cls._app


class GlobusStaging(Staging, RepresentationMixin):
    """Copies files between Globus endpoints and the working directory of an executor.

    The transfers are done by Globus, looked after by threads of the driver.

    Args:
        endpoint_uuid: The endpoint that sees the executor's disk.
        endpoint_path: A directory, as the endpoint calls it; None: it calls it as the executor does.
        local_path: The same directory, as the executor calls it.
    """

    schemes = ("globus",)

    def __init__(
        self, endpoint_uuid: str, endpoint_path: str | None = None, local_path: str | None = None
    ) -> None:
        self.endpoint_uuid = validate.text(self, "endpoint_uuid", endpoint_uuid, allow_empty=False)
        self.endpoint_path = validate.text(self, "endpoint_path", endpoint_path, optional=True)
        self.local_path = validate.text(self, "local_path", local_path, optional=True)

    def can_stage_in(self, file: File) -> bool:
        """``globus:`` URLs."""
        return file.scheme == "globus"

    def can_stage_out(self, file: File) -> bool:
        """``globus:`` URLs."""
        return file.scheme == "globus"

    def initialize_globus(self) -> None:
        """Log in, unless that has been done before."""
        get_globus()

    def stage_in(
        self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any] | None
    ) -> DataFuture | None:
        """Submit the transfer."""
        self.initialize_globus()
        path = file.local_path = self._local_path(dm, executor, file)
        here = self._endpoint_path(path)
        arguments = (file.netloc, self.endpoint_uuid, file.path, here)
        after = [] if parent_fut is None else [parent_fut]
        return dm.fetch_once(
            executor, file, lambda: dm.submit_transfer(Globus.transfer_file, arguments, after=after)
        )

    def stage_out(
        self, dm: DataManager, executor: str, file: File, app_fu: Future[Any]
    ) -> Future[Any] | None:
        """Submit the transfer, to begin when the task is done."""
        self.initialize_globus()
        path = file.local_path = self._local_path(dm, executor, file)
        here = self._endpoint_path(path)
        arguments = (self.endpoint_uuid, file.netloc, here, file.path)
        future: Future[Any] = dm.submit_transfer(Globus.transfer_file, arguments, after=[app_fu])
        return future

    def replace_task_stage_out(
        self, dm: DataManager, executor: str, file: File, func: Callable[..., Any]
    ) -> Callable[..., Any] | None:
        """Have the directory made that the task is to write to."""
        from functools import partial

        assert file.local_path is not None
        return StagedCall(func, before=[partial(make_parents, file.local_path)])

    def _local_path(self, dm: DataManager, executor: str, file: File) -> str:
        path = dm.local_path(file, executor)
        # Globus knows nothing of anybody's current directory.
        return path if os.path.isabs(path) else os.path.join(self.local_path or os.getcwd(), path)

    def _endpoint_path(self, path: str) -> str:
        """Say how the endpoint calls a path of the executor's."""
        if self.endpoint_path is None:
            return path
        if self.local_path is None:
            relative = os.path.basename(path)
        else:
            relative = os.path.relpath(path, self.local_path)
            if relative.startswith(os.pardir):
                raise CannotStage(
                    f"{path} is not in GlobusStaging's local_path ({self.local_path}), so its path on the "
                    "endpoint is not known; set the executor's working_dir to a directory in it"
                )
        return os.path.join(self.endpoint_path, relative)


def get_globus() -> Globus:
    """Return the connection to Globus, logged in; raises as :meth:`Globus.init` does."""
    Globus.init()
    return Globus()


def import_sdk() -> Any:
    """Return the package ``globus_sdk``.

    Raises:
        OptionalModuleMissing: It is not installed.
    """
    try:
        import globus_sdk
    except ImportError as error:
        raise OptionalModuleMissing(
            ["globus_sdk"], "Staging of globus:// files uses it. Install it with: pip install 'parsl[globus]'"
        ) from error
    return globus_sdk


def cli_run() -> None:
    """Log in to Globus: the command ``parsl-globus-auth``."""
    from sys import stdout

    Globus.init()
    stdout.write(f"Logged in to Globus; the tokens are in {TOKEN_FILE.expanduser()}\n")


def _new_application() -> Any:
    sdk = import_sdk()
    client_id = os.environ.get(CLIENT_ID)
    if not client_id:
        raise ConfigurationError(
            f"Globus has to know which application logs in. Register one (a native application is free) at "
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
    """Wait for the end of a transfer, and log what keeps it from going on."""
    while not client.task_wait(task_id, timeout=_LOOK_PERIOD_S, polling_interval=1):
        task = client.get_task(task_id)
        if task["nice_status"] not in (None, "OK", "Queued"):
            logger.warning("Globus task %s (%s) does not advance: %s", task_id, source, task["nice_status"])
    return client.get_task(task_id)


def _what_happened(task: Any) -> str:
    fatal = task.get("fatal_error") or {}
    reason = fatal.get("description") or task.get("nice_status_short_description") or task.get("nice_status")
    return f"Globus task {task['task_id']} is {task['status']}: {reason or 'no reason is given'}"
