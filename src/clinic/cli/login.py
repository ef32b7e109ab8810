"""Who logs in at the cluster's SQL servers: from options, the environment, an option file, or asked once."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click

from clinic.cli.output import say
from clinic.client.access import Access
from clinic.client.account import Account
from clinic.client.optionfile import Options, read_options, usual_file
from clinic.client.tls import Tls
from clinic.cluster.model import Cluster
from clinic.errors import Refused, UsageError
from clinic.kinds import Role
from clinic.secret import Secret, SecretRegister
from clinic.units import plural

USER, PASSWORD = "CLINIC_SQL_USER", "CLINIC_SQL_PASSWORD"
"""Environment variables with the account and its password."""

LONGEST = 4096
"""Bytes of a password file."""


@dataclass(frozen=True)
class Login:
    """What the command line says of the account. Nothing secret: a password is never an argument."""

    user: str = ""
    """`--user`."""

    password_file: str = ""
    """`--password-file`."""

    ca: str = ""
    """`--sql-ca`."""

    ask: bool = False
    """Whether there is a person to ask."""

    def given(self, register: SecretRegister) -> Access:
        """What can be known without asking anybody. Raises `UsageError`, `Refused`."""
        options = self._options(register)
        user = self.user or os.environ.get(USER, "") or options.user
        tls = Tls(Path(self.ca)) if self.ca else options.tls
        if not user:
            return Access(sql_tls=tls)
        password = self._password(register)
        if password is None and user == options.user:
            password = options.password
        if password is None:
            password = prompt(f"Password of {user} (Enter for none): ", register) if self.ask else Secret("")
        return Access(sql=Account(user, password), sql_tls=tls)

    def asked(self, access: Access, cluster: Cluster, register: SecretRegister) -> Access:
        """`access`, with an account that a person names now where there is none and one is of use."""
        servers = [one for one in cluster.instances if Role.SQL in one.roles]
        if access.sql is not None or not servers or not self.ask:
            return access
        say(
            f"{plural(len(servers), 'SQL server')}: variables and states need an account that may read them.",
            err=True,
        )
        user = click.prompt("User (Enter to go without)", default="", show_default=False, err=True).strip()
        if not user:
            return access
        return replace(access, sql=Account(user, prompt(f"Password of {user} (Enter for none): ", register)))

    def _options(self, register: SecretRegister) -> Options:
        path = usual_file()
        if self.user or not path.is_file():
            return Options()
        try:
            options = read_options(path, register)
        except (UsageError, Refused) as error:
            say(f"{error.message}; going on without it", err=True)
            return Options()
        for remark in options.remarks:
            say(remark, err=True)
        return options

    def _password(self, register: SecretRegister) -> Secret | None:
        if self.password_file:
            return learned(read_secret(self.password_file, "--password-file"), register)
        return learned(os.environ[PASSWORD], register) if PASSWORD in os.environ else None


def learned(text: str, register: SecretRegister) -> Secret:
    """A secret that is masked from now on."""
    secret = Secret(text)
    register.learn(secret, source="the account")
    return secret


def prompt(question: str, register: SecretRegister) -> Secret:
    """A secret that a person types."""
    return learned(
        click.prompt(question, hide_input=True, default="", show_default=False, prompt_suffix="", err=True),
        register,
    )


def read_secret(name: str, option: str) -> str:
    """The first line of a file that only its owner can read, named by `option`. Raises `UsageError`, `Refused`."""
    return read_private(name, option).split("\n", 1)[0].rstrip("\r")


def read_private(name: str, option: str) -> str:
    """A small file that only its owner can read, named by `option`. Raises `UsageError`, `Refused`."""
    path = Path(name)
    try:
        with path.open("rb") as file:
            info = os.fstat(file.fileno())
            data = file.read(LONGEST + 1)
    except OSError as error:
        raise UsageError(
            f"can't read {path}: {error.strerror}", hint=f"check the path given as {option}"
        ) from error
    if stat.S_ISREG(info.st_mode) and info.st_mode & 0o077:
        raise Refused(f"others can read {path}", hint=f"chmod 600 {path}")
    if len(data) > LONGEST:
        raise UsageError(
            f"{path} is longer than {LONGEST} bytes", hint="it holds what is secret and nothing else"
        )
    return data.decode("utf-8", "surrogateescape")


def is_attended(*, yes: bool) -> bool:
    """Whether a person is there who can be asked."""
    return not yes and sys.stdin.isatty() and sys.stderr.isatty()


def login_options(command: Callable[..., object]) -> Callable[..., object]:
    """The options of a command that logs in."""
    for option in (
        click.option(
            "--sql-ca", default="", metavar="FILE", help="CA certificate of the SQL servers; verifies them."
        ),
        click.option(
            "--password-file", default="", metavar="FILE", help="Its password: a file only you can read."
        ),
        click.option(
            "--user", "-u", default="", metavar="NAME", help="Account for the SQL servers; else ~/.my.cnf."
        ),
    ):
        command = option(command)
    return command
