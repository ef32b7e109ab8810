"""Passphrases and passwords are asked for through a program of ours, once, and are in no argument and no file."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tests.lab.own_sshd import Sshd

from clinic.cluster.model import Cluster, Machine
from clinic.errors import Failed
from clinic.host.ssh.askpass import Asker, topics
from clinic.host.ssh.command_line import Login
from clinic.run.doors import Common
from clinic.run.reach import People, Reach, Ssh
from clinic.secret import Secret, SecretRegister
from clinic.window import resolve

pytestmark = pytest.mark.lab
WORD = "correct horse battery"


@pytest.fixture
def locked(sshd: Sshd, tmp_path: Path) -> Path:
    """The key that the server accepts, with a passphrase."""
    key = tmp_path / "locked"
    key.write_bytes((sshd.home / "user_key").read_bytes())
    key.chmod(0o600)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "", "-N", WORD, "-f", str(key)], check=True, capture_output=True
    )
    return key


class Person:
    """Types what it was told to, and remembers the questions."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.questions: list[str] = []
        self.threads: set[int] = set()

    def __call__(self, question: str) -> Secret | None:
        self.questions.append(question)
        self.threads.add(threading.get_ident())
        return Secret(self._answers.pop(0)) if self._answers else None


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Callable[[Person], Asker]]:
    """Makes what answers ssh's questions."""
    made: list[Asker] = []

    def ask(person: Person) -> Asker:
        (tmp_path / "run").mkdir(mode=0o700)
        made.append(Asker(tmp_path / "run", person))
        return made[-1]

    yield ask
    for one in made:
        one.close()


def log_in(sshd: Sshd, asker: Asker, login: Login, times: int = 1) -> None:
    """Log in several times at once, while somebody attends."""
    login = replace(login, prompts=True, environment=asker.environment)
    with ThreadPoolExecutor(times) as pool:
        doors = [pool.submit(sshd.door, login) for _ in range(times)]
        asker.attend(lambda: all(door.done() for door in doors))
    for door in doors:
        door.result().close()


def test_a_passphrase_is_asked_once_for_all_hosts(
    sshd: Sshd, locked: Path, ask: Callable[[Person], Asker]
) -> None:
    person = Person(WORD)
    log_in(sshd, ask(person), replace(sshd.login, key=str(locked)), times=3)
    assert len(person.questions) == 1
    assert str(locked) in person.questions[0]
    assert person.threads == {threading.get_ident()}


def test_a_wrong_answer_is_asked_again(sshd: Sshd, locked: Path, ask: Callable[[Person], Asker]) -> None:
    person = Person("a mistake", WORD)
    log_in(sshd, ask(person), replace(sshd.login, key=str(locked)))
    assert len(person.questions) == 2


def test_no_answer_is_the_end_of_it(sshd: Sshd, locked: Path, ask: Callable[[Person], Asker]) -> None:
    person = Person()
    asker = ask(person)
    for _ in range(2):
        with pytest.raises(Failed, match="does not let us in"):
            log_in(sshd, asker, replace(sshd.login, key=str(locked)))
    assert len(person.questions) == 1


def test_nothing_secret_is_written(
    sshd: Sshd, locked: Path, ask: Callable[[Person], Asker], tmp_path: Path
) -> None:
    log_in(sshd, ask(Person(WORD)), replace(sshd.login, key=str(locked)))
    for path in (tmp_path / "run").iterdir():
        if path.is_file():
            assert WORD not in path.read_text()


def test_a_host_key_is_never_accepted_by_an_answer(ask: Callable[[Person], Asker]) -> None:
    person = Person("yes")
    question = "Are you sure you want to continue connecting (yes/no/[fingerprint])?"
    assert ask(person).answer("1", question) is None
    assert person.questions == []


def test_a_password_is_tried_wherever_the_account_is_the_same() -> None:
    assert topics("tidb@10.0.1.5's password: ")[1:] == ["password of tidb"]
    assert topics("(tidb@10.0.1.6) Password: ")[1:] == ["password of tidb"]
    assert topics("Enter passphrase for key '/k': ") == ["Enter passphrase for key '/k':"]
    assert topics("Enter PIN for ECDSA-SK key: ") == ["Enter PIN for ECDSA-SK key:"]


def test_what_was_answered_is_masked_from_then_on(sshd: Sshd, locked: Path) -> None:
    register = SecretRegister()
    person = Person(WORD)
    login = sshd.login
    ssh = Ssh(login.user, str(locked), login.port, login.options, login.known_hosts)
    reach = Reach(ssh, register, People(lambda _: False, person))
    machine = Machine("127.0.0.1")
    common = Common(Cluster("c", "manual", (machine,)), resolve(None, None), register, reach.open)
    reach.open_all([machine], common.host)
    assert [one.value.reveal() for one in register.since(0)] == [WORD]
    common.close()
    reach.close()
