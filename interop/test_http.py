"""Clients that speak HTTP."""

from __future__ import annotations

import json

from check import Check, Client, Document, events_of, needs, split
from tools import HERE

# Makes curl write this at the end, on standard error.
WRITE_OUT = ("--write-out", "%{stderr}%{http_version} %{http_code} %{content_type}")


class HTTP(Check):
    def curl(self, path: str, *options: str) -> Client:
        return self.watch("curl", "-sSN", *WRITE_OUT, *options, f"http://{self.collector.tap}{path}")

    def assert_lines(self, client: Client, said: str) -> None:
        self.send_errors_of_the_service()
        result = client.finish()
        self.assertEqual((result.status, result.errors.strip()), (0, said))
        documents, accounts = split(result.lines())
        self.assert_errors_of_the_service(documents)
        self.assert_account(accounts, matched=30, at_least_seen=50)
        self.assertEqual(self.ended()["reason"], "count_reached")

    @needs("curl")
    def test_curl_http1(self) -> None:
        """curl prints exactly the errors of one service, over HTTP/1.1"""
        client = self.curl(f"/v1/traces?{self.selection()}", "--http1.1")
        self.assert_lines(client, "1.1 200 application/x-ndjson")

    @needs("curl")
    def test_curl_http2(self) -> None:
        """curl --http2-prior-knowledge prints them over HTTP/2 without TLS"""
        client = self.curl(f"/v1/tap?{self.selection()}", "--http2-prior-knowledge")
        self.assert_lines(client, "2 200 application/x-ndjson")

    @needs("node packages")
    def test_node_fetch(self) -> None:
        """Node's fetch reads exactly the errors of one service"""
        url = f"http://{self.collector.tap}/v1/traces?{self.selection()}"
        client = self.watch("node", str(HERE / "clients" / "fetch.js"), url)
        self.assert_lines(client, "200 application/x-ndjson")

    def assert_events(self, events: list[tuple[str, str]]) -> None:
        self.assertEqual([kind for kind, _ in events[-2:]], ["stats", "end"])
        documents, accounts = split(json.loads(data) for kind, data in events if kind != "end")
        self.assert_errors_of_the_service(documents)
        self.assert_account(accounts, matched=30, at_least_seen=50)
        end = json.loads(events[-1][1])
        self.assertEqual(end["reason"], "count_reached")
        self.assertRegex(end["totals"], "^sent 30 of 30 matched")

    @needs("curl")
    def test_curl_events(self) -> None:
        """curl prints server-sent events, of which the last says why the tap ended"""
        client = self.curl(f"/v1/traces?{self.selection()}", "-H", "Accept: text/event-stream")
        self.send_errors_of_the_service()
        result = client.finish()
        self.assertEqual((result.status, result.errors.strip()), (0, "1.1 200 text/event-stream"))
        self.assert_events(events_of(result.output))

    @needs("node packages")
    def test_node_eventsource(self) -> None:
        """An EventSource on Node reads events of all types, and leaves at the last"""
        url = f"http://{self.collector.tap}/v1/traces?{self.selection()}"
        client = self.watch("node", str(HERE / "clients" / "eventsource.js"), url)
        self.send_errors_of_the_service()
        result = client.finish()
        self.assertEqual((result.status, result.errors), (0, ""))
        self.assert_events([(kind, data) for kind, data in result.lines()])

    @needs("curl", "python packages")
    def test_curl_where(self) -> None:
        """curl prints a flat object for each span that an OTTL condition chooses"""
        where = f'resource.attributes["service.name"] == "{self.service}" and span.name == "POST /cart"'
        query = ("--get", "--data-urlencode", f"where={where}", "-d", "format=json", "-d", "count=5")
        client = self.curl("/v1/tap", *query)
        self.load.shop(self.service)
        result = client.finish()
        self.assertEqual(result.status, 0)
        chosen: Document = {"signal": "traces", "point": "remote_tap", "service": self.service, "name": "POST /cart"}
        chosen |= {"duration_ms": 1500, "status": "error", "kind": "server"}
        self.assertEqual([{key: line[key] for key in chosen} for line in result.lines()], [chosen] * 5)

    @needs("curl")
    def test_curl_refused(self) -> None:
        """curl shows what is wrong with a parameter, and what to write instead"""
        result = self.run_client("curl", "-sS", *WRITE_OUT, f"http://{self.collector.tap}/v1/tap?servce=a").finish()
        self.assertEqual((result.status, result.errors.split()[:2]), (0, ["1.1", "400"]))
        refusal = json.loads(result.output)
        self.assertEqual(refusal["parameter"], "servce")
        self.assertIn("service", refusal["hint"])
