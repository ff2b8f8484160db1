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
from collections.abc import Callable
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
    VirtualMachine,
)
from tests.support.clouds.azure_entra import Entra
from tests.support.clouds.idle_host import IdleHost
from tests.support.clouds.processes import ProcessHost

_GROUP = r"/subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)"
_NETWORK = rf"{_GROUP}/providers/microsoft\.network/virtualnetworks/(?P<network>[^/]+)"
_COMPUTE = r"/providers/microsoft\.compute"
_LOCATION = rf"/subscriptions/(?P<subscription>[^/]+){_COMPUTE}/locations/(?P<location>[^/]+)"
_MACHINES = rf"{_GROUP}{_COMPUTE}/virtualmachines"
_MACHINE = rf"{_MACHINES}/(?P<machine>[^/]+)"
_IMAGE = r"/publishers/(?P<publisher>[^/]+)/artifacttypes/vmimage/offers/(?P<offer>[^/]+)/skus/(?P<sku>[^/]+)"

#: Answers a request: a status and a body.
Answer = tuple[int, Any]


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
        for kind, pattern, action, respond in _ROUTES:
            found = re.fullmatch(pattern, path, re.IGNORECASE)
            if kind != method or found is None:
                continue
            if "compute" in pattern and self.faults:
                raise self.faults.popleft()
            self.account.check_permission(f"Microsoft.{action}", path)
            return respond(self, path, found, query, body)
        message = f"The stand-in has no {method} {path}"
        raise ServiceError(404, "NoRegisteredProviderFound", message)


