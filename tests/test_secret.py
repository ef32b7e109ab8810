"""The Secret type and the register of what was learned."""

from __future__ import annotations

import copy
import logging
import pickle
import threading
from dataclasses import dataclass

import pytest

from clinic.secret import Secret, SecretRegister, to_bytes

VALUE = "S3cr3t@pw"


@dataclass(frozen=True)
class Login:
    user: str
    password: Secret


@pytest.mark.parametrize(
    "shown",
    [
        str(Secret(VALUE)),
        repr(Secret(VALUE)),
        f"{Secret(VALUE)}",
        f"{Secret(VALUE):>20}",
        f"{Secret(VALUE)!r}",
        str([Secret(VALUE)]),
        repr(Login("root", Secret(VALUE))),
        str(ValueError(Secret(VALUE))),
        format(Secret(VALUE), "<9"),
    ],
)
def test_no_way_of_printing_shows_the_value(shown: str) -> None:
    assert VALUE not in shown
    assert "***" in shown


def test_a_log_line_shows_the_mask(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("clinic").warning("login with %s", Secret(VALUE))
    assert caplog.messages == ["login with ***"]


def test_reveal_gives_the_value() -> None:
    assert Secret(VALUE).reveal() == VALUE


def test_two_secrets_are_equal_by_value_and_never_equal_to_text() -> None:
    assert Secret(VALUE) == Secret(VALUE)
    assert Secret(VALUE) != Secret("other")
    assert Secret(VALUE) != VALUE
    assert Secret("\udcff") == Secret("\udcff")


def test_a_secret_is_neither_hashed_nor_pickled() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Secret(VALUE))
    for thing in (Secret(VALUE), Login("root", Secret(VALUE)), SecretRegister()):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(thing)


def test_a_copy_is_the_same_object() -> None:
    secret = Secret(VALUE)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret("x")


def test_the_version_grows_once_for_each_new_secret() -> None:
    register = SecretRegister()
    assert register.version == 0
    assert register.learn(VALUE, source="tidb.toml")
    assert register.learn(VALUE.encode())
    assert register.learn(Secret(VALUE))
    assert register.version == 1
    assert register.learn("another-one")
    assert register.version == 2


def test_since_tells_what_came_after_a_version() -> None:
    register = SecretRegister()
    register.learn("first-secret", source="a")
    before = register.version
    register.learn("second-secret", source="b")
    assert [(one.value.reveal(), one.source) for one in register.since(before)] == [("second-secret", "b")]
    assert [one.source for one in register.since(0)] == ["a", "b"]
    assert register.since(register.version) == ()


def test_bytes_that_are_no_text_are_learned_as_they_are() -> None:
    register = SecretRegister()
    assert register.learn(b"\xff\xfe\x80secret")
    assert to_bytes(register.since(0)[0].value) == b"\xff\xfe\x80secret"


def test_the_line_end_of_a_password_file_is_no_part_of_the_password() -> None:
    register = SecretRegister()
    register.learn(b"S3cr3t@pw\n")
    assert register.since(0)[0].value == Secret(VALUE)


@pytest.mark.parametrize(
    "value",
    ["", "a", "abc", "root", "ROOT", "test", "true", "admin", "4000", "12345", "****", "xxxxxx", "aaaaaa", "<secret>",
     "${DB_PASSWORD}", "{{ password }}", "    ", "[REDACTED]", "%(password)s", b"x" * 70_000],
)  # fmt: skip
def test_what_is_too_short_or_too_common_is_not_learned(value: str | bytes) -> None:
    register = SecretRegister()
    assert not register.learn(value)
    assert register.version == 0


@pytest.mark.parametrize("value", ["abcd", "123456", "hunter2", "pässwörd", "my secret", "Root!1"])
def test_what_is_long_and_rare_enough_is_learned(value: str) -> None:
    assert SecretRegister().learn(value)


def test_the_register_prints_no_secret() -> None:
    register = SecretRegister()
    register.learn(VALUE, source="x")
    assert VALUE not in f"{register!r} {register.since(0)!r}"


def test_many_threads_learn_without_losing_one() -> None:
    register = SecretRegister()

    def learn(number: int) -> None:
        for each in range(200):
            register.learn(f"secret-{each}-{number % 2}")

    threads = [threading.Thread(target=learn, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert register.version == 400
    assert [one.version for one in register.since(0)] == list(range(1, 401))
