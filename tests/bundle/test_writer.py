"""The one write path: what goes in is redacted, capped, compressed where large, hashed and named at once or never."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import stat
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinic.bundle.journal import Header
from clinic.bundle.reader import Bundle
from clinic.bundle.record import Entry, FileEntry, Record
from clinic.bundle.verify import verify
from clinic.bundle.writer import BundleWriter, ItemWriter
from clinic.errors import Cancelled, DiskFull, Failed, Partial, Refused, UsageError
from clinic.kinds import Content
from clinic.outcome import Reason, Status
from clinic.redact import Redactor, RedactStream
from clinic.secret import SecretRegister
from clinic.units import KIB, MIB

Plan = Callable[..., Header]
Make = Callable[..., Entry]
Write = Callable[[BundleWriter, Entry, bytes], Record]
Listing = Callable[[Path], set[str]]
LINE = b'[2026/11/25 10:00:00.000 +00:00] [INFO] [server.go:42] ["a line of the log"]\n'
ROOM = {".partial/room-for-the-seal", *(f".partial/spare-{number}" for number in range(4))}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the bundle goes."""
    return tmp_path / "bundle"


@pytest.fixture
def writer(root: Path, redactor: Redactor, plan: Plan) -> Iterator[BundleWriter]:
    """A bundle that is being written, with nothing planned."""
    with BundleWriter.create(root, plan(), redactor, reserve=0) as writer:
        yield writer


@pytest.fixture
def item(writer: BundleWriter, entry: Make) -> Callable[..., ItemWriter]:
    """Begins an item."""

    def begin(
        path: str = "h1/a.txt", *, cap: int = 32 * MIB, learn: bool = False, **fields: object
    ) -> ItemWriter:
        return writer.item(entry(path, **fields), cap=cap, learn=learn)

    return begin


def store(item: ItemWriter, *chunks: bytes, name: str = "", content: Content | None = None) -> FileEntry:
    """Write one part whole."""
    part = item.part(name, content)
    for chunk in chunks:
        part.write(chunk)
    return part.finish()


class PoisonStream(RedactStream):
    """A stream with a rule that has a defect."""

    def feed(self, data: bytes) -> bytes:
        if b"poison" in data:
            raise ZeroDivisionError(f"can't do {data!r}")
        return super().feed(data)


class BrokenRedactor(Redactor):
    """Gives such streams."""

    def stream(self, content: Content, *, learn: bool = False) -> RedactStream:
        return PoisonStream([], Counter())


