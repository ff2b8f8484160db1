"""What the exceptions of the client library mean."""

from __future__ import annotations

import json

import pytest
from kubernetes.client.exceptions import ApiException

from parsl.providers.api.failure import FailureKind, ServiceError
from parsl.providers.kubernetes.failures import advice_about, classify

UNTRUSTED = (
    "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)"
)


def advice(failure):
    return advice_about(ServiceError("Kubernetes", "list Jobs", failure), "default")


def test_a_wrong_certificate_is_not_tried_again():
    # Made by the client of a server with such a certificate; it has no status, as there is no answer.
    failure = classify(ApiException(status=0, reason=f"SSLError\n{UNTRUSTED}"))
    assert (failure.kind, failure.code, failure.message) == (
        FailureKind.DENIED,
        "CertificateError",
        UNTRUSTED,
    )
    assert "certificate-authority" in advice(failure)


def test_an_aborted_connection_is_tried_again():
    text = "EOF occurred in violation of protocol (_ssl.c:2427)"
    failure = classify(ApiException(status=0, reason=f"SSLError\n{text}"))
    assert (failure.kind, failure.message) == (FailureKind.TRANSIENT, text)
    assert "kubectl cluster-info" in advice(failure)


@pytest.mark.parametrize(
    ("status", "reason", "message", "kind"),
    [
        (403, "Forbidden", "pods is forbidden", FailureKind.DENIED),
        (403, "Forbidden", "exceeded quota: small", FailureKind.QUOTA),
        (409, "Conflict", "the object has been modified", FailureKind.TRANSIENT),
        (422, "Invalid", "spec is invalid", FailureKind.PERMANENT),
        (503, "ServiceUnavailable", "", FailureKind.TRANSIENT),
    ],
)
def test_answers(status, reason, message, kind):
    error = ApiException(status=status, reason="HTTP")
    error.body, error.headers = json.dumps({"reason": reason, "message": message}), {}
    assert classify(error).kind is kind


def test_errors_of_programs_are_not_the_services():
    assert classify(ValueError("x")) is None
