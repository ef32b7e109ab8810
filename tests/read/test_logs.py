"""All logs of a bundle as one: nothing lost, in the order of time, with and without indexes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone

import pytest

from clinic.bundle.journal import Header
from clinic.bundle.manifest import Run
from clinic.bundle.record import Action, Entry, Record
from clinic.bundle.writer import BundleWriter
from clinic.errors import UsageError
from clinic.formats.logindexer import LogIndexer
from clinic.outcome import Status
from clinic.read.logfiles import Wanted, log_files, spans, with_index
from clinic.read.logs import Choice, marks_in, merged
from clinic.read.open import Opened, open_bundle
from clinic.redact import Redactor
from clinic.secret import SecretRegister

START = datetime(2026, 11, 24, 2, 0, tzinfo=timezone.utc)
NS = int(START.timestamp()) * 10**9


def unified(seconds: float, level: str, said: str) -> bytes:
    """An entry in the unified format, in China's time."""
    moment = START + timedelta(seconds=seconds, hours=8)
    stamp = f"{moment:%Y/%m/%d %H:%M:%S}.{moment.microsecond // 1000:03}"
    return f"[{stamp} +08:00] [{level}] [a.go:1] [{said}]\n".encode()


def old(seconds: float, said: str) -> bytes:
    """An entry of an old PD, which names no zone."""
    moment = START + timedelta(seconds=seconds, hours=8)
    return f"{moment:%Y/%m/%d %H:%M:%S}.000 a.go:1: [info] {said}\n".encode()


Logs = Sequence[tuple[str, str, bytes, str]]
"""Instance, kind, content, and what the record says of it."""

Make = Callable[..., Opened]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory, run: Callable[..., Run]) -> Make:
    """Write a bundle of these logs as a run does."""

    def make(*contents: tuple[str, str, bytes, str], index: bool = True, sealed: bool = True) -> Opened:
        entries = [
            Entry(f"log.{kind}", f"db1/{name}/{kind}", "log", "logs", "user-data", "log", True, "db1", name)
            for name, kind, _, _ in contents
        ]
        root = tmp_path_factory.mktemp("logs") / "bundle"
        header = Header(run(), tuple(entries))
        with BundleWriter.create(root, header, Redactor(SecretRegister()), reserve=0) as writer:
            for entry, (_, _, content, told) in zip(entries, contents, strict=True):
                item = writer.item(entry, cap=1 << 30, learn=False, observer=LogIndexer if index else None)
                part = item.part("x.log")
                part.write(content)
                part.finish()
                action = Action("log", "/log/x.log", "db1", "root", told, 0.1)
                writer.record(Record(entry, Status.OK, files=item.commit(), actions=(action,)))
            if sealed:
                writer.seal()
        return open_bundle(root)

    return make


def texts(opened: Opened, choice: Choice | None = None) -> list[str]:
    """The chosen entries."""
    return [line.text.decode() for line in merged(opened, choice or Choice())]


@pytest.fixture(scope="module")
def two(logs: Make) -> Opened:
    """A TiDB that says something every second, and a TiKV every three."""
    tidb = b"".join(unified(at, "WARN" if at % 100 == 7 else "INFO", f"tidb {at}") for at in range(3600))
    tikv = b"".join(
        unified(at + 0.5, "ERROR" if at == 999 else "INFO", f"tikv {at}") for at in range(0, 3600, 3)
    )
    return logs(("db1-4000", "std", tidb, ""), ("db1-20160", "std", tikv, ""))


def test_everything_is_there_in_the_order_of_time(two: Opened) -> None:
    lines = list(merged(two, Choice()))
    assert len(lines) == 3600 + 1200
    times = [line.time for line in lines]
    assert times == sorted(times)
    assert {line.file.instance for line in lines} == {"db1-4000", "db1-20160"}


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize(("low", "high"), [(600, 660), (0, 0), (3599, 9999), (59.5, 60.5)])
def test_a_window_is_exact_with_and_without_an_index(
    logs: Make, index: bool, low: float, high: float
) -> None:
    data = b"".join(unified(at / 2, "INFO", f"said {at}") for at in range(7200))
    opened = logs(("db1-4000", "std", data, ""), index=index)
    found = texts(opened, Choice(NS + int(low * 10**9), NS + int(high * 10**9)))
    assert found == [
        unified(at / 2, "INFO", f"said {at}").decode().rstrip() for at in range(7200) if low <= at / 2 <= high
    ]


@pytest.mark.parametrize("index", [True, False])
def test_levels_and_patterns_choose(logs: Make, index: bool) -> None:
    data = b"".join(unified(at, ("DEBUG", "INFO", "WARN", "ERROR")[at % 4], f"n{at}") for at in range(400))
    opened = logs(("db1-4000", "std", data, ""), index=index)
    assert len(texts(opened, Choice(level="warn"))) == 200
    assert len(texts(opened, Choice(level="fatal"))) == 0
    assert len(texts(opened, Choice(level="error", pattern=r"n\d9\]"))) == len(
        [at for at in range(10, 100) if at % 10 == 9 and at % 4 == 3]
    )


def test_the_index_leaves_out_what_can_not_be_meant(two: Opened) -> None:
    tikv = next(with_index(two, file) for file in log_files(two) if file.instance == "db1-20160")
    errors = spans(tikv, Wanted(0, 1 << 62, frozenset({"error"})))
    assert sum(end - start for start, end in errors) < tikv.size / 10
    assert spans(tikv, Wanted(0, NS - 3600 * 10**9)) == []