class TestStoring:
    """Bytes on their way to the disk."""

    def test_a_small_file_is_stored_as_it_is(self, item: Callable[..., ItemWriter], root: Path) -> None:
        one = item()
        file = store(one, b"hello\n", b"world\n")
        assert one.commit() == (file,)
        assert (root / "h1/a.txt").read_bytes() == b"hello\nworld\n"
        assert file == FileEntry("h1/a.txt", 12, 12, hashlib.sha256(b"hello\nworld\n").hexdigest())

    def test_a_large_file_is_compressed_and_its_digest_is_that_of_the_stored_bytes(
        self, item: Callable[..., ItemWriter], root: Path, zstd: str
    ) -> None:
        one = item("h1/tidb.log")
        file = store(one, *[LINE] * 5000)
        one.commit()
        assert file.path == "h1/tidb.log.zst"
        stored = (root / file.path).read_bytes()
        assert (file.stored, file.sha256) == (len(stored), hashlib.sha256(stored).hexdigest())
        plain = subprocess.run([zstd, "-dc", root / file.path], capture_output=True, check=True).stdout
        assert plain == LINE * 5000
        assert file.plain == len(plain)

    @pytest.mark.parametrize(("size", "ending"), [(64 * KIB, ""), (64 * KIB + 1, ".zst")])
    def test_compression_begins_above_64_kib(
        self, item: Callable[..., ItemWriter], size: int, ending: str
    ) -> None:
        assert store(item(), (LINE * 1000)[:size]).path == "h1/a.txt" + ending

    def test_a_small_file_that_has_the_ending_of_zstd_gets_another(
        self, item: Callable[..., ItemWriter]
    ) -> None:
        """Else a reader would unpack what the host had packed, and the sizes would be wrong."""
        assert (
            store(item("h1/old.log.zst", content="opaque"), b"\x28\xb5\x2f\xfd").path == "h1/old.log.zst.zst"
        )

    def test_an_empty_part_is_a_file_when_it_is_finished_and_none_when_it_is_discarded(
        self, item: Callable[..., ItemWriter], root: Path, listing: Listing
    ) -> None:
        one = item("h1/conf", folder=True)
        store(one, name="empty.txt")
        one.part("nothing.txt").discard()
        assert [file.path for file in one.commit()] == ["h1/conf/empty.txt"]
        assert listing(root) >= {"h1/conf/empty.txt"}

    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        data=st.binary(max_size=300) | st.integers(0, 3000).map(lambda n: LINE * n),
        cuts=st.lists(st.integers(0, 10**6), max_size=5),
    )
    def test_any_cutting_of_the_input_stores_the_same_plain_bytes(
        self, item: Callable[..., ItemWriter], data: bytes, cuts: list[int]
    ) -> None:
        ends = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
        whole, pieces = (
            item("h1/f", folder=True, content="opaque"),
            item("h1/f", folder=True, content="opaque"),
        )
        first = store(whole, data, name="x")
        second = store(pieces, *(data[a:b] for a, b in itertools.pairwise(ends)), name="x")
        whole.abandon()
        pieces.abandon()
        assert (first.plain, first.dropped) == (second.plain, second.dropped) == (len(data), 0)
        if not first.compressed:
            assert first.sha256 == second.sha256 == hashlib.sha256(data).hexdigest()

    def test_everything_is_for_its_owner_only_whatever_the_umask(
        self, tmp_path: Path, redactor: Redactor, plan: Plan, write: Write
    ) -> None:
        before = os.umask(0)
        try:
            header = plan("h1/deep/er/a.txt", "h1/tidb.log")
            with BundleWriter.create(tmp_path / "b", header, redactor, reserve=0) as writer:
                for planned in header.entries:
                    write(writer, planned, LINE * 5000)
                modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "b").rglob("*")}
                writer.derived("SUMMARY.txt", b"x")
                writer.seal()
        finally:
            os.umask(before)
        modes |= {
            path: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "b", *(tmp_path / "b").rglob("*")]
        }
        assert {modes[path] for path in modes if path.name in ("b", "h1", "deep", "er", ".partial")} == {
            0o700
        }
        assert {modes[path] for path in modes if path.name not in ("b", "h1", "deep", "er", ".partial")} == {
            0o600
        }

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
    def test_under_sudo_everything_belongs_to_the_calling_user(
        self, tmp_path: Path, redactor: Redactor, plan: Plan, write: Write
    ) -> None:
        header = plan("h1/a.txt")
        with BundleWriter.create(tmp_path / "b", header, redactor, reserve=0, owner=(12345, 12346)) as writer:
            write(writer, header.entries[0], b"x")
            writer.derived("SUMMARY.txt", b"x")
            writer.seal()
        for path in [tmp_path / "b", *(tmp_path / "b").rglob("*")]:
            assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346), path


