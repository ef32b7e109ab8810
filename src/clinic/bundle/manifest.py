"""What a sealed bundle says of itself. It holds no payload, so it can be shown and sent alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from clinic.bundle.codec import decode, encode, load, write
from clinic.bundle.names import MANIFEST
from clinic.bundle.record import FileEntry, Record
from clinic.errors import BadBundle
from clinic.units import MIB

FORMAT = "clinic-bundle/1"
"""Name and major version of the format. Another major version is refused; new fields do not change it."""

LARGEST = 256 * MIB
"""Bytes of a manifest beyond which it is not read: some 300,000 files."""

Option = str | int | float | bool | tuple[str, ...] | None
"""What an option of the command line, or a fact about a host, can be."""


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """One instance of the cluster, as far as it identifies it."""

    id: str
    """As the bundle's paths call it."""

    component: str
    """`tidb`, `pd`, `tikv`, ..."""

    host: str
    """Name of its machine."""

    port: int = 0
    """The port it serves its clients on; 0 when unknown."""

    version: str = ""
    """Empty when unknown."""

    pid: int = 0
    """Its process when the run began; 0 where it had none, or where that was not looked at."""

    unit: str = ""
    """The systemd unit that keeps it; empty when none does as far as is known."""

    address: str = ""
    """The address that it listens on, on its own machine; empty when unknown."""

    directory: str = ""
    """Where it is installed, else where its data are; empty when unknown."""


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What was diagnosed."""

    name: str
    """As its deployment calls it."""

    deployed: str
    """How it was found: `tiup`, `manual`, `local`."""

    machines: tuple[str, ...]
    """Names of its hosts."""

    instances: tuple[InstanceFacts, ...] = ()
    """What runs, or should run, on them."""

    id: str = ""
    """The cluster's UUID; empty when nobody could say."""

    version: str = ""
    """The product's version; empty when nobody could say."""

    unknown: tuple[str, ...] = ()
    """What discovery could not learn, a sentence each."""

    differences: tuple[str, ...] = ()
    """Where two sources of it disagree, a sentence each."""


@dataclass(frozen=True, slots=True)
class WindowFacts:
    """What time was wanted, in the control machine's time."""

    start: str
    """RFC 3339."""

    end: str
    """RFC 3339."""

    zone: str
    """Name or offset of the control machine's zone."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked for, by whom and where: known before anything is collected."""

    tool: str
    """Name of the program that writes the bundle."""

    version: str
    """Its version."""

    created: str
    """When the bundle's directory was made; RFC 3339, UTC."""

    started: str
    """When the first item could start; RFC 3339, UTC."""

    cluster: ClusterFacts
    """What was diagnosed."""

    window: WindowFacts
    """What time was wanted."""

    machine: str
    """Name of the control machine."""

    user: str
    """The account it ran as."""

    root: bool
    """Whether that account had root's rights."""

    profile: str = ""
    """Name of the profile; empty for none."""

    case: str = ""
    """The case that it is for, as the person named it."""

    note: str = ""
    """What the person wrote."""

    options: Mapping[str, Option] = field(default_factory=dict[str, Option])
    """The options as given, credentials masked: what `--resume` needs to plan the same again."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """What was masked on the way to the disk."""

    rules: str
    """Version of the set of rules."""

    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    """How often each rule masked something, in all files."""


@dataclass(frozen=True, slots=True)
class Total:
    """How much there is of one category."""

    items: int = 0
    """Planned items."""

    files: int = 0
    """Files in the bundle."""

    plain: int = 0
    """Their bytes once decompressed."""

    stored: int = 0
    """Their bytes on disk."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The bundle in a few numbers."""

    status: Mapping[str, int]
    """Items by how they ended."""

    category: Mapping[str, Total]
    """Items, files and bytes by kind of data."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a sealed bundle holds, what it does not hold and why."""

    run: Run
    """What was asked for."""

    ended: str
    """When it was sealed; RFC 3339, UTC."""

    interrupted: bool
    """Whether the run was stopped before it was through."""

    parent: str | None
    """Id of the sealed bundle that this one was resumed or made from."""

    redaction: Redaction
    """What was masked."""

    records: tuple[Record, ...]
    """Every planned item, in the plan's order, and what became of it."""

    derived: tuple[FileEntry, ...] = ()
    """Files that were made from the others: the summary."""

    hosts: Mapping[str, Mapping[str, Option]] = field(default_factory=dict[str, Mapping[str, Option]])
    """What was measured of each host: its clock's offset in seconds."""

    footprint: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    """What collecting cost each host and the control machine: CPU seconds, bytes read, commands."""

    def files(self) -> Iterator[FileEntry]:
        """Every file that it lists."""
        for record in self.records:
            yield from record.files
        yield from self.derived

    @property
    def totals(self) -> Totals:
        """The numbers that stand at the top of the file."""
        return Totals(
            Counter(str(record.status) for record in self.records),
            {name: _total(self.records, name) for name in {record.entry.category for record in self.records}},
        )

    @property
    def complete(self) -> bool:
        """Whether nothing that was wanted is missing."""
        return not self.interrupted and not any(record.incomplete for record in self.records)

    def to_json(self) -> bytes:
        """The bytes of `manifest.json`: the same for the same manifest, indented for people."""
        body = cast("dict[str, object]", encode(self))
        # The small facts come before the long lists, so that the beginning of the file tells the story.
        lists = {name: body.pop(name, []) for name in ("derived", "records")}
        head: dict[str, object] = {"format": FORMAT, "totals": encode(self.totals)}
        return write({**head, **body, **lists}, indent=1)

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """The manifest in `data`. Raises `BadBundle` with one clear line for anything that is not one."""
        found = load(data, MANIFEST)
        require_format(found, MANIFEST)
        manifest = decode(cls, found, MANIFEST)
        stated = cast("dict[str, object]", found).get("totals")
        if decode(Totals, stated, f"{MANIFEST}: totals") != manifest.totals:
            raise BadBundle(f"{MANIFEST}: the totals are not those of its records")
        return manifest


def require_format(found: object, what: str) -> None:
    """Raise `BadBundle` unless the JSON `found` in the file `what` says that it is of this format."""
    stated = cast("dict[str, object]", found).get("format") if isinstance(found, dict) else None
    if stated != FORMAT:
        told = f"of the format {stated!a}" if isinstance(stated, str) else "of no known format"
        raise BadBundle(
            f"{what} is {told}, and this version of Clinic reads {FORMAT}",
            hint="use the version of Clinic that wrote the bundle, or a newer one",
        )


def _total(records: Iterable[Record], category: str) -> Total:
    ours = [record for record in records if record.entry.category == category]
    return Total(
        items=len(ours),
        files=sum(len(record.files) for record in ours),
        plain=sum(record.plain for record in ours),
        stored=sum(record.stored for record in ours),
    )
