"""Attempts as OpenTelemetry spans, received by a collector within the test."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from parsl.cli.main import main
from tests.support.event_logs import BEGAN_S, write_event_log


class Collector(ThreadingHTTPServer):
    """Receives spans by OTLP over HTTP, and answers with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.requests: list[ExportTraceServiceRequest] = []
        self.endpoint = f"http://127.0.0.1:{self.server_port}/v1/traces"

    def spans(self):
        parts = (
            scope
            for request in self.requests
            for part in request.resource_spans
            for scope in part.scope_spans
        )
        return [span for scope in parts for span in scope.spans]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def collector(request):
    server = Collector(getattr(request, "param", 200))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def attributes_of(span):
    values = {one.key: one.value for one in span.attributes}
    return {key: getattr(value, value.WhichOneof("value")) for key, value in values.items()}


def test_each_attempt_is_a_span_within_that_of_the_run(tmp_path, collector, capsys):
    write_event_log(tmp_path, 1200, fail_every=100)
    assert main(["trace", str(tmp_path), "--otlp", collector.endpoint]) == 0
    assert "1,201 spans sent to http://127.0.0.1:" in capsys.readouterr().out
    assert len(collector.requests) == 3
    *attempts, run = collector.spans()
    assert (run.name, run.start_time_unix_nano) == ("run train.py", BEGAN_S * 1e9)
    assert {span.parent_span_id for span in attempts} == {run.span_id}
    assert {span.trace_id for span in attempts} == {run.trace_id}
    [sixth] = [span for span in attempts if attributes_of(span)["parsl.task.id"] == 5]
    assert (sixth.name, sixth.end_time_unix_nano - sixth.start_time_unix_nano) == (
        "app_2", pytest.approx(0.4e9, abs=1e3),
    )  # fmt: skip
    assert attributes_of(sixth) == {
        "parsl.task.id": 5, "parsl.task.attempt": 1, "parsl.task.state": "exec_done",
        "parsl.executor": "htex", "host.name": "x1", "parsl.block": "0", "parsl.manager": "manager-1",
        "parsl.worker": 1, "parsl.task.cpu_s": 0.3, "parsl.task.peak_memory_bytes": 50_000_000,
    }  # fmt: skip
    failed = [span for span in attempts if span.status.code == 2]
    assert len(failed) == 12
    assert failed[0].status.message == "builtins.ValueError: bad input 0"
    service = {
        one.key: one.value.string_value for one in collector.requests[0].resource_spans[0].resource.attributes
    }
    assert service["service.name"] == "train.py"


@pytest.mark.parametrize("collector", [404], indirect=True)
def test_a_collector_that_refuses_is_an_error(tmp_path, collector, capsys):
    write_event_log(tmp_path, 3)
    assert main(["trace", str(tmp_path), "--otlp", collector.endpoint]) == 1
    assert "has not accepted the spans" in capsys.readouterr().err