class TestNames:
    """What the files are called."""

    def test_a_hosts_names_are_confined_to_the_items_folder(
        self, item: Callable[..., ItemWriter], root: Path
    ) -> None:
        one = item("h1/conf", folder=True)
        for name in ("/etc/tidb/tidb.toml", "../../../outside", "a:b\x1b[2J", "x/../../y", ""):
            store(one, b"x", name=name)
        assert [file.path for file in one.commit()] == [
            "h1/conf/etc/tidb/tidb.toml", "h1/conf/.%2E/.%2E/.%2E/outside", "h1/conf/a%3Ab%1B[2J",
            "h1/conf/x/.%2E/.%2E/y", "h1/conf/_",
        ]  # fmt: skip
        assert {path.name for path in root.parent.iterdir()} == {root.name}

    def test_names_that_collide_are_numbered(self, item: Callable[..., ItemWriter]) -> None:
        one = item("h1/conf", folder=True)
        for name in ("a.toml", "A.TOML", "a.toml", "a.toml/b"):
            store(one, b"x", name=name)
        assert [file.path for file in one.commit()] == [
            "h1/conf/a.toml", "h1/conf/A~2.TOML", "h1/conf/a~3.toml", "h1/conf/a~4.toml/b",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "name", ["manifest.json", "SHA256SUMS", "journal.jsonl", "SUMMARY.txt", ".lock", ".partial/x"]
    )
    def test_no_item_takes_the_name_of_a_fixed_file(self, item: Callable[..., ItemWriter], name: str) -> None:
        assert store(item(name), b"x").path != name

    def test_a_folder_that_is_swapped_for_a_link_does_not_lead_outside(
        self, item: Callable[..., ItemWriter], root: Path, tmp_path: Path
    ) -> None:
        first, second = item("h1/a.txt"), item("h1/b.txt")
        store(first, b"x")
        first.commit()
        (tmp_path / "elsewhere").mkdir()
        (root / "h1").rename(tmp_path / "h1")
        (root / "h1").symlink_to(tmp_path / "elsewhere")
        store(second, b"x")
        with pytest.raises(Refused):
            second.commit()
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_the_root_can_be_renamed_and_replaced_without_effect(
        self, item: Callable[..., ItemWriter], root: Path, tmp_path: Path
    ) -> None:
        root.rename(tmp_path / "moved")
        root.symlink_to("/")
        one = item("h1/a.txt")
        store(one, b"x")
        one.commit()
        assert (tmp_path / "moved/h1/a.txt").read_bytes() == b"x"


class TestCutting:
    """Files that are not all that the host had."""

    def test_what_exceeds_the_cap_is_cut_in_the_middle_and_on_record(
        self, item: Callable[..., ItemWriter], root: Path
    ) -> None:
        one = item(cap=2000)
        file = store(one, b"".join(b"line %04d\n" % n for n in range(1000)))
        one.commit()
        text = (root / file.path).read_text()
        assert text.startswith("line 0000\n")
        assert text.endswith("line 0999\n")
        assert f"\n[clinic: {file.dropped} bytes left out here]\n" in text
        assert file.plain == len(text) <= 2000
        assert file.reason is Reason.TRUNCATED
        assert file.message == f"{file.dropped:,} bytes left out: longer than its cap of 2.0 KiB"

    def test_of_an_opaque_file_the_head_is_kept(self, item: Callable[..., ItemWriter], root: Path) -> None:
        data = os.urandom(5000)
        one = item(cap=2000, content="opaque")
        file = store(one, data)
        one.commit()
        assert (root / file.path).read_bytes() == data[:2000]
        assert (file.dropped, file.reason) == (3000, Reason.TRUNCATED)

    @pytest.mark.parametrize(("missing", "words"), [(1234, "1234 bytes"), (-1, "an unknown number of bytes")])
    def test_a_gap_of_the_source_is_marked_and_on_record(
        self, item: Callable[..., ItemWriter], root: Path, missing: int, words: str
    ) -> None:
        one = item()
        part = one.part()
        part.write(b"[2026/11/25 10:00:00] before the gap\n")
        part.gap(missing)
        part.write(b"[2026/11/25 11:00:00] after the gap\n")
        file = part.finish()
        one.commit()
        text = (root / file.path).read_text()
        assert f"\n[clinic: {words} left out here]\n" in text
        assert text.endswith("[2026/11/25 11:00:00] after the gap\n")
        assert (file.dropped, file.reason) == (missing, Reason.TRUNCATED)

    def test_the_reason_of_the_caller_comes_first_and_the_cut_is_told_too(
        self, item: Callable[..., ItemWriter]
    ) -> None:
        part = item(cap=1000).part()
        part.write(LINE * 100)
        file = part.finish(reason=Reason.READ_ERROR, message="the disk is broken")
        assert file.reason is Reason.READ_ERROR
        assert file.message.startswith("the disk is broken; ")
        assert "left out" in file.message

    def test_bytes_that_came_are_counted_as_they_came(self, item: Callable[..., ItemWriter]) -> None:
        part = item(cap=100).part()
        part.write(b"x" * 1000)
        part.write(b"y" * 500)
        assert part.received == 1500


