"""Metrics and traces of a process by OpenTelemetry: for Prometheus, and by OTLP if an endpoint is configured."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import context, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from ... import __version__

CONTENT_TYPE = CONTENT_TYPE_LATEST
CLOSE_S = 1.5  # for metrics and spans that have not been exported
_SCOPE = "exr_inspector"


class Telemetry:
    """Providers of OpenTelemetry that no other part of the process uses."""

    def __init__(self, name: str) -> None:
        from opentelemetry.exporter.prometheus import PrometheusMetricReader

        values = {SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME") or name, SERVICE_VERSION: __version__}
        resource = Resource.create(values)
        self._registry = CollectorRegistry()
        readers: list[Any] = [
            PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=self._registry)
        ]
        self._traces: TracerProvider | None = None  # without an exporter, spans are those of the sender
        if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
            readers.append(_otlp_reader())
            self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
            self._traces.add_span_processor(_otlp_spans())
        self._metrics = MeterProvider(resource=resource, metric_readers=readers, shutdown_on_exit=False)
        self.meter = self._metrics.get_meter(_SCOPE, __version__)
        self.tracer = (self._traces or trace.NoOpTracerProvider()).get_tracer(_SCOPE, __version__)

    def exposition(self) -> str:
        """The values of all instruments in the text format of Prometheus."""
        return generate_latest(self._registry).decode()

    @contextmanager
    def joined(self, traceparent: str | None) -> Iterator[None]:
        """Make the sender's span the parent of spans in this block."""
        carrier = {"traceparent": traceparent} if traceparent else {}
        token = context.attach(TraceContextTextMapPropagator().extract(carrier))
        try:
            yield
        finally:
            context.detach(token)

    def carrier(self) -> dict[str, str]:
        """The `traceparent` of the current span; empty without one."""
        values: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(values)
        return {name: value for name, value in values.items() if name == "traceparent"}

    def close(self) -> None:
        """Export what has not been exported, within a time limit."""
        providers = [self._metrics] if self._traces is None else [self._metrics, self._traces]
        threads = [threading.Thread(target=provider.shutdown, daemon=True) for provider in providers]
        for thread in threads:
            thread.start()
        ends_at = time.monotonic() + CLOSE_S
        for thread in threads:
            thread.join(max(ends_at - time.monotonic(), 0))


def _otlp_reader() -> Any:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    return PeriodicExportingMetricReader(OTLPMetricExporter())


def _otlp_spans() -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(OTLPSpanExporter())
