"""Where a package may go, as values: an endpoint, who runs it, what it takes."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Protocol(str, enum.Enum):
    """How a destination takes a package."""

    CLINIC = "clinic"
    """The Clinic API: precreate, upload, flush."""

    PUT = "put"
    """One presigned HTTP PUT."""

    S3 = "s3"
    """Presigned parts of an S3 multipart upload, or an S3-compatible store that is written to directly."""

    OFFLINE = "offline"
    """Nothing is sent: package, receipt and note are written for somebody who carries them."""


@dataclass(frozen=True, slots=True)
class Destination:
    """One place that a package can be sent to."""

    name: str
    """As `--to` calls it."""

    protocol: Protocol
    """How it takes a package."""

    endpoint: str
    """URL of its origin; empty for one that is carried by hand."""

    path: str = ""
    """What follows the origin: the bucket of an S3 store and what names there begin with, or where an API begins."""

    operator: str = ""
    """Who runs it; empty when nobody said, which is printed as OPERATOR UNKNOWN."""

    region: str = ""
    """Where it stores; empty when unknown."""

    processed: str = ""
    """From where else its people work on what it stores, in its operator's words; empty when unknown."""

    notice: str = "generic"
    """Name of the notice whose words are shown: `pingcap` only for PingCAP's own endpoints."""

    largest: int | None = None
    """Bytes of the largest package that it takes; None when it has no limit that is known."""

    container: str = "tar.zst"
    """What it takes: `tar.zst`, `tar.zst.age` or `diag`."""

    recipients: tuple[str, ...] = ()
    """age recipients that a package for it is encrypted to."""

    certificate: str = ""
    """PEM text of the certificate that `.diag` packages for it are encrypted to; empty for none."""

    terms: str = ""
    """Address of its operator's privacy policy; empty when unknown."""

    retention: str = ""
    """How long it keeps what it gets, in its operator's words; empty when unknown."""

    contact: str = ""
    """Whom to write to about it."""

    @property
    def address(self) -> str:
        """Origin and path: what is shown, agreed to and compared. One origin can be many people's."""
        return self.endpoint + self.path
