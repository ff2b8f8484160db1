"""A stand-in for the web service of Globus Compute: its HTTP routes for functions and submissions, and
results in queues of RabbitMQ.

Runs in the environment of the endpoint's package. The SDK, the endpoint's engine and RabbitMQ are real.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pika

#: Where the SDK looks for it with GLOBUS_SDK_ENVIRONMENT=local.
ADDRESS = ("127.0.0.1", 5000)
AMQP_URL = "amqp://guest:guest@127.0.0.1:5672/%2F"
QUEUE_PREFIX = "results_"
_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"

#: Gets a task's id, its function and arguments as the SDK has packed them, and its resource specification.
Run = Callable[[uuid.UUID, str, dict[str, Any]], None]


class Broker:
    """RabbitMQ in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        (directory / "plugins").write_text("[].")
        variables = {
            "HOME": str(directory),
            "RABBITMQ_NODENAME": "parsl@localhost",
            "RABBITMQ_MNESIA_BASE": str(directory / "tables"),
            "RABBITMQ_LOG_BASE": str(directory),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        }
        with open(directory / "output", "w") as output:
            self._process = subprocess.Popen(
                [_SERVER], env={**os.environ, **variables}, stdout=output, stderr=subprocess.STDOUT
            )

    def connect(self, limit_s: float = 60) -> pika.BlockingConnection:
        """Connect as soon as it answers."""
        end_s = time.monotonic() + limit_s
        while True:
            try:
                return pika.BlockingConnection(pika.URLParameters(f"{AMQP_URL}?heartbeat=0"))
            except pika.exceptions.AMQPConnectionError:
                if time.monotonic() > end_s or self._process.poll() is not None:
                    raise
                time.sleep(0.1)

    def stop(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


class Service:
    """The web service: keeps functions, hands tasks to an endpoint, and publishes their results."""

    def __init__(self, broker: Broker, run: Run) -> None:
        self._run = run
        self._functions: dict[str, str] = {}
        self._groups: dict[uuid.UUID, str] = {}
        self._results: queue.SimpleQueue[tuple[str, bytes | None]] = queue.SimpleQueue()
        #: Resource specification and endpoint settings of each submission.
        self.submissions: list[tuple[Any, Any]] = []
        self._connection = broker.connect()
        self._publisher = threading.Thread(target=self._publish)
        self._publisher.start()
        handler = type("Handler", (_Handler,), {"service": self})
        self._server = ThreadingHTTPServer(ADDRESS, handler)
        self._listener = threading.Thread(target=self._server.serve_forever)
        self._listener.start()

    def ended(self, task_id: uuid.UUID, result: bytes) -> None:
        """Publish the result of a task."""
        self._results.put((self._groups.pop(task_id), result))

    def answer(self, path: str, content: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer to a request; None if there is no such route."""
        if path == "/v2/version":
            return {"api": "1.0.0", "min_sdk_version": "1.0.0", "min_ep_version": "1.0.0"}
        if path == "/v2/get_amqp_result_connection_url":
            return {"queue_prefix": QUEUE_PREFIX, "connection_url": AMQP_URL}
        if path == "/v3/functions":
            name = str(uuid.uuid4())
            self._functions[name] = content["function_code"]
            return {"function_uuid": name}
        if path.startswith("/v3/endpoints/") and path.endswith("/submit"):
            return self._submit(path.split("/")[3], content)
        return None

    def _submit(self, endpoint: str, content: dict[str, Any]) -> dict[str, Any]:
        group = str(content.get("task_group_id") or uuid.uuid4())
        self._results.put((group, None))
        resources = content.get("resource_specification") or {}
        self.submissions.append((resources, content.get("user_endpoint_config")))
        started: dict[str, list[str]] = {}
        for function, calls in content["tasks"].items():
            for call in calls:
                task_id = uuid.uuid4()
                self._groups[task_id] = group
                started.setdefault(function, []).append(str(task_id))
                self._run(task_id, self._functions[function] + call, resources)
        return {
            "request_id": str(uuid.uuid4()),
            "task_group_id": group,
            "endpoint_id": endpoint,
            "tasks": started,
        }

    def _publish(self) -> None:
        channel = self._connection.channel()
        while True:
            group, result = self._results.get()
            if not group:
                break
            name = f"{QUEUE_PREFIX}{group}"
            channel.queue_declare(name, durable=True)
            if result is not None:
                channel.basic_publish("", name, result, pika.BasicProperties(timestamp=int(time.time())))
        self._connection.close()

    def stop(self) -> None:
        """End the threads and close the connections."""
        self._server.shutdown()
        self._server.server_close()
        self._results.put(("", None))
        self._publisher.join()
        self._listener.join()


class _Handler(BaseHTTPRequestHandler):
    service: Service
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._reply({})

    def do_POST(self) -> None:
        self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _reply(self, content: dict[str, Any]) -> None:
        answer = self.service.answer(self.path.partition("?")[0], content)
        body = json.dumps(answer if answer is not None else {"reason": f"no route {self.path}"}).encode()
        self.send_response(404 if answer is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass
