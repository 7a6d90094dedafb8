"""Tests tap_client.py against a tap in this process: python -m unittest, in this directory."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import socket
import tempfile
import threading
import unittest
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from google.protobuf.any_pb2 import Any
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

import tap_client
from remotetap.v1 import tap_pb2_grpc
from remotetap.v1.tap_pb2 import End, Holder, Ledger, Refusal, Stats, TapRequest, TapResponse
from tap_connection import Endpoint, TapError, TapRefused

Script = Callable[[grpc.ServicerContext], Iterator[TapResponse]]


class FakeTap(tap_pb2_grpc.TapServiceServicer):
    """A tap that does what a test tells it to, and remembers what it was asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.request = TapRequest()
        self.metadata: dict[str, str] = {}
        self.left = threading.Event()  # set when the client's call is over

    def Tap(self, request: TapRequest, context: grpc.ServicerContext) -> Iterator[TapResponse]:
        self.request = request
        self.metadata = dict(context.invocation_metadata())
        context.add_callback(self.left.set)
        yield from self.script(context)


class ClientTest(unittest.TestCase):
    """Has what all tests need: a tap to talk to, and the log that goes to standard error."""

    def setUp(self) -> None:
        self.log = self.enterContext(self.assertLogs(level=logging.INFO))
        logging.getLogger().info("so that a test without a word is fine too")

    def serve(self, script: Script) -> tuple[FakeTap, str]:
        """Starts a tap and returns it and its address. It ends with the test."""
        fake = FakeTap(script)
        server = grpc.server(ThreadPoolExecutor(max_workers=2))
        tap_pb2_grpc.add_TapServiceServicer_to_server(fake, server)
        port = server.add_insecure_port("localhost:0")
        server.start()
        self.addCleanup(lambda: server.stop(grace=None).wait())
        return fake, f"localhost:{port}"

    def run_command(self, *arguments: str) -> tuple[int, list[dict[str, object]]]:
        """Runs the command, and returns its status and the objects that it printed."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            status = tap_client.main(list(arguments))
        return status, [json.loads(line) for line in output.getvalue().splitlines()]

    def said(self) -> str:
        return "\n".join(record.getMessage() for record in self.log.records[1:])


def span(name: str, milliseconds: float = 1, status: int = 0) -> Span:
    start = 1_700_000_000_000_000_000
    end = start + round(milliseconds * 1e6) if milliseconds else 0
    return Span(
        name=name,
        trace_id=bytes(range(16)),
        start_time_unix_nano=start,
        end_time_unix_nano=end,
        status={"code": status},
    )


def spans(service: str, *of_it: Span) -> TapResponse:
    resource = {"attributes": [{"key": "service.name", "value": {"string_value": service}}]} if service else {}
    scope = ScopeSpans(spans=of_it)
    return TapResponse(traces=TracesData(resource_spans=[ResourceSpans(resource=resource, scope_spans=[scope])]))


def stats(points: tuple[str, ...] = ("remote_tap",), hints: tuple[str, ...] = (), **account: object) -> TapResponse:
    return TapResponse(stats=Stats(ledger=Ledger(**account), points=points, hints=hints))


def end(reason: str, **account: object) -> TapResponse:
    return TapResponse(end=End(reason=reason, ledger=Ledger(**account)))


def says(*responses: TapResponse) -> Script:
    """A tap that says this, and is over."""
    return lambda context: iter(responses)


def refuses(code: grpc.StatusCode, refusal: Refusal) -> Script:
    """A tap that refuses, with the refusal in a google.rpc.Status as collectors send it."""

    def script(context: grpc.ServicerContext) -> Iterator[TapResponse]:
        detail = Any()
        detail.Pack(refusal)
        packed = detail.SerializeToString()
        assert len(packed) < 0x80 * 0x80
        length = bytes([len(packed) & 0x7F | 0x80, len(packed) >> 7])  # a varint
        status = bytes([0x08, code.value[0]]) + b"\x12\x02no" + b"\x1a" + length + packed  # code, message, details
        context.set_trailing_metadata((("grpc-status-details-bin", status),))
        context.abort(code, refusal.error)
        yield from ()

    return script


def breaks_off(code: grpc.StatusCode, details: str, *responses: TapResponse) -> Script:
    """A tap that says this, and ends with a status that is not OK."""

    def script(context: grpc.ServicerContext) -> Iterator[TapResponse]:
        yield from responses
        context.abort(code, details)

    return script


class TestStream(ClientTest):
    def test_a_span_becomes_an_object_with_five_keys(self) -> None:
        _, address = self.serve(says(spans("checkout", span("POST /pay", 1250.5, status=2)), end("duration_reached")))
        self.assertEqual(
            list(tap_client.stream_traces_from_tap(address)),
            [
                {
                    "service": "checkout",
                    "name": "POST /pay",
                    "trace_id": "000102030405060708090a0b0c0d0e0f",
                    "duration_ms": 1250.5,
                    "status": 2,
                }
            ],
        )

    def test_a_span_without_service_or_end_says_so(self) -> None:
        _, address = self.serve(says(spans("", span("a", milliseconds=0)), end("duration_reached")))
        (only,) = tap_client.stream_traces_from_tap(address)
        self.assertEqual((only["service"], only["duration_ms"]), ("unknown", None))

    def test_the_duration_is_the_collectors_to_keep(self) -> None:
        fake, address = self.serve(says(end("duration_reached")))
        list(tap_client.stream_traces_from_tap(address))
        self.assertEqual(fake.request.duration.ToMilliseconds(), 60_000)
        list(tap_client.stream_traces_from_tap(address, 0.25))
        self.assertEqual(fake.request.duration.ToMilliseconds(), 250)
        list(tap_client.stream_traces_from_tap(address, None))
        self.assertFalse(fake.request.HasField("duration"))

    def test_only_traces_are_asked_for_and_the_account_each_second(self) -> None:
        fake, address = self.serve(says(end("duration_reached")))
        list(tap_client.stream_traces_from_tap(address))
        self.assertEqual(list(fake.request.signal), ["traces"])
        self.assertEqual(fake.request.stats.ToMilliseconds(), 1_000)

    def test_closing_the_iterator_ends_the_tap(self) -> None:
        def forever(context: grpc.ServicerContext) -> Iterator[TapResponse]:
            while context.is_active():
                yield spans("checkout", span("a"))

        fake, address = self.serve(forever)
        stream = tap_client.stream_traces_from_tap(address)
        next(stream)
        stream.close()
        self.assertTrue(fake.left.wait(20))

    def test_what_a_later_version_sends_is_ignored(self) -> None:
        _, address = self.serve(says(TapResponse(), end("duration_reached")))
        self.assertEqual(list(tap_client.stream_traces_from_tap(address)), [])

    def test_an_end_before_the_time_is_an_error_after_what_came(self) -> None:
        script = breaks_off(grpc.StatusCode.UNAVAILABLE, "", spans("a", span("b")), end("shutdown"))
        _, address = self.serve(script)
        stream = tap_client.stream_traces_from_tap(address)
        self.assertEqual(next(stream)["name"], "b")
        with self.assertRaisesRegex(TapError, "before its time: shutdown: the collector stops"):
            next(stream)


class TestFilters(ClientTest):
    def test_the_collector_is_asked_to_filter(self) -> None:
        fake, address = self.serve(says(end("duration_reached")))
        filters: tap_client.Filters = {
            "service_name": "checkout",
            "min_duration_ms": 1000.5,
            "has_error": True,
            "span_name_contains": "payment",
        }
        self.assertEqual(list(tap_client.filtered_tap(address, filters)), [])
        self.assertEqual(list(fake.request.service), ["checkout"])
        self.assertEqual(list(fake.request.name), ["payment"])
        self.assertEqual(fake.request.min_duration.ToMicroseconds(), 1_000_500)
        self.assertIs(fake.request.error, True)

    def test_filters_that_say_nothing_filter_nothing(self) -> None:
        nothing: tap_client.Filters = {
            "service_name": "",
            "min_duration_ms": 0,
            "has_error": False,
            "span_name_contains": "",
        }
        self.assertEqual(tap_client.request_of(nothing), TapRequest())

    def test_a_filter_that_does_not_exist_is_named_with_those_that_do(self) -> None:
        with self.assertRaisesRegex(ValueError, "'servce'; there are service_name, min_duration_ms"):
            tap_client.filtered_tap("localhost:1", {"servce": "checkout"})  # type: ignore[typeddict-unknown-key]


class TestScenarios(ClientTest):
    def test_errors_are_counted_by_service_and_name_the_most_frequent_first(self) -> None:
        fake, address = self.serve(
            says(
                spans("cart", span("add", status=2)),
                spans("checkout", span("pay", status=2), span("pay", status=2), span("ship", status=2)),
                spans("cart", span("add", status=2), span("add", status=2)),
                end("duration_reached"),
            )
        )
        self.assertEqual(tap_client.top_error_groups(address, top=2), [("cart/add", 3), ("checkout/pay", 2)])
        self.assertIs(fake.request.error, True)

    def test_a_count_is_what_the_collector_has_seen_and_no_span_is_sent(self) -> None:
        fake, address = self.serve(says(stats(), end("duration_reached", seen=1_000_000, skipped=10, matched=999_990)))
        self.assertEqual(tap_client.count_spans_from_tap(address, duration=60), 1_000_000)
        self.assertEqual(fake.request.format, "none")
        self.assertEqual(fake.request.duration.ToSeconds(), 60)

    def test_a_count_names_the_point_that_it_is_of(self) -> None:
        fake, address = self.serve(says(stats(("remote_tap/after",)), end("duration_reached", seen=7)))
        self.assertEqual(tap_client.count_spans_from_tap(address, point="remote_tap/after"), 7)
        self.assertEqual(list(fake.request.point), ["remote_tap/after"])

    def test_a_count_over_two_points_is_refused_as_spans_would_count_twice(self) -> None:
        _, address = self.serve(says(stats(("remote_tap", "remote_tap/after")), end("duration_reached", seen=14)))
        with self.assertRaisesRegex(ValueError, "remote_tap, remote_tap/after; name one"):
            tap_client.count_spans_from_tap(address)

    def test_a_count_that_is_cut_short_is_no_count(self) -> None:
        _, address = self.serve(breaks_off(grpc.StatusCode.UNAVAILABLE, "", stats(), end("shutdown", seen=7)))
        with self.assertRaises(TapError):
            tap_client.count_spans_from_tap(address)


class TestCommand(ClientTest):
    def test_all_options_reach_the_collector(self) -> None:
        fake, address = self.serve(says(end("duration_reached")))
        filters = "--filter-service checkout --filter-error --min-duration-ms 1000 --name-contains payment"
        further = ["--duration", "30", "--count", "7", "--point", "remote_tap", "--where", "span.kind == 2"]
        status, printed = self.run_command("--endpoint", address, *filters.split(), *further)
        self.assertEqual((status, printed), (0, []))
        request = TapRequest(
            point=["remote_tap"],
            signal=["traces"],
            service=["checkout"],
            name=["payment"],
            error=True,
            where=["span.kind == 2"],
            count=7,
        )
        request.min_duration.FromSeconds(1)
        request.duration.FromSeconds(30)
        request.stats.FromSeconds(1)
        self.assertEqual(fake.request, request)

    def test_it_prints_an_object_a_span_and_says_how_it_ended(self) -> None:
        account = {"seen": 9, "unmatched": 6, "matched": 3, "sent": 2, "dropped": {"rate_limit": 1, "overhead": 0}}
        script = says(stats(), spans("a", span("b"), span("c")), end("duration_reached", **account))
        _, address = self.serve(script)
        status, printed = self.run_command("--endpoint", address)
        self.assertEqual(status, 0)
        self.assertEqual([line["name"] for line in printed], ["b", "c"])
        self.assertIn("watching remote_tap", self.said())
        self.assertIn("duration_reached; 9 seen, 3 matched, 2 sent, 1 not sent by rate_limit", self.said())

    def test_losses_are_reported_when_they_grow_and_hints_once(self) -> None:
        hint = "error=true alone would match"
        lossy = stats(hints=(hint,), dropped={"queue_full": 5})
        _, address = self.serve(says(stats(), lossy, lossy, end("duration_reached")))
        self.run_command("--endpoint", address)
        self.assertEqual(self.said().count("lost 5 so far by queue_full: this client reads too slowly"), 1)
        self.assertEqual(self.said().count(hint), 1)

    def test_a_refusal_is_one_line_with_the_hint(self) -> None:
        refusal = Refusal(error="no point is called x", parameter="point", hint="there is remote_tap")
        _, address = self.serve(refuses(grpc.StatusCode.INVALID_ARGUMENT, refusal))
        status, _ = self.run_command("--endpoint", address, "--point", "x")
        self.assertEqual(status, 1)
        self.assertEqual(self.said(), "refused: no point is called x; there is remote_tap")

    def test_a_refusal_names_who_holds_the_taps(self) -> None:
        held = Refusal(error="all 1 taps are taken", taps=[Holder(remote="10.0.0.7:41234", since={"seconds": 0})])
        _, address = self.serve(refuses(grpc.StatusCode.RESOURCE_EXHAUSTED, held))
        with self.assertRaises(TapRefused) as caught:
            list(tap_client.stream_traces_from_tap(address))
        self.assertEqual(caught.exception.refusal, held)
        self.assertIn("10.0.0.7:41234 since 1970-01-01T00:00:00Z", str(caught.exception))

    def test_a_tap_that_ends_before_its_time_makes_the_command_fail(self) -> None:
        script = breaks_off(grpc.StatusCode.DEADLINE_EXCEEDED, "", stats(), end("max_duration"))
        _, address = self.serve(script)
        status, _ = self.run_command("--endpoint", address)
        self.assertEqual(status, 1)
        self.assertIn("before its time: max_duration: the collector allows no longer taps", self.said())

    def test_nobody_there_is_an_error_with_the_address(self) -> None:
        taken = self.enterContext(socket.socket())
        taken.bind(("127.0.0.1", 0))  # nobody else has this port, and nobody listens on it
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, _ = self.run_command("--endpoint", address)
        self.assertEqual(status, 1)
        self.assertIn(f"never reached {address}", self.said())

    def test_ctrl_c_ends_the_tap_and_is_no_failure(self) -> None:
        def interrupted(context: grpc.ServicerContext) -> Iterator[TapResponse]:
            yield stats(seen=4, matched=4, sent=4)
            yield spans("a", span("b"))
            while context.is_active():
                yield TapResponse()

        class Terminal(io.StringIO):
            """Where the first line makes the user press Ctrl-C."""

            def flush(self) -> None:
                raise KeyboardInterrupt

        fake, address = self.serve(interrupted)
        with contextlib.redirect_stdout(Terminal()):
            status = tap_client.main(["--endpoint", address])
        self.assertEqual(status, 0)
        self.assertTrue(fake.left.wait(20))
        self.assertIn("stopped; 4 seen, 4 matched, 4 sent", self.said())

    def test_options_that_cannot_be_are_refused_before_anything_is_sent(self) -> None:
        for options, what in {
            ("--duration", "0"): "0 is not above 0",
            ("--duration", "soon"): "invalid float value: 'soon'",
            ("--count", "1.5"): "invalid int value: '1.5'",
            ("--min-duration-ms", "-3"): "-3 is not above 0",
            ("--endpoint", "ws://collector:12001"): "write HOST:PORT",
            ("--endpoint", "http://collector:12001", "--cacert", "ca.crt"): "this is plain text",
            ("--cert", "client.crt"): "give both",
            ("--cacert", "/no/such/ca.crt"): "No such file or directory: '/no/such/ca.crt'",
            ("--token-file", "/no/such/token"): "No such file or directory: '/no/such/token'",
        }.items():
            errors = io.StringIO()
            with self.subTest(options), contextlib.redirect_stderr(errors), self.assertRaises(SystemExit) as caught:
                tap_client.main(list(options))
            self.assertEqual(caught.exception.code, 2)
            self.assertIn(what, errors.getvalue())


class TestEndpoint(ClientTest):
    def test_how_it_is_written_decides_about_tls(self) -> None:
        for text, certificates, tls in (
            ("collector:12001", {}, False),
            ("http://collector:12001", {}, False),
            ("https://collector:12001/", {}, True),
            ("collector:12001", {"ca_file": "ca.crt"}, True),
            ("collector:12001", {"cert_file": "client.crt", "key_file": "client.key"}, True),
        ):
            with self.subTest(text, **certificates):
                endpoint = Endpoint.parse(text, **certificates)
                self.assertEqual((endpoint.address, endpoint.tls), ("collector:12001", tls))

    def test_a_token_goes_with_the_call(self) -> None:
        fake, address = self.serve(says(end("duration_reached")))
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory, "token")
            file.write_text("s3cret\n", encoding="utf-8")
            self.run_command("--endpoint", address, "--token-file", str(file))
        self.assertEqual(fake.metadata["authorization"], "Bearer s3cret")


if __name__ == "__main__":
    unittest.main()
