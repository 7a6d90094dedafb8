"""An application with the OpenTelemetry SDK: python shop.py OTLP_ENDPOINT SERVICE.

Sends 20 spans, of which 5 are payments that took more than a second and failed; 10 log records; and
a counter, which is one data point. Ends when the collector has it all.
"""

import logging
import sys
import time

from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

# Name, milliseconds and status of the spans; there are five of each.
SPANS = (
    ("POST /Payment", 1500, StatusCode.ERROR),
    ("POST /Payment", 200, StatusCode.ERROR),
    ("POST /Payment", 1500, StatusCode.OK),
    ("POST /cart", 1500, StatusCode.ERROR),
)


def main(endpoint: str, service: str) -> None:
    resource = Resource.create({"service.name": service})
    send_spans(resource, OTLPSpanExporter(endpoint=endpoint, insecure=True))
    send_records(resource, OTLPLogExporter(endpoint=endpoint, insecure=True))
    send_data_point(resource, OTLPMetricExporter(endpoint=endpoint, insecure=True))


def send_spans(resource: Resource, exporter: OTLPSpanExporter) -> None:
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("shop")
    for _ in range(5):
        for name, milliseconds, status in SPANS:
            start = time.time_ns()
            span = tracer.start_span(name, kind=SpanKind.SERVER, start_time=start, attributes={"http.route": name})
            span.set_status(Status(status))
            span.end(start + milliseconds * 1_000_000)
    provider.shutdown()


def send_records(resource: Resource, exporter: OTLPLogExporter) -> None:
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = logging.getLogger("shop")
    logger.addHandler(LoggingHandler(logger_provider=provider))
    for order in range(10):
        logger.warning("payment of order %d failed", order)
    provider.shutdown()


def send_data_point(resource: Resource, exporter: OTLPMetricExporter) -> None:
    reader = PeriodicExportingMetricReader(exporter)
    provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    provider.get_meter("shop").create_counter("orders").add(20)
    provider.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
