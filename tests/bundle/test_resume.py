"""Going on with a bundle: one that was cut short, and a sealed one, which is then sealed anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic.bundle.journal import Header
from clinic.bundle.reader import Bundle
from clinic.bundle.record import Attempt, Entry, Record
from clinic.bundle.verify import defects
from clinic.bundle.writer import BundleWriter, Sealed
from clinic.errors import BadBundle, Refused, UsageError
from clinic.outcome import Reason, Status
from clinic.redact import Redactor
from clinic.secret import SecretRegister
from clinic.units import MIB

Plan = Callable[..., Header]
Write = Callable[[BundleWriter, Entry, bytes], Record]
Listing = Callable[[Path], set[str]]
LINE = b"one line of a log\n"
ROOM = {".partial/room-for-the-seal", *(f".partial/spare-{number}" for number in range(4))}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the bundle goes."""
    return tmp_path / "bundle"


@pytest.fixture
def header(plan: Plan) -> Header:
    """Three planned items."""
    return plan("h1/a.txt", "h1/b.log", "h1/c.txt")


@pytest.fixture
def cut_short(root: Path, redactor: Redactor, header: Header, write: Write) -> Path:
    """A bundle with one item whole, one half written and one not begun."""
    with BundleWriter.create(root, header, redactor, reserve=0) as writer:
        write(writer, header.entries[0], b"hello\n")
        half = writer.item(header.entries[1], cap=MIB, learn=False).part()
        half.write(LINE * 50_000)
    return root


@pytest.fixture
def failed(root: Path, redactor: Redactor, header: Header, write: Write) -> Sealed:
    """A sealed bundle with one item ok, one failed with a part of it there, one cancelled."""
    first, second, third = header.entries
    with BundleWriter.create(root, header, redactor, reserve=0) as writer:
        write(writer, first, b"hello\n")
        item = writer.item(second, cap=MIB, learn=False)
        part = item.part()
        part.write(LINE * 10)
        part.finish(reason=Reason.DEADLINE, message="too slow")
        writer.record(
            Record(second, Status.TIMED_OUT, Reason.DEADLINE, "too slow", started="t", files=item.commit())
        )
        writer.record(Record(third, Status.CANCELLED, Reason.INTERRUPTED))
        writer.derived("SUMMARY.txt", b"one of three\n")
        return writer.seal(interrupted=True)