class TestRedaction:
    """No byte gets past the redactor."""

    def test_a_credential_is_masked_and_counted(self, item: Callable[..., ItemWriter], root: Path) -> None:
        one = item("h1/tidb.toml", content="toml")
        file = store(one, b'[security]\npassword = "Tr0ub4dor&3"\nmax-connections = 100\n')
        one.commit()
        assert b"Tr0ub4dor" not in (root / file.path).read_bytes()
        assert b"max-connections = 100" in (root / file.path).read_bytes()
        assert sum(file.redactions.values()) == 1

    def test_what_is_learned_in_one_item_is_masked_in_the_next(
        self, item: Callable[..., ItemWriter], root: Path
    ) -> None:
        first = item("h1/tidb.toml", content="toml", learn=True)
        store(first, b'password = "Tr0ub4dor&3"\n')
        first.commit()
        second = item("h1/notes.txt")
        store(second, b"the word is Tr0ub4dor&3 today\n")
        second.commit()
        assert (root / "h1/notes.txt").read_bytes() == b"the word is *** today\n"

    def test_a_redactor_that_raises_lets_nothing_through(
        self, root: Path, register: SecretRegister, plan: Plan, entry: Make, zstd: str
    ) -> None:
        with BundleWriter.create(root, plan(), BrokenRedactor(register), reserve=0) as writer:
            one = writer.item(entry("h1/a.txt"), cap=MIB, learn=False)
            file = store(one, b"x" * 300_000 + b"\n", b"poison: hunter2\n", b"after: hunter3\n")
            one.commit()
        stored = (root / file.path).read_bytes()
        plain = subprocess.run([zstd, "-dc"], input=stored, capture_output=True, check=True).stdout
        assert b"hunter" not in plain
        assert plain.endswith(b"\n[clinic: the redactor failed here; what follows is left out]\n")
        assert (file.reason, file.dropped) == (Reason.REDACTION_FAILED, -1)
        assert "ZeroDivisionError" in file.message
        assert "poison" not in file.message

    def test_parts_that_the_redactor_could_not_clear_are_on_record(
        self, item: Callable[..., ItemWriter]
    ) -> None:
        one = item("h1/key.pem")
        file = store(one, b"-----BEGIN PRIVATE KEY-----\n" + b"QUJD" * 500_000)
        assert (file.reason, file.dropped) == (Reason.REDACTION_FAILED, -1)
        assert re.fullmatch(r"the redactor left out \d parts? that it could not clear", file.message)

    def test_texts_of_a_record_are_masked_before_they_reach_the_journal(
        self, writer: BundleWriter, entry: Make, root: Path, register: SecretRegister
    ) -> None:
        register.learn("Tr0ub4dor&3")
        writer.record(
            Record(
                entry("h1/a.txt", what="cat Tr0ub4dor&3"), Status.FAILED, Reason.READ_ERROR, "no Tr0ub4dor&3"
            )
        )
        assert "Tr0ub4dor" not in (root / "journal.jsonl").read_text()
        assert writer.records[0].message == "no ***"


class Watch:
    """Keeps what it sees."""

    def __init__(self) -> None:
        self.seen = b""

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        self.seen += data

    def finish(self) -> bytes:
        """How many there were."""
        return b"%d bytes seen\n" % len(self.seen)


