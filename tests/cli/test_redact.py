"""Redaction of a finished bundle, the way back, and the search for what was left."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Ended

from clinic.bundle.journal import Header
from clinic.bundle.manifest import ClusterFacts, InstanceFacts, Run, WindowFacts
from clinic.bundle.reader import Bundle
from clinic.bundle.record import Entry, Record
from clinic.bundle.verify import verify
from clinic.bundle.writer import BundleWriter
from clinic.cli.main import run
from clinic.outcome import Status
from clinic.redact import Redactor
from clinic.secret import SecretRegister
from clinic.units import MIB

LOG = (
    b'[2026/11/25 10:00:00.000 +08:00] [INFO] [conn.go:1] ["bye"] [user=shopper] [client=10.0.1.5:4000]\n'
    b'[2026/11/25 10:00:01.000 +08:00] [INFO] [x.go:2] ["no warehouse7"] [sql="select * from orders where a=\'Doe\'"]\n'
)
FILES = {
    "warehouse7/tidb.log": ("log", LOG),
    "h1/topology.json": ("json", b'{"host": "warehouse7", "addr": "10.0.1.5:4000", "db": "shopdata"}\n'),
}


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sealed bundle that shows names; the state directory is the test's own."""
    monkeypatch.setenv("CLINIC_HOME", str(tmp_path / "state"))
    machines = ClusterFacts(
        "prod", "local", ("warehouse7", "h1"), (InstanceFacts("h1-4000", "tidb", "h1", 4000),)
    )
    made = Run(
        "clinic", "0.1.0", "2026-11-25T10:00:00Z", "2026-11-25T10:00:01Z", machines,
        WindowFacts("2026-11-25T16:00:00+08:00", "2026-11-25T18:00:00+08:00", "CST +0800"), "control9", "aliced", False,
    )  # fmt: skip
    entries = tuple(
        Entry(path.rpartition("/")[2], path, "test", "logs", "internal", content, host=path.partition("/")[0])
        for path, (content, _) in FILES.items()
    )
    with BundleWriter.create(
        tmp_path / "bundle", Header(made, entries), Redactor(SecretRegister()), reserve=0
    ) as writer:
        for entry in entries:
            item = writer.item(entry, cap=MIB, learn=False)
            part = item.part()
            part.write(FILES[entry.path][1])
            part.finish()
            writer.record(Record(entry, Status.OK, message=f"read on {entry.host}", files=item.commit()))
        writer.seal()
    return tmp_path / "bundle"


def _bytes_of(root: Path) -> bytes:
    """Everything in a bundle of small files, names included."""
    found = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return b"\n".join(str(path.relative_to(root)).encode() + b"\n" + path.read_bytes() for path in found)


