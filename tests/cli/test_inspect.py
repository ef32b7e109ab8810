"""`clinic inspect` from the outside: what is inside, what is missing, any of its files."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.made import make_bundle

from clinic.bundle.journal import Header
from clinic.bundle.manifest import ClusterFacts, Run, WindowFacts
from clinic.bundle.reader import Bundle
from clinic.bundle.record import Entry, Record
from clinic.bundle.writer import BundleWriter
from clinic.cli.main import run
from clinic.outcome import Reason, Status
from clinic.redact import Redactor
from clinic.secret import SecretRegister
from clinic.units import MIB

ITEMS = [
    {"path": "big.txt", "command": ["seq", "100000"]},
    {"path": "small.txt", "command": ["printf", "plain \\033[31mred\\n"]},
    {"path": "capped.txt", "command": ["seq", "50000"], "cap": "64K"},
    {"path": "absent.txt", "command": ["nosuchtool", "-v"]},
    {"path": "broken.txt", "command": ["sh", "-c", "exit 4"]},
    {"path": "nothere.txt", "file": "/nosuch/file"},
]
NOON = "2026-11-25T12:00:00Z"
LINUX_ONLY = ("fcntl", "pwd", "grp", "resource", "termios", "psutil")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle, made once."""
    folder = tmp_path_factory.mktemp("made")
    return make_bundle(folder, ITEMS, "--case", "12345", code=3)


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may damage."""
    return Path(shutil.copytree(made, tmp_path / "bundle"))


def about_hosts(*hosts: str) -> Run:
    """A run on these hosts."""
    window = WindowFacts("2026-11-25T10:00:00+00:00", "2026-11-25T12:00:00+00:00", "UTC +0000")
    return Run(
        "clinic", "0.1.0", NOON, NOON, ClusterFacts("db1", "local", hosts), window, "db1", "alice", False
    )


@pytest.fixture
def of_many_hosts(tmp_path: Path) -> Path:
    """A bundle of five hosts, each with three disks that are full."""
    hosts = [f"db{number}" for number in range(1, 6)]
    entries = [
        Entry("storage.df", f"{host}/df.txt", "storage", "storage", "internal", "text", host=host)
        for host in hosts
    ]
    root = tmp_path / "hosts"
    header = Header(about_hosts(*hosts), tuple(entries))
    with BundleWriter.create(root, header, Redactor(SecretRegister()), reserve=0) as writer:
        for host, entry in zip(hosts, entries, strict=True):
            item = writer.item(entry, cap=MIB, learn=False)
            part = item.part()
            part.write(b"Filesystem Type 1024-blocks Used Available Capacity Mounted on\n")
            part.write("".join(f"/dev/{host}{n} ext4 100 99 1 99% /{host}/{n}\n" for n in range(3)).encode())
            part.finish()
            writer.record(Record(entry, Status.OK, files=item.commit()))
        writer.seal()
    return root


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    """A bundle of a machine whose systemd can't be reached, and of one item with much to do about it."""
    bus, long = (
        Entry(identity, f"db1/{identity}", "journal", "system", "internal", "text", host="db1")
        for identity in ("journal.units", "journal.long")
    )
    said = "systemctl had nothing to say but: Failed to connect to bus: Host is down"
    with BundleWriter.create(
        tmp_path / "failing", Header(about_hosts("db1"), (bus, long)), Redactor(SecretRegister()), reserve=0
    ) as writer:
        writer.record(Record(bus, Status.SKIPPED, Reason.NOT_APPLICABLE, said))
        fix = " ".join(f"word{number}" for number in range(60))
        writer.record(Record(long, Status.SKIPPED, Reason.NOT_PERMITTED, "no", fix))
        writer.seal()
    return tmp_path / "failing"