class TestObserver:
    """What watches the bytes as they are stored."""

    def test_an_observer_sees_what_is_stored_and_leaves_a_file_beside_it(
        self, writer: BundleWriter, entry: Make, root: Path
    ) -> None:
        watches: list[Watch] = []

        def make() -> Watch:
            watches.append(Watch())
            return watches[-1]

        one = writer.item(
            entry("h1/tidb.toml", content="toml"), cap=4000, learn=False, observer=make, observed=".seen"
        )
        file = store(one, b'password = "Tr0ub4dor&3"\n', b"# a comment\n" * 1000)
        assert [one.path for one in one.commit()] == ["h1/tidb.toml", "h1/tidb.toml.seen"]
        assert watches[0].seen == (root / file.path).read_bytes()
        assert (root / "h1/tidb.toml.seen").read_bytes() == b"%d bytes seen\n" % file.plain

    def test_an_observer_with_nothing_to_say_leaves_no_file(self, writer: BundleWriter, entry: Make) -> None:
        class Silent(Watch):
            def finish(self) -> bytes:
                return b""

        one = writer.item(entry("h1/a.txt"), cap=MIB, learn=False, observer=Silent)
        store(one, b"x")
        assert len(one.commit()) == 1

    @pytest.mark.parametrize("when", ["feed", "finish"])
    def test_an_observer_that_fails_costs_only_what_it_would_leave(
        self, writer: BundleWriter, entry: Make, root: Path, when: str
    ) -> None:
        class Broken(Watch):
            def feed(self, data: bytes) -> None:
                if when == "feed":
                    raise ValueError(data)

            def finish(self) -> bytes:
                raise ValueError("nothing is known")

        one = writer.item(entry("h1/a.txt"), cap=MIB, learn=False, observer=Broken)
        file = store(one, b"x\n", b"y\n")
        assert [one.path for one in one.commit()] == ["h1/a.txt"]
        assert (root / file.path).read_bytes() == b"x\ny\n"


class TestGivingUp:
    """Attempts that end without a file."""

    def test_nothing_of_an_abandoned_attempt_gets_a_name(
        self, item: Callable[..., ItemWriter], root: Path, listing: Listing
    ) -> None:
        one = item("h1/conf", folder=True)
        store(one, LINE * 5000, name="finished")
        part = one.part("half")
        part.write(LINE * 5000)
        one.abandon()
        for step in (
            lambda: part.write(b"x"),
            lambda: part.gap(1),
            part.finish,
            lambda: one.part("more"),
            one.commit,
        ):
            with pytest.raises(Cancelled):
                step()
        assert listing(root) == {"journal.jsonl", ".lock", *ROOM}

    def test_a_thread_that_comes_back_after_it_was_given_up_writes_nothing(
        self, item: Callable[..., ItemWriter], root: Path, listing: Listing
    ) -> None:
        one = item()
        stuck, given_up = threading.Event(), threading.Event()
        ended: list[BaseException] = []

        def work() -> None:
            part = one.part()
            try:
                part.write(LINE * 10_000)
                stuck.set()
                given_up.wait(5)
                part.write(LINE)
            except Cancelled as error:
                ended.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        stuck.wait(5)
        one.abandon()
        given_up.set()
        thread.join(5)
        assert len(ended) == 1
        assert listing(root) == {"journal.jsonl", ".lock", *ROOM}

    def test_a_commit_and_an_abandon_at_the_same_moment_leave_all_files_or_none(
        self, writer: BundleWriter, entry: Make, root: Path
    ) -> None:
        for number in range(30):
            path = f"h1/{number}"
            one = writer.item(entry(path, folder=True), cap=MIB, learn=False)
            for name in "abc":
                store(one, b"x", name=name)
            thread = threading.Thread(target=one.abandon)
            thread.start()
            try:
                files = one.commit()
            except Cancelled:
                files = ()
            thread.join(5)
            assert len(files) in (0, 3)
            assert sorted(p.name for p in (root / path).glob("*")) == (["a", "b", "c"] if files else [])

    def test_a_further_attempt_takes_the_same_name(self, item: Callable[..., ItemWriter]) -> None:
        first = item()
        store(first, b"x")
        first.abandon()
        second = item()
        assert store(second, b"y").path == "h1/a.txt"

    def test_files_that_the_record_does_not_list_go(
        self, writer: BundleWriter, entry: Make, root: Path, listing: Listing
    ) -> None:
        planned = entry("h1/conf", folder=True)
        one = writer.item(planned, cap=MIB, learn=False)
        for name in ("a", "b"):
            store(one, b"x", name=name)
        files = one.commit()
        writer.record(Record(planned, Status.PARTIAL, Reason.SOME_FILES, files=files[:1]))
        assert {path for path in listing(root) if path.startswith("h1")} == {"h1/conf/a"}

    def test_an_earlier_attempts_files_stay_until_the_next_record(
        self, writer: BundleWriter, entry: Make, root: Path, write: Write
    ) -> None:
        planned = entry("h1/a.log")
        write(writer, planned, LINE * 5000)
        one = writer.item(planned, cap=MIB, learn=False)
        store(one, b"short this time\n")
        assert (root / "h1/a.log.zst").exists()
        files = one.commit()
        writer.record(Record(planned, Status.OK, files=files))
        assert [path.name for path in (root / "h1").iterdir()] == ["a.log"]


