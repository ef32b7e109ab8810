"""How a package is cut for the Clinic API: the header of a `.diag` goes with the announcement, not with the parts."""

from __future__ import annotations

from dataclasses import dataclass

from clinic.errors import BadBundle
from clinic.upload.outgoing import Outgoing

_MAGIC = b"D1ag"
_KINDS = {0o20: "unknown", 0o30: "diag"}
_COMPRESSIONS = {0: "none", 1: "gzip", 2: "zstd"}


@dataclass(frozen=True, slots=True)
class Layout:
    """The pieces, and what the API calls them."""

    metadata: bytes
    """What goes with the announcement."""

    start: int
    """First byte of the payload in the file."""

    length: int
    """Bytes of the payload: PingCAP's own client counts the header too in its parts, and says so wrongly."""

    encryption: str
    """`diag` or `unknown` for a `.diag`; `none` for what is sent as it is."""

    compression: str
    """What the header says: `none` also for what is compressed inside, as PingCAP's own client writes it."""


def layout(outgoing: Outgoing) -> Layout:
    """How this package is cut. Raises `BadBundle` for a `.diag` that is none."""
    if outgoing.size == 0:
        raise BadBundle(f"{outgoing.path} is empty")
    head = outgoing.read(0, min(8, outgoing.size))
    if not head.startswith(_MAGIC):
        return Layout(b"", 0, outgoing.size, "none", "none")
    kind, start = _KINDS.get(head[4] & 0o70 if len(head) == 8 else 0), 8 + int.from_bytes(head[5:], "big")
    compression = _COMPRESSIONS.get(head[4] & 0o7) if len(head) == 8 else None
    if kind is None or compression is None or start >= outgoing.size:
        raise BadBundle(f"{outgoing.path} begins like a .diag and is none", hint="make the package anew")
    metadata = outgoing.read(8, start - 8)
    return Layout(metadata, start, outgoing.size - start, kind, compression)
