"""`clinic receive`: the other end of an upload, for a support team that runs it itself."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from clinic.cli.options import SizeType
from clinic.cli.output import say
from clinic.client.address import read_address
from clinic.errors import UsageError
from clinic.units import GIB, MIB, parse_duration

PORT = 8086
"""Where it listens unless told otherwise."""

_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("receive")
@click.option("--dir", "directory", required=True, type=click.Path(path_type=Path, file_okay=False),
              help="Where packages go; made if need be, readable by you alone.")  # fmt: skip
@click.option("--listen", default=f"127.0.0.1:{PORT}", show_default=True, metavar="HOST:PORT",
              help="Where to listen; port 0 takes one that is free.")  # fmt: skip
@click.option("--cert", type=_file, help="Certificate with its chain, PEM: TLS is spoken.")
@click.option("--key", type=_file, help="Its private key, when it is not in the same file.")
@click.option("--url", default="", metavar="URL", help="Where senders find this, behind another server.")
@click.option("--max-package", type=SizeType(), default=16 * GIB, help="Largest package.  [default: 16G]")
@click.option("--keep-free", type=SizeType(), default=64 * MIB,
              help="What is left free on the disk.  [default: 64M]")  # fmt: skip
@click.option("--new-token", metavar="NAME", help="Print a new token for the sender NAME, and end.")
@click.option(
    "--valid", default="90d", show_default=True, metavar="TIME", help="How long a new token is good."
)
def command(
    *,
    directory: Path,
    listen: str,
    cert: Path | None,
    key: Path | None,
    url: str,
    max_package: int,
    keep_free: int,
    new_token: str | None,
    valid: str,
) -> int:
    """Receive packages in the Clinic API, from clinic upload or from PingCAP's diag.

    On loopback anybody on this machine can send until there is a token. Any other address needs a
    certificate and a token. What is unfinished is gone on with, also after a restart; a package is complete
    when its SHA-256 was read back from the disk. A withdrawal deletes it.

    \b
    Examples:
      clinic receive --dir /srv/clinic --new-token customer-17
      clinic receive --dir /srv/clinic
      clinic receive --dir /srv/clinic --listen 0.0.0.0:8443 --cert server.pem --key server.key
      clinic receive --dir /srv/clinic --url https://support.example.com      (behind nginx)
    """
    if new_token is not None:
        _make_token(directory, new_token, valid)
        return 0
    _serve(directory, listen, cert, key, url, max_package, keep_free)
    return 0


def _make_token(directory: Path, name: str, valid: str) -> None:
    from clinic.receive import tokens  # Unix only, as all of the receiver

    token = tokens.make(directory, name, timedelta(seconds=parse_duration(valid)))
    click.echo(token)
    say(f"The token of {name}, shown this once. It is good for {valid}.", err=True)


def _serve(
    directory: Path, listen: str, cert: Path | None, key: Path | None, url: str, largest: int, free: int
) -> None:
    try:
        from clinic.receive.serve import Setup, serve
        from clinic.receive.store import Limits
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the receiver needs a package that is not installed: {error.name}",
            hint="install what it needs: pip install starlette uvicorn httptools",
        ) from error
    host, port = _address(listen)
    limits = Limits(package=largest, keep_free=free)
    setup = Setup(directory, host, port, cert, key, url, limits)
    serve(setup, lambda where: say(f"Receiving at {where} into {directory}. Ctrl-C ends it."))


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if colon and port == "0":
        return host.strip("[]"), 0
    try:
        address = read_address(listen, port=PORT)
    except ValueError as error:
        raise UsageError(f"--listen {listen}: {error}") from error
    return address.host, address.port