class TestBounds:
    """The largest size of the bundle, and free space."""

    @pytest.fixture
    def small(self, root: Path, redactor: Redactor, plan: Plan) -> Iterator[BundleWriter]:
        """A bundle of at most 600 KiB."""
        with BundleWriter.create(root, plan(), redactor, reserve=0, max_size=600 * KIB) as writer:
            yield writer

    def test_a_bundle_never_outgrows_its_largest_size_and_keeps_what_fitted(
        self, small: BundleWriter, entry: Make, root: Path
    ) -> None:
        planned = entry("h1/noise.bin", content="opaque")
        one = small.item(planned, cap=64 * MIB, learn=False)
        part = one.part()
        with pytest.raises(Partial) as caught:
            for _ in range(64):
                part.write(os.urandom(MIB))
        assert caught.value.reason is Reason.OVER_BUDGET
        file = part.finish(reason=caught.value.reason, message=caught.value.message)
        small.record(Record(planned, Status.PARTIAL, Reason.OVER_BUDGET, files=one.commit()))
        assert 300 * KIB < file.stored <= 600 * KIB
        assert file.message == "the bundle has reached its largest size"
        assert (file.reason, file.dropped) == (Reason.OVER_BUDGET, -1)
        assert small.stored == file.stored
        small.seal()
        verify(Bundle.open(root))

    def test_what_does_not_fit_at_all_is_an_error_and_no_file(
        self, root: Path, redactor: Redactor, plan: Plan, entry: Make, write: Write
    ) -> None:
        with BundleWriter.create(root, plan(), redactor, reserve=0, max_size=1000) as writer:
            write(writer, entry("h1/a.txt"), b"x" * 1000)
            part = writer.item(entry("h1/b.txt"), cap=MIB, learn=False).part()
            part.write(b"more")
            with pytest.raises(Failed) as caught:
                part.finish()
        assert caught.value.reason is Reason.OVER_BUDGET
        assert "--max-size" in caught.value.fix

    def test_a_small_file_is_cut_to_what_is_left(
        self, root: Path, redactor: Redactor, plan: Plan, entry: Make
    ) -> None:
        with BundleWriter.create(root, plan(), redactor, reserve=0, max_size=1000) as writer:
            file = store(writer.item(entry("h1/a.txt"), cap=MIB, learn=False), b"x" * 1500)
        assert (file.stored, file.plain, file.dropped, file.reason) == (1000, 1000, 500, Reason.OVER_BUDGET)

    def test_many_items_at_once_stay_within_the_size_together(
        self, small: BundleWriter, entry: Make, root: Path
    ) -> None:
        def work(number: int) -> None:
            planned = entry(f"h1/{number}.bin", content="opaque")
            one = small.item(planned, cap=64 * MIB, learn=False)
            part = one.part()
            try:
                for _ in range(20):
                    part.write(os.urandom(30 * KIB))
            except Partial:
                pass
            try:
                part.finish()
                small.record(Record(planned, Status.OK, files=one.commit()))
            except Failed:
                small.record(Record(planned, Status.FAILED, Reason.OVER_BUDGET))

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))
        made = small.seal()
        assert sum(file.stored for file in made.manifest.files()) == small.stored <= 600 * KIB
        verify(Bundle.open(root))

    def test_less_free_space_than_the_reserve_is_a_full_disk(
        self, root: Path, redactor: Redactor, plan: Plan
    ) -> None:
        with pytest.raises(DiskFull, match=r"only .* left on the disk of .*, and .* are kept free"):
            BundleWriter.create(root, plan(), redactor, reserve=1 << 60)