def _permissions(stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    denied = sorted(stand_in.account.denied)
    return 200, {"value": [{"actions": ["*"], "notActions": denied, "dataActions": [], "notDataActions": []}]}


def _get_group(stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    name = found["group"]
    return 200, _existing_group(stand_in, name)


def _existing_group(stand_in: AzureStandIn, name: str) -> Json:
    if name.lower() not in stand_in.account.groups:
        raise ServiceError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
    return stand_in.account.groups[name.lower()]


def _put_group(stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    location = body["location"]
    if location not in stand_in.account.locations:
        message = (
            f"The provided location '{location}' is not available for resource group. List of "
            "available regions is "
            f"'{','.join(sorted(stand_in.account.locations))}'."
        )
        raise ServiceError(400, "LocationNotAvailableForResourceGroup", message)
    group = {**body, "id": path, "name": found["group"], "properties": {"provisioningState": "Succeeded"}}
    stand_in.account.groups[found["group"].lower()] = group
    return 201, group


def _get_network(stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    _existing_group(stand_in, found["group"])
    network = stand_in.account.networks.get(path.lower())
    if network is None:
        raise ServiceError(
            404, "ResourceNotFound", _not_found("virtualNetworks", found["network"], found["group"])
        )
    return 200, network


def _put_network(stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    _existing_group(stand_in, found["group"])
    network = {**body, "id": path, "name": found["network"]}
    network["properties"] = {**body["properties"], "provisioningState": "Succeeded"}
    stand_in.account.networks[path.lower()] = network
    return 201, network


def _put_subnet(stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    network = stand_in.account.networks[path.lower().rpartition("/subnets/")[0]]
    subnet = {
        "name": found["subnet"],
        "id": path,
        "properties": {**body["properties"], "provisioningState": "Succeeded"},
    }
    network["properties"].setdefault("subnets", []).append(subnet)
    return 201, subnet


def _put_machine(stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    _existing_group(stand_in, found["group"])
    machine = stand_in.account.create(found["machine"], path, body)
    return 201, _machine(machine, path)


def _delete_machine(
    stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json
) -> Answer:
    return (202 if stand_in.account.delete(found["machine"]) else 204), None


def _view(stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    name = found["machine"]
    machine = stand_in.account.virtual_machines.get(name)
    if machine is None:
        raise ServiceError(404, "ResourceNotFound", _not_found("virtualMachines", name, found["group"]))
    return 200, {"statuses": stand_in.account.statuses(machine)}


def _console(stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    return 200, {"serialConsoleLogBlobUri": f"{stand_in.url}/console/{found['machine']}"}


def _list_machines(
    stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json
) -> Answer:
    _existing_group(stand_in, found["group"])
    machines = sorted(stand_in.account.virtual_machines.values(), key=lambda machine: machine.name)
    start = int(query.get("$skipToken", 0))
    end = start + stand_in.page_size
    page: Json = {"value": [_machine(one, f"{path}/{one.name}") for one in machines[start:end]]}
    for machine in machines[start:end]:
        machine.boot_reads -= 1
    if end < len(machines):
        page["nextLink"] = f"{stand_in.url}{path}?api-version={query['api-version']}&$skipToken={end}"
    return 200, page


def _machine(machine: VirtualMachine, path: str) -> Json:
    body = json.loads(json.dumps(machine.body))
    body["properties"]["provisioningState"] = machine.provisioning_state()
    body["properties"]["osProfile"].pop("customData", None)
    body["properties"]["osProfile"].pop("adminPassword", None)
    return {**body, "id": path, "name": machine.name, "type": "Microsoft.Compute/virtualMachines"}


def _versions(stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    stand_in.account.check_location(found["location"])
    image = (found["publisher"], found["offer"], found["sku"])
    versions = [one[3] for one in sorted(stand_in.account.images) if one[:3] == image]
    if not versions:
        raise ServiceError(404, "NotFound", "Artifact: VMImage was not found.")
    return 200, [
        {"name": version, "location": found["location"], "id": f"{path}/{version}"} for version in versions
    ]


def _version(stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    versions = _versions(stand_in, path, found, query, body)[1]
    for version in versions:
        if version["name"] == found["version"]:
            return 200, version
    raise ServiceError(404, "NotFound", "Artifact: VMImage was not found.")


def _usages(stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    stand_in.account.check_location(found["location"])
    return 200, {"value": stand_in.account.usages()}


def _skus(stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    filtered = re.findall("'(.*?)'", query.get("$filter", ""))
    locations = [one for one in filtered if one in stand_in.account.locations]
    return 200, {
        "value": [
            _sku(stand_in.account, size, where) for where in locations for size in stand_in.account.sizes
        ]
    }


def _sku(account: Account, size: str, location: str) -> Json:
    family, cores = account.sizes[size]
    reason = account.restricted.get(size)
    restriction = {"type": "Location", "values": [location], "reasonCode": reason}
    return {
        "resourceType": "virtualMachines",
        "name": size,
        "family": family,
        "locations": [location],
        "capabilities": [
            {"name": "vCPUs", "value": str(cores)},
            {"name": "LowPriorityCapable", "value": "True"},
        ],
        "restrictions": [restriction] if reason else [],
    }


def _public_key(stand_in: AzureStandIn, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    name = found["key"]
    if name not in stand_in.account.public_keys:
        raise ServiceError(404, "ResourceNotFound", _not_found("sshPublicKeys", name, found["group"]))
    return 200, {
        "id": path,
        "name": name,
        "location": "westus",
        "properties": {"publicKey": stand_in.account.public_keys[name]},
    }


def _not_found(kind: str, name: str, group: str) -> str:
    provider = "Microsoft.Network" if kind == "virtualNetworks" else "Microsoft.Compute"
    return (
        f"The Resource '{provider}/{kind}/{name}' under resource group '{group}' was not found. For "
        "more details "
        "please go to https://aka.ms/ARMResourceNotFoundFix"
    )


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


Respond = Callable[[AzureStandIn, str, "re.Match[str]", Json, Json], Answer]
_VM = "Compute/virtualMachines"
_VERSIONS = "Compute/locations/publishers/artifacttypes/offers/skus/versions/read"
_ROUTES: list[tuple[str, str, str, Respond]] = [
    ("GET", _GROUP, "Resources/subscriptions/resourceGroups/read", _get_group),
    ("PUT", _GROUP, "Resources/subscriptions/resourceGroups/write", _put_group),
    ("GET", r".*/providers/microsoft\.authorization/permissions", "", _permissions),
    ("GET", _NETWORK, "Network/virtualNetworks/read", _get_network),
    ("PUT", _NETWORK, "Network/virtualNetworks/write", _put_network),
    ("PUT", rf"{_NETWORK}/subnets/(?P<subnet>[^/]+)", "Network/virtualNetworks/subnets/write", _put_subnet),
    ("GET", _MACHINES, f"{_VM}/read", _list_machines),
    ("PUT", _MACHINE, f"{_VM}/write", _put_machine),
    ("DELETE", _MACHINE, f"{_VM}/delete", _delete_machine),
    ("GET", rf"{_MACHINE}/instanceview", f"{_VM}/instanceView/read", _view),
    (
        "POST",
        rf"{_MACHINE}/retrievebootdiagnosticsdata",
        f"{_VM}/retrieveBootDiagnosticsData/action",
        _console,
    ),
    ("GET", rf"{_LOCATION}{_IMAGE}/versions", _VERSIONS, _versions),
    ("GET", rf"{_LOCATION}{_IMAGE}/versions/(?P<version>[^/]+)", _VERSIONS, _version),
    ("GET", rf"{_LOCATION}/usages", "Compute/locations/usages/read", _usages),
    ("GET", rf"/subscriptions/[^/]+{_COMPUTE}/skus", "Compute/skus/read", _skus),
    ("GET", rf"{_GROUP}{_COMPUTE}/sshpublickeys/(?P<key>[^/]+)", "Compute/sshPublicKeys/read", _public_key),
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
