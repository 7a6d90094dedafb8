"""What `make interop` prints about the checks."""

from __future__ import annotations

import os
import time
import unittest
from collections.abc import Callable, Iterable
from types import TracebackType

from tools import LOGS, ROOT, Outcome

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

FAR = 92  # where the time stands on a line


class Report(unittest.TestResult):
    """Prints a line for each check, and a summary."""

    def __init__(self) -> None:
        super().__init__()
        self._passed = 0
        self._began = 0.0

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._began = time.monotonic()

    def addSuccess(self, test: unittest.TestCase) -> None:
        self._passed += 1
        self._line("ok", test)

    def addFailure(self, test: unittest.TestCase, err: ExcInfo) -> None:
        super().addFailure(test, err)
        self._line("FAILED", test)
        print(self.failures[-1][1])

    def addError(self, test: unittest.TestCase, err: ExcInfo) -> None:
        super().addError(test, err)
        self._line("FAILED", test)
        print(self.errors[-1][1])

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._line("not run", test)

    def also(self, sentence: str, check: Callable[[], None]) -> None:
        """Runs one more check, which is no client's."""
        unittest.FunctionTestCase(check, description=sentence).run(self)

    def close(self, outcomes: Iterable[Outcome], seconds: float) -> int:
        """Prints the summary, and returns the exit status.

        What could not be run is a failure only in CI (where the variable CI is set), and only if
        what installs it is there: then a pin is wrong, or a registry has lost it.
        """
        failed = len(self.failures) + len(self.errors)
        print(f"\ninterop: {self._passed} passed, {failed} failed, {len(self.skipped)} not run, in {seconds:.0f} s")
        for test, reason in self.skipped:
            print(f"  not run: {test.shortDescription()}, because {reason}")
        if failed:
            print(f"What the collector and the clients said is in {LOGS.relative_to(ROOT)}.")
        missed = [outcome.tool.name for outcome in outcomes if outcome.failed]
        if missed and os.environ.get("CI"):
            print(f"In CI it is a failure that these could not be installed: {', '.join(missed)}.")
            failed += 1
        return 1 if failed else 0

    def _line(self, word: str, test: unittest.TestCase) -> None:
        took = time.monotonic() - self._began
        print(f"  {word:8} {test.shortDescription() or test.id():{FAR}} {took:5.1f} s", flush=True)
