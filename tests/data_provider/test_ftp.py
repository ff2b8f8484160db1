from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parsl.data_provider.errors import TransferError
from parsl.data_provider.files import File
from parsl.data_provider.ftp import FTPInTaskStaging, FTPSeparateTaskStaging, ftp_download
from tests.data_provider.apps import app, read

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("pyftpdlib", reason="the FTP server of the tests is the package pyftpdlib")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def ftp(tmp_path: Path) -> Iterator[str]:
    """The URL of a server's root, without a slash."""
    import logging

    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer

    logging.getLogger("pyftpdlib").setLevel(logging.ERROR)
    root = tmp_path / "ftp"
    (root / "pub dir").mkdir(parents=True)
    (root / "pub dir" / "data.txt").write_text("by ftp")
    authorizer = DummyAuthorizer()
    authorizer.add_anonymous(str(root))
    authorizer.add_user("me", "p@ss", str(root))
    handler = type("Handler", (FTPHandler,), {"authorizer": authorizer, "auth_failed_timeout": 0})
    loop = IOLoop()
    server = FTPServer(("127.0.0.1", 0), handler, ioloop=loop)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            loop.loop(timeout=0.01, blocking=False)

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"ftp://127.0.0.1:{server.socket.getsockname()[1]}"
    ended.set()
    thread.join()
    server.close_all()


def test_anonymously_and_with_a_password(ftp: str, tmp_path: Path) -> None:
    for login in ("", "me:p%40ss@"):
        path = tmp_path / f"got{len(login)}"
        ftp_download(ftp.replace("//", f"//{login}") + "/pub%20dir/data.txt", str(path))
        assert path.read_text() == "by ftp"


@pytest.mark.parametrize(
    ("path", "login", "message"),
    [
        ("/nothing", "", "the server answered: 550"),
        ("/pub%20dir/data.txt", "me:wrong@", r"me:\*\*\*@127.* the server answered: 530"),
        ("/a%0D%0ADELE%20b", "", "ValueError"),
    ],
)
def test_refusals_are_errors_that_name_them(
    ftp: str, tmp_path: Path, path: str, login: str, message: str
) -> None:
    with pytest.raises(TransferError, match=message):
        ftp_download(ftp.replace("//", f"//{login}") + path, str(tmp_path / "x"))
    assert not (tmp_path / "x").exists()


def test_an_unreachable_server_is_an_error_that_names_it(closed_port: int, tmp_path: Path) -> None:
    with pytest.raises(TransferError, match=r"the server cannot be reached: .*refused"):
        ftp_download(f"ftp://127.0.0.1:{closed_port}/x", str(tmp_path / "x"))


@pytest.mark.parametrize("provider", [None, FTPSeparateTaskStaging(), FTPInTaskStaging()])
def test_a_task_finds_the_file_in_the_working_directory(
    threads: Any, working_dir: Path, ftp: str, provider: Any
) -> None:
    kernel = threads(storage_access=provider and [provider])
    future = app(kernel, read)(inputs=[File(f"{ftp}/pub%20dir/data.txt")])
    assert future.result() == (str(working_dir / "data.txt"), "by ftp")
