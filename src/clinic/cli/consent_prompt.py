"""The person at the terminal: the one who can say yes. No option, configuration or variable stands in for them."""

from __future__ import annotations

import os
import sys

import click

from clinic.cli.login import is_attended
from clinic.cli.output import say
from clinic.consent.decide import Desk
from clinic.consent.notice import LANGUAGES
from clinic.consent.policy import read_policy
from clinic.consent.receipts import Receipts
from clinic.errors import Refused

LONGEST = 1000
"""Characters of an answer that are looked at."""


class AtTerminal:
    """Shows on standard error, reads from standard input; both are a terminal."""

    def show(self, text: str) -> None:
        """Print the text as it is. Raises `Refused` where the terminal's character set lacks some of it."""
        try:
            text.encode(sys.stderr.encoding)
        except UnicodeEncodeError as error:
            raise Refused(
                "this terminal can't show the question as it is", hint="use a UTF-8 locale, or --lang en"
            ) from error
        click.echo(text, nl=False, err=True)

    def answer(self, prompt: str) -> str:
        """What is typed from now on: what was typed ahead, before the question could be read, is thrown away."""
        import termios  # only where there are such terminals

        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        click.echo(f"{prompt}: ", nl=False, err=True)
        try:
            typed = sys.stdin.readline(LONGEST)
        except OSError:
            return ""  # the terminal went away, which is no yes
        if not typed.endswith("\n"):
            say(err=True)
        return typed


def make_desk(language: str | None, *, valid_certificate: bool) -> Desk:
    """Where this command decides: the user's receipts, the machine's policy, and whoever is at the terminal."""
    person = AtTerminal() if is_attended(yes=False) else None
    return Desk(Receipts(), read_policy(), person, language or _usual(), valid_certificate)


def _usual() -> str:
    """The language of the environment where there is a notice in it."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            found = value[:2].lower()
            return found if found in LANGUAGES and _shows_all() else LANGUAGES[0]
    return LANGUAGES[0]


def _shows_all() -> bool:
    return (sys.stderr.encoding or "").lower().replace("-", "") == "utf8"


language_option = click.option(
    "--lang",
    "language",
    type=click.Choice(LANGUAGES),
    help="Language of the question; else the environment's.",
)
"""In which language is asked."""

valid_option = click.option(
    "--require-valid-cert", is_flag=True, help="Refuse a destination whose certificate has expired."
)
"""Whether an expired certificate is refused."""
