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
from clinic.bundle.names import PRIVACY, SUMMARY
from clinic.bundle.record import Entry, Record
from clinic.bundle.writer import BundleWriter, Header, Sealed
from clinic.cluster.model import Cluster
from clinic.consent.policy import read_policy
from clinic.errors import (
    BadBundle,
    ClinicError,
    DiskFull,
    Incomplete,
    Interrupted,
    NothingCollected,
    UsageError,
)
from clinic.outcome import Reason, Status
from clinic.plan import Plan
from clinic.progress import Progress
from clinic.read.privacypage import privacy_page
from clinic.read.summary import summarize
from clinic.redact import Redactor, RuleSet
from clinic.run.engine import Engine
from clinic.run.footprint import Footprint
from clinic.run.prepare import Logins, Ready, Steering, prepare
from clinic.run.reach import People
from clinic.secret import SecretRegister
from clinic.window import Window, parse_moment

POLICY = "policy"
"""Option of a run: SHA-256 of the organisation's policy."""

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
            window=WindowFacts(window.start.isoformat(), window.end.isoformat(), _zone()),
            machine=socket.gethostname(), user=_user(), root=os.geteuid() == 0,
            profile=self.steering.profile, case=mask(self.case), note=mask(self.note),
            options={**self.steering.values(), **_policy()},
        )  # fmt: skip
        return Header(run, tuple(planned.entry for planned in plan.items))


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    sealed: Sealed
    """The bundle: id, path, manifest."""

    fault: ClinicError | None
    """What the command ends with: None when the bundle is complete."""

    unchanged: bool = False
    """Whether nothing was left to do, and the bundle is as it was."""


def collect(session: Session, directory: Path, progress: Progress, watch: Watch) -> Result:
    """Collect into `directory`, which is new or empty. `watch` is handed the engine, to stop it on a signal.

    Raises `UsageError` for a directory that holds something, `DiskFull` when not even a start is possible.
    """
    ready = session.ready
    writer = BundleWriter.create(
        directory, session.header, ready.redactor,
        max_size=session.steering.max_size, reserve=session.steering.keep_free, owner=home.calling_user(),
    )  # fmt: skip
    with writer:
        return _run(ready, ready.plan, writer, {}, progress, watch, directory)


def prepare_again(
    directory: Path,
    bounded: Callable[[Steering], Steering],
    logins: Logins,
    people: People | None = None,
) -> Session:
    """Get ready to go on in `directory`, sealed or cut short; `people` can be asked as in a first run.

    The same options plan again, for the same window, with other bounds where `bounded` gives some; secrets are
    learned again. Raises `BadBundle` for what is no bundle, `UsageError`, `Refused`.
    """
    header = BundleWriter.header_of(directory)
    steering = bounded(Steering.of(header.run.profile, header.run.options))
    window = Window(*(_moment(text) for text in (header.run.window.start, header.run.window.end)))
    return Session(prepare(steering, window, logins=logins, people=people), steering)


def resume(session: Session, directory: Path, progress: Progress, watch: Watch) -> Result:
    """Go on in `directory` with what `prepare_again` gave: what has no record and what failed is run again.

    A bundle in which nothing is left to do stays as it is. Raises `BadBundle`, `UsageError`, `Refused`.
    """
    ready, steering = session.ready, session.steering
    writer = BundleWriter.reopen(
        directory, ready.redactor,
        max_size=steering.max_size, reserve=steering.keep_free, owner=home.calling_user(),
    )  # fmt: skip
    with writer:
        plan, before = _left_to_do(ready.plan, writer)
        if writer.sealed is not None and not plan.items:
            return Result(writer.sealed, _lack(writer.sealed), unchanged=True)
        return _run(ready, plan, writer, before, progress, watch, directory)


def _left_to_do(plan: Plan, writer: BundleWriter) -> tuple[Plan, Mapping[str, Record]]:
    """What a resumed run still has to do, and what an earlier one had of it.

    An item of the first plan that is planned no more (of a process that ended) keeps its record; one that was
    not planned then (of a process that came since) is not begun now, nor a third party's that does something
    else by now than it was planned to.
    """
    planned = {entry.path: entry for entry in writer.header.entries}
    kept = {record.entry.path: record for record in writer.records}
    again = {path: record for path, record in kept.items() if _may_succeed(record)}
    left = {entry.path for entry in writer.header.entries if entry.path not in kept} | again.keys()
    todo = (one for one in plan.items if one.entry.path in left and _is_as_planned(one.entry, planned))
    return replace(plan, items=tuple(todo)), again


