"""Where the settings in a bundle differ: file against running, and instance against instance of one component."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from clinic.bundle.manifest import InstanceFacts
from clinic.bundle.record import FileEntry
from clinic.errors import BadBundle
from clinic.read import settings
from clinic.read.open import Opened
from clinic.read.settings import Settings
from clinic.units import MIB

LARGEST = 16 * MIB
"""Bytes of a file that are read; no configuration is as large."""

FILES, RUNNING, SHOWN = "config.files", "config.running", "config.show"
VARIABLES, VERSIONS = "variables.global", "versions.instance"
"""Ids of the items that are read."""

VERSION = "version"
"""The source of what instances are, beside that of how they are set."""

_APART = {"tiflash": ("tiflash-learner.toml",)}
"""Files that the running configuration is that of, where it is not that of all: TiFlash tells its proxy's only."""

_PARSERS: Mapping[str, Callable[[bytes], Settings]] = {
    ".toml": settings.from_toml, ".cnf": settings.from_options,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pending:
    """A setting in an instance's file that the running instance does not have so."""

    instance: str
    """Its id."""

    component: str
    """What it is."""

    file: str
    """The file, as the bundle calls it."""

    name: str
    """The setting."""

    written: str
    """What the file says."""

    running: str | None
    """What the instance says; None where it does not know the setting."""

    place: bool
    """Whether it is an address, a path or a name, which may differ by its nature."""


@dataclass(frozen=True, slots=True)
class Uneven:
    """A setting that is not the same on all instances of a component."""

    component: str
    """What they are."""

    source: str
    """`running`, `variables`, `version`, or the name of a file."""

    name: str
    """The setting."""

    values: tuple[tuple[str | None, tuple[str, ...]], ...]
    """Each value with the instances that have it, the commonest first; None where they lack the setting."""

    place: bool
    """Whether it is an address, a path or a name, which may differ by its nature."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Everything that was compared in a bundle."""

    pending: tuple[Pending, ...]
    """File against running."""

    uneven: tuple[Uneven, ...]
    """Instance against instance."""

    compared: Mapping[str, int]
    """How many instances of each component had something to compare."""

    unread: tuple[str, ...]
    """Files that could not be read as what they should be, a sentence each."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What a bundle tells of one instance: settings by their source."""

    facts: InstanceFacts
    """Who it is."""

    files: Mapping[str, Settings]
    """By the file's path in the bundle."""

    running: Settings | None
    """None where it did not tell."""

    variables: Settings | None
    """None where it has none, or did not tell."""

    version: Settings
    """Version and commit."""


def find_drift(opened: Opened) -> Drift:
    """Compare everything that there is to compare in a bundle."""
    unread: list[str] = []
    known = list(_known(opened, unread))
    told = [one for one in known if one.files or one.running or one.variables]
    compared: dict[str, int] = defaultdict(int)
    for one in told:
        compared[one.facts.component] += 1
    pending = tuple(difference for one in told for difference in _pending(one))
    return Drift(pending, tuple(_uneven(known)), dict(compared), tuple(unread))


# -- what the bundle holds


class _Reader:
    """Files of a bundle as settings; what can't be read is noted."""

    def __init__(self, opened: Opened, unread: list[str]) -> None:
        self._opened = opened
        self._unread = unread
        self._files: dict[tuple[str, str], list[FileEntry]] = defaultdict(list)
        for record in opened.records:
            self._files[record.entry.id, record.entry.instance] += record.files

    def files(self, identity: str, instance: str) -> list[FileEntry]:
        """What the item of this id brought from an instance."""
        return self._files[identity, instance]

    def settings(self, file: FileEntry, parse: Callable[[bytes], Settings]) -> Settings | None:
        """The settings in `file`."""
        try:
            if file.plain > LARGEST:
                raise ValueError("it is too long for a configuration")
            with self._opened.member(file.path) as stream:
                return parse(stream.read(LARGEST))
        except (ValueError, RecursionError, BadBundle) as error:
            self._unread.append(f"{file.name}: {error}")
            return None

    def first(self, identity: str, instance: str, parse: Callable[[bytes], Settings]) -> Settings | None:
        """The settings in the only file of an item."""
        return next((self.settings(file, parse) for file in self.files(identity, instance)), None)


def _known(opened: Opened, unread: list[str]) -> Iterator[_Known]:
    reader = _Reader(opened, unread)
    shown = _shown(reader)
    for facts in opened.run.cluster.instances:
        running = reader.first(RUNNING, facts.id, settings.from_json)
        variables = reader.first(VARIABLES, facts.id, settings.from_variables)
        version = reader.first(VERSIONS, facts.id, settings.versions)
        if running is None:
            running = shown.get((facts.component, f"{facts.host}:{facts.port}"))
        yield _Known(
            facts, dict(_of_files(reader, facts.id)), running, variables,
            version or ({"version": settings.plain_version(facts.version)} if facts.version else {}),
        )  # fmt: skip


def _of_files(reader: _Reader, instance: str) -> Iterator[tuple[str, Settings]]:
    for file in reader.files(FILES, instance):
        parse = next((parse for ending, parse in _PARSERS.items() if file.name.endswith(ending)), None)
        found = reader.settings(file, parse) if parse is not None else None
        if found is not None:
            yield file.name, found


def _shown(reader: _Reader) -> dict[tuple[str, str], Settings]:
    """SHOW CONFIG: what TiDB could learn of every instance, by component and address."""
    found: dict[tuple[str, str], Settings] = defaultdict(dict)

    def parse(data: bytes) -> Settings:
        for row in settings.rows(data):
            place = row.get("type", ""), row.get("instance", "")
            found[place][row.get("name", row.get("key", ""))] = row.get("value", "")
        return {}

    reader.first(SHOWN, "", parse)
    return found


# -- file against running


def _pending(known: _Known) -> Iterator[Pending]:
    running = known.running
    if running is None and known.variables is not None:
        running = {name.lower(): value for name, value in known.variables.items()}
    if running is None:
        return
    for file, written in known.files.items():
        if not _is_running_of(known.facts.component, file):
            continue
        for name, value in written.items():
            now = running.get(name)
            if settings.is_masked(value, now) or (now is not None and settings.same(value, now)):
                continue
            place = settings.is_place(name, value, now)
            yield Pending(known.facts.id, known.facts.component, file, name, value, now, place)


def _is_running_of(component: str, file: str) -> bool:
    return component not in _APART or file.rpartition("/")[2] in _APART[component]


# -- instance against instance


def _uneven(known: Sequence[_Known]) -> Iterator[Uneven]:
    by_component: dict[str, list[_Known]] = defaultdict(list)
    for one in known:
        by_component[one.facts.component].append(one)
    for component, alike in sorted(by_component.items()):
        for source, told in _sources(alike):
            yield from _across(component, source, told)


def _sources(alike: Iterable[_Known]) -> Iterator[tuple[str, dict[str, Settings]]]:
    """What is compared among instances of one component: each source with the settings of who has it."""
    known = list(alike)
    yield VERSION, {one.facts.id: one.version for one in known if one.version}
    yield "running", {one.facts.id: one.running for one in known if one.running is not None}
    variables = {one.facts.id: one.variables for one in known if one.variables is not None}
    yield "variables", {instance: _lasting(told) for instance, told in variables.items()}
    files: dict[str, dict[str, Settings]] = defaultdict(dict)
    for one in known:
        for file, written in one.files.items():
            # What runs was compared already, and says more than the file.
            if one.running is None or not _is_running_of(one.facts.component, file):
                files[file.rpartition("/")[2]][one.facts.id] = written
    yield from sorted(files.items())


def _lasting(variables: Settings) -> Settings:
    return {name: value for name, value in variables.items() if not settings.is_volatile(name)}


def _across(component: str, source: str, told: Mapping[str, Settings]) -> Iterator[Uneven]:
    if len(told) < 2:
        return
    for name in sorted({name for one in told.values() for name in one}):
        values = {instance: one.get(name) for instance, one in told.items()}
        if source == VERSION:  # who does not tell is not another one
            values = {instance: value for instance, value in values.items() if value is not None}
        groups = _groups(values)
        if len(groups) > 1 and not settings.is_masked(*values.values()):
            yield Uneven(component, source, name, groups, settings.is_place(name, *values.values()))


def _groups(values: Mapping[str, str | None]) -> tuple[tuple[str | None, tuple[str, ...]], ...]:
    """Instances by what they say, the largest group first."""
    groups: dict[str | None, list[str]] = defaultdict(list)
    for instance, value in values.items():
        groups[None if value is None else settings.canonical(value)].append(instance)
    ordered = sorted(groups.values(), key=lambda group: (-len(group), group))
    return tuple((values[group[0]], tuple(group)) for group in ordered)
