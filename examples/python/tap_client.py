#!/usr/bin/env python3
"""Watches the spans that pass a running collector, over gRPC.

The collector selects: what a filter leaves out never crosses the network. From a terminal,

    python tap_client.py --endpoint collector:12001 --filter-service checkout --filter-error --duration 30

prints a JSON object for each span on standard output, and the rest (what was lost, why the tap
ended) on standard error. In other code,

    from tap_client import filtered_tap

    for span in filtered_tap("collector:12001", {"service_name": "checkout", "has_error": True}):
        print(span["trace_id"])
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypedDict

from google.protobuf.duration_pb2 import Duration
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from remotetap.v1.tap_pb2 import TapRequest
from tap_connection import Endpoint, Tap, TapError, in_words

log = logging.getLogger(__name__)


class SpanInfo(TypedDict):
    """What is said about a span."""

    service: str  # the resource's service.name, "unknown" if it has none
    name: str
    trace_id: str  # 32 hexadecimal digits
    duration_ms: float | None  # None for a span without an end
    status: int  # as OTLP numbers them: 0 unset, 1 ok, 2 error


class Filters(TypedDict, total=False):
    """What filtered_tap keeps. A filter that is absent, or false, or 0, keeps everything."""

    service_name: str  # may have * and ? for any characters, any character
    min_duration_ms: float
    has_error: bool
    span_name_contains: str  # whatever the case


def stream_traces_from_tap(
    tap_endpoint: str | Endpoint, duration_seconds: float | None = 60, request: TapRequest | None = None
) -> Generator[SpanInfo, None, None]:
    """Yields the spans that pass the collector from now on, for a time; None is until you stop.

    `request` selects further. What is lost on the way is logged as a warning. Raises TapRefused if
    the collector does not let the tap open, and TapError if it ends before its time or cannot be
    reached. Closing the iterator ends the tap.
    """
    with Tap(tap_endpoint, _traces_request(duration_seconds, request)) as tap:
        for response in tap:
            yield from spans_of(response.traces)


def filtered_tap(
    tap_endpoint: str | Endpoint, filters: Filters, duration_seconds: float | None = 60
) -> Generator[SpanInfo, None, None]:
    """Yields the spans that pass all filters, like stream_traces_from_tap.

    The collector does the filtering. Raises ValueError for a filter that does not exist.
    """
    return stream_traces_from_tap(tap_endpoint, duration_seconds, request_of(filters))


def top_error_groups(
    tap_endpoint: str | Endpoint, duration_seconds: float = 60, top: int = 10
) -> list[tuple[str, int]]:
    """Counts the spans with errors by "service/span name", and returns the most frequent, first first.

    Blocks for the duration. Raises what stream_traces_from_tap raises.
    """
    errors = filtered_tap(tap_endpoint, {"has_error": True}, duration_seconds)
    return Counter(f"{e['service']}/{e['name']}" for e in errors).most_common(top)


def count_spans_from_tap(tap_endpoint: str | Endpoint, duration: float = 60, point: str = "") -> int:
    """Returns how many spans pass a tap point of the collector in a time, a minute by default.

    The collector counts, and sends no span (format "none"): so the number is exact, however many
    there are. It is `seen` of the tap's account, which also has what the tap had no time to look at.

    `point` is the id in the collector's configuration. It may be left out where there is only one:
    a span that passes two would count twice, so that is refused with a ValueError. Blocks for the
    duration. Raises what stream_traces_from_tap raises; a count that was cut short is no count.
    """
    request = _traces_request(duration, TapRequest(format="none", point=[point] if point else []))
    with Tap(tap_endpoint, request, on_open=_one_point) as tap:
        for _ in tap:
            pass  # nothing comes but the account, which the tap keeps
        return tap.ledger.seen


def request_of(filters: Filters) -> TapRequest:
    """Returns the request that makes the collector apply the filters."""
    if unknown := sorted(filters.keys() - Filters.__annotations__.keys()):
        raise ValueError(f"unknown filter {unknown[0]!r}; there are {', '.join(Filters.__annotations__)}")
    request = TapRequest()
    if service := filters.get("service_name"):
        request.service.append(service)
    if name := filters.get("span_name_contains"):
        request.name.append(name)
    if shortest := filters.get("min_duration_ms"):
        request.min_duration.CopyFrom(_duration(shortest / 1000))
    if filters.get("has_error"):
        request.error = True
    return request


def spans_of(traces: TracesData) -> Iterator[SpanInfo]:
    """Yields the spans of an OTLP document."""
    for resource_spans in traces.resource_spans:
        attributes = {a.key: a.value.string_value for a in resource_spans.resource.attributes}
        service = attributes.get("service.name") or "unknown"
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield _info(service, span)


def _info(service: str, span: Span) -> SpanInfo:
    ended = span.end_time_unix_nano != 0
    return {
        "service": service,
        "name": span.name,
        "trace_id": span.trace_id.hex(),
        "duration_ms": (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6 if ended else None,
        "status": span.status.code,
    }


def _traces_request(duration_seconds: float | None, further: TapRequest | None) -> TapRequest:
    request = TapRequest(signal=["traces"], stats=_duration(1))
    if duration_seconds is not None:
        request.duration.CopyFrom(_duration(duration_seconds))
    if further is not None:
        request.MergeFrom(further)
    return request


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration


def _one_point(points: list[str]) -> None:
    if len(points) > 1:
        raise ValueError(f"a span would count at each of these points: {', '.join(points)}; name one as `point`")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command, and returns its exit status: 0 also after Ctrl-C, 1 if the tap failed."""
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="tap_client: %(message)s", stream=sys.stderr)
    try:
        tap = Tap(_endpoint(options), _request(options), on_open=_say_open)
    except (OSError, ValueError) as error:  # a certificate that cannot be read, an impossible option
        parser.error(str(error))
    try:
        with tap:
            _print_spans(tap)
    except KeyboardInterrupt:
        log.info("stopped; %s", in_words(tap.ledger))
    except BrokenPipeError:  # whoever read has left, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except TapError as error:
        log.error("%s", error)
        return 1
    return 0