def _is_as_planned(entry: Entry, planned: Mapping[str, Entry]) -> bool:
    before = planned.get(entry.path)
    return not entry.foreign or before is None or before.what == entry.what


_PASSING = (Reason.UNREACHABLE, Reason.SERVER_PROTECTED)
"""Why an item may have come in part only because of that hour: a lost connection, a machine that was short."""


def _may_succeed(record: Record) -> bool:
    """Whether another try is worth while.

    It failed, or what cut it may be over: a lost connection, a machine short of something, the bundle's own limit.
    """
    cut = record.status is Status.PARTIAL and record.reason in _PASSING
    return record.status.resumable or cut or record.reason is Reason.OVER_BUDGET


def seal_unfinished(directory: Path) -> Sealed:
    """Seal what a run that was cut short left in `directory`; items without a record become `cancelled`.

    A sealed bundle is left as it is. Raises `BadBundle` for what is no bundle.
    """
    redactor = Redactor(SecretRegister())
    with BundleWriter.reopen(directory, redactor, reserve=0, owner=home.calling_user()) as writer:
        return writer.sealed or _seal(writer, directory, Footprint(), redactor.rules, interrupted=True)


def _seal(
    writer: BundleWriter, directory: Path, footprint: Footprint, rules: RuleSet, *, interrupted: bool
) -> Sealed:
    writer.rescan()
    run, records = writer.header.run, writer.records
    try:
        page = summarize(
            directory.absolute(),
            run,
            records,
            ended=_now(),
            interrupted=interrupted,
            planned=writer.header.entries,
        )
        writer.derived(SUMMARY, page.encode("utf-8", "backslashreplace"))
        writer.derived(PRIVACY, privacy_page(run, records, rules).encode("utf-8", "backslashreplace"))
    except DiskFull:
        pass  # a bundle without its summary is still whole; the room that is left is for the seal
    return writer.seal(interrupted=interrupted, footprint=footprint.values(records))


def _run(
    ready: Ready,
    plan: Plan,
    writer: BundleWriter,
    before: Mapping[str, Record],
    progress: Progress,
    watch: Watch,
    directory: Path,
) -> Result:
    footprint = Footprint(ready.common.costs)
    bounds = ready.bounds
    engine = Engine(
        plan, ready.common, writer, ready.redactor, bounds=bounds, progress=progress, before=before
    )
    watch(engine)
    engine.execute()
    sealed = _seal(writer, directory, footprint, ready.redactor.rules, interrupted=engine.interrupted)
    return Result(sealed, _verdict(engine, sealed))


def _verdict(engine: Engine, sealed: Sealed) -> ClinicError | None:
    """What the run comes to, the gravest first."""
    if engine.fault is not None:
        return engine.fault
    if engine.interrupted:
        return Interrupted(f"stopped; what was collected until then is sealed in {sealed.path}")
    return _lack(sealed)


def _lack(sealed: Sealed) -> ClinicError | None:
    """What a sealed bundle lacks, as the error that its command ends with; None when it is complete."""
    records = sealed.manifest.records
    if not any(record.files for record in records):
        return NothingCollected(
            "nothing was collected", hint="clinic doctor says what this account can read here"
        )
    missing = [record for record in records if record.incomplete]
    if missing:
        return Incomplete(f"{len(missing)} of {len(records)} items are incomplete or missing")
    return None


def _cluster_facts(cluster: Cluster) -> ClusterFacts:
    instances = tuple(
        InstanceFacts(
            one.id, one.component, one.host, one.port, one.version, one.pid, one.unit, one.extra.get("address", ""),
            one.deploy_dir or "".join(one.data_dirs[:1]),
        )
        for one in cluster.instances
    )  # fmt: skip
    return ClusterFacts(
        cluster.name, cluster.deployed, tuple(machine.name for machine in cluster.machines), instances,
        cluster.id, cluster.version, cluster.unknown, cluster.differences,
    )  # fmt: skip


def _zone() -> str:
    return datetime.now().astimezone().strftime("%Z %z")


def _moment(text: str) -> datetime:
    try:
        return parse_moment(text, datetime.now(timezone.utc))
    except UsageError as error:
        raise BadBundle(f"the bundle's window is not one: {error.message}") from error


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def _policy() -> dict[str, str]:
    """The digest of the organisation's policy, where there is one: which rules held when this was collected."""
    digest = read_policy().digest
    return {POLICY: digest} if digest else {}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