@pytest.mark.parametrize("level", ["identifiers", "strict"])
def test_no_name_is_left_and_the_answer_can_be_turned_back(
    bundle: Path,
    tmp_path: Path,
    level: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new = tmp_path / "new"
    assert run(["redact", str(bundle), "-o", str(new), "--privacy", level]) == 0
    sealed = Bundle.open(new)
    verify(sealed)
    assert sealed.manifest.parent == Bundle.open(bundle).id
    left = _bytes_of(new)
    names = [
        b"warehouse7",
        b"10.0.1.5",
        b"shopper",
        b"control9",
        b"aliced",
        b'"h1"',
        b"h1/",
        b"h1-4000",
        b"Doe",
    ]
    names += [b"shopdata", b"orders"] if level == "strict" else []
    assert [name for name in names if name in left] == []
    assert run(["leaks", str(new)]) == 0
    log = next(file for file in sealed.files() if file.path.endswith("tidb.log"))
    capsys.readouterr()
    assert run(["unmask", str(new / log.path)]) == 0
    back = capsys.readouterr().out
    assert back.encode() == LOG.replace(b"'Doe'", b"?")


def test_the_page_says_what_was_hidden_and_the_command_what_stays(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new"
    assert run(["redact", str(bundle), "-o", str(new)]) == 0
    said = capsys.readouterr().out
    assert f"The parent {bundle} still holds the names" in said
    assert "logs          messages, numbers, times; names of databases and tables" in said
    page = (new / "PRIVACY.txt").read_text()
    assert "privacy level: identifiers" in page
    assert "privacy-identifiers (an address" in page
    assert "sql-literal (a value in an SQL statement)" in page
    assert "***" not in page.replace("masked with ***", "")


def test_values_in_sql_go_alone(bundle: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    assert run(["redact", str(bundle), "-o", str(new), "--privacy", "none", "--no-sql-literals"]) == 0
    left = _bytes_of(new)
    assert b"Doe" not in left
    assert b"warehouse7" in left
    assert b"Values in SQL statements are replaced" in left


def test_the_same_name_joins_across_files_and_bundles(bundle: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run(["redact", str(bundle), "-o", str(tmp_path / name)]) == 0
    one, two = Bundle.open(tmp_path / "one"), Bundle.open(tmp_path / "two")
    host = one.records()[0].entry.host
    assert host.startswith("host-")
    assert host == two.records()[0].entry.host
    assert one.manifest.run.cluster.machines[0] == host
    assert host.encode() in (tmp_path / "one" / one.records()[1].files[0].path).read_bytes()
    assert one.records()[0].files[0].path.startswith(f"{host}/")


def test_the_private_map_is_private_and_in_no_bundle(bundle: Path, tmp_path: Path) -> None:
    assert run(["redact", str(bundle), "-o", str(tmp_path / "new")]) == 0
    held = [path for path in (tmp_path / "state" / "privacy").rglob("*") if path.is_file()]
    assert {path.name for path in held} == {"key", "names.json", "searched.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in held} == {0o600}
    key = next(path for path in held if path.name == "key").read_bytes()
    assert key not in _bytes_of(tmp_path / "new")


def test_a_canary_is_found_and_never_printed(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planted = tmp_path / "planted"
    planted.write_text("no warehouse7\nshopdata\n")
    assert run(["leaks", str(bundle), "--canaries", str(planted), "--json"]) == 5
    said = capsys.readouterr()
    found = json.loads(said.out)
    first = {leak["file"]: leak["line"] for leak in found["leaks"]}
    assert first["warehouse7/tidb.log"] == 2
    assert first["h1/topology.json"] == 1
    assert "no warehouse7" not in said.out + said.err
    assert "shopdata" not in said.out + said.err


def test_rules_of_ones_own_are_tried_on_their_examples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "rules.yaml"
    text = "rules:\n  - name: badge\n    purpose: badges\n    pattern: BADGE-[0-9]{6}\n    masks: ['a BADGE-123456']\n"
    rules.write_text(text)
    assert run(["redact", "--list-rules", "--rules", str(rules)]) == 0
    assert "badge" in capsys.readouterr().out
    rules.write_text(text.replace("BADGE-123456", "BADGE-12"))
    assert run(["redact", "--list-rules", "--rules", str(rules)]) == 2
    assert "does not mask its example" in capsys.readouterr().err


def test_explain_says_which_rule(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'password = "hunter2secret"\n')))
    assert run(["redact", "--explain"]) == 0
    said = capsys.readouterr().out
    assert "hunter2secret" not in said
    assert 'password = "***"' in said


def test_collect_leaves_only_the_bundle_without_names(clinic: Callable[..., Ended], tmp_path: Path) -> None:
    """A run hardens its process, so it has one of its own."""
    new, home = tmp_path / "new", {"CLINIC_HOME": str(tmp_path / "state")}
    words = ("collect", "local", "-y", "-o", new, "--include", "clock", "--privacy", "identifiers")
    assert clinic(*words, env=home).code in (0, 3)
    sealed = Bundle.open(new)
    verify(sealed)
    assert sealed.manifest.run.options["privacy"] == "identifiers"
    assert sealed.manifest.run.machine.startswith("host-") or len(sealed.manifest.run.machine) < 2
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("new")] == ["new"]
    assert clinic("collect", "--resume", new, "-y", env=home).code == 5


def test_a_run_without_values_in_sql_is_not_resumed(clinic: Callable[..., Ended], tmp_path: Path) -> None:
    new, home = tmp_path / "new", {"CLINIC_HOME": str(tmp_path / "state")}
    words = ("collect", "local", "-y", "-o", new, "--include", "clock", "--no-sql-literals")
    assert clinic(*words, env=home).code in (0, 3)
    assert Bundle.open(new).manifest.run.options["no_sql_literals"] is True
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("new")] == ["new"]
    assert clinic("collect", "--resume", new, "-y", env=home).code == 5


def test_the_plan_says_what_stays_readable(clinic: Callable[..., Ended]) -> None:
    plan = (
        "collect",
        "local",
        "--dry-run",
        "--offline",
        "--include",
        "clock",
        "--privacy",
        "strict",
        "--json",
    )
    found = clinic(*plan).json
    assert found["privacy"] == "strict"
    assert found["readable"] == {"system": "hardware, kernel and system settings, processes, numbers"}


def test_rules_of_ones_own_hold_while_collecting_and_are_named_again(
    clinic: Callable[..., Ended], tmp_path: Path, declared: Callable[..., Path]
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "rules:\n  - name: badge\n    purpose: badges\n    pattern: BADGE-[0-9]{6}\n    masks: ['a BADGE-123456']\n"
    )
    made = declared([{"path": "said.txt", "command": ["echo", "seen BADGE-654321 today"]}])
    words = ("--collector", made, "--rules", rules)
    done = clinic("collect", "local", "-y", "-o", "new", "--include", "made", *words)
    assert done.code == 0, done.err
    left = _bytes_of(tmp_path / "new")
    assert b"BADGE-654321" not in left
    assert b"seen *** today" in left
    assert b"badge (version 1; badges)" in left
    again = clinic("collect", "--resume", "new", "--collector", made, "-y")
    assert again.code == 2
    assert "--rules" in again.err
    assert clinic("collect", "--resume", "new", "-y", *words).code == 0
