"""Clients that speak gRPC, gRPC-Web and Connect."""

from __future__ import annotations

import json
from typing import Any

from check import SERVICE, Check, Document, Ledger, needs
from tools import HERE, LOGS, PYTHON


class GRPC(Check):
    def request(self) -> str:
        """Returns the request for the errors of the service, as JSON."""
        return json.dumps({"service": [self.service], "error": True, "count": 30, "stats": "0.2s"})

    def assert_responses(self, responses: list[Document]) -> None:
        """Asserts that these are the responses to the request, as the JSON that protobuf has."""
        self.assert_errors_of_the_service(
            [response["traces"] for response in responses if "traces" in response], error="STATUS_CODE_ERROR"
        )
        envelopes = [response["envelope"] for response in responses if "traces" in response]
        self.assertEqual({envelope["point"] for envelope in envelopes}, {"remote_tap"})
        self.assertEqual(sum(int(envelope["items"]) for envelope in envelopes), 30)
        accounts = [_ledger(response["stats"]["ledger"]) for response in responses if "stats" in response]
        self.assert_account(accounts, matched=30, at_least_seen=50)
        self.assertIn("stats", responses[0], "the account comes first")
        end = responses[-1]["end"]
        self.assertEqual((end["reason"], _ledger(end["ledger"])), ("count_reached", accounts[-1]))

    @needs("grpcurl")
    def test_grpcurl_list(self) -> None:
        """grpcurl lists and describes the service, by reflection"""
        address = self.collector.tap
        listed = self.run_client("grpcurl", "-plaintext", address, "list").finish()
        self.assertEqual((listed.status, listed.output.split()), (0, [SERVICE]))
        described = self.run_client("grpcurl", "-plaintext", address, "describe", SERVICE).finish()
        self.assertEqual(described.status, 0)
        self.assertIn(
            "rpc Tap ( .remotetap.v1.TapRequest ) returns ( stream .remotetap.v1.TapResponse );", described.output
        )

    @needs("grpcurl")
    def test_grpcurl_tap(self) -> None:
        """grpcurl calls Tap and prints exactly the errors of one service"""
        call = ("-emit-defaults", "-d", self.request(), self.collector.tap, f"{SERVICE}/Tap")
        client = self.watch("grpcurl", "-plaintext", *call)
        self.send_errors_of_the_service()
        result = client.finish()
        self.assertEqual((result.status, result.errors), (0, ""))
        self.assert_responses(_objects(result.output))

    @needs("grpcurl")
    def test_grpcurl_refused(self) -> None:
        """grpcurl shows what is wrong with a request, and what to write instead"""
        call = ("-d", '{"point": ["remote_tab"]}', self.collector.tap, f"{SERVICE}/Tap")
        result = self.run_client("grpcurl", "-plaintext", *call).finish()
        self.assertEqual((result.status, result.output), (64 + 3, ""))  # INVALID_ARGUMENT is 3
        for part in (
            "Code: InvalidArgument",
            '"@type": "type.googleapis.com/remotetap.v1.Refusal"',
            '"parameter": "point"',
        ):
            self.assertIn(part, result.errors)
        self.assertRegex(result.errors, '"hint": ".*remote_tap.*"')

    @needs("python packages")
    def test_grpc_web(self) -> None:
        """A gRPC-Web client of a few lines reads exactly the errors of one service"""
        client = self.watch(str(PYTHON), str(HERE / "clients" / "grpc_web.py"), self.collector.tap, self.request())
        self.send_errors_of_the_service()
        result = client.finish()
        self.assertEqual((result.status, result.errors.strip()), (0, "grpc-status: 0"))
        self.assert_responses(result.lines())

    @needs("curl")
    def test_grpc_web_foreign(self) -> None:
        """A page of a foreign origin gets nothing over gRPC-Web"""
        message = LOGS / "empty-message"
        message.write_bytes(bytes(5))
        headers = ("-H", "Content-Type: application/grpc-web+proto", "-H", "Origin: http://elsewhere.example")
        call = ("--data-binary", f"@{message}", f"http://{self.collector.tap}/{SERVICE}/ListPoints")
        result = self.run_client("curl", "-sS", "--include", *headers, *call).finish()
        head, _, body = result.output.partition("\n\n")
        self.assertEqual(body, "")
        self.assertIn("grpc-status: 7\n", head.lower())  # PERMISSION_DENIED
        self.assertIn("cors::allowed_origins", head)
        self.assertNotIn("access-control-allow-origin", head.lower())

    @needs("curl")
    def test_connect(self) -> None:
        """curl calls ListPoints with JSON, as Connect's clients do"""
        address = f"http://{self.collector.tap}/{SERVICE}/ListPoints"
        result = self.run_client("curl", "-sS", "--json", "{}", address).finish()
        self.assertEqual(result.status, 0)
        points = {point["point"]: point["signals"] for point in json.loads(result.output)["points"]}
        self.assertEqual(points.keys(), {"remote_tap", "remote_tap/quiet"})
        self.assertEqual(set(points["remote_tap"]), {"traces", "metrics", "logs"})


def _objects(text: str) -> list[Any]:
    """Reads JSON objects that follow each other over many lines, as grpcurl prints them."""
    objects, decoder = [], json.JSONDecoder()
    while text := text.lstrip():
        found, end = decoder.raw_decode(text)
        objects.append(found)
        text = text[end:]
    return objects


def _ledger(from_protobuf: Document) -> Ledger:
    """Reads a ledger, in which protobuf's JSON has numbers of 64 bits as strings."""
    numbers = ("seen", "skipped", "unmatched", "matched", "sent", "pending", "bytes")
    ledger: Ledger = {key: int(from_protobuf[key]) for key in numbers}
    ledger["eval_errors"] = int(from_protobuf["evalErrors"])
    ledger["dropped"] = {reason: int(number) for reason, number in from_protobuf["dropped"].items()}
    return ledger
