"""How the cluster's Prometheus is asked: who logs in there, with which headers, and which of its metrics are wanted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import click

from clinic.cli.login import Login, learned, prompt, read_private, read_secret
from clinic.cli.options import SizeType
from clinic.client.access import Access
from clinic.client.account import Account
from clinic.cluster.model import Cluster
from clinic.errors import Refused, UsageError
from clinic.redact.keys import kind_of
from clinic.secret import Secret, SecretRegister
from clinic.source.prometheus.selection import read_condition
from clinic.units import parse_duration

PASSWORD, TOKEN, HEADERS = (
    "CLINIC_PROMETHEUS_PASSWORD", "CLINIC_PROMETHEUS_TOKEN", "CLINIC_PROMETHEUS_HEADERS",
)  # fmt: skip
"""Environment variables: the password, a bearer token, headers as lines."""

COMPONENTS = ("prometheus", "victoria-metrics")
"""Whose account it is."""

_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]*)")
_OWN = frozenset(
    {"host", "content-length", "content-type", "content-encoding", "accept-encoding", "connection"}
)
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie"})


@dataclass(frozen=True)
class PromLogin:
    """What the command line says of it. Nothing secret."""

    user: str = ""
    """`--prometheus-user`."""

    password_file: str = ""
    """`--prometheus-password-file`."""

    token_file: str = ""
    """`--prometheus-token-file`."""

    headers: tuple[str, ...] = ()
    """`--prometheus-header`."""

    header_file: str = ""
    """`--prometheus-header-file`."""

    ask: bool = False
    """Whether there is a person to ask."""

    def added(self, access: Access, register: SecretRegister) -> Access:
        """`access` with it. Raises `UsageError`, `Refused`."""
        account = self._account(register)
        headers = dict(self._headers(register))
        web = dict.fromkeys(COMPONENTS, account) if account is not None else {}
        given = dict.fromkeys(COMPONENTS, headers) if headers else {}
        return replace(access, web={**access.web, **web}, headers={**access.headers, **given})

    def _account(self, register: SecretRegister) -> Account | None:
        if self.user and self.token_file:
            raise UsageError(
                "--prometheus-user and --prometheus-token-file can't both log in", hint="give one"
            )
        if self.token_file:
            token = read_secret(self.token_file, "--prometheus-token-file").strip()
            return Account("", learned(token, register), bearer=True)
        if not self.user:
            return (
                Account("", learned(os.environ[TOKEN], register), bearer=True)
                if os.environ.get(TOKEN)
                else None
            )
        if self.password_file:
            password = learned(read_secret(self.password_file, "--prometheus-password-file"), register)
        elif PASSWORD in os.environ:
            password = learned(os.environ[PASSWORD], register)
        elif self.ask:
            password = prompt(f"Password of {self.user} at Prometheus: ", register)
        else:
            raise UsageError(
                f"no password of {self.user} at Prometheus",
                hint=f"give --prometheus-password-file, or set {PASSWORD}",
            )
        return Account(self.user, password)

    def _headers(self, register: SecretRegister) -> Iterator[tuple[str, Secret]]:
        for line in self.headers:
            name, value = _header(line, "--prometheus-header")
            if name.lower() in _SECRET or kind_of(name.encode()) is not None:
                raise Refused(
                    f"{name} on the command line is in lists of processes and in histories",
                    hint=f"put it into a file of your own: --prometheus-header-file FILE, or into {HEADERS}",
                )
            yield name, Secret(value)
        text = read_private(self.header_file, "--prometheus-header-file") if self.header_file else ""
        for line in (*text.splitlines(), *os.environ.get(HEADERS, "").splitlines()):
            if line.strip():
                name, value = _header(line, "--prometheus-header-file")
                yield name, learned(value, register)


def _header(line: str, option: str) -> tuple[str, str]:
    found = _HEADER.fullmatch(line.strip())
    if found is None:
        raise UsageError(f"{option}: that is no header", hint="write it as NAME: VALUE")
    if found[1].lower() in _OWN:
        raise UsageError(f"{option}: {found[1]} is set by Clinic itself", hint="leave it out")
    return found[1], found[2].strip()


@dataclass(frozen=True)
class Logins:
    """Who logs in where."""

    sql: Login
    """At the SQL servers."""

    prometheus: PromLogin
    """At Prometheus."""

    def given(self, register: SecretRegister) -> Access:
        """What can be known before the cluster is. Raises `UsageError`, `Refused`."""
        return self.prometheus.added(self.sql.given(register), register)

    def asked(self, access: Access, cluster: Cluster, register: SecretRegister) -> Access:
        """The same, completed for `cluster`."""
        return self.sql.asked(access, cluster, register)


def step_of(mode: str) -> int:
    """Milliseconds between two values that `--metrics-mode` wants; 0 for all samples. Raises `UsageError`."""
    kind, colon, step = mode.partition(":")
    if mode == "raw":
        return 0
    if kind != "downsample" or not colon:
        raise UsageError(
            f"--metrics-mode {mode} is not known", hint="raw, or downsample:STEP as in downsample:1m"
        )
    milliseconds = round(parse_duration(step) * 1000)
    if milliseconds < 1000:
        raise UsageError(
            "a step shorter than a second makes more of the samples, not less", hint="downsample:1m"
        )
    return milliseconds


def conditions(texts: tuple[str, ...]) -> str:
    """What `--metrics-label` says, a line each. Raises `UsageError`."""
    for text in texts:
        try:
            read_condition(text)
        except ValueError as error:
            raise UsageError(
                f"--metrics-label: {error}", hint="as in --metrics-label 'instance=~10.0.1.*'"
            ) from None
        if "\n" in text:
            raise UsageError("--metrics-label: a condition is one line", hint="give the option once for each")
    return "\n".join(texts)


_OPTIONS = (
    click.option(
        "--prometheus", default="", metavar="URL", help="The cluster's Prometheus, with its path if any."
    ),
    click.option(
        "--prometheus-user", default="", metavar="NAME", help="Account for it; the password is asked for."
    ),
    click.option(
        "--prometheus-password-file", default="", metavar="FILE", help=f"Its password; or set {PASSWORD}."
    ),
    click.option(
        "--prometheus-token-file", default="", metavar="FILE", help=f"Bearer token; or set {TOKEN}."
    ),
    click.option(
        "--prometheus-header",
        multiple=True,
        metavar="'NAME: VALUE'",
        help="Sent with every request; repeatable.",
    ),
    click.option(
        "--prometheus-header-file", default="", metavar="FILE", help="The same with secrets, a line each."
    ),
    click.option(
        "--metrics-match", multiple=True, metavar="GLOB", help="Only metrics with such a name; repeatable."
    ),
    click.option(
        "--metrics-exclude", multiple=True, metavar="GLOB", help="No metrics with such a name; repeatable."
    ),
    click.option(
        "--metrics-label",
        multiple=True,
        metavar="COND",
        help="Only such series: instance=~10.0.1.*; repeatable.",
    ),
    click.option(
        "--metrics-max",
        type=SizeType(),
        metavar="SIZE",
        help="Most samples of one server; 1G. The metrics that a diagnosis begins with come first.",
    ),
    click.option(
        "--metrics-mode",
        default="raw",
        metavar="MODE",
        help="raw: every sample; downsample:1m: a value a minute.",
    ),
    click.option(
        "--verify", is_flag=True, help="Let the servers count the samples of some metrics, and compare."
    ),
)


def metrics_options(command: Callable[..., object]) -> Callable[..., object]:
    """The options of a command that asks Prometheus."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
