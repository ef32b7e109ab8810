"""The door's small texts, and what it promises about itself."""

from __future__ import annotations

import threading

import pytest

from clinic.kinds import Content
from clinic.redact import SHIPPED, Redactor
from clinic.secret import SecretRegister


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("dial mysql://root:S3cr3t@10.0.0.1:4000: refused", "dial mysql://root:***@10.0.0.1:4000: refused"),
        ("cat /etc/x: password=hunter2", "cat /etc/x: password=***"),
        ("logs/mysql -phunter2.txt", "logs/mysql -p***"),
        ("", ""),
        ("no secret here, 127.0.0.1:4000", "no secret here, 127.0.0.1:4000"),
        ("ünïcode password=gehéim ünïcode", "ünïcode password=*** ünïcode"),
        ("name-\udcff-password=x1", "name-\udcff-password=***"),
        ("a lone \ud800 surrogate", "a lone ? surrogate"),
    ],
)
def test_a_small_text_is_masked_whole(before: str, after: str, redactor: Redactor) -> None:
    assert redactor.text(before) == after
    assert redactor.text(after) == after


def test_the_redactor_tells_its_register_and_the_version_of_its_rules() -> None:
    register = SecretRegister()
    redactor = Redactor(register)
    assert redactor.register is register
    assert redactor.version == SHIPPED.version


def test_the_counts_can_be_read_and_not_changed(redactor: Redactor) -> None:
    stream = redactor.stream(Content.TEXT)
    with pytest.raises(TypeError):
        stream.counts["key-value"] = 1  # type: ignore[index]  # that is what fails


def test_nothing_comes_twice_after_the_end(redactor: Redactor) -> None:
    stream = redactor.stream(Content.TEXT)
    assert stream.feed(b"abc") + stream.finish() == b"abc"
    assert stream.finish() == b""


def test_many_threads_share_a_redactor() -> None:
    register = SecretRegister()
    redactor = Redactor(register)
    wrong: list[bytes] = []

    def work(number: int) -> None:
        for each in range(12):
            register.learn(f"learned-{number}-{each}")
            stream = redactor.stream(Content.LOG, learn=True)
            out = (
                stream.feed(f"learned-{number}-{each} password=p{number}x{each} end\n".encode())
                + stream.finish()
            )
            if out != b"*** password=*** end\n":
                wrong.append(out)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
