"""A new bundle from a sealed one, with the customer's names replaced: the same write path, a second time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from clinic.bundle.journal import Header
from clinic.bundle.manifest import Run
from clinic.bundle.names import PRIVACY, SUMMARY, safe_path
from clinic.bundle.part import Observer
from clinic.bundle.reader import Bundle
from clinic.bundle.record import Entry, FileEntry, Record, content_of
from clinic.bundle.writer import BundleWriter, ItemWriter, Sealed
from clinic.errors import UsageError
from clinic.home import calling_user
from clinic.kinds import Content
from clinic.progress import Progress
from clinic.read.open import Opened
from clinic.read.privacypage import LEVEL, LITERALS, privacy_page
from clinic.read.privatemap import PrivateMap
from clinic.read.summary import summarize
from clinic.redact import Redactor, RuleSet
from clinic.redact.learning import is_of_names, learn_file, learn_names, learner, note
from clinic.redact.privacy import Level, Names, Privacy
from clinic.redact.pseudonyms import Pseudonyms
from clinic.secret import SecretRegister
from clinic.units import GIB, MIB

_CAP = 1024 * GIB
"""Bytes of a file: what was in the parent is in the child."""

Observers = Mapping[str, Callable[[], Observer]]
"""Ending of a derived file's name -> what makes it anew from the file beside it."""


def pseudonymise(
    opened: Opened,
    output: Path,
    level: Level,
    *,
    literals: bool = False,
    observers: Observers | None = None,
    rules: RuleSet | None = None,
    progress: Progress | None = None,
) -> Sealed:
    """The new bundle in `output`, sealed, whose parent is the one that is open.

    `literals` replaces those of SQL at any level; files with an ending of `observers` are remade. Raises `UsageError`
    where the bundle is not sealed or the directory not empty, `BadBundle` where a file is not what it should be,
    `Refused` for a collision of pseudonyms.
    """
    held = opened.held
    if not isinstance(held, Bundle):
        raise UsageError(f"{opened.root} is not sealed", hint=f"clinic seal {opened.root}")
    private = PrivateMap(opened.run.cluster.id or opened.run.cluster.name)
    pseudonyms = Pseudonyms(private.key(), private.names())
    names = Names({**private.searched(), **names_of(opened, level).kinds})
    privacy = Privacy(level, pseudonyms, names, literals=literals)
    redactor = Redactor(SecretRegister(), rules, privacy)
    copy = _Copy(opened, privacy, dict(observers or {}), progress or Progress())
    with BundleWriter.create(output, copy.header(), redactor, owner=calling_user()) as writer:
        copy.items(writer)
        page = summarize(
            output.absolute(), writer.header.run, writer.records, ended=opened.ended,
            interrupted=opened.interrupted, planned=writer.header.entries,
        )  # fmt: skip
        writer.derived(SUMMARY, page.encode("utf-8", "backslashreplace"))
        told = privacy_page(writer.header.run, writer.records, redactor.rules, held.manifest.redaction)
        writer.derived(PRIVACY, told.encode("utf-8", "backslashreplace"))
        private.keep(pseudonyms.names, names.kinds)
        manifest = held.manifest
        return writer.seal(
            interrupted=opened.interrupted,
            hosts={privacy.exact(name): facts for name, facts in manifest.hosts.items()},
            footprint={privacy.exact(name): cost for name, cost in manifest.footprint.items()},
        )


def names_of(opened: Opened, level: Level) -> Names:
    """Every name that the bundle shows: in its manifest, and by structure in its files."""
    found: dict[str, str] = {}
    run = opened.run
    for host in (*run.cluster.machines, run.machine, *(one.host for one in run.cluster.instances)):
        note(found, "host", host)
        note(found, "host", host.partition(".")[0])
    note(found, "user", run.user)
    for record in opened.records:
        note(found, "host", record.entry.host)
        if record.entry.content != Content.OPAQUE:
            for file in record.files:
                _learn_from(opened, file, content_of(record.entry, file), found, level)
    return Names(found)


