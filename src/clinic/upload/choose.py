"""Which uploader a destination needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from clinic.consent.destination import Destination, Protocol
from clinic.errors import UsageError
from clinic.secret import Secret
from clinic.upload.clinicapi import ClinicApi
from clinic.upload.door import Door, Route
from clinic.upload.flow import Flow
from clinic.upload.put import Put
from clinic.upload.s3 import S3
from clinic.upload.s3_keys import Keys, Presigned
from clinic.upload.stores import ByUrls, Direct
from clinic.upload.uploader import Uploader


@dataclass(frozen=True, slots=True)
class Way:
    """How to send, apart from what and where to."""

    credential: Secret
    """A token; for S3 keys as ACCESS:SECRET, or the presigned upload as JSON; for one PUT the presigned URL."""

    route: Route = field(default_factory=Route)
    """How to get there."""

    at_once: int = 1
    """Most parts side by side, where the destination takes them so."""


def uploader(destination: Destination, way: Way, flow: Flow) -> Uploader:
    """What sends to `destination`. Nothing is connected yet. Raises `UsageError`, `Refused`."""
    if destination.protocol is Protocol.CLINIC:
        return ClinicApi(Door(destination.address, way.route, flow), way.credential)
    if destination.protocol is Protocol.PUT:
        return Put(way.credential, destination.address, way.route, flow)
    if destination.protocol is Protocol.S3:
        return _s3(destination, way, flow)
    raise UsageError(
        f"nothing is sent to {destination.name}",
        hint=f"it is carried by hand: clinic upload --offline {destination.name}",
    )


def _s3(destination: Destination, way: Way, flow: Flow) -> S3:
    text = way.credential.reveal()
    if text.lstrip().startswith("{"):
        urls = ByUrls(Presigned.read(way.credential), destination.address, way.route, flow)
        return S3(urls, at_once=way.at_once, session=text)
    direct = Direct(destination.address, Keys(way.credential, destination.region), way.route, flow)
    return S3(direct, at_once=way.at_once)
