"""What was learned is prepared for searching once, however many small texts a run has."""

from clinic.redact import Redactor
from clinic.redact.learned import matcher_of
from clinic.secret import SecretRegister


def test_a_matcher_is_made_once_for_what_is_known() -> None:
    register = SecretRegister()
    register.learn("Zq8-first-Phrase")
    first = matcher_of(register, 0, register.version)
    redactor = Redactor(register)
    for number in range(100):
        redactor.text(f"line {number}")
    assert matcher_of(register, 0, register.version) is first


def test_what_is_learned_later_is_found_by_the_next_text() -> None:
    register = SecretRegister()
    redactor = Redactor(register)
    assert redactor.text("say Zq8-second-Phrase") == "say Zq8-second-Phrase"
    register.learn("Zq8-second-Phrase")
    assert redactor.text("say Zq8-second-Phrase") == "say ***"


def test_registers_do_not_share() -> None:
    one, other = SecretRegister(), SecretRegister()
    one.learn("Zq8-third-Phrase")
    assert Redactor(one).text("say Zq8-third-Phrase") == "say ***"
    assert Redactor(other).text("say Zq8-third-Phrase") == "say Zq8-third-Phrase"
