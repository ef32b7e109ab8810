"""Logins with a password: typed once for all machines, at a terminal or not, and never tried twice at one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Ended
from tests.cli.terminal import type_at_terminal
from tests.lab.own_sshd import Serve, Sshd

from clinic.errors import Failed
from clinic.host.ssh.askpass import Asker
from clinic.outcome import Reason
from clinic.secret import Secret

pytestmark = pytest.mark.lab
WORD = "correct horse battery"
WRONG = "a mistake of mine"


@pytest.fixture(scope="module")
def servers(serve: Serve) -> tuple[Sshd, Sshd]:
    """Two at which `nobody` logs in with a password and with nothing else."""
    one, other = (
        serve(
            f"ListenAddress {host}", "PubkeyAuthentication no", user="nobody", shell="/bin/sh", password=WORD
        )
        for host in ("127.0.0.1", "127.0.0.2")
    )
    return one, other


@pytest.fixture
def asker(tmp_path: Path) -> Iterator[Callable[..., Asker]]:
    """Somebody who types these words, one after another, and then nothing more."""
    made: list[Asker] = []

    def asker(*words: str) -> Asker:
        left = list(words)

        def person(question: str) -> Secret | None:
            assert "password" in question
            return Secret(left.pop(0)) if left else None

        (tmp_path / "run").mkdir(mode=0o700)
        made.append(Asker(tmp_path / "run", person))
        return made[-1]

    yield asker
    for one in made:
        one.close()


def log_in(servers: tuple[Sshd, ...], asker: Asker) -> list[BaseException | None]:
    """Log in everywhere at once, while somebody attends; what came of each."""
    logins = [replace(one.login, key="", prompts=True, environment=asker.environment) for one in servers]
    with ThreadPoolExecutor(len(servers)) as pool:
        doors = [pool.submit(one.door, login) for one, login in zip(servers, logins, strict=True)]
        asker.attend(lambda: all(door.done() for door in doors))
    for door in doors:
        if door.exception() is None:
            door.result().close()
    return [door.exception() for door in doors]


def failures(servers: tuple[Sshd, ...]) -> list[int]:
    """How many wrong passwords each has seen so far."""
    return [(one.home / "log").read_text().count("Failed password for nobody") for one in servers]


def words(servers: tuple[Sshd, Sshd], tmp_path: Path) -> list[str]:
    """The command that visits both."""
    known = tmp_path / "known_hosts"
    names = ("127.0.0.1", "127.0.0.2")
    keys = [(one.home / "host_key.pub").read_text() for one in servers]
    places = [f"[{name}]:{one.port}" for name, one in zip(names, servers, strict=True)]
    known.write_text("".join(f"{place} {key}" for place, key in zip(places, keys, strict=True)))
    hosts = [
        word for place in places for word in ("--host", f"nobody@{place.replace('[', '').replace(']', '')}")
    ]
    return ["doctor", *hosts, "--known-hosts", str(known)]


def test_one_answer_opens_all(servers: tuple[Sshd, Sshd], asker: Callable[..., Asker]) -> None:
    before = failures(servers)
    assert log_in(servers, asker(WORD)) == [None, None]
    assert failures(servers) == before


def test_a_wrong_one_is_tried_once_at_each_at_most_and_said(
    servers: tuple[Sshd, Sshd], asker: Callable[..., Asker]
) -> None:
    before = failures(servers)
    for error in log_in(servers, asker(WRONG)):
        assert isinstance(error, Failed)
        assert error.reason is Reason.NOT_PERMITTED
        assert "node does not let us in: " in error.message
        assert "no password was given" in error.message
        assert WRONG not in error.message + error.fix
    tries = [now - then for now, then in zip(failures(servers), before, strict=True)]
    # Where the first has refused it before the second asks, the second is told so, and tries nothing.
    assert tries in ([1, 1], [1, 0], [0, 1])


def test_no_answer_is_tried_nowhere(servers: tuple[Sshd, Sshd], asker: Callable[..., Asker]) -> None:
    before = failures(servers)
    for error in log_in(servers, asker()):
        assert isinstance(error, Failed)
        assert "node does not let us in: Permission denied: no password was given" in error.message
    assert failures(servers) == before


def test_a_second_answer_opens_all_that_had_the_first(
    servers: tuple[Sshd, Sshd], asker: Callable[..., Asker]
) -> None:
    before = failures(servers)
    assert log_in(servers, asker(WRONG, WORD)) == [None, None]
    assert all(now - then <= 1 for now, then in zip(failures(servers), before, strict=True))


def test_at_a_terminal_it_is_typed_once_and_not_shown(servers: tuple[Sshd, Sshd], tmp_path: Path) -> None:
    _, shown = type_at_terminal(tmp_path, words(servers, tmp_path), (b"password:", f"{WORD}\n".encode()))
    assert "2 of 2 machines can be logged in at" in shown
    assert shown.count("'s password:") == 1
    assert WORD not in shown


def test_without_a_terminal_nothing_is_tried(
    servers: tuple[Sshd, Sshd], clinic: Callable[..., Ended], tmp_path: Path
) -> None:
    before = failures(servers)
    ended: Any = clinic(*words(servers, tmp_path))
    assert ended.code == 3
    assert ended.out.count("does not let us in: ") == 2
    assert "0 of 2 machines can be logged in at" in ended.out
    assert failures(servers) == before
