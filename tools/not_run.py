"""A pytest plugin: in a build, a test that did not run fails the run, unless its reason is on the list.

The list is tests/not_run_allowed.txt: one pattern of the reason a line (`*` stands for anything), above it a
comment that says why a machine may lack it. A skip that nobody decided on would look like a pass.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

LIST = Path("tests", "not_run_allowed.txt")


def allowed_patterns(text: str) -> list[str]:
    """The patterns in the list's text, without comments and empty lines."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


class NotRun:
    """Collects the skips of one run and turns those that are not on the list into a failure."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(patterns)
        self._unexpected: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that was skipped; one that is expected to fail did run."""
        if not hasattr(report, "wasxfail"):
            self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a whole module that was skipped while it was being read."""
        self._note(report)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fail the run that would have passed."""
        if self._unexpected and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which tests did not run, and what to do about it."""
        if self._unexpected:
            terminalreporter.section(f"did not run, and {LIST} does not allow it")
            for line in self._unexpected:
                terminalreporter.line(line)
            terminalreporter.line(
                "Make them run, or add the reason to the list with a comment that says why."
            )

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped:
            reason = _reason(report)
            if not any(fnmatchcase(reason, pattern) for pattern in self._patterns):
                self._unexpected.append(f"{report.nodeid}: {reason}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return told.removeprefix("Skipped: ")


def pytest_configure(config: pytest.Config) -> None:
    """Watch the run when it is a build's."""
    if os.environ.get("CI"):
        listed = (config.rootpath / LIST).read_text(encoding="utf-8")
        config.pluginmanager.register(NotRun(allowed_patterns(listed)), "clinic-not-run")
