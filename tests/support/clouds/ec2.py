"""A stand-in for EC2: moto's server, whose instances run their user data as processes of this machine."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from moto.backends import get_backend
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.support.clouds.processes import Ended, ProcessHost

REGION = "us-east-2"
#: An image of moto's for x86_64.
IMAGE = "ami-1e749f67"
_ACCOUNT = "123456789012"
_SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")

#: Returns the status, code and message with which a request fails; None to let it through.
Fault = Callable[[str], "tuple[int, str, str] | None"]


class _QuietHandler(WSGIRequestHandler):
    def log_request(self, *args: object) -> None:
        """Print nothing for each request."""


class StandInEc2:
    """The service, in threads of this process."""

    def __init__(self, directory: Path) -> None:
        get_backend("ec2").reset()
        self.host = ProcessHost(directory, self._ended)
        #: Decides, by the name of a request, whether it fails.
        self.fault: Fault = lambda action: None
        self.vcpu_quota = 1000.0
        self.price: float | None = 0.02
        #: The names of all requests.
        self.requests: list[str] = []
        self._app = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.RLock()
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=_QuietHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which boto3 finds the stand-in."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }

    @property
    def backend(self) -> Any:
        """What moto knows about the region."""
        return get_backend("ec2")[_ACCOUNT][REGION]

    def instances(self, state: str = "running") -> list[str]:
        """Return the instances in a state."""
        return [one.id for one in self.backend.all_instances() if one.state == state]

    def reclaim(self, instance_id: str) -> None:
        """End an instance as EC2 reclaims a spot machine."""
        with self._lock:
            self._end(instance_id, "Server.SpotInstanceTermination", "Spot instance termination")
        self.host.kill(instance_id)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.host.close()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        found = _SERVICE.search(environ.get("HTTP_AUTHORIZATION", ""))
        service = found[1] if found else ""
        fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        action = fields.get("Action") or environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        with self._lock:
            self.requests.append(action)
            if (fault := self.fault(action)) is not None:
                return _answer(start_response, fault[0], _error(service, *fault[1:]))
            if service != "ec2":
                return _answer(start_response, 200, self._other(service))
            if action == "GetConsoleOutput":
                return _answer(start_response, 200, self._console(fields["InstanceId"]))
            answer = list(self._app(environ, start_response))
            ended = self._reconcile()
        for instance_id in ended:
            self.host.kill(instance_id)
        return answer

    def _reconcile(self) -> list[str]:
        """Start the machines of new instances; return those whose instances have been terminated."""
        for one in self.backend.all_instances():
            if not hasattr(one, "runs") and one.state == "running":
                one.runs = True
                if one.user_data:
                    self.host.start_machine(one.id, base64.b64decode(str(one.user_data)).decode())
        return [name for name in self.host.running() if name not in self.instances()]

    def _ended(self, ended: Ended) -> None:
        if ended.by_itself:
            with self._lock:
                self._end(ended.name, "Client.InstanceInitiatedShutdown", "Instance initiated shutdown")

    def _end(self, instance_id: str, code: str, message: str) -> None:
        instance = self.backend.get_instance(instance_id)
        if instance.state == "running":
            instance.terminate()
            instance.state_reason.code, instance.state_reason.message = code, f"{code}: {message}"

    def _console(self, instance_id: str) -> bytes:
        text = base64.b64encode(self.host.console(instance_id).encode()).decode()
        return (
            '<GetConsoleOutputResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
            f"<instanceId>{instance_id}</instanceId><output>{text}</output></GetConsoleOutputResponse>"
        ).encode()

    def _other(self, service: str) -> bytes:
        if service == "servicequotas":
            return json.dumps({"Quota": {"QuotaName": "vCPUs", "Value": self.vcpu_quota}}).encode()
        assert service == "pricing", service
        dimension = {"pricePerUnit": {"USD": str(self.price)}}
        product = {"terms": {"OnDemand": {"a": {"priceDimensions": {"b": dimension}}}}}
        return json.dumps({"PriceList": [] if self.price is None else [json.dumps(product)]}).encode()


def _error(service: str, code: str, message: str) -> bytes:
    if service != "ec2":
        return json.dumps({"__type": code, "message": message}).encode()
    inner = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return f"<Response><Errors>{inner}</Errors><RequestID>1</RequestID></Response>".encode()


def _answer(start_response: Callable[..., Any], status: int, body: bytes) -> list[bytes]:
    kind = "application/x-amz-json-1.1" if body.startswith(b"{") else "text/xml"
    start_response(f"{status} Answer", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