class TestDirectory:
    """Where a bundle may be made."""

    def test_a_directory_with_something_in_it_is_refused_and_resume_is_named(
        self, root: Path, redactor: Redactor, plan: Plan
    ) -> None:
        root.mkdir()
        (root / "notes.txt").write_text("mine")
        with pytest.raises(UsageError, match="is not empty") as caught:
            BundleWriter.create(root, plan(), redactor, reserve=0)
        assert "--resume" in caught.value.hint
        assert (root / "notes.txt").read_text() == "mine"

    def test_an_empty_directory_is_taken_and_closed_to_others(
        self, root: Path, redactor: Redactor, plan: Plan
    ) -> None:
        root.mkdir(mode=0o755)
        with BundleWriter.create(root, plan(), redactor, reserve=0):
            assert stat.S_IMODE(root.stat().st_mode) == 0o700

    @pytest.mark.parametrize("kind", ["link", "file"])
    def test_a_link_or_a_file_is_refused(
        self, root: Path, redactor: Redactor, plan: Plan, tmp_path: Path, kind: str
    ) -> None:
        if kind == "link":
            (tmp_path / "real").mkdir()
            root.symlink_to(tmp_path / "real")
        else:
            root.write_text("x")
        with pytest.raises(Refused, match="is a link or a file"):
            BundleWriter.create(root, plan(), redactor, reserve=0)

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
    def test_someone_elses_directory_is_refused(self, root: Path, redactor: Redactor, plan: Plan) -> None:
        root.mkdir()
        os.chown(root, 12345, 12345)
        with pytest.raises(Refused, match="belongs to someone else"):
            BundleWriter.create(root, plan(), redactor, reserve=0)

    def test_a_missing_parent_is_named(self, tmp_path: Path, redactor: Redactor, plan: Plan) -> None:
        with pytest.raises(UsageError, match="there is no directory"):
            BundleWriter.create(tmp_path / "no/where", plan(), redactor, reserve=0)

    def test_a_second_run_in_the_same_directory_is_refused(
        self, writer: BundleWriter, root: Path, redactor: Redactor
    ) -> None:
        with pytest.raises(Refused, match="another run is writing"):
            BundleWriter.reopen(root, redactor, reserve=0)


def test_many_threads_write_many_items_into_one_whole_bundle(
    root: Path, redactor: Redactor, plan: Plan, write: Write
) -> None:
    header = plan(*(f"h{n % 5}/{n}.log" for n in range(60)))
    with BundleWriter.create(root, header, redactor, reserve=0) as writer:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, repeat(writer), header.entries, repeat(LINE * 1500)))
        made = writer.seal()
    assert [record.entry.path for record in made.manifest.records] == [one.path for one in header.entries]
    assert made.manifest.complete
    verify(Bundle.open(root))
