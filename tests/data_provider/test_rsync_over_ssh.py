"""rsync through a private sshd: each connection starts one, so that nothing listens."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from parsl.data_provider.errors import TransferError
from parsl.data_provider.files import File
from parsl.data_provider.rsync import RSyncStaging
from tests.data_provider.apps import app, read, write

SSHD = shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))


def _what_is_missing() -> str:
    missing = [name for name in ("rsync", "ssh", "ssh-keygen") if shutil.which(name) is None]
    if SSHD is None:
        missing.append("sshd")
    elif os.getuid() == 0 and not os.path.isdir("/run/sshd"):
        missing.append("the directory /run/sshd, which sshd needs when root runs it")
    return ", ".join(missing)


pytestmark = pytest.mark.skipif(bool(_what_is_missing()), reason=f"there is no {_what_is_missing()}")


def _key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture
def authorized_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The keys with which this user can log in to the host `submit`: ours."""
    directory = tmp_path / "ssh"
    directory.mkdir(mode=0o700)
    own, hosts = _key(directory / "own"), _key(directory / "host")
    authorized = directory / "authorized_keys"
    shutil.copy(own.with_suffix(".pub"), authorized)
    known = directory / "known_hosts"
    known.write_text("submit " + hosts.with_suffix(".pub").read_text())
    server = directory / "sshd_config"
    server.write_text(
        f"HostKey {hosts}\n"
        f"AuthorizedKeysFile {authorized}\n"
        "AuthenticationMethods publickey\n"
        "PermitRootLogin yes\n"
        "StrictModes no\n"
        "UsePAM no\n"
        "PidFile none\n"
    )
    client = directory / "ssh_config"
    client.write_text(
        "Host submit\n"
        f"  ProxyCommand {SSHD} -i -f {server}\n"
        f"  User {getpass.getuser()}\n"
        f"  IdentityFile {own}\n"
        "  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {known}\n"
        "  StrictHostKeyChecking yes\n"
        "  BatchMode yes\n"
    )
    monkeypatch.setenv("RSYNC_RSH", f"ssh -F {client}")
    return authorized


@pytest.mark.parametrize("make", ["threads", "htex"])
def test_files_are_staged_in_and_out(
    request: pytest.FixtureRequest, tmp_path: Path, working_dir: Path, authorized_keys: Path, make: str
) -> None:
    kernel = request.getfixturevalue(make)(storage_access=[RSyncStaging("submit")])
    source, target = tmp_path / "in 'put $x.txt", tmp_path / "out put;y.txt"
    source.write_text("there")
    assert app(kernel, read)(File(source)).result() == (str(working_dir / source.name), "there")
    written = app(kernel, write)("back", outputs=[File(target)])
    assert written.outputs[0].result().filepath == str(target)
    assert target.read_text() == "back"


def test_a_failed_login_is_an_error_that_quotes_ssh(threads, tmp_path: Path, authorized_keys: Path) -> None:
    authorized_keys.write_text("")
    (tmp_path / "input").write_text("never read")
    kernel = threads(storage_access=[RSyncStaging("submit")])
    with pytest.raises(TransferError, match="Permission denied"):
        app(kernel, read)(File(tmp_path / "input")).result()
