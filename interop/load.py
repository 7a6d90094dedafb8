"""OTLP for the collector, from those who send it in real life: telemetrygen and the Python SDK."""

from __future__ import annotations

import subprocess
from pathlib import Path

from collector import PATIENCE, Collector
from tools import BIN, HERE, LOGS, PYTHON

SIGNALS = ("traces", "metrics", "logs")


class Load:
    """Sends telemetry to a collector. When a method has returned, it has passed the tap."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._noise: list[subprocess.Popen[bytes]] = []

    def start_noise(self) -> None:
        """Sends, until stop_noise, all signals of a service that no check selects."""
        for signal in SIGNALS:
            command = self._telemetrygen(signal, "noise", "otlp", "--rate=200", "--duration=inf")
            with (LOGS / f"noise-{signal}.log").open("wb") as log:
                self._noise.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def stop_noise(self) -> None:
        """Ends the noise. Raises AssertionError if some has ended before."""
        ended = [process.args for process in self._noise if process.poll() is not None]
        for process in self._noise:
            process.terminate()
        for process in self._noise:
            process.wait(PATIENCE)
        assert not ended, f"there was not noise all the time: {ended}"

    def spans(self, service: str, traces: int, status: str = "Ok", receiver: str = "otlp") -> None:
        """Sends twice as many spans as traces: "lets-go", and in it "okey-dokey-0"."""
        flags = ("--rate=0", f"--traces={traces}", f"--status-code={status}")
        _run(self._telemetrygen("traces", service, receiver, *flags))

    def data_points(self, service: str, number: int) -> None:
        """Sends data points of a sum."""
        _run(self._telemetrygen("metrics", service, "otlp", "--rate=0", f"--metrics={number}", "--metric-type=Sum"))

    def records(self, service: str, number: int) -> None:
        """Sends log records of severity Info."""
        _run(self._telemetrygen("logs", service, "otlp", "--rate=0", f"--logs={number}"))

    def shop(self, service: str) -> None:
        """Sends what clients/shop.py says, by the Python SDK."""
        _run([str(PYTHON), "-B", str(HERE / "clients" / "shop.py"), self._collector.otlp(), service])

    def _telemetrygen(self, signal: str, service: str, receiver: str, *flags: str) -> list[str]:
        to = ("--otlp-insecure", f"--otlp-endpoint={self._collector.otlp(receiver)}")
        return [str(BIN / "telemetrygen"), signal, *to, f"--service={service}", *flags]


def _run(command: list[str]) -> None:
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 0, f"{Path(command[0]).name} ended with {result.returncode}: {result.stderr[-2000:]}"
