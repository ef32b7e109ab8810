"""What PingCAP's diag takes along or prints without being asked, measured in its own runs: none of it is here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Ended

CANARY = "canary-5f0c1d7e9b3a"


def test_the_environment_of_who_runs_it_is_not_in_the_bundle(
    clinic: Callable[..., Ended], tmp_path: Path
) -> None:
    """The token for uploads is in it."""
    ended = clinic(
        "collect", "local", "-y", "--include", "processes,system,settings", "-o", "bundle",
        env={"CLINIC_TOKEN": CANARY, "PGPASSWORD": CANARY, "SOMETHING": CANARY},
    )  # fmt: skip
    assert ended.code in (0, 3), ended
    found = [path for path in (tmp_path / "bundle").rglob("*") if path.is_file()]
    assert len(found) > 20
    assert [path.name for path in found if CANARY.encode() in path.read_bytes()] == []
    assert CANARY not in ended.out + ended.err


def test_what_is_no_terminal_gets_no_bar_and_no_colour(clinic: Callable[..., Ended]) -> None:
    ended = clinic("collect", "local", "-y", "--include", "clock", "-o", "bundle")
    assert "\x1b" not in ended.out + ended.err
    assert "\r" not in ended.out + ended.err
