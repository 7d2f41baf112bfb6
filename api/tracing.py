"""The spans of requests, if anything is traced: the framework makes them, and what is submitted takes its own along."""

from fastapi.telemetry import TelemetryConfig
from opentelemetry.trace import TracerProvider, get_current_span

PROBED = frozenset({"/livez", "/readyz", "/metrics"})  # asked for again and again, and of no interest in a trace
QUERY = "url.query"


def telemetry(provider: TracerProvider | None) -> TelemetryConfig:
    """Return what the framework is to make of its own telemetry: spans, and no log that quotes what was sent."""
    return {
        "tracer_provider": provider,
        "tracing": provider is not None,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
        "exclude": lambda scope: scope.get("path") in PROBED,
    }


def submitting() -> str:
    """Return the span of the request that is served, as W3C writes it (traceparent); empty if there is none.

    Its query is struck out, which the framework has put into it: a callback's URL may hold a secret.
    """
    span = get_current_span()
    if QUERY in (getattr(span, "attributes", None) or {}):
        span.set_attribute(QUERY, "REDACTED")
    context = span.get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def untraced() -> str:
    """Return what `submitting` does where nothing is traced."""
    return ""