def _print_spans(tap: Tap) -> None:
    for response in tap:
        for span in spans_of(response.traces):
            print(json.dumps(span), flush=True)


def _say_open(points: list[str]) -> None:
    log.info("watching %s; Ctrl-C stops", ", ".join(points))


def _endpoint(options: argparse.Namespace) -> Endpoint:
    token = Path(options.token_file).read_text(encoding="utf-8").strip() if options.token_file else ""
    return Endpoint.parse(
        options.endpoint,
        ca_file=options.cacert,
        cert_file=options.cert,
        key_file=options.key,
        server_name=options.server_name,
        token=token,
    )


def _request(options: argparse.Namespace) -> TapRequest:
    request = request_of(
        {
            "service_name": options.filter_service,
            "min_duration_ms": options.min_duration_ms,
            "has_error": options.filter_error,
            "span_name_contains": options.name_contains,
        }
    )
    request.point.extend(options.point)
    request.where.extend(options.where)
    if options.count:
        request.count = options.count
    return _traces_request(options.duration, request)


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value

    number.__name__ = kind.__name__  # what argparse calls it when kind refuses
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Prints a JSON object for each span that passes a running collector.",
        epilog="Filters are AND, and the collector applies them. Without --duration and --count it "
        "prints until Ctrl-C.",
    )
    add = parser.add_argument
    add("--endpoint", metavar="HOST:PORT", default="localhost:12001", help="the tap; https://HOST:PORT for TLS")
    add("--filter-service", metavar="NAME", default="", help="spans of this service; * is any run of characters")
    add("--filter-error", action="store_true", help="spans with status Error")
    add("--min-duration-ms", metavar="MS", type=_positive(float), default=0.0, help="spans at least this long")
    add("--name-contains", metavar="TEXT", default="", help="spans with TEXT in their name, whatever the case")
    add("--point", metavar="ID", action="append", default=[], help="at this tap point; may be given again")
    add("--where", metavar="OTTL", action="append", default=[], help="spans for which this condition holds")
    add("--duration", metavar="SECONDS", type=_positive(float), help="stop after this time")
    add("--count", metavar="N", type=_positive(int), default=0, help="stop after N spans")
    tls = parser.add_argument_group("TLS and credentials")
    add = tls.add_argument
    add("--cacert", metavar="FILE", default="", help="the authority of the tap's certificate (PEM)")
    add("--cert", metavar="FILE", default="", help="the certificate to show to the tap (PEM)")
    add("--key", metavar="FILE", default="", help="its key (PEM)")
    add("--server-name", metavar="NAME", default="", help="the name in the tap's certificate, if not HOST")
    add("--token-file", metavar="FILE", default="", help="a file with a bearer token")
    return parser


if __name__ == "__main__":
    sys.exit(main())
