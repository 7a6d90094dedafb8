"""Tests tap_ws.py against a WebSocket server in this process: python -m unittest, in this directory."""

from __future__ import annotations

import contextlib
import http
import io
import threading
import unittest

from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

import tap_ws

REFUSAL = '{"error":"unknown parameter servce","parameter":"servce","hint":"did you mean service?"}\n'


class TestWebSocket(unittest.TestCase):
    def setUp(self) -> None:
        def refuse(connection: ServerConnection, request: Request) -> Response | None:
            return connection.respond(http.HTTPStatus.BAD_REQUEST, REFUSAL) if "servce" in request.path else None

        def tap(connection: ServerConnection) -> None:
            connection.send('{"resourceSpans":[]}')
            connection.close(1011 if "fail" in connection.request.path else 1000, "how it ended")

        server = self.enterContext(serve(tap, "localhost", 0, process_request=refuse))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        self.url = f"ws://localhost:{server.socket.getsockname()[1]}"

    def watch(self, path: str) -> tuple[int, str, str]:
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            status = tap_ws.main(self.url + path)
        return status, output.getvalue(), errors.getvalue()

    def test_it_prints_a_line_a_message_and_then_how_the_tap_ended(self) -> None:
        self.assertEqual(self.watch("/v1/traces"), (0, '{"resourceSpans":[]}\n', "how it ended\n"))

    def test_an_end_that_is_not_normal_is_a_failure(self) -> None:
        status, output, errors = self.watch("/fail")
        self.assertEqual((status, output), (1, '{"resourceSpans":[]}\n'))
        self.assertIn("how it ended", errors)

    def test_a_refusal_is_printed_as_it_came(self) -> None:
        self.assertEqual(self.watch("/v1/traces?servce=checkout"), (1, "", REFUSAL))


if __name__ == "__main__":
    unittest.main()
