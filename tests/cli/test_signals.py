"""Which signals end a command."""

from __future__ import annotations

import signal
from collections.abc import Generator

import pytest

from clinic.cli.signals import handling


@pytest.fixture(params=[True, False], ids=["nohup", "usual"])
def ignored(request: pytest.FixtureRequest) -> Generator[bool]:
    """Whether the process was told to outlive its terminal."""
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN if request.param else signal.SIG_DFL)
    yield request.param
    signal.signal(signal.SIGHUP, earlier)


def test_a_lost_terminal_ends_a_command_but_not_under_nohup(ignored: bool) -> None:
    heard: list[int] = []
    with handling(lambda number, _: heard.append(number)):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
    assert heard == [signal.SIGTERM, *([] if ignored else [signal.SIGHUP])]