class TestCutShort:
    """A run that was killed."""

    def test_what_is_whole_is_kept_and_what_was_half_written_starts_over(
        self, cut_short: Path, redactor: Redactor, header: Header, write: Write, listing: Listing
    ) -> None:
        with BundleWriter.reopen(cut_short, redactor, reserve=0) as writer:
            assert writer.header == header
            assert writer.sealed is None
            assert writer.parent is None
            assert [record.entry.path for record in writer.records] == ["h1/a.txt"]
            assert listing(cut_short) == {"h1/a.txt", "journal.jsonl", ".lock", *ROOM}
            for planned in header.entries[1:]:
                write(writer, planned, LINE * 5000)
            made = writer.seal()
        assert made.manifest.complete
        assert made.manifest.parent is None
        assert defects(cut_short) == ()

    def test_it_can_be_sealed_as_it_is(self, cut_short: Path, redactor: Redactor) -> None:
        with BundleWriter.reopen(cut_short, redactor, reserve=0) as writer:
            made = writer.seal(interrupted=True)
        assert [record.status for record in made.manifest.records] == [
            Status.OK,
            Status.CANCELLED,
            Status.CANCELLED,
        ]
        assert made.manifest.records[1].message == "the run was cut short while it was read"
        assert defects(cut_short) == ()

    def test_a_torn_journal_is_gone_on_with(self, cut_short: Path, redactor: Redactor) -> None:
        journal = cut_short / "journal.jsonl"
        journal.write_bytes(journal.read_bytes() + b'{"record": {"entry"')
        with BundleWriter.reopen(cut_short, redactor, reserve=0) as writer:
            assert len(writer.records) == 1
            assert not Bundle.unsealed(cut_short).torn
            writer.seal()

    @pytest.mark.parametrize("damage", ["changed", "missing", "shorter"])
    def test_an_item_whose_file_is_not_what_its_record_says_has_none(
        self, cut_short: Path, redactor: Redactor, listing: Listing, damage: str
    ) -> None:
        """A power loss can leave a record without the bytes that it names."""
        file = cut_short / "h1/a.txt"
        file.unlink() if damage == "missing" else file.write_bytes(
            b"HELLO\n" if damage == "changed" else b"hel"
        )
        with BundleWriter.reopen(cut_short, redactor, reserve=0) as writer:
            assert writer.records == ()
            assert "h1/a.txt" not in listing(cut_short)
            made = writer.seal()
        assert made.manifest.records[0].message == "the run was cut short while it was read"

    def test_a_file_of_somebody_else_is_named_and_left_alone(
        self, cut_short: Path, redactor: Redactor
    ) -> None:
        (cut_short / "notes.txt").write_text("mine")
        with pytest.raises(Refused, match=r"'notes\.txt', which no run of Clinic made"):
            BundleWriter.reopen(cut_short, redactor, reserve=0)
        assert (cut_short / "notes.txt").read_text() == "mine"
        (cut_short / "notes.txt").unlink()
        with BundleWriter.reopen(cut_short, redactor, reserve=0) as writer:
            writer.seal()

    def test_files_that_were_named_but_not_recorded_go(
        self, cut_short: Path, redactor: Redactor, listing: Listing
    ) -> None:
        for name in ("b.log.zst", "b.log.index", "c~2.txt"):
            (cut_short / "h1" / name).write_bytes(b"x")
        (cut_short / "SHA256SUMS").write_bytes(b"half a li")
        (cut_short / "manifest.json.new").write_bytes(b"{")
        with BundleWriter.reopen(cut_short, redactor, reserve=0) as writer:
            assert listing(cut_short) == {"h1/a.txt", "journal.jsonl", ".lock", *ROOM}
            writer.seal()

    def test_a_journal_that_names_a_path_outside_is_refused(
        self, cut_short: Path, redactor: Redactor
    ) -> None:
        journal = cut_short / "journal.jsonl"
        journal.write_bytes(
            journal.read_bytes().replace(b'"files":[{"path":"h1/a.txt"', b'"files":[{"path":"../a.txt"')
        )
        with pytest.raises(BadBundle, match="names a path outside the bundle"):
            BundleWriter.reopen(cut_short, redactor, reserve=0)

    def test_stored_bytes_of_before_count_against_the_largest_size(
        self, cut_short: Path, redactor: Redactor, header: Header, write: Write
    ) -> None:
        with BundleWriter.reopen(cut_short, redactor, reserve=0, max_size=10) as writer:
            assert writer.stored == 6
            record = write(writer, header.entries[2], b"0123456789")
            assert record.files[0].reason is Reason.OVER_BUDGET
            assert writer.stored == 10

    def test_secrets_that_are_learned_again_are_masked_in_what_was_kept(self, cut_short: Path) -> None:
        later = SecretRegister()
        later.learn("hello")
        with BundleWriter.reopen(cut_short, Redactor(later), reserve=0) as writer:
            writer.seal()
        assert (cut_short / "h1/a.txt").read_bytes() == b"***\n"
        assert defects(cut_short) == ()


