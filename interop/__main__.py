"""Watches a real collector with everybody's clients, and checks what arrives: see README.md.

python3 interop [--collector PATH] [-k TEXT]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import unittest
from collections.abc import Iterator
from pathlib import Path

from check import Check, World
from collector import Collector
from load import Load
from report import Report
from tools import BIN, HERE, HOME, LOGS, ROOT, Outcome, install, tools


def main() -> int:
    """Installs, checks, and returns the exit status."""
    options = _options()
    _reach_directly("localhost", "127.0.0.1")
    for directory in (BIN, LOGS):
        directory.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    outcomes = _install()
    report = Report()
    if why_not := outcomes["telemetrygen"].why_not:
        print(f"\ninterop: there is nothing to watch, because {why_not}")
        return 1
    print(f"\ninterop: checking with {options.collector}")
    _check(options.collector, outcomes, _checks(options.k), report)
    return report.close(outcomes.values(), time.monotonic() - began)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 interop", description="Checks remote_tap with everybody's clients.")
    parser.add_argument("--collector", type=Path, default=ROOT / "dist" / "otelcol", help="the collector to watch")
    parser.add_argument("-k", default="", metavar="TEXT", help="only the checks with TEXT in their names")
    return parser.parse_args()


def _reach_directly(*hosts: str) -> None:
    """Keeps the clients from asking a proxy for these hosts, where the environment names one."""
    for variable in ("no_proxy", "NO_PROXY"):
        os.environ[variable] = ",".join(filter(None, [os.environ.get(variable), *hosts]))


def _install() -> dict[str, Outcome]:
    print(f"interop: installing into {HOME.relative_to(ROOT)}", flush=True)
    outcomes = {}
    for tool in tools():
        outcome = install(tool)
        outcomes[tool.name] = outcome
        came = f"installed in {outcome.seconds:.0f} s" if outcome.seconds else "there"
        print(f"  {tool.name:16} {tool.version or 'any version':40} {outcome.why_not or came}", flush=True)
    return outcomes


def _check(program: Path, outcomes: dict[str, Outcome], checks: Iterator[Check], report: Report) -> None:
    collector = Collector(program, LOGS / "collector.log", str(HERE / "collector.yaml"))
    load = Load(collector)
    try:
        load.start_noise()
        for check in checks:
            check.world = World(program, collector, load, outcomes)
            check.run(report)
    finally:
        report.also("The load that no check selects went on all the time", load.stop_noise)
        status = collector.stop()
    report.also("The collector has stopped cleanly, and complained about nothing", lambda: _content(collector, status))


def _checks(part: str) -> Iterator[Check]:
    for module in unittest.TestLoader().discover(str(HERE)):
        for case in module:
            for check in case:
                if not isinstance(check, Check):
                    raise TypeError(f"a file of checks does not load: {check}")
                if part in check.id():
                    yield check


def _content(collector: Collector, status: int) -> None:
    assert status == 0, f"the collector ended with status {status}"
    complaints = collector.complaints()
    assert not complaints, "\n".join(complaints)


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - older ones are told here
        sys.exit(f"make interop needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    sys.exit(main())
