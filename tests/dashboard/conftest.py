"""The dashboard as a process, and a real browser that looks at it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_END_S = 60
#: The directory for the pictures of the documentation (`make pictures`); none are taken without it.
_PICTURES = "PARSL_PICTURES"
_ADDRESS = re.compile(r"http://localhost:\d+/\S*")


class Served:
    """A dashboard that runs, and what it has printed."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "parsl", "dashboard", *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.printed = ""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.printed += line
            if line.startswith("Ctrl-C"):
                break
        found = _ADDRESS.search(self.printed)
        assert found, self.printed + self.end()[1]
        self.address = found[0]
        self.base = self.address.partition("/?")[0].rstrip("/")

    def end(self) -> tuple[int, str]:
        """Interrupt it; return its exit code, and what it has written on stderr."""
        self._process.send_signal(signal.SIGINT)
        try:
            _, errors = self._process.communicate(timeout=_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        return self._process.returncode, errors


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Start dashboards; each must end cleanly."""
    started: list[Served] = []

    def start(*arguments: str | Path) -> Served:
        started.append(Served(*map(str, arguments)))
        return started[-1]

    yield start
    assert [served.end() for served in started] == [(0, "")] * len(started)


# Not for the whole session: while Playwright is open, its thread has a running event loop, and tests of
# asyncio in the same process would fail.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    api = pytest.importorskip("playwright.sync_api", reason="Playwright comes with the extra 'test'")
    api.expect.set_options(timeout=60_000)
    path = which("chromium") or which("chromium-browser") or which("google-chrome")
    if path is None:
        pytest.skip("there is no chromium on the PATH; .ci/run installs it")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of the browser. No request may go to another host, and no script may fail."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, timezone_id="UTC")
    page = context.new_page()
    page.set_default_timeout(60_000)
    hosts: set[str] = set()
    errors: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname or ""))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert hosts <= {"localhost"}
    assert not [error for error in errors if "ERR_CONNECTION_REFUSED" not in error]


@pytest.fixture
def take_picture() -> Callable[[Page, str], None]:
    """Take a picture for the documentation, if pictures are requested."""
    directory = os.environ.get(_PICTURES)

    def take(page: Page, name: str) -> None:
        if directory:
            page.mouse.move(0, 0)
            page.screenshot(path=Path(directory) / f"dashboard-{name}.png", animations="disabled")

    return take