class TestSealed:
    """A bundle that came to its end and is gone on with all the same."""

    def test_it_stays_as_it_is_until_something_is_written(
        self, failed: Sealed, redactor: Redactor, listing: Listing
    ) -> None:
        before = listing(failed.path)
        with BundleWriter.reopen(failed.path, redactor, reserve=0) as writer:
            assert writer.sealed == failed
            assert writer.parent == failed.bundle_id
            assert len(writer.records) == 3
        assert listing(failed.path) == before
        assert Bundle.open(failed.path).id == failed.bundle_id

    def test_it_is_sealed_anew_with_a_new_id_and_names_its_parent(
        self, failed: Sealed, redactor: Redactor, header: Header, write: Write, root: Path
    ) -> None:
        with BundleWriter.reopen(failed.path, redactor, reserve=0) as writer:
            for planned in header.entries[1:]:
                write(writer, planned, LINE * 5000)
            assert writer.sealed is None
            assert not (root / "manifest.json").exists()
            writer.derived("SUMMARY.txt", b"three of three\n")
            again = writer.seal()
        assert again.bundle_id != failed.bundle_id
        assert again.manifest.parent == failed.bundle_id
        assert again.manifest.complete
        assert again.manifest.run == failed.manifest.run
        assert defects(root) == ()

    def test_what_an_earlier_attempt_left_stays_until_there_is_a_better_one(
        self, failed: Sealed, redactor: Redactor, header: Header, root: Path
    ) -> None:
        with BundleWriter.reopen(failed.path, redactor, reserve=0) as writer:
            writer.item(header.entries[1], cap=MIB, learn=False).part().write(b"half")
            again = writer.seal(interrupted=True)
        record = again.manifest.records[1]
        assert record.status is Status.TIMED_OUT
        assert (root / "h1/b.log").read_bytes() == LINE * 10
        assert defects(root) == ()

    def test_earlier_attempts_stay_in_the_record(
        self, failed: Sealed, redactor: Redactor, header: Header
    ) -> None:
        attempt = Attempt("t", 1.0, Status.TIMED_OUT, Reason.DEADLINE, "too slow")
        with BundleWriter.reopen(failed.path, redactor, reserve=0) as writer:
            writer.record(Record(header.entries[1], Status.FAILED, attempts=(attempt,)))
            again = writer.seal()
        assert again.manifest.records[1].attempts == (attempt,)

    def test_a_run_that_is_cut_short_while_it_goes_on_can_be_gone_on_with_again(
        self, failed: Sealed, redactor: Redactor, header: Header, write: Write
    ) -> None:
        with BundleWriter.reopen(failed.path, redactor, reserve=0) as writer:
            write(writer, header.entries[1], LINE * 5000)
        with BundleWriter.reopen(failed.path, redactor, reserve=0) as writer:
            assert writer.sealed is None
            assert writer.parent == failed.bundle_id
            assert len(writer.records) == 3
            assert writer.seal().manifest.parent == failed.bundle_id
        assert defects(failed.path) == ()

    def test_a_sealed_bundle_that_was_changed_is_refused(self, failed: Sealed, redactor: Redactor) -> None:
        (failed.path / "h1/a.txt").write_bytes(b"HELLO\n")
        with pytest.raises(BadBundle, match="its digest differs"):
            BundleWriter.reopen(failed.path, redactor, reserve=0)

    def test_a_journal_beside_a_sealed_bundle_is_ignored_and_removed(
        self, failed: Sealed, redactor: Redactor, listing: Listing
    ) -> None:
        (failed.path / "journal.jsonl").write_bytes(b"left by a crash")
        with BundleWriter.reopen(failed.path, redactor, reserve=0) as writer:
            assert writer.sealed == failed
            writer.seal()
        assert "journal.jsonl" not in listing(failed.path)


def test_the_plan_can_be_read_before_anything_is_opened(
    cut_short: Path, header: Header, redactor: Redactor
) -> None:
    assert BundleWriter.header_of(cut_short) == header
    with BundleWriter.reopen(cut_short, redactor, reserve=0) as writer:
        made = writer.seal()
    assert BundleWriter.header_of(cut_short).entries == header.entries
    assert BundleWriter.header_of(cut_short).parent == made.bundle_id


@pytest.mark.parametrize("kind", ["nothing", "empty", "other"])
def test_what_is_no_bundle_is_not_gone_on_with(
    root: Path, redactor: Redactor, kind: str, listing: Listing
) -> None:
    if kind != "nothing":
        root.mkdir()
    if kind == "other":
        (root / "notes.txt").write_text("mine")
    with pytest.raises(
        UsageError if kind == "nothing" else BadBundle, match=r"there is no directory|is not a bundle"
    ):
        BundleWriter.reopen(root, redactor, reserve=0)
    if kind == "other":
        assert listing(root) == {"notes.txt"}


def test_a_directory_that_others_can_write_is_refused(cut_short: Path, redactor: Redactor) -> None:
    cut_short.chmod(0o777)
    with pytest.raises(Refused, match="others can write in"):
        BundleWriter.reopen(cut_short, redactor, reserve=0)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_root_goes_on_with_the_calling_users_bundle_only(cut_short: Path, redactor: Redactor) -> None:
    os.chown(cut_short, 12345, 12345)
    with pytest.raises(Refused, match="belongs to someone else"):
        BundleWriter.reopen(cut_short, redactor, reserve=0)
    with BundleWriter.reopen(cut_short, redactor, reserve=0, owner=(12345, 12345)) as writer:
        writer.seal()
    assert (cut_short / "manifest.json").stat().st_uid == 12345
