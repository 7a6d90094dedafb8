"""What checks have in common: a client program that watches, and an account that adds up."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import unittest
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from collector import PATIENCE, Collector, Entry
from load import Load
from tools import BIN, EXAMPLES, LOGS, NODE_MODULES, ROOT, Outcome

Document = dict[str, Any]  # of OTLP/JSON
Ledger = dict[str, Any]
F = TypeVar("F", bound=Callable[..., None])

SERVICE = "remotetap.v1.TapService"
TAP_CLIENT = str(EXAMPLES / "tap_client.py")


@dataclass(frozen=True)
class World:
    """What there is while checks run."""

    program: Path  # of collectors
    collector: Collector
    load: Load
    tools: dict[str, Outcome]


@dataclass(frozen=True)
class Result:
    """What a program that has ended leaves."""

    status: int
    output: str
    errors: str

    def lines(self) -> list[Any]:
        """Returns the output's lines, each of which is JSON."""
        return [json.loads(line) for line in self.output.splitlines()]


class Client:
    """A running client program."""

    def __init__(self, name: str, command: tuple[str, ...], terminal: bool) -> None:
        """Starts it. Its standard input is open like a terminal's, or else ends at once."""
        environment = {**os.environ, "NODE_PATH": str(NODE_MODULES), "PYTHONDONTWRITEBYTECODE": "1"}
        for variable, first in (("PATH", BIN), ("PYTHONPATH", EXAMPLES)):
            environment[variable] = os.pathsep.join(filter(None, [str(first), os.environ.get(variable)]))
        self._files = [LOGS / f"{name}.{end}" for end in ("out", "err")]
        output, errors = (file.open("wb") for file in self._files)
        with output, errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if terminal else subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=environment,
                cwd=ROOT,
            )

    def runs(self) -> bool:
        return self.process.poll() is None

    def finish(self) -> Result:
        """Waits until the program has ended."""
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.stop()
            raise AssertionError(f"the client did not end; {self.last_words()}") from None
        self.stop()
        return Result(status, *(file.read_text(encoding="utf-8", errors="replace") for file in self._files))

    def stop(self) -> None:
        """Ends the program if it still runs."""
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def wait_until_it_says(self, text: str) -> None:
        """Waits until the program has written the text on standard error."""
        deadline = time.monotonic() + PATIENCE
        while text not in self._files[1].read_text(encoding="utf-8", errors="replace"):
            assert self.runs() and time.monotonic() < deadline, f"it did not say {text!r}; {self.last_words()}"
            time.sleep(0.05)

    def last_words(self) -> str:
        """Says where its output and its errors are, with the last of the errors."""
        output, errors = self._files
        return f"its output is in {output}, and its errors end with: {errors.read_text(errors='replace')[-1000:]}"


def needs(*tools: str) -> Callable[[F], F]:
    """Marks a check with the tools that it needs; telemetrygen is one for all."""

    def mark(check: F) -> F:
        check.needs = ("telemetrygen", *tools)  # type: ignore[attr-defined]
        return check

    return mark


