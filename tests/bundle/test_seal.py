"""Sealing: at whatever step the machine loses its power, there is a sealed bundle or one that can be gone on with."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic.bundle.journal import Header
from clinic.bundle.manifest import Manifest
from clinic.bundle.reader import Bundle
from clinic.bundle.record import Entry, Record
from clinic.bundle.verify import defects
from clinic.bundle.writer import BundleWriter
from clinic.errors import Cancelled
from clinic.outcome import Reason, Status
from clinic.redact import Redactor
from clinic.secret import SecretRegister
from clinic.units import MIB

Plan = Callable[..., Header]
Write = Callable[[BundleWriter, Entry, bytes], Record]
Listing = Callable[[Path], set[str]]
LINE = b"one line of a log\n"
STEPS = [
    "rescanned", "cleaned", "manifest", "sums", "synced", "sealed", "sealed and synced", "journal removed",
]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the bundle goes."""
    return tmp_path / "bundle"


class Steps(BundleWriter):
    """A writer that says which steps of the seal it comes to."""

    seen: list[str] = []  # noqa: RUF012 - one list for the one test that looks

    def _step(self, name: str) -> None:
        self.seen.append(name)


def test_the_steps_of_the_seal_are_those_that_are_tried_here(
    root: Path, redactor: Redactor, plan: Plan
) -> None:
    Steps.seen.clear()
    with Steps.create(root, plan(), redactor, reserve=0) as writer:
        writer.seal()
    assert Steps.seen == STEPS


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each step a bundle whose writer was killed right after it."""
    place = tmp_path_factory.mktemp("killed")
    victim = Path(__file__).with_name("victim.py")
    subprocess.run([sys.executable, victim, "seal", place, *STEPS], check=True)
    return place


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_leaves_a_sealed_bundle_or_one_to_go_on_with(
    killed: Path, redactor: Redactor, step: str
) -> None:
    root = killed / step
    if STEPS.index(step) >= STEPS.index("sealed"):
        assert defects(root) == ()
    else:
        assert len(Bundle.unsealed(root).records()) == 2
    with BundleWriter.reopen(root, redactor, reserve=0) as writer:
        assert {record.entry.path for record in writer.records} >= {"h1/a.txt", "h1/b.log"}
        made = writer.seal()
    assert defects(root) == ()
    assert [record.status for record in made.manifest.records] == [Status.OK, Status.OK, Status.CANCELLED]


def test_a_sealed_directory_holds_what_the_manifest_lists_and_nothing_else(
    root: Path, redactor: Redactor, plan: Plan, write: Write, listing: Listing
) -> None:
    header = plan("h1/a.txt")
    with BundleWriter.create(root, header, redactor, reserve=0) as writer:
        write(writer, header.entries[0], b"hello\n")
        writer.derived("SUMMARY.txt", b"all is well\n")
        made = writer.seal()
        assert listing(root) == {"h1/a.txt", "SUMMARY.txt", "manifest.json", "SHA256SUMS"}
    assert listing(root) == {"h1/a.txt", "SUMMARY.txt", "manifest.json", "SHA256SUMS"}
    raw = (root / "manifest.json").read_bytes()
    assert made.bundle_id == hashlib.sha256(raw).hexdigest()
    assert made.path == root
    assert made.manifest == Manifest.from_json(raw)


def test_planned_items_without_a_record_are_named_as_cut_short(
    root: Path, redactor: Redactor, plan: Plan
) -> None:
    header = plan("h1/a.txt", "h1/b.txt")
    with BundleWriter.create(root, header, redactor, reserve=0) as writer:
        writer.item(header.entries[1], cap=MIB, learn=False).part().write(b"half")
        records = writer.seal(interrupted=True).manifest.records
    assert [(record.status, record.reason) for record in records] == [
        (Status.CANCELLED, Reason.INTERRUPTED)
    ] * 2
    assert records[0].message == "the run was cut short before it began"
    assert records[1].message == "the run was cut short while it was read"
    assert records[1].started


def test_records_are_in_the_order_of_the_plan_whatever_ended_first(
    root: Path, redactor: Redactor, plan: Plan, write: Write, entry: Callable[..., Entry]
) -> None:
    header = plan("h1/a.txt", "h1/b.txt")
    with BundleWriter.create(root, header, redactor, reserve=0) as writer:
        writer.record(Record(entry("broken.failed"), Status.FAILED, Reason.COLLECTOR_ERROR))
        write(writer, header.entries[1], b"second\n")
        write(writer, header.entries[0], b"first\n")
        records = writer.seal().manifest.records
    assert [record.entry.path for record in records] == ["h1/a.txt", "h1/b.txt", "broken.failed"]


def test_redactions_of_all_files_are_counted_with_the_version_of_the_rules(
    root: Path, redactor: Redactor, plan: Plan, write: Write
) -> None:
    header = plan("h1/a.txt", "h1/b.txt")
    with BundleWriter.create(root, header, redactor, reserve=0) as writer:
        for planned in header.entries:
            write(writer, planned, b"url = mysql://root:Tr0ub4dor&3@h1:4000/test\n")
        made = writer.seal()
    assert made.manifest.redaction.rules == redactor.version
    assert sum(made.manifest.redaction.counts.values()) == 2


def test_no_file_gets_into_the_bundle_once_it_is_being_sealed(
    root: Path, redactor: Redactor, plan: Plan, entry: Callable[..., Entry]
) -> None:
    """A thread that was given up may come back at any moment."""
    with BundleWriter.create(root, plan(), redactor, reserve=0) as writer:
        late, half = (writer.item(entry(f"h1/{name}.txt"), cap=MIB, learn=False) for name in "ab")
        late.part().write(b"x")
        part = half.part()
        done = writer.item(entry("h1/c.txt"), cap=MIB, learn=False)
        finished = done.part()
        finished.write(b"x" * 100_000)
        finished.finish()
        writer.seal()
        for step in (done.commit, lambda: part.write(b"y" * MIB), lambda: late.part().finish()):
            with pytest.raises(Cancelled):
                step()
    assert defects(root) == ()


def test_facts_about_hosts_and_the_footprint_are_kept(root: Path, redactor: Redactor, plan: Plan) -> None:
    with BundleWriter.create(root, plan(), redactor, reserve=0) as writer:
        writer.seal(hosts={"h1": {"clock_offset": -0.25, "zone": "CST"}}, footprint={"h1": {"command": 12}})
    manifest = Bundle.open(root).manifest
    assert manifest.hosts == {"h1": {"clock_offset": -0.25, "zone": "CST"}}
    assert manifest.footprint == {"h1": {"command": 12}}


class TestLearnedTooLate:
    """Secrets that were not known yet when something was written."""

    @pytest.fixture
    def header(self, plan: Plan, entry: Callable[..., Entry]) -> Header:
        """Items in which a secret will turn out to be."""
        return plan("h1/small.txt", "h1/large.log", "h1/clean.log", entry("h1/Tr0ub4dor-conf", folder=True))

    def test_files_names_and_records_are_written_again_without_them(
        self, root: Path, redactor: Redactor, register: SecretRegister, header: Header, write: Write
    ) -> None:
        with BundleWriter.create(root, header, redactor, reserve=0) as writer:
            write(writer, header.entries[0], b"a Tr0ub4dor b\n")
            write(writer, header.entries[1], b"x Tr0ub4dor y\n" * 10_000)
            before = write(writer, header.entries[2], LINE * 10_000)
            folder = writer.item(header.entries[3], cap=MIB, learn=False)
            part = folder.part("of-Tr0ub4dor.txt")
            part.write(b"x")
            part.finish()
            writer.record(
                Record(header.entries[3], Status.OK, message="read Tr0ub4dor", files=folder.commit())
            )
            writer.derived("SUMMARY.txt", b"the first is Tr0ub4dor\n")
            register.learn("Tr0ub4dor")
            made = writer.seal()
        assert defects(root) == ()
        bundle = Bundle.open(root)
        for file in bundle.files():
            assert "Tr0ub4dor" not in file.path
            with bundle.member(file.path) as stream:
                assert b"Tr0ub4dor" not in stream.read()
        assert b"Tr0ub4dor" not in (root / "manifest.json").read_bytes()
        with bundle.member("h1/large.log") as stream:
            assert stream.read() == b"x *** y\n" * 10_000
        records = {record.entry.id: record for record in made.manifest.records}
        assert records["clean"].files == before.files
        assert records["large"].files[0].redactions == {"learned": 10_000}

    def test_the_journal_is_corrected_at_once(
        self, root: Path, redactor: Redactor, register: SecretRegister, header: Header, write: Write
    ) -> None:
        with BundleWriter.create(root, header, redactor, reserve=0) as writer:
            write(writer, header.entries[0], b"a Tr0ub4dor b\n")
            register.learn("Tr0ub4dor")
            writer.rescan()
            assert b"Tr0ub4dor" not in (root / "journal.jsonl").read_bytes()
            with Bundle.unsealed(root).member("h1/small.txt") as stream:
                assert stream.read() == b"a *** b\n"

    def test_what_is_learned_while_nothing_is_new_costs_nothing(
        self, root: Path, redactor: Redactor, register: SecretRegister, header: Header, write: Write
    ) -> None:
        register.learn("Tr0ub4dor")
        with BundleWriter.create(root, header, redactor, reserve=0) as writer:
            write(writer, header.entries[1], LINE * 10_000)
            inode = (root / "h1/large.log.zst").stat().st_ino
            writer.seal()
            assert (root / "h1/large.log.zst").stat().st_ino == inode

    def test_a_file_that_can_not_be_written_again_goes_and_its_record_says_so(
        self, root: Path, redactor: Redactor, register: SecretRegister, header: Header, write: Write
    ) -> None:
        with BundleWriter.create(root, header, redactor, reserve=0) as writer:
            write(writer, header.entries[1], b"x Tr0ub4dor y\n" * 10_000)
            (root / "h1/large.log.zst").write_bytes(b"damaged")
            register.learn("Tr0ub4dor")
            made = writer.seal()
        assert not (root / "h1").exists()
        record = made.manifest.records[1]
        assert (record.status, record.reason) == (Status.FAILED, Reason.REDACTION_FAILED)
        assert record.files == ()
        assert defects(root) == ()

    def test_a_path_that_was_planned_before_is_masked_when_its_file_is_begun(
        self, root: Path, redactor: Redactor, register: SecretRegister, plan: Plan, write: Write
    ) -> None:
        header = plan("h1/Tr0ub4dor.txt", "h1/Tr0ub4dor-never.txt")
        with BundleWriter.create(root, header, redactor, reserve=0) as writer:
            register.learn("Tr0ub4dor")
            write(writer, header.entries[0], b"x")
            made = writer.seal()
        assert [record.entry.path for record in made.manifest.records] == [
            "h1/%2A%2A%2A.txt",
            "h1/%2A%2A%2A-never.txt",
        ]
        assert defects(root) == ()

    def test_what_is_put_in_the_bundles_place_meanwhile_is_not_read(
        self,
        root: Path,
        redactor: Redactor,
        register: SecretRegister,
        header: Header,
        write: Write,
        tmp_path: Path,
    ) -> None:
        with BundleWriter.create(root, header, redactor, reserve=0) as writer:
            write(writer, header.entries[0], b"a Tr0ub4dor b\n")
            root.rename(tmp_path / "moved")
            (root / "h1").mkdir(parents=True)
            (root / "h1/small.txt").write_bytes(b"a stranger's")
            register.learn("Tr0ub4dor")
            writer.seal()
        assert (tmp_path / "moved/h1/small.txt").read_bytes() == b"a *** b\n"
        assert (root / "h1/small.txt").read_bytes() == b"a stranger's"
        assert defects(tmp_path / "moved") == ()

    def test_texts_of_the_run_itself_are_masked(
        self, root: Path, redactor: Redactor, register: SecretRegister, plan: Plan
    ) -> None:
        header = plan("h1/Tr0ub4dor.txt")
        with BundleWriter.create(root, header, redactor, reserve=0) as writer:
            register.learn("Tr0ub4dor")
            writer.seal(hosts={"h1": {"banner": "Tr0ub4dor"}})
        assert b"Tr0ub4dor" not in (root / "manifest.json").read_bytes()
        assert Bundle.open(root).records()[0].entry.path == "h1/%2A%2A%2A.txt"
