"""An account is tried on one server at a time until one accepts it, and nowhere once one refused it."""

from __future__ import annotations

import threading
import time

import pytest

from clinic.client.access import Access
from clinic.client.account import Account
from clinic.deadline import Deadline
from clinic.errors import Failed, Skip, TimedOut
from clinic.outcome import Reason
from clinic.secret import Secret


def account() -> Account:
    """An account."""
    return Account("me", Secret("a-long-password"))


def test_it_prints_no_password() -> None:
    assert "a-long-password" not in f"{account()} {account()!r} {account().header} {Access(sql=account())!r}"


def test_what_an_access_hides_is_told_to_the_redactor() -> None:
    token = Account("", Secret("a-long-token"), bearer=True)
    access = Access(sql=account(), web={"grafana": token, "prometheus": Account("x", Secret(""))})
    told = {secret.reveal() for secret in access.secrets()}
    assert {"a-long-password", "a-long-token", "Bearer a-long-token"} <= told
    assert all(told)


def test_a_refused_account_is_tried_on_no_other_server_but_those_that_accepted_it() -> None:
    mine = account()
    with mine.trying("a", Deadline(1)):
        pass
    with mine.trying("b", Deadline(1)):
        mine.refused("b")
    with mine.trying("a", Deadline(1)):
        pass
    with pytest.raises(Skip, match="refused by b") as caught, mine.trying("c", Deadline(1)):
        raise AssertionError("it is tried")
    assert caught.value.reason is Reason.NOT_PERMITTED


def test_another_failure_is_no_refusal() -> None:
    mine = account()
    with pytest.raises(Failed), mine.trying("a", Deadline(1)):
        raise Failed(Reason.BAD_ANSWER, "no")
    with mine.trying("b", Deadline(1)):
        pass


def test_until_one_server_accepts_it_there_is_one_try_at_a_time() -> None:
    mine, inside, most = account(), 0, 0

    def log_in(number: int) -> None:
        nonlocal inside, most
        with mine.trying(str(number), Deadline(5)):
            inside += 1
            most = max(most, inside)
            time.sleep(0.02)
            inside -= 1
            if number < 3:
                raise Failed(Reason.BAD_ANSWER, "down")

    def quietly(number: int) -> None:
        with pytest.raises(Failed):
            log_in(number)

    threads = [threading.Thread(target=quietly, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    log_in(3)
    with mine.trying("4", Deadline(5)), mine.trying("5", Deadline(0.2)):
        pass


def test_waiting_for_ones_turn_ends_at_the_deadline() -> None:
    mine = account()
    with mine.trying("a", Deadline(1)), pytest.raises(TimedOut), mine.trying("b", Deadline(0.1)):
        raise AssertionError("it is tried")
