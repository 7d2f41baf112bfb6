"""The spans of what a child computes: one for each attempt, or for each batch, if anything is traced at all.

A span is a part of the trace of the request that brought the task: its traceparent comes with the claim. Of a batch
there are many, so its span is a trace of its own, with a link to each.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from shared.ledger.records import Claim, Ended
from shared.queue import queue_name
from shared.task import TaskError
from shared.trace import Tracing, close

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Link, Span

CLOSE_SECONDS = 1.0  # a child that ends may take so long to send its last spans
BROKEN_BATCH = "batch_failed"


class SpanOfAttempts(Protocol):
    """What is told of the attempts that a span is of."""

    def end(self, ended: Sequence[Ended] | None) -> None:
        """Note how they ended; None: not at all, each is computed alone next."""


class Spans(Protocol):
    """What a runner has spans from."""

    def of(self, claims: Sequence[Claim]) -> AbstractContextManager[SpanOfAttempts]:
        """Return the span in which these are computed together."""

    def close(self) -> None:
        """Send what is left."""


class NoSpans:
    """Nothing is traced; this costs nothing."""

    def of(self, claims: Sequence[Claim]) -> "NoSpans":  # noqa: ARG002 (of Spans)
        """Return a span that is none."""
        return self

    def __enter__(self) -> "NoSpans":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def end(self, ended: Sequence[Ended] | None) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class ChildSpans:
    """The spans of one child. Make it in the child: what sends them is a thread."""

    def __init__(self, provider: "TracerProvider", worker: str) -> None:
        from opentelemetry import trace  # noqa: PLC0415 (only where something is traced)
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._trace = trace
        self._read = TraceContextTextMapPropagator().extract
        self._provider = provider
        self._tracer = provider.get_tracer("penstock")
        self._worker = worker

    @contextmanager
    def of(self, claims: Sequence[Claim]) -> Iterator[SpanOfAttempts]:
        """Return the span in which these are computed. It is current there: what the model traces itself is below."""
        span = self._start(claims)
        with self._trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            yield _ChildSpan(span)

    def close(self) -> None:
        """Send what is left, within CLOSE_SECONDS."""
        close(self._provider, CLOSE_SECONDS)

    def _start(self, claims: Sequence[Claim]) -> "Span":
        parent, links = self._origin(claims)
        return self._tracer.start_span(
            f"process {claims[0].model}",
            context=parent,
            kind=self._trace.SpanKind.CONSUMER,
            attributes={**attributes(claims), "penstock.worker": self._worker},
            links=links,
        )

    def _origin(self, claims: Sequence[Claim]) -> "tuple[Context, list[Link]]":
        """Return what the span is a part of, and what it is linked to."""
        origins = [self._read({"traceparent": claim.traceparent}) for claim in claims]
        if len(claims) == 1:
            return origins[0], []
        contexts = [self._trace.get_current_span(origin).get_span_context() for origin in origins]
        return self._read({}), [self._trace.Link(context) for context in contexts if context.is_valid]


class _ChildSpan:
    def __init__(self, span: "Span") -> None:
        self._span = span

    def end(self, ended: Sequence[Ended] | None) -> None:
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

        codes = [BROKEN_BATCH] if ended is None else failures(ended)
        if codes:
            self._span.set_attribute("error.type", codes[0])
            self._span.set_status(Status(StatusCode.ERROR, ", ".join(dict.fromkeys(codes))))


def attributes(claims: Sequence[Claim]) -> dict[str, str | int | list[str]]:
    """Return what a span says of the attempts it is of, in OpenTelemetry's words where it has some. Pure."""
    first, *others = claims
    common: dict[str, str | int | list[str]] = {
        "messaging.system": "penstock",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": queue_name(first.model),
        "penstock.model": first.model,
    }
    if others:
        ids = [claim.id for claim in claims]
        return {**common, "messaging.batch.message_count": len(claims), "penstock.task_ids": ids}
    return {**common, "messaging.message.id": first.id, "penstock.task_id": first.id, "penstock.attempt": first.token}


def failures(ended: Sequence[Ended]) -> list[str]:
    """Return the codes of the attempts that have failed. Pure."""
    return [each.outcome.code.value for each in ended if isinstance(each.outcome, TaskError)]


def make_spans(tracing: Tracing | None, worker: str) -> Spans:
    """Return what a child has its spans from; what its models trace by themselves goes the same way."""
    if tracing is None:
        return NoSpans()
    from opentelemetry import trace  # noqa: PLC0415

    provider = tracing.make_provider()
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):  # a model may have set one of its own
        trace.set_tracer_provider(provider)
    return ChildSpans(provider, worker)
