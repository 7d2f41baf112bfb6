"""Traces: OpenTelemetry's SDK, if its own OTEL_* variables ask for it and it is installed (the extra `trace`).

Otherwise nothing of it is imported, and nothing is stored or sent.
"""

import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

EXPORTER, DISABLED = "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SPOKEN = "http/protobuf"
KNOWN = ("otlp", "console")


class TraceError(Exception):
    """Traces are asked for and cannot be had. The message names the variable, and what to do."""


@dataclass(frozen=True, slots=True)
class Tracing:
    """Where the spans of a process go, and under which name."""

    exporters: tuple[str, ...]
    service: str

    def make_provider(self) -> "TracerProvider":
        """Return what makes spans, with a thread that sends them: so after a fork, in the process that is to use it."""
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415 (see above)
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

        named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        resource = Resource.create({} if named else {SERVICE_NAME: self.service})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        for name in self.exporters:
            provider.add_span_processor(_processor(name))
        return provider


def asked_for(environment: Mapping[str, str], service: str) -> Tracing | None:
    """Return what the variables ask for, with everything imported that it needs; None if they ask for nothing.

    Raises:
        TraceError: what they ask for is not known here, or not installed.
    """
    exporters = wanted(environment)
    if not exporters:
        return None
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: PLC0415
        import opentelemetry.sdk.trace.export  # noqa: F401, PLC0415
    except ImportError as error:
        asking = next((name for name in (EXPORTER, *ENDPOINTS) if environment.get(name)), EXPORTER)
        raise TraceError(
            f"{asking} asks for traces, and what sends them is not installed ({error}): "
            'pip install "penstock[trace]", or set OTEL_TRACES_EXPORTER=none'
        ) from None
    return Tracing(exporters, service)


def wanted(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the exporters that the variables ask for: those that are named, or `otlp` if there is an endpoint. Pure.

    Raises:
        TraceError: one is not known here, or its protocol.
    """
    if environment.get(DISABLED, "").strip().lower() == "true":
        return ()
    named = tuple(name.strip().lower() for name in environment.get(EXPORTER, "").split(",") if name.strip())
    if not named and any(environment.get(name) for name in ENDPOINTS):
        named = ("otlp",)
    if "none" in named:
        return ()
    for name in named:
        if name not in KNOWN:
            raise TraceError(f"{EXPORTER}: {name} is not known here; otlp, console and none are")
    if "otlp" in named:
        _require_protocol(environment)
    return named


def trace_id(traceparent: str) -> str:
    """Return the trace that a traceparent of ours is of."""
    return traceparent.split("-")[1]


def close(provider: "TracerProvider", seconds: float) -> None:
    """Send what has not been sent, and give up after so many seconds: a process that ends waits for no collector."""
    thread = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
    thread.start()
    thread.join(seconds)


def _require_protocol(environment: Mapping[str, str]) -> None:
    for name in PROTOCOLS:
        if protocol := environment.get(name, "").strip():
            if protocol != SPOKEN:
                raise TraceError(f"{name}: {protocol} is not spoken here; {SPOKEN} is")
            return


def _processor(exporter: str) -> "SpanProcessor":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415
        BatchSpanProcessor,
        ConsoleSpanExporter,
        SimpleSpanProcessor,
    )

    if exporter == "otlp":
        return BatchSpanProcessor(OTLPSpanExporter())
    # To the true stdout, whatever a model's prints are made of; a line each, as the logs have on stderr.
    out = sys.__stdout__ or sys.stdout
    return SimpleSpanProcessor(ConsoleSpanExporter(out=out, formatter=lambda span: f"{span.to_json(indent=None)}\n"))
