"""The clients of examples/python."""

from __future__ import annotations

import json
import re
import signal

from check import TAP_CLIENT, Check, Client, needs, split
from tools import EXAMPLES, HERE, PYTHON


class Python(Check):
    def watch_from_python(self, call: str) -> Client:
        """Starts Python to print what a function of tap_client returns, as JSON."""
        program = f"import json, tap_client; print(json.dumps(tap_client.{call}))"
        return self.watch(str(PYTHON), "-c", program)

    @needs("python packages")
    def test_units(self) -> None:
        """The tests of examples/python pass"""
        result = self.run_client(str(PYTHON), "-m", "unittest", "discover", "-s", str(EXAMPLES)).finish()
        self.assertEqual(result.status, 0, result.errors)
        self.assertRegex(result.errors, r"\nRan [1-9]\d+ tests in .*\n\nOK\n")

    @needs("python packages")
    def test_style(self) -> None:
        """The Python of examples/python and of these checks is formatted, and ruff finds nothing"""
        options = ("--quiet", "--no-cache", "--config", str(HERE / "ruff.toml"), str(EXAMPLES), str(HERE))
        for command in (("check", "--output-format=concise"), ("format", "--check")):
            result = self.run_client(str(PYTHON), "-m", "ruff", *command, *options).finish()
            self.assertEqual((result.status, result.output + result.errors), (0, ""))

    @needs("python packages")
    def test_tap_client(self) -> None:
        """tap_client.py prints the slow failed payments of the Python SDK, and nothing else"""
        filters = ("--filter-service", self.service, "--filter-error", "--min-duration-ms", "1000")
        arguments = ("--endpoint", self.collector.tap, *filters, "--name-contains", "payment", "--duration", "30")
        client = self.watch(str(PYTHON), TAP_CLIENT, *arguments, "--count", "5")
        self.load.shop(self.service)
        result = client.finish()
        self.assertEqual(result.status, 0)
        lines = result.lines()
        trace_ids = {line.pop("trace_id") for line in lines}
        self.assertEqual(len(trace_ids), 5)
        self.assertTrue(all(re.fullmatch("[0-9a-f]{32}", trace_id) for trace_id in trace_ids))
        payment = {"service": self.service, "name": "POST /Payment", "duration_ms": 1500.0, "status": 2}
        self.assertEqual(lines, [payment] * 5)
        self.assertRegex(result.errors, r"the tap ended: count_reached; \d+ seen, 5 matched, 5 sent\n")
        self.assertEqual(self.ended()["reason"], "count_reached")

    @needs("python packages")
    def test_tap_client_interrupted(self) -> None:
        """tap_client.py leaves at Ctrl-C, and that is no failure"""
        arguments = ("--endpoint", self.collector.tap, "--filter-service", self.service)
        client = self.watch(str(PYTHON), TAP_CLIENT, *arguments)
        client.wait_until_it_says("watching")
        client.process.send_signal(signal.SIGINT)
        result = client.finish()
        self.assertEqual((result.status, result.output), (0, ""))
        self.assertIn("tap_client: stopped; ", result.errors)
        self.assertNotIn("Traceback", result.errors)
        self.assertEqual(self.ended()["reason"], "client_closed")

    @needs("python packages")
    def test_tap_client_refused(self) -> None:
        """tap_client.py says in one line what is refused, and what to write instead"""
        arguments = ("--endpoint", self.collector.tap, "--where", 'attributes["a"] == 1')
        result = self.run_client(str(PYTHON), TAP_CLIENT, *arguments).finish()
        self.assertEqual((result.status, result.output, len(result.errors.splitlines())), (1, "", 1))
        self.assertRegex(result.errors, "^tap_client: refused: where: .*span.attributes")

    @needs("python packages")
    def test_count(self) -> None:
        """count_spans_from_tap counts the spans that pass a point, without getting them"""
        call = f"count_spans_from_tap('{self.collector.tap}', duration=5, point='remote_tap/quiet')"
        client = self.watch_from_python(call)
        self.load.spans(self.service, traces=150, receiver="otlp/quiet")
        result = client.finish()
        self.assertEqual((result.status, result.output, result.errors), (0, "300\n", ""))
        self.assertEqual((self.ended()["seen"], self.ended()["bytes"]), (300, 0))
        self.assertEqual(self.ended()["reason"], "duration_reached")

    @needs("python packages")
    def test_groups(self) -> None:
        """top_error_groups names the spans that fail most often, with their service"""
        client = self.watch_from_python(f"top_error_groups('{self.collector.tap}', 5, top=3)")
        one, two = f"{self.service}-one", f"{self.service}-two"
        self.load.spans(one, traces=4, status="Error")
        self.load.spans(two, traces=7, status="Error")
        self.load.spans(two, traces=9)
        result = client.finish()
        self.assertEqual((result.status, result.errors), (0, ""))
        groups = json.loads(result.output)
        self.assertEqual({name for name, _ in groups[:2]}, {f"{two}/lets-go", f"{two}/okey-dokey-0"})
        self.assertEqual([count for _, count in groups], [7, 7, 4])

    @needs("python packages")
    def test_tap_ws(self) -> None:
        """tap_ws.py prints exactly the errors of one service, over a WebSocket"""
        url = f"ws://{self.collector.tap}/v1/traces?{self.selection()}"
        client = self.watch(str(PYTHON), str(EXAMPLES / "tap_ws.py"), url)
        self.send_errors_of_the_service()
        result = client.finish()
        self.assertEqual(result.status, 0)
        self.assertRegex(result.errors, "^count_reached: sent 30 of 30 matched")
        documents, accounts = split(result.lines())
        self.assert_errors_of_the_service(documents)
        self.assert_account(accounts, matched=30, at_least_seen=50)
