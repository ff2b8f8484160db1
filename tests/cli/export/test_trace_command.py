"""``parsl trace``: what is not right on its command line."""

from __future__ import annotations

import pytest

from parsl.cli.main import main


def test_an_endpoint_that_is_no_url_is_refused_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["trace", "--otlp", "collector:4318"])
    assert "'collector:4318' is not a URL, such as http://localhost:4318" in capsys.readouterr().err
