"""What the commands that reach a destination share: the way there, the credential, Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import click

from clinic.cli.login import is_attended
from clinic.cli.signals import aside, handling
from clinic.client.address import read_url
from clinic.client.tls import Tls
from clinic.consent.destination import Destination, Protocol
from clinic.consent.origin import is_loopback
from clinic.errors import UsageError
from clinic.secret import Secret
from clinic.upload.door import Route
from clinic.upload.flow import Stop
from clinic.upload.token import VARIABLE, from_environment, from_file

_file = click.Path(path_type=Path, exists=True)


@dataclass(frozen=True, slots=True)
class Reaching:
    """How to get to a destination, as options say it."""

    token_file: Path | None
    """File that holds the token."""

    ca: Path | None
    """CAs that are trusted, a file or a directory."""

    cert: Path | None
    """Certificate that we show."""

    key: Path | None
    """Its key."""

    proxy: str | None
    """URL of a proxy; None takes the environment's."""

    def route(self) -> Route:
        """The way there. Raises `UsageError` for a proxy with an account on the command line."""
        if self.proxy is not None and "@" in self.proxy:
            raise UsageError(
                "--proxy holds an account, which would be in the list of processes",
                hint="put the whole URL into the environment: HTTPS_PROXY",
            )
        return Route(Tls(self.ca, self.cert, self.key), self.proxy)

    def has_credential(self, destination: Destination) -> bool:
        """Whether `credential` has one without asking anybody."""
        given = self.token_file is not None or from_environment() is not None
        return given or (destination.protocol is Protocol.CLINIC and _is_local(destination))

    def credential(self, destination: Destination) -> Secret:
        """The token: from its file, the environment, or a person. Raises `UsageError` where there is none."""
        if self.token_file is not None:
            return from_file(self.token_file)
        found = from_environment()
        if found is not None:
            return found
        if is_attended(yes=False):
            question = f"{_called(destination.protocol)} for {destination.name} (hidden; Enter for none): "
            return Secret(
                click.prompt(
                    question, hide_input=True, default="", show_default=False, prompt_suffix="", err=True
                )
            )
        if destination.protocol is Protocol.CLINIC and _is_local(destination):
            return Secret("")
        raise UsageError(
            f"there is no {_called(destination.protocol).lower()} for {destination.name}",
            hint=f"put it into a file that you alone can read (--token-file), or into {VARIABLE}",
        )


def reaching_of(given: dict[str, Any]) -> Reaching:
    """What the options of `reaching_options` say, among others."""
    return Reaching(*(given[name] for name in ("token_file", "ca", "cert", "key", "proxy")))


def reaching_options(command: Callable[..., object]) -> Callable[..., object]:
    """The options of `Reaching`."""
    for option in (
        click.option(
            "--token-file", type=_file, help="File with the token, readable by you alone; else CLINIC_TOKEN."
        ),
        click.option(
            "--ca", type=_file, help="CA certificates to trust instead of the system's: a file or directory."
        ),
        click.option("--cert", type=_file, help="Client certificate, where the destination demands one."),
        click.option("--key", type=_file, help="Its private key, when it is not in the same file."),
        click.option("--proxy", metavar="URL", help="Proxy to go through; else HTTPS_PROXY and NO_PROXY."),
    ):
        command = option(command)
    return command


@contextmanager
def stopping(say: Callable[[str], None]) -> Generator[Stop]:
    """Within it the first Ctrl-C ends an upload after the part that is on its way, the second at once."""
    stop = Stop()

    def pressed(number: int, frame: FrameType | None) -> None:
        del number, frame
        if not stop.soon.is_set():
            aside(say, "Stopping after the part that is on its way. Once more stops at once.")
        stop()

    with handling(pressed):
        yield stop


def _called(protocol: Protocol) -> str:
    return {Protocol.PUT: "Presigned URL", Protocol.S3: "Keys ACCESS:SECRET, or presigned URLs"}.get(
        protocol, "Token"
    )


def _is_local(destination: Destination) -> bool:
    return is_loopback(read_url(destination.endpoint)[0].host)
