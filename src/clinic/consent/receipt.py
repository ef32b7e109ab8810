"""What is kept of a decision, and of what followed from it. Fields after ISO/IEC TS 27560."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timezone

from clinic.bundle.package import Kept

SCHEMA = "clinic-receipt/1"
"""Name and version of the form of a record."""

BASIS = (
    "authorisation of a disclosure on behalf of the organisation that runs the cluster; "
    "not the consent of the people whose data may be in it"
)
"""The legal basis that the answer stands for."""


class Happened(str, enum.Enum):
    """What an entry tells of. The states of TS 27560, and what only a disclosure of packages has."""

    GIVEN = "given"
    """A person said yes to one package for one destination."""

    REFUSED = "refused"
    """A person did not."""

    STARTED = "started"
    """The first byte of the package was about to be sent."""

    UPLOADED = "uploaded"
    """The destination has it."""

    CARRIED = "carried"
    """Package, receipt and note were written for somebody who carries them."""

    WITHDRAWAL_REQUESTED = "withdrawal-requested"
    """The decision was taken back: nothing more is sent under it, and what was sent shall be deleted."""

    WITHDRAWAL_CONFIRMED = "withdrawal-confirmed"
    """The destination says that it deleted what it had, or nothing had been sent."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Which words were shown."""

    name: str
    """Name of the notice."""

    version: str
    """Its version."""

    language: str
    """`en` or `zh`."""

    sha256: str
    """Of its file, hexadecimal."""

    def __str__(self) -> str:
        """`pingcap 1 (en)`."""
        return f"{self.name} {self.version} ({self.language})"


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What the decision is about."""

    bundle: str
    """Id of the bundle."""

    package: str
    """SHA-256 of the whole package, hexadecimal."""

    name: str
    """The package's file name."""

    size: int
    """Its bytes."""

    container: str
    """Its format."""

    recipients: tuple[str, ...]
    """Keys that it is encrypted to; empty when it is not."""

    kept: tuple[Kept, ...]
    """Types of data: category, sensitivity, files, bytes."""

    masked: int
    """Places where a credential was masked."""

    privacy: str
    """Level at which names were replaced."""

    leaks: int
    """Places that the last scan thought to be credentials."""

    missing: int
    """What was wanted and is not in it."""

    case: str = ""
    """The case that it is for."""


@dataclass(frozen=True, slots=True)
class Parties:
    """To whom, where, for how long. Empty where nobody said."""

    destination: str
    """Address: endpoint and path."""

    name: str
    """What `--to` calls it."""

    protocol: str
    """How it takes a package."""

    operator: str
    """Controller: who runs the destination."""

    contact: str
    """Whom to write to."""

    region: str
    """Where it is stored."""

    processed: str
    """From where it may be processed."""

    retention: str
    """How long it is kept."""

    terms: str
    """Address of the operator's policy."""

    recipients: str
    """Who may see what is in the package, as the notice says."""


@dataclass(frozen=True, slots=True)
class Record:
    """One decision of one person: TS 27560's header, processing and parties."""

    schema: str
    """`SCHEMA` when it was written."""

    id: str
    """UUID of the receipt."""

    principal: str
    """The account that answered, at its machine. Stays with the customer; no letter names it."""

    notice: Notice
    """Which notice was shown."""

    text: str
    """The exact text that was shown."""

    text_sha256: str
    """Its SHA-256, of its bytes in UTF-8."""

    disclosed: Disclosed
    """What."""

    parties: Parties
    """To whom."""

    policy: str
    """SHA-256 of the organisation's policy; empty without one."""

    answer: str
    """`yes` or `no`."""

    how: str
    """How it was answered: never what was typed, which could be anything."""

    asked: str
    """When the text was shown; RFC 3339, UTC."""

    answered: str
    """When the answer came."""

    expires: str
    """Until when it may be used; empty for a refusal."""

    tool: str
    """Program and version."""

    purpose: str
    """What for, as the notice says."""

    basis: str = BASIS
    """Legal basis."""

    withdrawal: str = "clinic consent withdraw ID"
    """How it is taken back."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one receipt: TS 27560's events."""

    happened: Happened
    """What."""

    receipt: str
    """Id of the receipt."""

    time: str
    """When; RFC 3339, UTC."""

    entity: str = ""
    """Who did it: an account at a machine, or a server."""

    upload: str = ""
    """The destination's id of the upload."""

    link: str = ""
    """The destination's link for the ticket."""

    note: str = ""
    """In whose words, or how it is known."""

    record: Record | None = None
    """The decision, where this is one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the store."""

    number: int
    """From 1, without a gap."""

    previous: str
    """SHA-256 of the line before; zeros for the first."""

    event: Event
    """What happened."""


def written(moment: datetime) -> str:
    """A moment as receipts have it: RFC 3339, UTC."""
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """The moment that `written` wrote. Raises `ValueError` for anything else."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