class Check(unittest.TestCase):
    """A check: a method whose docstring is a sentence about a client."""

    world: World  # set before it runs

    def setUp(self) -> None:
        method = getattr(self, self._testMethodName)
        for tool in method.needs:
            if why_not := self.world.tools[tool].why_not:
                self.skipTest(why_not)
        self.name = self._testMethodName.removeprefix("test_").replace("_", "-")
        self.service = f"{self.name}-check"  # nobody else uses it
        self.collector, self.load = self.world.collector, self.world.load

    def watch(self, *command: str, terminal: bool = True) -> Client:
        """Starts a client program, and waits until its tap is open."""
        since = self.collector.logged()
        client = self.run_client(*command, terminal=terminal)
        try:
            opened = self.collector.wait_for(
                "the tap to open", lambda e: e["msg"] == "tap opened", since=since, still=client.runs
            )
        except AssertionError as error:
            raise AssertionError(f"{error}; the client: {client.last_words()}") from None
        self.tap = opened["tap"]
        return client

    def run_client(self, *command: str, terminal: bool = True) -> Client:
        """Starts a client program. It ends with the check at the latest."""
        client = Client(self.name, command, terminal)
        self.addCleanup(client.stop)
        return client

    def send_errors_of_the_service(self) -> None:
        """Sends 20 spans that are fine, and then 30 with errors, all of the service."""
        self.load.spans(self.service, traces=10)
        self.load.spans(self.service, traces=15, status="Error")

    def selection(self) -> str:
        """Returns the query for those errors. The tap ends when it has them all."""
        return f"service={self.service}&error=true&count=30&stats=200ms"

    def ended(self) -> Entry:
        """Waits for the tap to end, and returns what the collector's log says about it."""
        return self.collector.wait_for("the tap to end", lambda e: e["msg"] == "tap ended" and e["tap"] == self.tap)

    def assert_errors_of_the_service(self, documents: Iterable[Document], error: int | str = 2) -> None:
        """Asserts that these are the 30 spans with errors of the service, each once."""
        spans = spans_of(documents)
        self.assertEqual({service for service, _ in spans}, {self.service})
        self.assertEqual({span["status"].get("code") for _, span in spans}, {error})
        self.assertEqual(len({span["spanId"] for _, span in spans}), 30)
        self.assertEqual(len(spans), 30)

    def assert_account(self, accounts: list[Ledger], matched: int, at_least_seen: int) -> None:
        """Asserts that the accounts add up, first to last, and that all that matched has been sent."""
        self.assertGreaterEqual(len(accounts), 2, "an account comes first, and last")
        self.assertEqual(accounts[0]["sent"], 0)
        for before, account in zip([accounts[0], *accounts], accounts, strict=False):
            self.assertEqual(account["seen"], account["skipped"] + account["unmatched"] + account["matched"])
            self.assertEqual(
                account["matched"], account["sent"] + account["pending"] + sum(account["dropped"].values())
            )
            for key in ("seen", "unmatched", "matched", "sent", "bytes"):
                self.assertGreaterEqual(account[key], before[key])
        last = accounts[-1]
        self.assertEqual((last["matched"], last["sent"], last["pending"]), (matched, matched, 0))
        self.assertEqual((last["skipped"], last["eval_errors"]), (0, 0))
        self.assertGreaterEqual(last["seen"], at_least_seen)
        self.assert_logged(last)

    def assert_logged(self, last: Ledger) -> None:
        """Asserts that the collector's log has the same account as the client."""
        logged = self.ended()
        for key in ("seen", "skipped", "unmatched", "matched", "sent", "bytes"):
            self.assertEqual(logged[key], last[key], key)


def split(messages: Iterable[Document]) -> tuple[list[Document], list[Ledger]]:
    """Tells documents from accounts, which are messages of their own."""
    documents: list[Document] = []
    accounts: list[Ledger] = []
    for message in messages:
        if message.keys() == {"remoteTap"}:
            accounts.append(message["remoteTap"]["stats"])
        else:
            documents.append(message)
    return documents, accounts


def spans_of(documents: Iterable[Document]) -> list[tuple[str, Document]]:
    """Returns the spans of OTLP/JSON documents, each with its service."""
    return _items(documents, "resourceSpans", "scopeSpans", "spans")


def records_of(documents: Iterable[Document]) -> list[tuple[str, Document]]:
    """Returns the log records of OTLP/JSON documents, each with its service."""
    return _items(documents, "resourceLogs", "scopeLogs", "logRecords")


def data_points_of(documents: Iterable[Document]) -> list[tuple[str, Document]]:
    """Returns the data points of the sums in OTLP/JSON documents, each with its service."""
    metrics = _items(documents, "resourceMetrics", "scopeMetrics", "metrics")
    return [(service, point) for service, metric in metrics for point in metric["sum"]["dataPoints"]]


def _items(documents: Iterable[Document], resources: str, scopes: str, items: str) -> list[tuple[str, Document]]:
    found = []
    for document in documents:
        for resource in document.get(resources, []):
            attributes = {a["key"]: a["value"].get("stringValue", "") for a in resource["resource"]["attributes"]}
            for scope in resource[scopes]:
                found += [(attributes["service.name"], item) for item in scope[items]]
    return found


def events_of(stream: str) -> list[tuple[str, str]]:
    """Returns the type and the data of server-sent events."""
    events = []
    for block in stream.split("\n\n"):
        fields = dict(re.findall(r"^(event|data): ?(.*)$", block, re.MULTILINE))
        if "data" in fields:
            events.append((fields.get("event", "message"), fields["data"]))
    return events
