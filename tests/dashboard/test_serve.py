"""The dashboard as a process: its port, what it prints, its end."""

from __future__ import annotations

import pytest

from parsl.dashboard.runs import Runs
from parsl.dashboard.serve import PortInUse, announcement, listen


def test_a_port_in_use_is_a_clear_message():
    with listen(0) as listener, pytest.raises(PortInUse, match="is in use, perhaps by another dashboard"):
        listen(listener.getsockname()[1])


def test_it_listens_on_loopback_only():
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_over_ssh_the_line_for_the_other_computer_is_printed(tmp_path):
    runs = Runs(str(tmp_path))
    text = announcement(runs, 4321, "secret", {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"})
    assert "http://localhost:4321/?token=secret" in text
    assert "ssh -N -L 4321:localhost:4321" in text
    assert "ssh -N" not in announcement(runs, 4321, "secret", {})


def test_without_a_token_there_is_a_warning(tmp_path):
    assert "every user of this machine" in announcement(Runs(str(tmp_path)), 4321, "", {})


def test_pages_are_refused_without_the_token(serve, tmp_path):
    import urllib.error
    import urllib.request

    served = serve(tmp_path)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(served.base + "/api/runs", timeout=60)
    with urllib.request.urlopen(serve(tmp_path, "--no-token").base + "/api/runs", timeout=60) as answer:
        assert answer.status == 200
