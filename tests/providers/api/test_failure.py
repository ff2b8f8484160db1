"""The messages of failed requests."""

from __future__ import annotations

import pytest

from parsl.providers.api.failure import Failure, FailureKind, ServiceError

PAGE = """<!DOCTYPE html>
<html><head><style>body { color: red }</style><title>502</title></head>
<body><h1>Bad   Gateway</h1>
<p>The proxy got no answer.</p></body></html>
"""


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("no such image", "no such image"),
        ("a < b, <b>bold</b>", "a < b, <b>bold</b>"),
        (PAGE, "a page of HTML: 502 Bad Gateway The proxy got no answer."),
        (
            f"It cannot be parsed:\n{PAGE.encode()!r}",
            "It cannot be parsed: a page of HTML: 502 Bad Gateway The proxy got no answer.",
        ),
        ("<html>" + "x" * 300, f"a page of HTML: {'x' * 200}..."),
        ("<html><bo", "a page of HTML: "),
    ],
)
def test_pages_of_proxies_are_not_shown_as_a_whole(message, shown):
    error = ServiceError("EC2", "DescribeImages", Failure(FailureKind.TRANSIENT, message))
    assert str(error).rstrip() == f"EC2: DescribeImages failed: {shown}".rstrip()
