"""From what was named to a package for one destination: a package as it is, a bundle looked through and packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clinic.bundle.package import ENDING, Package
from clinic.bundle.packagefile import read_facts
from clinic.cli.reading import terminating
from clinic.consent import decide
from clinic.consent.decide import Desk
from clinic.consent.destination import Destination
from clinic.consent.policy import PATH as POLICY
from clinic.consent.policy import Policy
from clinic.errors import Refused, UsageError
from clinic.formats.certificate import read_certificate
from clinic.progress import Progress
from clinic.read.leakresults import keep_result
from clinic.read.leaks import find_leaks
from clinic.read.leaveout import Chosen, choose
from clinic.read.open import Opened, open_bundle
from clinic.read.pack import AGE, DIAG, PLAIN, default_name, foreseen, pack
from clinic.units import human_size
from clinic.upload.limits import require_fits


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be sent."""

    source: Path
    """A package, or a bundle's directory."""

    destination: Destination
    """Where to: it says in which container, and to which keys."""

    without: tuple[str, ...]
    """What to leave out."""

    recipients: tuple[str, ...]
    """Keys to encrypt to beside the destination's."""

    output: Path | None
    """Where the package goes; beside the bundle when None."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Everybody who shall be able to open it."""
        return tuple(dict.fromkeys((*self.destination.recipients, *self.recipients)))


def as_package(wanted: Wanted, desk: Desk, progress: Progress) -> tuple[Path, Package]:
    """The package and what it holds. Nothing is packed that could not go: see `require_possible`."""
    if not wanted.source.is_dir():
        if wanted.without or wanted.recipients:
            raise UsageError(
                f"{wanted.source} is packed already",
                hint="name the bundle: it is packed anew, and asked anew",
            )
        return wanted.source, read_facts(wanted.source)
    opened = open_bundle(wanted.source)
    chosen = choose(opened, wanted.without)
    require_possible(wanted, chosen, desk)
    path = _place(wanted, opened)
    if path.exists():
        return path, _made_before(wanted, chosen.id, path)
    key = (
        wanted.destination.certificate if container_for(wanted.destination, wanted.recipients) == DIAG else ""
    )
    with terminating():
        result, _ = find_leaks(opened, progress=progress)
        keep_result(opened.id, result)
        made = pack(
            opened, path, recipients=() if key else wanted.keys, certificate=key, without=wanted.without, leaks=result,
            progress=progress,
        )  # fmt: skip
    return path, made


def package_of(wanted: Wanted) -> Path:
    """Where the package is, or the one that was made of the bundle. Raises `UsageError` where none was."""
    if not wanted.source.is_dir():
        return wanted.source
    path = _place(wanted, open_bundle(wanted.source))
    if not path.exists():
        raise UsageError(f"no package was made of {wanted.source} yet: there is none at {path}")
    return path


def require_possible(wanted: Wanted, chosen: Chosen, desk: Desk) -> None:
    """Raise `Refused` before a bundle is packed in vain: for its size, for a policy that is against it, for no answer.

    Raises `UsageError` where nobody is named who could open the package.
    """
    most, whose = largest(wanted.destination, desk.policy)
    require_fits(chosen.manifest.records, most, whose)
    container = container_for(wanted.destination, wanted.recipients)
    keys = wanted.keys
    if container == DIAG:
        keys = (read_certificate(wanted.destination.certificate).sha256,)
    decide.require_worth_packing(
        foreseen(chosen, str(wanted.source), container, keys), wanted.destination, desk
    )


def largest(destination: Destination, policy: Policy) -> tuple[int | None, str]:
    """Most bytes of a package that may go there, None for any number; and who says so."""
    limits = [(destination.largest, destination.name), (policy.largest, str(POLICY))]
    return min(
        ((most, whose) for most, whose in limits if most is not None), default=(None, destination.name)
    )


def require_room(wanted: Wanted, policy: Policy) -> None:
    """Raise `Refused` where a bundle or package is larger than what may go to the destination."""
    most, whose = largest(wanted.destination, policy)
    if wanted.source.is_dir():
        require_fits(choose(open_bundle(wanted.source), wanted.without).manifest.records, most, whose)
        return
    size = wanted.source.stat().st_size
    if most is not None and size > most:
        raise Refused(
            f"{wanted.source} has {human_size(size)}, and {whose} takes {human_size(most)}",
            hint="name the bundle instead: what is largest in it is told, and can be left out (--without)",
        )


def _place(wanted: Wanted, opened: Opened) -> Path:
    out = wanted.output or wanted.source.resolve().parent
    name = default_name(opened, container_for(wanted.destination, wanted.recipients))
    return out / name if out.is_dir() else out


def container_for(there: Destination, recipients: Sequence[str]) -> str:
    """In what to pack for `there` and for `recipients` besides. Raises `UsageError` where nobody could open it."""
    keys = (*there.recipients, *recipients)
    if there.container == DIAG:
        if recipients or not there.certificate:
            raise UsageError(
                f"{there.name} takes .diag packages, which are for the key of its certificate alone",
                hint="leave out --recipient; the certificate stands in the file of destinations",
            )
        return DIAG
    if there.container == AGE and not keys:
        raise UsageError(
            f"{there.name} takes encrypted packages, and nobody is named who can open one",
            hint="name the destination's key, and your own: --recipient age1...",
        )
    return AGE if keys else PLAIN


def _made_before(wanted: Wanted, bundle: str, path: Path) -> Package:
    """What an earlier try packed, when it is the same: an answer that was given for it holds."""
    facts = read_facts(path)
    keys = facts.recipients if facts.container == DIAG else wanted.keys  # consent looks at a certificate's
    if (facts.bundle, facts.recipients, facts.left_out) != (bundle, keys, wanted.without):
        raise Refused(
            f"{path} is there already, and holds something else",
            hint=f"send it as it is, remove it and {path.name}{ENDING}, or name another file with -o",
        )
    return facts
