"""Stands in for Globus's transfer service: copies files between directories of this machine."""

from __future__ import annotations

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class GlobusService(ThreadingHTTPServer):
    """The endpoint named ``uuid`` is the directory ``root / uuid``. Transfers fail while ``failures`` > 0."""

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.failures = 0
        self.tasks: dict[str, dict[str, Any]] = {}
        self.looks = 0
        self.tokens: set[str | None] = set()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def transfer(self, data: dict[str, Any]) -> dict[str, Any]:
        task = {"task_id": f"task-{len(self.tasks)}", "status": "ACTIVE", "nice_status": "Queued"}
        self.tasks[task["task_id"]] = task
        (item,) = data["DATA"]
        source = self.root / data["source_endpoint"] / item["source_path"].lstrip("/")
        destination = self.root / data["destination_endpoint"] / item["destination_path"].lstrip("/")
        if self.failures > 0 or not source.exists():
            self.failures -= 1
            self.end = {"status": "FAILED", "fatal_error": {"description": f"cannot read {source.name}"}}
        else:
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, destination)
            self.end = {"status": "SUCCEEDED", "nice_status": None}
        task.update(self.end)
        return task


class _Handler(BaseHTTPRequestHandler):
    server: GlobusService

    def do_GET(self) -> None:
        self.server.tokens.add(self.headers.get("Authorization"))
        if self.path.endswith("/submission_id"):
            self._answer({"value": "submission"})
        else:
            self.server.looks += 1
            self._answer(self.server.tasks[self.path.rpartition("/")[2]])

    def do_POST(self) -> None:
        data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if data["source_endpoint"] == "unknown":
            self._answer({"code": "EndpointNotFound", "message": "no such endpoint"}, 404)
        else:
            self._answer({"task_id": self.server.transfer(data)["task_id"], "code": "Accepted"}, 202)

    def _answer(self, content: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
