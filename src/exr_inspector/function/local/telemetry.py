"""Metrics and traces of a process by OpenTelemetry: for Prometheus, and by OTLP if an endpoint is configured."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from ... import __version__

CONTENT_TYPE = CONTENT_TYPE_LATEST
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
        self._traces = TracerProvider(resource=resource)
        if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
            readers.append(_otlp_reader())
            self._traces.add_span_processor(_otlp_spans())
        self._metrics = MeterProvider(resource=resource, metric_readers=readers)
        self.meter = self._metrics.get_meter(_SCOPE, __version__)
        self.tracer = self._traces.get_tracer(_SCOPE, __version__)

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

    def close(self) -> None:
        """Export what has not been exported."""
        self._metrics.shutdown()
        self._traces.shutdown()


def _otlp_reader() -> Any:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    return PeriodicExportingMetricReader(OTLPMetricExporter())


def _otlp_spans() -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(OTLPSpanExporter())
