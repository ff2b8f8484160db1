"""The published client library, against a stand-in for the service."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parsl.data_provider import globus
from parsl.data_provider.errors import CannotStage, StagingError, TransferError
from parsl.data_provider.files import File
from parsl.data_provider.globus import Globus, GlobusStaging
from parsl.dataflow.errors import DependencyError
from parsl.errors import ConfigurationError, OptionalModuleMissing
from tests.data_provider.apps import app, read, write
from tests.data_provider.globus_service import GlobusService

if TYPE_CHECKING:
    from collections.abc import Iterator

sdk = pytest.importorskip("globus_sdk", reason="the package globus-sdk is not installed")


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GlobusService]:
    """A service whose endpoint ``here`` sees the root of this machine's disk."""
    root = tmp_path / "endpoints"
    (root / "far").mkdir(parents=True)
    (root / "here").symlink_to("/")
    with GlobusService(root) as server:
        monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_TRANSFER", server.url)
        monkeypatch.setattr(Globus, "init", lambda: None)
        monkeypatch.setattr(Globus, "get_authorizer", lambda: sdk.AccessTokenAuthorizer("token"))
        yield server
        server.shutdown()


def test_a_file_is_staged_in_and_another_one_is_staged_out(
    threads: Any, service: GlobusService, working_dir: Path
) -> None:
    (service.root / "far" / "data.txt").write_text("from far")
    kernel = threads(storage_access=[GlobusStaging("here")])
    assert app(kernel, read)(File("globus://far/data.txt")).result() == (
        str(working_dir / "data.txt"),
        "from far",
    )
    written = app(kernel, write)("to far", outputs=[File("globus://far/results/out.txt")])
    assert written.result() == [str(working_dir / "out.txt")]
    assert written.outputs[0].result().url == "globus://far/results/out.txt"
    assert (service.root / "far" / "results" / "out.txt").read_text() == "to far"
    (working_dir / "out.txt").unlink()
    assert app(kernel, read)(written.outputs[0]).result()[1] == "to far"
    assert service.tokens == {"Bearer token"}


def test_the_endpoint_may_use_other_names_for_directories(
    threads: Any, service: GlobusService, working_dir: Path
) -> None:
    (service.root / "project").symlink_to(working_dir.parent)
    (service.root / "far" / "data.txt").write_text("x")
    staging = GlobusStaging("project", endpoint_path="/", local_path=str(working_dir.parent))
    kernel = threads(storage_access=[staging])
    assert app(kernel, read)(File("globus://far/data.txt")).result()[1] == "x"
    kernel = threads(storage_access=[GlobusStaging("project", endpoint_path="/", local_path="/else/where")])
    with pytest.raises(CannotStage, match=r"is not in GlobusStaging's local_path \(/else/where\)"):
        app(kernel, read)(File("globus://far/data.txt"))


def test_a_failed_transfer_is_retried_and_its_error_has_the_reason(
    threads: Any, service: GlobusService
) -> None:
    (service.root / "far" / "data.txt").write_text("x")
    kernel = threads(storage_access=[GlobusStaging("here")], retries=1)
    service.failures = 1
    assert app(kernel, read)(File("globus://far/data.txt")).result()[1] == "x"
    error = app(kernel, read)(File("globus://far/nothing.txt")).exception()
    assert isinstance(error, DependencyError)
    with pytest.raises(TransferError, match=r"globus://far/nothing\.txt .*is FAILED: cannot read nothing"):
        raise error.root_cause  # type: ignore[misc]
    error = app(kernel, read)(File("globus://unknown/x.txt")).exception()
    assert "Globus answered: " in str(error)
    assert "no such endpoint" in str(error)


def test_without_the_package_the_error_names_it(threads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "globus_sdk", None)
    globus.application.cache_clear()
    kernel = threads(storage_access=[GlobusStaging("here")])
    with pytest.raises(OptionalModuleMissing, match=r"globus_sdk.*pip install 'parsl\[globus\]'"):
        app(kernel, read)(File("globus://far/x"))


class TestLogin:
    @pytest.fixture(autouse=True)
    def _fresh(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        globus.application.cache_clear()
        monkeypatch.setattr(globus, "TOKEN_FILE", tmp_path / "private" / "tokens.json")

    def test_the_application_has_to_be_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(globus.CLIENT_ID, raising=False)
        with pytest.raises(ConfigurationError, match=f"set {globus.CLIENT_ID} to its id"):
            Globus.init()

    def test_without_a_terminal_the_error_explains_the_login(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv(globus.CLIENT_ID, "11111111-2222-3333-4444-555555555555")
        monkeypatch.setattr(globus.os, "isatty", lambda _: False)
        with pytest.raises(StagingError, match="Run parsl-globus-auth once"):
            globus.get_globus()
        assert (tmp_path / "private").stat().st_mode & 0o077 == 0
