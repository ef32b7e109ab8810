"""The yes to one exact package for one destination. The uploader's type demands it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clinic.errors import Refused


@dataclass(frozen=True, slots=True)
class Consent:
    """A person's yes. Only the prompt, or a receipt that the prompt wrote, makes one."""

    package: str
    """SHA-256 of the whole package, hexadecimal."""

    bundle: str
    """Id of the bundle it was made from."""

    destination: str
    """Address of the destination: endpoint and path."""

    receipt: str
    """Id of the receipt that keeps the text shown and the answer."""

    notice: str
    """Name, version and language of the notice."""

    expires: datetime
    """Timezone-aware; after it the same question is asked again."""

    def require(self, package: str, destination: str, now: datetime) -> None:
        """Raise `Refused` unless it is for the package with this SHA-256 and this address, not expired at `now`."""
        if package != self.package:
            raise Refused(
                "the package is not the one that was agreed to", hint="answer for this one: clinic upload"
            )
        if destination != self.destination:
            raise Refused(
                f"the consent is for {self.destination}, not for {destination}",
                hint="answer for this one: clinic upload",
            )
        if now > self.expires:
            raise Refused(
                f"the consent expired at {self.expires.isoformat()}", hint="clinic upload asks anew"
            )
