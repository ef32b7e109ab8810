"""From a plan to a sealed bundle: open the directory, run the engine, add what is derived, seal."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import clinic
from clinic import home
from clinic.bundle.manifest import ClusterFacts, InstanceFacts, Run, WindowFacts
from clinic.bundle.record import Attempt, Entry, Record
from clinic.bundle.writer import BundleWriter, Header, Sealed
from clinic.cluster.model import Cluster
from clinic.errors import Cancelled, ClinicError, Incomplete, Interrupted, NothingCollected
from clinic.outcome import Reason
from clinic.plan import Plan
from clinic.progress import Progress
from clinic.redact import Redactor
from clinic.run.attempt import as_earlier
from clinic.run.engine import Engine
from clinic.run.footprint import Footprint
from clinic.run.prepare import Ready, Steering, prepare
from clinic.window import Window, parse_moment

Watch = Callable[[Engine], None]


@dataclass(frozen=True)
class Session:
    """One run: what to collect and what to call it."""

    ready: Ready
    """The plan and its doors."""

    steering: Steering
    """What selected and bounds it."""

    case: str = ""
    """The support case that it is for."""

    note: str = ""
    """What the person wrote."""

    @property
    def header(self) -> Header:
        """What the journal begins with, before anything is collected."""
        plan, mask, now = self.ready.plan, self.ready.redactor.text, _now()
        window = plan.target.window
        run = Run(
            tool="clinic", version=clinic.__version__, created=now, started=now,
            cluster=_cluster_facts(plan.target.cluster),
            window=WindowFacts(window.start.isoformat(), window.end.isoformat(), datetime.now().astimezone().strftime("%Z %z")),
            machine=socket.gethostname(), user=_user(), root=os.geteuid() == 0,
            profile=self.steering.profile, case=mask(self.case), note=mask(self.note),
            options=self.steering.values(),
        )  # fmt: skip
        return Header(run, tuple(planned.entry for planned in plan.items))


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    sealed: Sealed
    """The bundle: id, path, manifest."""

    fault: ClinicError | None
    """What the command ends with: None when the bundle is complete."""


def collect(session: Session, directory: Path, progress: Progress, watch: Watch) -> Result:
    """Collect into `directory`, which is new or empty. `watch` is handed the engine, to stop it on a signal.

    Raises `UsageError` for a directory that holds something, `DiskFull` when not even a start is possible.
    """
    ready = session.ready
    writer = BundleWriter.create(
        directory, session.header, ready.redactor, max_size=session.steering.max_size, owner=home.calling_user()
    )
    with writer:
        return _run(ready, ready.plan, writer, {}, progress, watch)


def resume(directory: Path, progress: Progress, watch: Watch) -> Result:
    """Go on in `directory`, sealed or cut short: what has no record and what failed is run again.

    The same options plan again, for the same window; secrets are learned again. Raises `BadBundle` for
    what is no bundle, `UsageError`, `Refused`.
    """
    header = BundleWriter.header_of(directory)
    steering = Steering.of(header.run.profile, header.run.options)
    moments = (parse_moment(text, datetime.now(timezone.utc)) for text in (header.run.window.start, header.run.window.end))
    ready = prepare(steering, Window(*moments))
    try:
        writer = BundleWriter.reopen(
            directory, ready.redactor, max_size=steering.max_size, owner=home.calling_user()
        )
        with writer:
            plan, earlier = _left_to_do(ready.plan, writer)
            return _run(ready, plan, writer, earlier, progress, watch)
    finally:
        ready.common.close()


def _left_to_do(plan: Plan, writer: BundleWriter) -> tuple[Plan, Mapping[str, tuple[Attempt, ...]]]:
    """What a resumed run still has to do, and the earlier tries of it.

    Items of the first plan that are planned no more (a process that ended) keep their record, or get one.
    """
    kept = {record.entry.path: record for record in writer.records}
    again = {path: as_earlier(record) for path, record in kept.items() if record.status.resumable}
    todo = tuple(one for one in plan.items if one.entry.path not in kept or one.entry.path in again)
    planned = {one.entry.path for one in plan.items}
    gone = Cancelled(Reason.NOT_APPLICABLE, "it was planned before and is not there any more")
    for entry in writer.header.entries:
        if entry.path not in planned and entry.path not in kept:
            writer.record(_never_begun(entry, gone))
    return replace(plan, items=todo), again


def seal_unfinished(directory: Path) -> Sealed:
    """Seal what a run that was cut short left in `directory`; items without a record become `cancelled`.

    A sealed bundle is left as it is. Raises `BadBundle` for what is no bundle.
    """
    from clinic.secret import SecretRegister

    redactor = Redactor(SecretRegister())
    with BundleWriter.reopen(directory, redactor, owner=home.calling_user()) as writer:
        if writer.sealed is not None:
            return writer.sealed
        recorded = {record.entry.path for record in writer.records}
        cut = Cancelled(Reason.INTERRUPTED, "the run was cut short", fix=f"clinic collect --resume {directory}")
        for entry in writer.header.entries:
            if entry.path not in recorded:
                writer.record(_never_begun(entry, cut))
        return _seal(writer, Footprint(), interrupted=True)


def _never_begun(entry: Entry, error: Cancelled) -> Record:
    return Record(entry, error.status, reason=error.reason, message=error.message, fix=error.fix)


def _run(
    ready: Ready,
    plan: Plan,
    writer: BundleWriter,
    earlier: Mapping[str, tuple[Attempt, ...]],
    progress: Progress,
    watch: Watch,
) -> Result:
    footprint = Footprint()
    bounds = ready.bounds
    engine = Engine(plan, ready.common, writer, ready.redactor, bounds=bounds, progress=progress, earlier=earlier)
    watch(engine)
    engine.execute()
    sealed = _seal(writer, footprint, interrupted=engine.interrupted)
    return Result(sealed, _verdict(engine, sealed))


def _verdict(engine: Engine, sealed: Sealed) -> ClinicError | None:
    """What the run comes to, the gravest first."""
    records = sealed.manifest.records
    if engine.fault is not None:
        return engine.fault
    if engine.interrupted:
        return Interrupted(f"stopped; what was collected until then is sealed in {sealed.path}")
    if not any(record.files for record in records):
        return NothingCollected("nothing was collected", hint="clinic doctor says what this account can read here")
    missing = [record for record in records if record.incomplete]
    if missing:
        return Incomplete(f"{len(missing)} of {len(records)} items are incomplete or missing")
    return None


def _cluster_facts(cluster: Cluster) -> ClusterFacts:
    instances = tuple(
        InstanceFacts(one.id, one.component, one.host, one.port, one.version) for one in cluster.instances
    )
    return ClusterFacts(
        cluster.name, cluster.deployed, tuple(machine.name for machine in cluster.machines), instances,
        cluster.id, cluster.version, cluster.unknown, cluster.differences,
    )  # fmt: skip


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
