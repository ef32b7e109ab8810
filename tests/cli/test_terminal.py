"""`clinic collect` at a terminal: the table, the question, the bar, and output that can't steer the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.terminal import type_at_terminal

pytestmark = pytest.mark.slow

Declared = Callable[..., Path]


COLLECT = b"Collect? [Y/n]"


def at_terminal(
    tmp_path: Path, words: list[str], answer: bytes, *, before: tuple[tuple[bytes, bytes], ...] = ()
) -> tuple[int, str]:
    """Run `clinic` at a terminal of its own, type `answer` once it asks; the exit code and what was shown.

    `before` are earlier questions with their answers.
    """
    return type_at_terminal(tmp_path, words, *before, (COLLECT, answer))


def words(collector: Path, *more: str) -> list[str]:
    return ["collect", "local", "--collector", str(collector), "--include", "made", "-o", "bundle", *more]


def test_it_shows_what_and_how_much_and_asks_before_it_begins(tmp_path: Path, declared: Declared) -> None:
    collector = declared([{"path": "hosts.txt", "file": "/etc/hosts"}])
    code, shown = at_terminal(tmp_path, words(collector), b"\n")
    assert code == 0
    assert "HOST" in shown
    assert "CATEGORY" in shown
    assert "ESTIMATE" in shown
    assert "It sends nothing." in shown
    assert "Free in" in shown
    assert (tmp_path / "bundle" / "manifest.json").is_file()


def test_no_means_no(tmp_path: Path, declared: Declared) -> None:
    code, shown = at_terminal(tmp_path, words(declared([{"path": "h.txt", "file": "/etc/hosts"}])), b"n\n")
    assert code == 0
    assert "Nothing was collected." in shown
    assert not (tmp_path / "bundle").exists()


def test_yes_on_the_command_line_answers_this_question(tmp_path: Path, declared: Declared) -> None:
    code, shown = at_terminal(tmp_path, words(declared([{"path": "h.txt", "file": "/etc/hosts"}]), "-y"), b"")
    assert code == 0
    assert "Collect?" not in shown


def test_a_bar_shows_items_bytes_rate_and_what_is_slow(tmp_path: Path, declared: Declared) -> None:
    slow = ["sh", "-c", "for n in 1 2 3 4; do echo $n; sleep 1; done"]
    rows = [{"path": "slow.txt", "command": slow}, {"path": "fast.txt", "command": ["echo", "x"]}]
    _, shown = at_terminal(tmp_path, words(declared(rows), "-y"), b"")
    assert "collecting" in shown
    assert "/s" in shown
    assert "made.slow" in shown


def test_what_a_machine_says_cannot_steer_the_terminal(tmp_path: Path, declared: Declared) -> None:
    evil = "printf '\\033]0;owned\\007\\033[2J' >&2; exit 1"
    _, shown = at_terminal(
        tmp_path, words(declared([{"path": "x.txt", "command": ["sh", "-c", evil]}]), "-y"), b""
    )
    assert "\x1b]0;owned" not in shown
    assert "\x1b[2J" not in shown
    assert "owned" in shown


def test_an_account_is_asked_for_once_before_anything_is_collected_and_can_be_left_out(
    tmp_path: Path,
) -> None:
    topology = tmp_path / "shop.yaml"
    topology.write_text("name: shop\ninstances:\n  - {component: mariadb, host: 127.0.0.1, port: 1}\n")
    command = ["collect", "--topology", str(topology), "--include", "variables", "-o", "bundle"]
    user = b"User (Enter to go without)"
    code, shown = at_terminal(tmp_path, command, b"n\n", before=((user, b"\n"),))
    assert (code, "Password" in shown) == (0, False)
    before = ((user, b"clinic\n"), (b"Password of clinic", b"Zq8-typed-Phrase\n"))
    code, shown = at_terminal(tmp_path, command, b"y\n", before=before)
    assert shown.count("User (Enter") == 1
    assert "Zq8-typed-Phrase" not in shown
    for path in (tmp_path / "bundle").rglob("*"):
        assert not path.is_file() or b"Zq8-typed-Phrase" not in path.read_bytes()
