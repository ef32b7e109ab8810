"""What stands beside a package, in `PACKAGE.json`: what is inside, without opening it.

The consent screen is drawn from it, so that nothing has to be decrypted to say what is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from clinic.bundle.codec import decode, encode, load, write
from clinic.bundle.manifest import Redaction
from clinic.errors import BadBundle

FORMAT = "clinic-package/1"
"""Name and major version of the file."""

ENDING = ".json"
"""What is appended to a package's name for its facts."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What of one category and sensitivity is in the package."""

    category: str
    """Kind of data."""

    sensitivity: str
    """What it may hold once credentials are masked."""

    files: int
    """How many files."""

    plain: int
    """Their bytes once decompressed."""

    stored: int
    """Their bytes in the bundle."""


@dataclass(frozen=True, slots=True)
class LeakResult:
    """What a scan for credentials found, as a value: consent shows it, and never scans itself."""

    checked: str
    """When, RFC 3339, UTC; empty when nobody looked."""

    rules: str = ""
    """Version of the rules it was done with."""

    found: int = 0
    """How many places look like a credential."""

    files: tuple[str, ...] = ()
    """In which files, by their paths; never what."""


@dataclass(frozen=True, slots=True)
class Package:
    """One package, as its sender sees it."""

    bundle: str
    """Id of the bundle that it was made from."""

    name: str
    """Its file's name."""

    sha256: str
    """Of the whole file, hexadecimal."""

    size: int
    """Its bytes."""

    container: str
    """`tar.zst`, `tar.zst.age` or `diag`."""

    created: str
    """When it was made; RFC 3339, UTC."""

    complete: bool
    """Whether nothing that was wanted is missing from the bundle."""

    cluster: str
    """Name of the cluster."""

    cluster_id: str = ""
    """Its UUID; empty when nobody could say."""

    version: str = ""
    """The product's version; empty when nobody could say."""

    start: str = ""
    """Begin of the window; RFC 3339."""

    end: str = ""
    """End of the window; RFC 3339."""

    case: str = ""
    """The case that it is for."""

    recipients: tuple[str, ...] = ()
    """Who can open it: age recipients, or the SHA-256 fingerprint of a certificate; empty when it is not encrypted."""

    kept: tuple[Kept, ...] = ()
    """What is in it."""

    missing: tuple[str, ...] = ()
    """What was wanted and is not in it, a line each."""

    redaction: Redaction = field(default_factory=lambda: Redaction(""))
    """Which credentials were masked, by rule."""

    privacy: str = "none"
    """What else was replaced: `none`, `identifiers`, `strict`."""

    leaks: LeakResult = field(default_factory=lambda: LeakResult(""))
    """What the last scan for credentials found."""

    left_out: tuple[str, ...] = ()
    """What `--without` left out, as it was typed."""

    def to_json(self) -> bytes:
        """The bytes of `PACKAGE.json`: the same for the same package."""
        body = cast("Mapping[str, object]", encode(self))
        return write({"format": FORMAT, **body}, indent=1)

    @classmethod
    def from_json(cls, data: bytes, name: str) -> Package:
        """The package that `data`, the file `name`, tells of. Raises `BadBundle` for anything else."""
        found = load(data, name)
        _require_format(found, name)
        return decode(cls, found, name)


def _require_format(found: object, name: str) -> None:
    stated = cast("dict[str, object]", found).get("format") if isinstance(found, dict) else None
    if stated != FORMAT:
        raise BadBundle(f"{name} is not of the format {FORMAT}", hint="make it anew: clinic pack BUNDLE")
