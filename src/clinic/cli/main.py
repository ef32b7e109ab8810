"""The command `clinic`: finds the command that was asked for, and catches every error once."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

import clinic
from clinic.errors import ClinicError, DiskFull, Interrupted, Refused

COMMANDS = {
    "bundles": "List the bundles, packages and keys that are on this machine, and their age.",
    "clusters": "List the clusters that TiUP manages from this machine.",
    "collect": "Collect a bundle from a cluster or this machine.",
    "collectors": "List what can be collected, and what each item reads.",
    "consent": "Decide where a package may go; see and take back what was decided.",
    "convert": "Write a bundle in the form of another tool.",
    "doctor": "Say what this account can and can't collect here, and the fix.",
    "drift": "Show which settings in a bundle differ: file against running, instance against instance.",
    "inspect": "Show what is inside a bundle, what is missing, and why.",
    "join": "Put the parts of a package together.",
    "keys": "Export the key of a cluster's pseudonyms for a second machine, and import it there.",
    "leaks": "Look through a bundle for credentials, and for names that were replaced in it.",
    "logs": "Show the logs of a bundle as one, in the order of time.",
    "metrics": "Show which metrics a bundle has, and series of them.",
    "pack": "Make one file of a sealed bundle, encrypted if you like.",
    "purge": "Remove bundles, packages and keys from this machine, after a yes.",
    "rebuild": "Write the metrics of a bundle as data that a Prometheus opens.",
    "receive": "Receive packages, as a support team that runs its own server.",
    "redact": "Make a bundle in which the customer's own names are replaced.",
    "seal": "Seal a bundle whose run was cut short.",
    "unmask": "Turn pseudonyms in a text back into the real names.",
    "unpack": "Make a directory of the bundle in a package.",
    "upload": "Send a package or bundle where a person has said that it may go.",
    "verify": "Check that a bundle is exactly what its manifest says.",
}

_ONLY_PRINTS = frozenset(
    "bundles clusters collectors doctor drift inspect leaks logs metrics unmask verify".split()
)
"""Commands that leave nothing but what they print."""
"""Every command with its line of help: known without importing any of them, so that --help is instant."""


class LazyGroup(click.Group):
    """Imports a command only when it is run or its own help is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, sorted."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command in the module of its name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"clinic.cli.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help, from the table alone."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    del param
    if value and not ctx.resilient_parsing:
        click.echo(f"clinic {clinic.__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
@click.option("--verbose", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, verbose: bool) -> None:
    """Gather what a support engineer needs from a sick database cluster.

    Everything goes into one local bundle. Nothing is sent anywhere but by clinic upload, after a typed yes.

    \b
    Examples:
      clinic collect                   this machine, the last two hours
      clinic collect --dry-run         what would be read, and how much
      clinic inspect BUNDLE            what is inside, what is missing and why
    """
    ctx.obj = verbose


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code of what happened."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(words))


def run(words: Sequence[str]) -> int:
    """Run the command line `words`; the exit code. Every error ends here as one message."""
    # The lowest first: a new file takes the lowest number that is free, and gets the one that was closed.
    for name, stream, mode in (
        ("stdin", sys.stdin, "r"),
        ("stdout", sys.stdout, "w"),
        ("stderr", sys.stderr, "w"),
    ):
        if stream is None:  # so Python says for one that was closed
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 # for as long as we run
    try:
        return _run(words)
    finally:
        _end_output()


def _run(words: Sequence[str]) -> int:
    try:
        code = cli.main(list(words), prog_name="clinic", standalone_mode=False, color=_colours())
        sys.stdout.flush()
        return _require_shown(words, code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _report(
            Interrupted("stopped", hint="nothing was collected; run it again when you like"), words
        )
    except BrokenPipeError:
        # The reader of a pipe went away; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ClinicError as error:
        return _report(error, words)
    except OSError as error:
        return _report(_of_system(error), words)
    except Exception as error:  # noqa: BLE001  # the one catch of what nobody expected
        return _report(ClinicError(_describe(error)), words)


def _end_output() -> None:
    """What is still to be printed goes out now or never: Python would complain at exit, with a code of its own."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        from clinic.cli.output import hush  # only when something went wrong

        hush(err=False)


def _require_shown(words: Sequence[str], code: int) -> int:
    """`code`, unless what a command does is print and not all of that had room. Raises `DiskFull`."""
    from clinic.cli.output import is_lost

    if not code and is_lost() and next((word for word in words if word[:1] != "-"), "") in _ONLY_PRINTS:
        raise DiskFull("there is no room for what is printed: a part of it is missing")
    return code


def _colours() -> bool | None:
    """False where nobody wants any (no-color.org), else what the terminal says."""
    return False if os.environ.get("NO_COLOR") else None


def _of_system(error: OSError) -> ClinicError:
    """What the system refused, as the error that it is."""
    named = f"{error.filename}: " if error.filename is not None else ""
    text = f"{named}{error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(text)
    return Refused(text, hint="check the path, its permissions and the limits of this account (ulimit -a)")


def _describe(error: Exception) -> str:
    """An unexpected error in a line; its text passes the redactor, since it may quote what it choked on."""
    from clinic.redact import Redactor  # only when something went wrong
    from clinic.secret import SecretRegister

    return Redactor(SecretRegister()).text(f"{type(error).__name__}: {error}")


def _report(error: ClinicError, words: Sequence[str]) -> int:
    click.secho(f"clinic: {error.message}", err=True, fg="red", color=_colours())
    if error.hint:
        click.echo(f"  next: {error.hint}", err=True)
    if "--verbose" in words:
        traceback.print_exc()
    return error.exit_code
