"""What `inspect`, `verify` and `unpack` print of a `.diag` file."""

from __future__ import annotations

from pathlib import Path

from clinic.bundle.package import ENDING
from clinic.bundle.packagefile import read_package
from clinic.cli.output import print_json, say, table
from clinic.cli.progress import Bars
from clinic.errors import UsageError
from clinic.read.diagfile import DiagFacts, examine_diag, head_of
from clinic.units import human_size, plural


def show(path: Path, key: Path | None, as_json: bool) -> int:
    """`clinic inspect` of one: its header, and with the key all that it says and holds."""
    head = head_of(path)
    facts = _examined(path, key) if key is not None else None
    if as_json:
        print_json(_as_json(path, head.kind, head.metadata, facts))
        return 0
    say(f"{path}: a .diag of PingCAP's client, {human_size(head.size)}, kind {head.kind:#04x}")
    say(f"Encrypted: {'yes' if head.encrypted else 'no'}; {head.metadata:,} bytes of metadata")
    if facts is None:
        say("What is inside only the owner of the private key can read: --key FILE")
        return 0
    for name, value in facts.metadata.items():
        say(f"  {name}: {value}")
    table(("BYTES", "FILE"), [(human_size(size), name) for name, size in facts.files], right=(0,))
    return 0


def check(path: Path, key: Path | None, as_json: bool) -> int:
    """`clinic verify` of one: read to its end, it holds as much as it says. Nothing in the format proves more.

    Its digest stands in `NAME.json` beside it where Clinic made it, and is compared where that is there.
    """
    if key is None:
        show(path, None, as_json)
        raise UsageError(
            f"{path} is encrypted: without its key nobody can say whether it is whole",
            hint="name the private key: --key FILE",
        )
    beside = path.with_name(path.name + ENDING)
    told = beside.exists()
    if told:
        with Bars() as bars:
            read_package(path, bars)
    head, facts = head_of(path), _examined(path, key)
    if as_json:
        print_json({"good": True, **_as_json(path, head.kind, head.metadata, facts)})
        return 0
    total = human_size(sum(size for _, size in facts.files))
    say(f"Readable to its end: {plural(len(facts.files), 'file')}, {total}, as it says.", colour="green")
    if told:
        say(f"Its SHA-256 is the one in {beside.name}, which is worth as much as whoever wrote that file.")
    else:
        say(
            "Its format holds no digests: who made it, and whether every byte is the sender's, it can't prove."
        )
    return 0


def _examined(path: Path, key: Path | None) -> DiagFacts:
    with Bars() as bars:
        return examine_diag(path, key, bars)


def _as_json(path: Path, kind: int, metadata: int, facts: DiagFacts | None) -> dict[str, object]:
    return {
        "file": str(path),
        "kind": kind,
        "metadata_bytes": metadata,
        "metadata": dict(facts.metadata) if facts is not None else None,
        "files": [{"path": name, "bytes": size} for name, size in facts.files] if facts is not None else None,
    }
