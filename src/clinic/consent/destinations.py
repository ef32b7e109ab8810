"""Which destinations are known: those that ship with Clinic, the machine's, and the user's own, each from a file."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, cast

from clinic import home
from clinic.bundle.package import Package
from clinic.consent.destination import Destination, Protocol
from clinic.consent.origin import is_within, place
from clinic.errors import Refused, UsageError
from clinic.formats.certificate import CertificateFacts, read_certificate
from clinic.units import human_size, parse_size
from clinic.yamlfile import Mistakes, load

MACHINE = Path("/etc/clinic/destinations.yaml")
"""The file of this machine, root's own."""

NAME = "destinations.yaml"
"""The user's file, in the configuration directory."""

VENDOR = "pingcap"
"""Name of the notice, and of the operator, that only the vendor's own endpoints may bear."""

_TEXTS = ("operator", "region", "processed", "terms", "retention", "contact")
_KEYS = ("protocol", "endpoint", *_TEXTS, "notice", "largest", "container", "recipients", "certificate")
_CONTAINERS = ("tar.zst", "tar.zst.age", "diag")


def find_destination(text: str, protocol: Protocol = Protocol.CLINIC) -> Destination:
    """The destination that is called `text`, or whose URL it is; an unknown URL is one without an operator.

    `protocol` is what is spoken with an unknown one. Raises `UsageError`, and `Refused` for files of others.
    """
    known = known_destinations()
    for one in known:
        if one.name == text:
            return one
    if "://" not in text:
        names = ", ".join(one.name for one in known)
        raise UsageError(
            f"there is no destination {text!r}",
            hint=f"known are {names}; or name a URL, or add it to {home.config_dir() / NAME}",
        )
    try:
        endpoint, path = place(text)
    except ValueError as error:
        raise UsageError(
            f"that destination can't be used: {error}", hint="name it as https://HOST, or https://HOST/PATH"
        ) from error
    unknown = Destination(endpoint + path, protocol, endpoint, path)
    return next((one for one in known if is_within(unknown.address, one.address)), unknown)


def known_destinations() -> tuple[Destination, ...]:
    """All that are known, the shipped ones first. Raises as `find_destination` does."""
    found = list(shipped_destinations())
    for path, only_root in ((MACHINE, True), (home.config_dir() / NAME, False)):
        try:
            if not path.is_file():
                continue
        except OSError as error:
            raise Refused(f"can't look for {path}: {error.strerror}") from error
        home.require_trusted(path, only_root=only_root)
        found += read_destinations(path, found)
    return tuple(found)


@functools.cache
def shipped_destinations() -> tuple[Destination, ...]:
    """The regions of the Clinic Server."""
    with resources.as_file(resources.files("clinic") / "consent" / "shipped-destinations.yaml") as path:
        return read_destinations(path, None)


def read_destinations(path: Path, before: Sequence[Destination] | None) -> tuple[Destination, ...]:
    """Those in the file `path`. Raises `UsageError` with every mistake.

    `before` are those that are known already, which it can't take the place of; None for the shipped file.
    """
    document = load(path)
    mistakes = Mistakes(document)
    data = mistakes.mapping((), document.data, ("destinations",), ("destinations",))
    listed = data.get("destinations")
    if not isinstance(listed, dict):
        mistakes.add(("destinations",), "destinations must be a mapping of names")
        listed = {}
    found: list[Destination] = []
    for name, value in cast("dict[object, object]", listed).items():
        where = ("destinations", str(name))
        made = _read(mistakes, where, value)
        if made is not None and before is not None:
            _require_own(mistakes, where, made, [*before, *found])
        found += [made] if made is not None else []
    mistakes.raise_any()
    return tuple(found)


def _read(mistakes: Mistakes, where: tuple[str, str], value: object) -> Destination | None:
    data = mistakes.mapping(where, value, _KEYS, ("endpoint",))
    protocols = [one.value for one in Protocol if one is not Protocol.OFFLINE]
    protocol = mistakes.choice((*where, "protocol"), data.get("protocol", "clinic"), protocols)
    endpoint = mistakes.parsed((*where, "endpoint"), data.get("endpoint", ""), _place)
    container = mistakes.choice((*where, "container"), data.get("container", "tar.zst"), _CONTAINERS)
    notice = mistakes.choice((*where, "notice"), data.get("notice", "generic"), ("generic", VENDOR))
    certificate = str(data.get("certificate", ""))
    if certificate:
        mistakes.parsed((*where, "certificate"), certificate, read_certificate)
    if protocol is None or endpoint is None or container is None or notice is None:
        return None
    return Destination(
        where[1], Protocol(protocol), *endpoint, notice=notice, container=container,
        certificate=certificate, **_rest(mistakes, where, data),
    )  # fmt: skip


def _place(text: str) -> tuple[str, str]:
    if "?" in text:
        raise ValueError("a URL with a query may hold a signature, which is in no file")
    return place(text)


def _rest(mistakes: Mistakes, where: tuple[str, str], data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {key: str(data[key]) for key in _TEXTS if key in data}
    if "largest" in data:
        found["largest"] = mistakes.parsed((*where, "largest"), data["largest"], parse_size)
    if "recipients" in data:
        found["recipients"] = mistakes.strings((*where, "recipients"), data["recipients"])
    return found


def _require_own(
    mistakes: Mistakes, where: tuple[str, str], made: Destination, before: Sequence[Destination]
) -> None:
    """What a file that somebody wrote may not say: the vendor's name and words are for the vendor's endpoints."""
    if any(made.name == one.name for one in before):
        mistakes.add(where, f"there is a destination {made.name!r} already")
    if any(is_within(made.address, one.address) for one in before):
        mistakes.add((*where, "endpoint"), f"{made.address} is known already, and what is known of it stays")
    if made.notice == VENDOR or VENDOR in made.operator.lower():
        mistakes.add(where, "PingCAP's name and notice are for PingCAP's own endpoints")


def certificate_of(destination: Destination) -> CertificateFacts | None:
    """What the certificate says that packages for `destination` are encrypted to; None where it has none."""
    return read_certificate(destination.certificate) if destination.certificate else None


def require_fits(package: Package, destination: Destination) -> None:
    """Raise `Refused` for every reason that `destination` can't take `package`: its format, its size, its keys."""
    against = [*_misfits(package, destination)]
    if against:
        raise Refused(
            f"{destination.name} can't take {package.name}: {'; '.join(against)}",
            hint=f"name the bundle, which is packed as it has to be: clinic upload BUNDLE --to {destination.name}",
        )


def _misfits(package: Package, destination: Destination) -> Iterator[str]:
    # Where a package may be in the clear, one that is encrypted will do.
    fitting = {"tar.zst": ("tar.zst", "tar.zst.age")}.get(destination.container, (destination.container,))
    if package.container not in fitting:
        yield f"it takes {destination.container}, and this is {package.container}"
    if destination.largest is not None and package.size > destination.largest:
        yield f"it takes at most {human_size(destination.largest)}, and this has {human_size(package.size)}"
    if package.container == "diag" and destination.certificate:
        expected = read_certificate(destination.certificate).sha256
        if package.recipients != (expected,):
            yield f"it is not encrypted to the key {expected} of its certificate"
    if package.container == "tar.zst.age":
        yield from (
            f"it is not encrypted to {key}" for key in destination.recipients if key not in package.recipients
        )
