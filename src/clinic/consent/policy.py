"""What an organisation allows: `/etc/clinic/policy.yaml`. It narrows what may leave; nothing in it widens anything."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clinic.bundle.package import Package
from clinic.consent.destination import Destination
from clinic.consent.origin import is_within, place
from clinic.errors import Refused
from clinic.home import require_trusted
from clinic.kinds import Category
from clinic.redact.privacy import Level
from clinic.units import human_size, parse_size
from clinic.yamlfile import Mistakes, load

PATH = Path("/etc/clinic/policy.yaml")
"""Where it is. Nothing moves it: whoever it binds could."""

_LEVELS = [str(level) for level in Level]
_CATEGORIES = [str(category) for category in Category]
_KEYS = ("destinations", "recipients", "privacy", "never", "largest", "plug_ins")


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one organisation. The default allows what would be allowed without a policy."""

    digest: str = ""
    """SHA-256 of the file, hexadecimal; empty where there is none."""

    destinations: tuple[str, ...] | None = None
    """Addresses that packages may go to, and below; None for any."""

    recipients: tuple[str, ...] | None = None
    """Keys that packages may be encrypted to, at least one of them; None for any or none."""

    privacy: str = "none"
    """The lowest level at which a package may leave."""

    never: tuple[str, ...] = ()
    """Categories that never leave."""

    largest: int | None = None
    """Bytes of the largest package that may leave; None for no limit."""

    plug_ins: tuple[str, ...] | None = None
    """Third parties' collectors that may run; None for any."""

    def require(self, package: Package, destination: Destination) -> None:
        """Raise `Refused`, naming every rule that is against it, unless `package` may go to `destination`."""
        held = sorted({kept.category for kept in package.kept if kept.files} & set(self.never))
        against = [*self._about_destination(destination), *self._about_package(package)]
        _refuse([*against, *(f"it holds {category}" for category in held)], held)

    def require_destination(self, destination: Destination) -> None:
        """Raise `Refused` unless packages may go to `destination`: before one is made, or anything is connected to."""
        _refuse(self._about_destination(destination), ())

    def require_plug_in(self, name: str) -> None:
        """Raise `Refused` unless the third party's collector `name` may run."""
        if self.plug_ins is not None and name not in self.plug_ins:
            raise Refused(
                f"{PATH} does not allow the collector {name}",
                hint=f"it allows {', '.join(self.plug_ins) or 'none'}; ask whoever wrote that policy",
            )

    def _about_destination(self, destination: Destination) -> list[str]:
        address = destination.address
        if self.destinations is None or any(is_within(address, one) for one in self.destinations):
            return []
        return [f"the destination {address} is not one of {', '.join(self.destinations)}"]

    def _about_package(self, package: Package) -> list[str]:
        found: list[str] = []
        if self.recipients is not None and not package.recipients:
            found.append("the package is not encrypted")
        allowed = package.recipients if self.recipients is None else self.recipients
        foreign = [key for key in package.recipients if key not in allowed]
        found += [f"it is encrypted to {key}" for key in foreign]
        if _rank(package.privacy) < _rank(self.privacy):
            found.append(f"its privacy level is {package.privacy}, and at least {self.privacy} is demanded")
        if self.largest is not None and package.size > self.largest:
            found.append(f"it has {human_size(package.size)}, more than {human_size(self.largest)}")
        return found


def _refuse(against: Sequence[str], held: Sequence[str]) -> None:
    """Raise `Refused` where a rule is `against` it; the categories that are `held` can be left out."""
    if not against:
        return
    hint = "ask whoever wrote that policy"
    if held:
        hint = f"leave it out of the bundle: {' '.join(f'--without {one}' for one in held)}; or {hint}"
    raise Refused(f"{PATH} does not allow this: {'; '.join(against)}", hint=hint)


def _rank(level: str) -> int:
    """How much a level replaces; one that nobody knows replaces nothing."""
    return _LEVELS.index(level) if level in _LEVELS else 0


def read_policy(path: Path = PATH) -> Policy:
    """The policy of this machine; one without rules where there is none.

    Raises `Refused` where it could have been written by anybody but root, or can't be looked at, and
    `UsageError` with every mistake in it: a policy that is not understood allows nothing.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return Policy()
    except OSError as error:
        raise Refused(
            f"can't look for {path}: {error.strerror}", hint=f"let everybody look: chmod a+x {path.parent}"
        ) from error
    require_trusted(path, only_root=True)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return replace(parse_policy(path), digest=digest)


def parse_policy(path: Path) -> Policy:
    """The rules in the file `path`, whoever wrote it. Raises `UsageError` with every mistake."""
    document = load(path)
    mistakes = Mistakes(document)
    data = mistakes.mapping((), document.data, _KEYS)
    lists = {
        key: mistakes.strings((key,), data[key]) for key in ("destinations", "recipients", "plug_ins") if key in data
    }  # fmt: skip
    places = [mistakes.parsed(("destinations",), one, place) for one in lists.get("destinations", ())]
    never = mistakes.strings(("never",), data.get("never", []))
    for category in never:
        mistakes.choice(("never",), category, _CATEGORIES)
    level = mistakes.choice(("privacy",), data.get("privacy", "none"), _LEVELS) or "strict"
    largest = mistakes.parsed(("largest",), data["largest"], parse_size) if "largest" in data else None
    mistakes.raise_any()
    return Policy(
        destinations=tuple("".join(one) for one in places if one) if "destinations" in data else None,
        recipients=lists.get("recipients"), privacy=level, never=never, largest=largest,
        plug_ins=lists.get("plug_ins"),
    )  # fmt: skip
