"""What somebody carries by hand: the package, what it holds, its digest, the receipt of the yes, and a note."""

from __future__ import annotations

import os
import shutil
import textwrap
from pathlib import Path

from clinic.bundle.codec import dump
from clinic.bundle.package import ENDING, Package
from clinic.consent.receipt import Record
from clinic.errors import Refused
from clinic.newfile import NewFile, private_folder, put
from clinic.units import MIB, human_size
from clinic.upload.outgoing import Agreed, Outgoing

NOTE = """\
{name} is for {destination}, run by {operator}.

It has {size} ({bytes} bytes). SHA-256:

  {sha256}

Check it where it arrives: sha256sum -c SHA256SUMS

Case: {case}. Bundle id: {bundle}.
{principal} agreed to this on {answered}, for this file and this destination only (receipt {receipt}, in receipt.json;
valid until {expires}). To take it back: clinic consent withdraw {short}, or write to {contact}.

{keys}
Hand over all files of this directory, to the destination and to nobody else. Nothing was sent over a network.
"""


def carry(agreed: Agreed, facts: Package, record: Record, where: Path) -> Path:
    """Write the directory that is carried, below `where`. Raises `Refused` when there is one, `DiskFull`."""
    outgoing = agreed.outgoing
    folder = where / f"{outgoing.path.name}.carry"
    if os.path.lexists(folder):
        raise Refused(
            f"there is something at {folder} already", hint="remove it, or name another place with -o"
        )
    private_folder(folder)
    try:
        _copy(outgoing, folder / outgoing.path.name)
        put(folder / (outgoing.path.name + ENDING), facts.to_json())
        put(folder / "SHA256SUMS", f"{outgoing.sha256}  {outgoing.path.name}\n".encode())
        put(folder / "receipt.json", dump(record))
        put(folder / "NOTE.txt", _note(agreed, facts, record).encode())
    except BaseException:
        shutil.rmtree(folder)
        raise
    return folder


def _copy(outgoing: Outgoing, path: Path) -> None:
    with NewFile(path) as new:
        at = 0
        while at < outgoing.size:
            data = outgoing.read(at, MIB)
            new.write(data)
            at += len(data)
        outgoing.require_unchanged()
        new.keep()


def _note(agreed: Agreed, facts: Package, record: Record) -> str:
    destination, outgoing = agreed.destination, agreed.outgoing
    keys = ", ".join(facts.recipients)
    opened = (
        f"Only these can open it: {keys}." if keys else "It is not encrypted: whoever has it can read it."
    )
    return NOTE.format(
        name=outgoing.path.name, destination=destination.address or destination.name,
        operator=destination.operator or "OPERATOR UNKNOWN", size=human_size(outgoing.size), bytes=outgoing.size,
        sha256=outgoing.sha256, case=facts.case or "none", bundle=facts.bundle, principal=record.principal,
        answered=record.answered, receipt=record.id, short=record.id[:8], expires=record.expires,
        contact=destination.contact or "the operator", keys="\n".join(textwrap.wrap(opened, 110)),
    )  # fmt: skip