@pytest.fixture
def inspect(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run `clinic inspect` in this process: exit code, output, errors."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        code = run(["inspect", *map(str, words)])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def test_it_shows_what_is_inside_and_what_is_missing_with_the_reason(inspect: Any, made: Path) -> None:
    code, out, _ = inspect(made)
    assert code == 0
    assert "Case       12345" in out
    assert "debug" in out
    assert "tool absent: made.absent: nosuchtool is not installed" in out
    assert "made.broken: exit status 4" in out
    assert "Hosts and instances" in out
    assert "1 more item: 1 not there" in out
    assert f"clinic inspect {made} --missing" in out
    assert "capped.txt" in out.partition("head and tail kept")[2]
    assert f"Bundle id {Bundle.open(made).id}" in out


def test_missing_lists_every_item_that_is_not_whole(inspect: Any, made: Path) -> None:
    code, out, _ = inspect(made, "--missing")
    assert code == 0
    assert "made.broken" in out.splitlines()[0] or "made.capped" in out.splitlines()[0]
    assert {"made.absent", "made.broken", "made.nothere", "made.capped"} == {
        line.split()[0] for line in out.splitlines() if line.startswith("made.")
    }


def test_missing_has_what_a_tool_said_where_it_does_not_apply(inspect: Any, failing: Path) -> None:
    code, out, _ = inspect(failing, "--missing")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["journal.long", "fix:", "journal.units"]
    assert "skipped (not_applicable): systemctl had nothing to say but: Failed to connect to bus" in out


def test_the_contents_are_told_of_all_hosts_together_or_of_each(inspect: Any, of_many_hosts: Path) -> None:
    together, each = inspect(of_many_hosts)[1], inspect(of_many_hosts, "--hosts")[1]
    assert re.search(r"(?m)^CATEGORY +HOSTS +ITEMS", together)
    assert re.search(r"(?m)^storage +5 +5 +5 ", together)
    assert re.search(r"(?m)^CATEGORY +HOST +ITEMS", each)
    assert len(re.findall(r"(?m)^storage +db\d +1 +1 ", each)) == 5


def test_facts_lists_every_fact(inspect: Any, of_many_hosts: Path) -> None:
    out = inspect(of_many_hosts)[1]
    assert re.search(r"(?m)^  and \d+ more: clinic inspect \S+ --facts$", out)
    code, every, _ = inspect(of_many_hosts, "--facts")
    assert code == 0
    assert every.count(" % used") > out.count(" % used") > 0


def test_files_lists_every_file_with_its_item(inspect: Any, made: Path) -> None:
    code, out, _ = inspect(made, "--files")
    assert code == 0
    assert [line.split()[-1] for line in out.splitlines()[1:]] == sorted(
        file.path for file in Bundle.open(made).files()
    )
    assert "made.big" in out


def test_a_file_is_printed_byte_for_byte_whatever_its_compression(inspect: Any, made: Path) -> None:
    everything = "".join(f"{number}\n" for number in range(1, 100001))
    path = next(file.path for file in Bundle.open(made).files() if "big" in file.path)
    assert path.endswith(".zst")
    for name in (path, path.removesuffix(".zst"), "made.big"):
        assert inspect(made, name) == (0, everything, "")
    assert inspect(made, "made.small") == (0, "plain \x1b[31mred\n", "")


def test_on_a_terminal_what_could_steer_it_is_written_out(made: Path) -> None:
    leader, follower = pty.openpty()
    argv = [sys.executable, "-m", "clinic", "inspect", str(made), "made.small"]
    done = subprocess.run(argv, stdout=follower, stderr=subprocess.PIPE, check=True)
    shown = os.read(leader, 4096)
    os.close(leader)
    os.close(follower)
    assert done.stderr == b""
    assert shown == b"plain \\x1b[31mred\r\n"


def test_a_file_is_found_by_the_end_of_its_path(inspect: Any, made: Path) -> None:
    assert inspect(made, "small.txt") == inspect(made, "made.small")
    assert inspect(made, "big.txt.zst") == inspect(made, "made.big")


def test_a_name_that_is_not_there_lists_near_ones(inspect: Any, made: Path) -> None:
    code, out, err = inspect(made, "samll.txt")
    assert (code, out) == (2, "")
    assert "did you mean" in err
    assert "small.txt" in err


def test_a_file_that_was_changed_is_not_printed(inspect: Any, bundle: Path) -> None:
    path = next(file.path for file in Bundle.open(bundle).files() if "small" in file.path)
    data = (bundle / path).read_bytes()
    (bundle / path).write_bytes(data.replace(b"plain", b"PLAIN"))
    code, out, err = inspect(bundle, "made.small")
    assert (code, out) == (6, "")
    assert "is not the file that was sealed" in err
    assert f"clinic verify {bundle} lists what differs" in err


def test_of_a_damaged_bundle_verify_lists_the_damage(inspect: Any, bundle: Path) -> None:
    path = next(file.path for file in Bundle.open(bundle).files() if "small" in file.path)
    (bundle / path).unlink()
    code, out, err = inspect(bundle)
    assert (code, out) == (6, "")
    assert f"clinic verify {bundle} lists what differs" in err


def test_a_long_fix_goes_on_in_the_next_line(inspect: Any, failing: Path) -> None:
    code, out, _ = inspect(failing)
    assert code == 0
    lines = out.splitlines()
    fix = next(number for number, line in enumerate(lines) if line.startswith("    fix: word0 "))
    assert all(len(line) <= 100 for line in lines[fix : fix + 5])
    assert lines[fix + 1].startswith("      word")
    assert "word59" in out


def test_json_has_everything(inspect: Any, made: Path) -> None:
    code, out, _ = inspect(made, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["id"] == Bundle.open(made).id
    assert found["case"] == "12345"
    assert {item["id"]: item["status"] for item in found["items"]}["made.absent"] == "skipped"


@pytest.mark.parametrize("words", [["nothing"], ["made.yaml"]])
def test_what_is_no_bundle_is_one_clear_line(inspect: Any, made: Path, words: list[str]) -> None:
    code, out, err = inspect(made.parent / words[0])
    assert (code, out) == (6, "")
    assert len(err.splitlines()) == 2
    assert "Traceback" not in err


@pytest.mark.parametrize("words", [["inspect"], ["inspect", "--json"], ["verify"]])
def test_readers_run_without_what_only_linux_has(made: Path, words: list[str]) -> None:
    """A supporter's laptop may be any system: modules that it lacks can't be imported here either."""
    blocked = f"import sys; sys.modules.update(dict.fromkeys({LINUX_ONLY!r}))"
    code = f"{blocked}; from clinic.cli.main import run; sys.exit(run(sys.argv[1:]))"
    argv = [sys.executable, "-c", code, *words, str(made)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert Bundle.open(made).id in done.stdout
