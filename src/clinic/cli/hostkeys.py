"""What a person is asked before the first login: the keys of machines that nobody knows yet, and passwords."""

from __future__ import annotations

from collections.abc import Sequence

import click

from clinic.cli.output import harmless, say, table
from clinic.host.ssh.hostkeys import Scanned
from clinic.run.reach import People, own_known_hosts
from clinic.secret import Secret
from clinic.units import plural

YES = "yes"


def ask_keys(scanned: Sequence[Scanned]) -> bool:
    """Show them and ask; only the whole word is a yes. False where there is nothing to accept."""
    keys = [key for one in scanned for key in one.keys]
    for one in scanned:
        if one.why:
            say(f"{one.host}: its host key is not known, and it shows none: {one.why}", err=True)
    if not keys:
        return False
    say(f"The host keys of {plural(len({key.host for key in keys}), 'machine')} are not known yet:", err=True)
    table(("HOST", "TYPE", "SHA256"), ((key.host, key.kind, key.fingerprint[7:]) for key in keys), err=True)
    say(
        "Each machine tells its own: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub (or the other types).",
        err=True,
    )
    question = f"Are they right? '{YES}' keeps them in {own_known_hosts()}"
    try:
        answer: str = click.prompt(question, default="no", show_default=False, err=True)
    except click.Abort:
        answer = ""
    if answer.strip() != YES:
        say("Not kept: what is on these machines is left out.", err=True, colour="yellow")
        return False
    return True


def ask_secret(question: str) -> Secret | None:
    """Put a question of ssh to the person; None for no answer."""
    try:
        text: str = click.prompt(
            f"ssh: {harmless(question)} ",
            hide_input=True,
            default="",
            show_default=False,
            prompt_suffix="",
            err=True,
        )
    except click.Abort:
        return None
    return Secret(text) if text else None


def people(*, attended: bool) -> People | None:
    """Who can be asked, where there is somebody."""
    return People(ask_keys, ask_secret) if attended else None
