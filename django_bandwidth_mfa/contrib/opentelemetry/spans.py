"""A span around each call to Bandwidth, including the wait for a place.

It is the current span during the call, so instrumentation of ``urllib3`` adds its spans below it.
Instrumentation of ``requests`` adds none, because the client uses no ``requests.Session``.  The
span contains no number, no code, no user and no error message.
"""

from __future__ import annotations

from contextvars import Token
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry import context, trace

from ... import __version__
from ...bandwidth import BandwidthError
from ...signals import BandwidthCall
from ..measurements import outcome_of

__all__ = ["begin_span", "end_span"]

_spans: WeakKeyDictionary[BandwidthCall, tuple[trace.Span, Token[Any]]] = WeakKeyDictionary()


def begin_span(call: BandwidthCall, **kwargs: object) -> None:
    """Receive ``call_began``: begin the span, and make it the current one."""
    tracer = trace.get_tracer("django_bandwidth_mfa", __version__)
    span = tracer.start_span(
        f"bandwidth_mfa {call.operation}",
        kind=trace.SpanKind.CLIENT,
        attributes={
            "bandwidth_mfa.operation": call.operation,
            "bandwidth_mfa.purpose": call.purpose,
        },
    )
    _spans[call] = span, context.attach(trace.set_span_in_context(span))


def end_span(call: BandwidthCall, **kwargs: object) -> None:
    """Receive ``call_ended``: set the outcome of the call, and end the span."""
    span, token = _spans.pop(call)
    context.detach(token)
    try:
        span.set_attribute("bandwidth_mfa.outcome", outcome_of(call))
        span.set_attribute("bandwidth_mfa.waited", call.waited)
        if call.error is not None:
            # Not `record_exception`, because the message of an error may quote secret values.
            span.set_status(trace.StatusCode.ERROR)
            span.set_attribute("error.type", type(call.error).__name__)
        if isinstance(call.error, BandwidthError):
            if call.error.status is not None:
                span.set_attribute("http.response.status_code", call.error.status)
            if call.error.request_id is not None:
                span.set_attribute("bandwidth_mfa.request_id", call.error.request_id)
    finally:
        span.end()
