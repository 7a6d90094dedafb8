"""A collector in a process of its own, known by its log."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Entry = dict[str, Any]  # a line of the collector's log

# How long anything that must happen may take, in seconds. Only a failure uses it up.
PATIENCE = 30

# How the collector logs, for all configurations: as JSON, and every line.
LOGGING = "yaml:service: {telemetry: {logs: {encoding: json, sampling: {enabled: false}}, metrics: {level: none}}}"


class Collector:
    """A running collector. Its ports are any that were free, found in its log."""

    def __init__(self, program: Path, log: Path, *configurations: str, directory: Path | None = None) -> None:
        """Starts a collector and waits until it is ready. Raises AssertionError if it is not."""
        self._changed = threading.Condition()
        self._entries: list[Entry] = []  # guarded by _changed
        self._log = log
        arguments = [f"--config={configuration}" for configuration in (*configurations, LOGGING)]
        self._process = subprocess.Popen(
            [program, *arguments],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            self.wait_for("a collector that is ready", lambda e: e["msg"].startswith("Everything is ready"))
        except BaseException:
            self.stop()
            raise

    @property
    def tap(self) -> str:
        """The tap's HOST:PORT."""
        return self.wait_for("a tap that listens", lambda e: e["msg"] == "remote_tap is listening")["address"]

    def otlp(self, receiver: str = "otlp") -> str:
        """Returns the HOST:PORT where a receiver takes OTLP over gRPC."""
        return self.wait_for(
            f"a receiver {receiver}",
            lambda e: e["msg"] == "Starting GRPC server" and e["otelcol.component.id"] == receiver,
        )["endpoint"]

    def logged(self) -> int:
        """Returns how many lines it has logged so far."""
        with self._changed:
            return len(self._entries)

    def wait_for(
        self, what: str, is_it: Callable[[Entry], bool], since: int = 0, still: Callable[[], bool] = lambda: True
    ) -> Entry:
        """Waits for a line of the log, and returns the first that fits among those after `since` lines.

        Raises AssertionError when it takes too long, the collector has ended, or not `still`.
        """
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while True:
                in_time = self._reader.is_alive() and still() and time.monotonic() < deadline
                for entry in self._entries[since:]:
                    if is_it(entry):
                        return entry
                if not in_time:
                    raise AssertionError(f"waited in vain for {what}; the collector's log is in {self._log}")
                since = len(self._entries)
                self._changed.wait(0.1)

    def complaints(self) -> list[str]:
        """Returns what it has logged as a warning or worse."""
        with self._changed:
            bad = [entry for entry in self._entries if entry["level"] not in ("debug", "info")]
        return [f"{entry['level']}: {entry['msg']} {entry.get('error', '')}" for entry in bad]

    def stop(self) -> int:
        """Stops it the way Ctrl-C does, and returns its exit status."""
        self._process.send_signal(signal.SIGINT)
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._reader.join()
        return status

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._log.open("w", encoding="utf-8") as log, self._process.stderr as lines:
            for line in lines:
                log.write(line)
                log.flush()
                with self._changed:
                    self._entries.append(_entry(line))
                    self._changed.notify_all()


def _entry(line: str) -> Entry:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if isinstance(entry, dict) and {"msg", "level"} <= entry.keys():
        return entry
    return {"level": "error", "msg": line.strip()}  # what is said when it does not even start