def _learn_from(
    opened: Opened, file: FileEntry, content: Content, found: dict[str, str], level: Level
) -> None:
    if is_of_names(file.path):
        with opened.member(file.path) as stream:
            learn_file(file.path, stream.read(MIB), found)
    rest = b""
    stage = learner(content, found, level)
    with opened.member(file.path) as stream:
        while data := stream.read(MIB):
            if stage is not None:
                stage.feed(data)
            data, rest = rest + data, b""
            cut = data.rfind(b"\n") + 1
            if cut and len(data) - cut < MIB:
                data, rest = data[:cut], data[cut:]
            learn_names(data, found, level)
    learn_names(rest, found, level)
    if stage is not None:
        stage.finish()


class _Copy:
    """One bundle on its way into another."""

    def __init__(
        self,
        opened: Opened,
        privacy: Privacy,
        observers: dict[str, Callable[[], Observer]],
        progress: Progress,
    ) -> None:
        self._opened = opened
        self._privacy = privacy
        self._observers = observers
        self._progress = progress

    def header(self) -> Header:
        entries = tuple(self._entry(record.entry) for record in self._opened.records)
        return Header(self._run(self._opened.run), entries, self._opened.id)

    def _run(self, run: Run) -> Run:
        exact = self._privacy.exact
        cluster = replace(
            run.cluster,
            name=exact(run.cluster.name),
            machines=tuple(map(exact, run.cluster.machines)),
            instances=tuple(
                replace(one, id=exact(one.id), host=exact(one.host), address=exact(one.address))
                for one in run.cluster.instances
            ),
        )
        return replace(
            run, cluster=cluster, machine=exact(run.machine), user=exact(run.user),
            options={**run.options, LEVEL: str(self._privacy.level), LITERALS: self._privacy.literals},
        )  # fmt: skip

    def _entry(self, entry: Entry) -> Entry:
        exact = self._privacy.exact
        path = safe_path(self._privacy.path(entry.path))
        return replace(entry, path=path, host=exact(entry.host), instance=exact(entry.instance))

    def items(self, writer: BundleWriter) -> None:
        self._progress.begin("redacting", len(self._opened.records), None)
        for record, entry in zip(self._opened.records, writer.header.entries, strict=True):
            self._progress.started(entry.path, entry.id)
            writer.record(self._record(writer, record, entry))
            self._progress.ended(entry.path, str(record.status))
        self._progress.end()

    def _record(self, writer: BundleWriter, record: Record, entry: Entry) -> Record:
        files: tuple[FileEntry, ...] = ()
        if record.files:
            derived = self._derived_of(record)
            observer = self._observers.get(next(iter(derived.values()), ""))
            item = writer.item(entry, cap=_CAP, learn=False, observer=observer)
            for file in record.files:
                if file.path not in derived:
                    self._file(item, file, record.entry)
            files = item.commit()
        actions = tuple(
            replace(done, where=self._privacy.exact(done.where), whom=self._privacy.exact(done.whom))
            for done in record.actions
        )
        return replace(record, entry=entry, files=files, actions=actions)

    def _derived_of(self, record: Record) -> dict[str, str]:
        """The files that are remade from others, each with its ending."""
        names = {file.name for file in record.files}
        return {
            file.path: ending
            for file in record.files
            for ending in self._observers
            if file.name.endswith(ending) and file.name.removesuffix(ending) in names
        }

    def _file(self, item: ItemWriter, file: FileEntry, entry: Entry) -> None:
        name = file.name.removeprefix(entry.path).lstrip("/") if entry.folder else ""
        part = item.part(self._privacy.path(name), content_of(entry, file))
        with self._opened.member(file.path) as stream:
            while data := stream.read(MIB):
                part.write(self._privacy.words(data) if is_of_names(file.path) else data)
                self._progress.moved(entry.path, len(data))
        part.finish(reason=file.reason, message=file.message)
