"""A stand-in for Azure Resource Manager: the calls that AzureProvider makes, over HTTPS.

The client libraries are real. A test sets the variables of :meth:`AzureStandIn.environment`, so that they
trust the certificate, and passes :attr:`AzureStandIn.url` as the provider's ``endpoint``. The custom data of
a machine runs as processes of this host.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import re
import ssl
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.clouds.azure_account import (
    CLIENT,
    SECRET,
    SUBSCRIPTION,
    TENANT,
    Account,
    Json,
    ServiceError,
)
from tests.support.clouds.azure_entra import Entra
from tests.support.clouds.azure_routes import ROUTES, Answer
from tests.support.clouds.idle_host import IdleHost
from tests.support.clouds.processes import ProcessHost


class AzureStandIn:
    """The service; use as a context manager.

    Args:
        directory: For the certificate and the key file.
        host: Runs the machines.
    """

    def __init__(self, directory: Path, host: IdleHost | ProcessHost) -> None:
        self._directory = directory
        self.account = Account(host)
        self.entra = Entra()
        #: Machines per page of a list.
        self.page_size = 50
        #: Errors to answer with, one for each of the next requests to the compute service.
        self.faults: deque[ServiceError] = deque()
        #: Method and path of each request that was not for a token.
        self.requests: list[tuple[str, str]] = []
        self.key_file = directory / "azure-keys.json"
        self._certificate = directory / "service.pem"

    def __enter__(self) -> AzureStandIn:
        _write_certificate(self._certificate)
        handler = type("Handler", (_Handler,), {"stand_in": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        self.account.metadata_address = self.url
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.write_keys()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.account.host.close()

    def environment(self) -> dict[str, str]:
        """Variables for the client libraries, in this process and in others."""
        return {
            "AZURE_AUTHORITY_HOST": self.url,
            "REQUESTS_CA_BUNDLE": str(self._certificate),
            "SSL_CERT_FILE": str(self._certificate),
            "CURL_CA_BUNDLE": str(self._certificate),
        }

    def write_keys(self, **changed: str) -> Path:
        """Write the key file, with values other than the right ones."""
        keys = {
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_CLIENT_SECRET": SECRET,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
        }
        self.key_file.write_text(json.dumps({**keys, **changed}))
        self.key_file.chmod(0o600)
        return self.key_file

    def throttle(self, times: int, retry_after_s: int = 0) -> None:
        """Answer the next requests with 429."""
        message = (
            "The request is being throttled as the limit has been reached for operation type - "
            "Write_ObservationWindow. "
            "For more information, see - https://aka.ms/csrpthrottling"
        )
        self.faults.extend(
            ServiceError(429, "OperationNotAllowed", message, retry_after_s) for _ in range(times)
        )

    def fail(self, times: int, status: int = 500) -> None:
        """Answer the next requests with an error of the service itself."""
        message = "An internal execution error occurred. Please retry later."
        self.faults.extend(ServiceError(status, "InternalExecutionError", message) for _ in range(times))

    def machine_names(self) -> list[str]:
        with self.account.lock:
            return sorted(self.account.virtual_machines)

    def answer(self, method: str, target: str, header: str | None, body: bytes) -> Answer:
        """Answer one request."""
        url = urlsplit(target)
        path = re.sub("/+", "/", url.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if found := re.fullmatch("/([^/]+)/v2.0/.well-known/openid-configuration", path):
            return self.entra.metadata(self.url, found[1])
        if path.endswith("/oauth2/v2.0/token"):
            return self.entra.token(body)
        if path == "/api/retail/prices":
            return 200, {"Items": _prices(query.get("$filter", "")), "NextPageLink": None}
        if path.startswith("/console/"):
            return 200, self.account.host.console(path.rpartition("/")[2])
        if found := re.fullmatch("/metadata-of/([^/]+)/metadata/(.*)", path):
            return self._metadata(found[1], found[2])
        self.requests.append((method, path))
        if not self.entra.accepts(header):
            raise ServiceError(401, "InvalidAuthenticationToken", "The access token is invalid.")
        with self.account.lock:
            return self._route(method, path, query, json.loads(body) if body else {})

    def _metadata(self, name: str, path: str) -> Answer:
        """Answer a machine's own request to its metadata service."""
        if path == "instance/compute/resourceId":
            return 200, self.account.ids[name]
        identities = self.account.virtual_machines[name].body.get("identity")
        if path == "identity/oauth2/token" and identities:
            return 200, {"access_token": self.entra.issue(), "token_type": "Bearer"}
        return 400, {"error": "invalid_request", "error_description": "Identity not found"}

    def _route(self, method: str, path: str, query: dict[str, str], body: Json) -> Answer:
        if f"/subscriptions/{SUBSCRIPTION}" not in path.lower():
            wrong = path.split("/")[2] if path.count("/") > 1 else path
            raise ServiceError(404, "SubscriptionNotFound", f"The subscription '{wrong}' could not be found.")
        for kind, pattern, action, respond in ROUTES:
            found = re.fullmatch(pattern, path, re.IGNORECASE)
            if kind != method or found is None:
                continue
            if "compute" in pattern and self.faults:
                raise self.faults.popleft()
            self.account.check_permission(f"Microsoft.{action}", path)
            return respond(self, path, found, query, body)
        message = f"The stand-in has no {method} {path}"
        raise ServiceError(404, "NoRegisteredProviderFound", message)


def _prices(query: str) -> list[Json]:
    """Prices as of the public service for retail prices; machines of one size only."""
    if "'Standard_D2s_v5'" not in query:
        return []
    common = {"currencyCode": "USD", "unitOfMeasure": "1 Hour", "type": "Consumption"}
    prices = [
        (0.188, "Virtual Machines Dsv5 Series Windows", "Standard_D2s_v5"),
        (0.096, "Virtual Machines Dsv5 Series", "Standard_D2s_v5"),
        (0.02, "Virtual Machines Dsv5 Series", "D2s v5 Spot"),
        (0.03, "Virtual Machines Dsv5 Series", "D2s v5 Low Priority"),
    ]
    return [
        {**common, "retailPrice": price, "productName": product, "skuName": sku, "meterName": sku}
        for price, product, sku in prices
    ]


class _Handler(BaseHTTPRequestHandler):
    stand_in: AzureStandIn
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers: dict[str, str] = {}
        try:
            status, content = self.stand_in.answer(
                self.command, self.path, self.headers.get("Authorization"), body
            )
        except ServiceError as error:
            status, content, headers = error.status, error.body, error.headers
        text = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        if content is None:
            text = b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle

    def log_message(self, *args: Any) -> None:
        pass


def _write_certificate(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
