"""How ssh asks for a password or a passphrase: through a program of ours that asks this process, which asks a person.

ssh runs what SSH_ASKPASS names, with the question as its argument, and reads the answer from it (ssh(1)). That program
is a line of shell and a few of Python in the run's 0700 directory; the answer comes through a socket there, never
through arguments, the environment or a file. It works with a terminal and without, since our ssh has none of its own.
"""

from __future__ import annotations

import os
import queue
import re
import shlex
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from clinic.secret import Secret, to_bytes

Person = Callable[[str], Secret | None]
"""Puts a question to a person; None where there is none, or no answer."""

LONGEST = 4096
"""Bytes of a question."""

_SECONDS = 300.0
_SLICE = 0.05
_PROGRAM = r"""import os, socket, sys
door = socket.socket(socket.AF_UNIX)
door.connect(os.path.join(os.path.dirname(os.path.abspath(__file__)), "ask"))
question = sys.argv[1] if len(sys.argv) > 1 else ""
door.sendall(f"{os.getppid()}\n{question}".encode())
door.shutdown(socket.SHUT_WR)
answer = b""
while data := door.recv(4096):
    answer += data
if not answer:
    if "password" in question.lower():  # ssh would try the empty one, thrice, and an account may be locked for that
        sys.stderr.write("Permission denied: no password was given\n")
        sys.stderr.flush()
        os.kill(os.getppid(), 15)
    sys.exit(1)
sys.stdout.buffer.write(answer + b"\n")
"""
_PASSWORD = re.compile(
    r"(?s)(?:\((?P<pam>[^()]+)\) )?(?:(?P<user>\S+)@(?P<host>\S+)'s )?password", re.IGNORECASE
)
_PASSPHRASE = re.compile(r"passphrase", re.IGNORECASE)
_YES_OR_NO = re.compile(r"yes/no|fingerprint\]")


class Asker:
    """Answers the questions of every ssh of a run, one at a time. What was answered once is not asked again."""

    def __init__(self, directory: Path, person: Person) -> None:
        """`directory` is the run's own, 0700."""
        self._person = person
        self._lock = threading.Lock()
        self._answers: dict[str, Secret] = {}
        self._given: dict[tuple[str, str], Secret] = {}
        self._refused: set[str] = set()
        self._attended = threading.Event()
        self._questions: queue.SimpleQueue[tuple[str, queue.SimpleQueue[Secret | None]]] = queue.SimpleQueue()
        self._place = directory / "ask"
        program, script = directory / "askpass", directory / "askpass.py"
        script.write_text(_PROGRAM)
        words = shlex.join([sys.executable, "-I", str(script)])
        program.write_text(f'#!/bin/sh\nexec {words} "$1"\n')
        program.chmod(0o700)
        self.environment = {"SSH_ASKPASS": str(program), "SSH_ASKPASS_REQUIRE": "force"}
        """What ssh has to find in its environment; DISPLAY as well, for OpenSSH before 8.4."""
        self.environment["DISPLAY"] = os.environ.get("DISPLAY") or ":clinic"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._place))
        self._listener.listen(64)
        threading.Thread(target=self._serve, name="clinic-askpass", daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                door, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(door,), daemon=True).start()

    def _answer(self, door: socket.socket) -> None:
        with door, suppress(OSError):
            door.settimeout(_SECONDS)
            question = b""
            while len(question) < LONGEST and (data := door.recv(LONGEST)):
                question += data
            who, _, text = question.decode("utf-8", "replace").partition("\n")
            answer = self.answer(who, text)
            if answer is not None:
                door.sendall(to_bytes(answer))

    def answer(self, who: str, question: str) -> Secret | None:
        """The answer for the process `who`, never one that it was given before: that was wrong."""
        if _YES_OR_NO.search(question):
            return None  # Host keys are accepted in one place, and never like this.
        about = topics(question)
        asked = who, about[0]
        with self._lock:
            known = next((self._answers[topic] for topic in about if topic in self._answers), None)
            if known is not None and self._given.get(asked) is not known:
                self._given[asked] = known
                return known
            for topic in about:
                self._answers.pop(topic, None)
            answer = self._ask_person(question.strip()) if not self._refused.intersection(about) else None
            if answer is None:
                self._refused.update(about)
            else:
                self._given[asked] = answer
                self._answers.update(dict.fromkeys(about, answer))
            return answer

    def _ask_person(self, question: str) -> Secret | None:
        """Leave the question to the thread that attends to the person, and wait for the answer."""
        if not self._attended.is_set():
            return None
        reply: queue.SimpleQueue[Secret | None] = queue.SimpleQueue()
        self._questions.put((question, reply))
        return reply.get()

    def attend(self, done: Callable[[], bool]) -> None:
        """Put the questions to the person, in this thread, until `done`; after that none is put any more."""
        self._attended.set()
        try:
            while not done():
                with suppress(queue.Empty):
                    question, reply = self._questions.get(timeout=_SLICE)
                    answer = None
                    try:
                        answer = self._person(question)
                    finally:
                        reply.put(answer)
        finally:
            self._attended.clear()
            with suppress(queue.Empty):
                while True:
                    self._questions.get_nowait()[1].put(None)


def topics(question: str) -> list[str]:
    """What a question is about, the most certain first: a password is tried wherever the account is the same."""
    if _PASSPHRASE.search(question):
        return [question.strip()]
    match = _PASSWORD.search(question)
    if match is None:
        return [question.strip()]
    user = match["user"] or (match["pam"] or "").partition("@")[0]
    return [question.strip(), *([f"password of {user}"] if user else [])]
