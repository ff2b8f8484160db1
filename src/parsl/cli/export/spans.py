"""The attempts of a run as OpenTelemetry spans, sent to a collector by OTLP over HTTP."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Span, Status, StatusCode, Tracer, set_span_in_context

from parsl.eventlog.attempts import Attempt, Attempts
from parsl.eventlog.records import Record, RunBegan

#: How many spans a request contains.
_BATCH = 512
_NS = 1e9


class ExportError(Exception):
    """The collector has not accepted the spans."""


class _Batches(SpanProcessor):
    """Sends spans in batches, in the thread that ends them: none is dropped, however many there are."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        self.number = 0
        self._exporter = exporter
        self._endpoint = endpoint
        self._spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended."""
        self._spans.append(span)
        if len(self._spans) >= _BATCH:
            self.send()

    def send(self) -> None:
        """Send what has been taken.

        Raises:
            ExportError: The collector does not accept it.
        """
        spans, self._spans = self._spans, []
        if spans and self._exporter.export(spans) is not SpanExportResult.SUCCESS:
            raise ExportError(
                f"{self._endpoint} has not accepted the spans, after {self.number:,} that it has accepted. "
                "Is there a collector for OTLP over HTTP? Its address is like http://localhost:4318/v1/traces"
            )
        self.number += len(spans)


def send_spans(given: Iterable[Record], endpoint: str, exporter: SpanExporter | None = None) -> int:
    """Send the attempts of a run that have ended: a span for the run, and one within it for each attempt.

    Args:
        given: The records of its event log.
        endpoint: The URL to which spans are posted.
        exporter: Where spans go instead; for tests.

    Returns:
        How many spans were sent.

    Raises:
        ExportError: The collector does not accept them.
    """
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # the error has the same
    batches = _Batches(exporter or OTLPSpanExporter(endpoint=endpoint), endpoint)
    attempts = Attempts()
    tracer: Tracer | None = None
    whole: Span | None = None
    for record in given:
        if isinstance(record, RunBegan):
            tracer = _tracer(record, batches)
            whole = tracer.start_span(f"run {record.workflow_name}", start_time=_ns(record.began_s))
        for attempt in attempts.take(record):
            if tracer is not None and whole is not None:
                _end_span(tracer, set_span_in_context(whole), attempt)
    if whole is not None:
        whole.end(end_time=_ns(max(attempts.last_s, attempts.run.began_s if attempts.run else 0.0)))
    batches.send()
    return batches.number


def _tracer(run: RunBegan, batches: _Batches) -> Tracer:
    resource = Resource({
        "service.name": run.workflow_name, "service.version": run.workflow_version,
        "service.instance.id": run.run_id, "host.name": run.host, "process.pid": run.pid,
    })  # fmt: skip
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(batches)
    return provider.get_tracer("parsl", run.parsl_version)


def _end_span(tracer: Tracer, context: Context, attempt: Attempt) -> None:
    """Make the span of an attempt, from its start on the worker to its end."""
    started_s = attempt.started_s if attempt.started_s is not None else attempt.launched_s
    if started_s is None:
        started_s = attempt.ended_s
    attributes: dict[str, str | int | float] = {
        "parsl.task.id": attempt.task,
        "parsl.task.attempt": attempt.number + 1,
        "parsl.task.state": attempt.state,
        "parsl.executor": attempt.executor,
    }
    if attempt.host:
        attributes |= {
            "host.name": attempt.host,
            "parsl.block": attempt.block,
            "parsl.manager": attempt.manager,
        }
    if attempt.worker >= 0:
        attributes["parsl.worker"] = attempt.worker
    if attempt.cpu_s >= 0:
        attributes["parsl.task.cpu_s"] = attempt.cpu_s
    if attempt.peak_memory > 0:
        attributes["parsl.task.peak_memory_bytes"] = attempt.peak_memory
    span = tracer.start_span(attempt.app, context, attributes=attributes, start_time=_ns(started_s))
    if attempt.has_failed:
        span.set_status(
            Status(StatusCode.ERROR, f"{attempt.error}: {attempt.message}" if attempt.error else None)
        )
    span.end(end_time=_ns(max(attempt.ended_s, started_s)))


def _ns(moment_s: float) -> int:
    return int(moment_s * _NS)
