"""Clients that speak WebSocket."""

from __future__ import annotations

from check import Check, data_points_of, needs, records_of, spans_of, split
from tools import HERE


class WebSocket(Check):
    @needs("websocat")
    def test_websocat(self) -> None:
        """websocat prints exactly the errors of one service"""
        # Without -E it would stay, after the tap has ended, until its standard input ends too.
        client = self.watch("websocat", "-E", f"ws://{self.collector.tap}/v1/traces?{self.selection()}")
        self.send_errors_of_the_service()
        result = client.finish()
        self.assertEqual((result.status, result.errors), (0, ""))
        documents, accounts = split(result.lines())
        self.assert_errors_of_the_service(documents)
        self.assert_account(accounts, matched=30, at_least_seen=50)
        self.assertEqual(self.ended()["reason"], "count_reached")

    @needs("websocat", "python packages")
    def test_websocat_signals(self) -> None:
        """websocat prints all three signals of telemetrygen and of the Python SDK"""
        query = f"service={self.service}*&count=71&stats=200ms"
        client = self.watch("websocat", "-E", f"ws://{self.collector.tap}/?{query}")
        generated, shop = f"{self.service}-generated", f"{self.service}-shop"
        self.load.spans(generated, traces=5)
        self.load.data_points(generated, number=10)
        self.load.records(generated, number=20)
        self.load.shop(shop)
        result = client.finish()
        self.assertEqual(result.status, 0)
        documents, accounts = split(result.lines())
        for found, of_generated, of_shop in (
            (spans_of(documents), 10, 20),
            (data_points_of(documents), 10, 1),
            (records_of(documents), 20, 10),
        ):
            services = [service for service, _ in found]
            self.assertEqual((services.count(generated), services.count(shop)), (of_generated, of_shop))
        self.assert_account(accounts, matched=71, at_least_seen=71)

    @needs("websocat")
    def test_websocat_script(self) -> None:
        """websocat -n prints them where there is no terminal, as in a script"""
        # Without -n it would leave at once, as its standard input has ended.
        url = f"ws://{self.collector.tap}/v1/traces?{self.selection()}"
        client = self.watch("websocat", "-n", url, terminal=False)
        self.send_errors_of_the_service()
        result = client.finish()
        self.assertEqual(result.status, 0)
        self.assert_errors_of_the_service(split(result.lines())[0])

    @needs("node packages")
    def test_node_ws(self) -> None:
        """Node's ws reads compressed messages, and the reason in the close frame"""
        url = f"ws://{self.collector.tap}/v1/traces?{self.selection()}"
        client = self.watch("node", str(HERE / "clients" / "ws.js"), url)
        self.send_errors_of_the_service()
        result = client.finish()
        self.assertEqual(result.status, 0)
        documents, accounts = split(result.lines())
        self.assert_errors_of_the_service(documents)
        self.assert_account(accounts, matched=30, at_least_seen=50)
        compression, closed = result.errors.splitlines()
        self.assertEqual(compression, "permessage-deflate")
        self.assertRegex(closed, "^1000 count_reached: sent 30 of 30 matched")