def test_an_entry_of_many_lines_is_one(logs: Make) -> None:
    panic = (
        unified(1, "FATAL", "panic")
        + b"goroutine 1 [running]:\n\tmain.go:1\n\n"
        + unified(2, "INFO", "again")
    )
    found = texts(logs(("db1-4000", "std", panic, "")), Choice(pattern="goroutine"))
    assert found == [unified(1, "FATAL", "panic").decode() + "goroutine 1 [running]:\n\tmain.go:1"]


def test_a_huge_entry_is_given_and_not_held_for_ever(logs: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clinic.read.logentries.LARGEST_ENTRY", 100_000)
    monkeypatch.setattr("clinic.read.logentries.PIECE", 10_000)
    data = unified(1, "INFO", "first") + b"x" * 500_000 + b"\n" + unified(2, "INFO", "second")
    found = texts(logs(("db1-4000", "std", data, "")))
    assert found[-1] == unified(2, "INFO", "second").decode().rstrip()
    assert 100_000 < len(found[0]) <= 500_100


def test_times_without_a_zone_are_told_by_the_nodes(logs: Make) -> None:
    data = b"".join(old(at, f"said {at}") for at in range(0, 1200))
    opened = logs(
        ("db1-2379", "std", data, "9 bytes, before-unified zone=+08:00"),
        ("db1-4000", "std", unified(600, "INFO", "x"), ""),
    )
    found = list(merged(opened, Choice(NS + 599 * 10**9, NS + 601 * 10**9)))
    assert [(line.time - NS) // 10**9 for line in found] == [599, 600, 600, 601]
    assert {line.file.instance for line in found} == {"db1-2379", "db1-4000"}


def test_what_belongs_to_a_match_can_be_followed(logs: Make) -> None:
    data = (
        unified(1, "INFO", "new connection] [conn=77")
        + unified(2, "INFO", "other] [conn=78")
        + unified(3, "WARN", "Duplicate entry] [conn=77] [txnStartTS=450859193514065921")
        + unified(4, "INFO", "retry] [start_ts=450859193514065921")
        + unified(5, "INFO", "unrelated] [txnStartTS=1")
    )
    opened = logs(("db1-4000", "std", data, ""))
    alone = texts(opened, Choice(pattern="Duplicate"))
    assert len(alone) == 1
    followed = texts(opened, Choice(pattern="Duplicate", follow=True))
    assert ["new connection" in one or "Duplicate" in one or "retry" in one for one in followed] == [True] * 3
    with pytest.raises(UsageError, match="nothing to follow"):
        texts(opened, Choice(follow=True))


def test_marks_are_read_as_the_components_write_them() -> None:
    assert marks_in(b'[conn=12345] [region_id=88] [txn_start_ts:450859193514065921]') == {
        (b"conn", b"12345"), (b"region", b"88"), (b"ts", b"450859193514065921"),
    }  # fmt: skip
    assert marks_in(b"# Conn_ID: 26\n# Txn_start_ts: 470676243\n# Session_alias: ") == {
        (b"conn", b"26"), (b"ts", b"470676243"),
    }  # fmt: skip
    assert marks_in(b"[conn=0] nothing") == set()


def test_names_that_are_none_are_answered_with_those_that_are(two: Opened) -> None:
    with pytest.raises(UsageError, match="no instance db9") as caught:
        texts(two, Choice(instances=("db9",)))
    assert "db1-4000" in caught.value.hint and "tidb" in caught.value.hint
    with pytest.raises(UsageError, match="no kind of log nix"):
        texts(two, Choice(kinds=("nix",)))
    with pytest.raises(UsageError, match="no regular expression"):
        texts(two, Choice(pattern="("))


@pytest.mark.parametrize("name", ["tikv", "db1-20160", "db1:20160"])
def test_an_instance_is_named_by_component_id_or_address(two: Opened, name: str) -> None:
    assert len(texts(two, Choice(instances=(name,)))) == 1200


def test_logs_of_a_run_that_was_killed_are_read(logs: Make) -> None:
    opened = logs(("db1-4000", "std", unified(1, "INFO", "said"), ""), sealed=False)
    assert len(texts(opened)) == 1


def test_a_bundle_without_logs_says_so(logs: Make) -> None:
    with pytest.raises(UsageError, match="holds no logs"):
        texts(logs())


def test_a_file_is_opened_when_its_time_has_come(logs: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand rotated files need few descriptors."""
    files = [(f"db1-{number}", "std", unified(number * 300, "INFO", f"{number}"), "") for number in range(20)]
    opened = logs(*files)
    open_now, most = 0, 0
    stretches = type(opened).stretches

    def counted(self: Opened, path: str) -> object:
        nonlocal open_now, most
        found = stretches(self, path)
        assert found is not None
        open_now += 1
        most = max(most, open_now)
        close = found.close

        def closed() -> None:
            nonlocal open_now
            open_now -= 1
            close()

        monkeypatch.setattr(found, "close", closed)
        return found

    monkeypatch.setattr(type(opened), "stretches", counted)
    assert len(texts(opened)) == 20
    assert 1 <= most <= 5
