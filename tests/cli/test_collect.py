"""`clinic collect` from the outside: real commands, real files, every kind of end."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from clinic.bundle.reader import Bundle

pytestmark = pytest.mark.slow

Clinic = Callable[..., Any]
Declared = Callable[..., Path]


def only(collector: Path, *words: str) -> list[str]:
    """Options that collect what `collector` declares and nothing else."""
    return [
        "collect",
        "local",
        "-y",
        "--collector",
        str(collector),
        "--include",
        collector.stem,
        "-o",
        "bundle",
        *words,
    ]


def records(bundle: Path) -> dict[str, Any]:
    """Records of a sealed bundle by the item's id."""
    return {record.entry.id: record for record in Bundle.open(bundle).manifest.records}


def test_every_kind_of_end_is_one_record_with_its_reason(
    clinic: Clinic, declared: Declared, tmp_path: Path
) -> None:
    collector = declared(
        [
            {"path": "ok.txt", "command": ["echo", "fine"]},
            {"path": "partial.txt", "command": ["sh", "-c", "echo half; exit 3"]},
            {"path": "failed.txt", "command": ["sh", "-c", "echo it broke >&2; exit 4"]},
            {"path": "absent.txt", "command": ["nosuchtool", "-v"]},
            {"path": "slow.txt", "command": ["sh", "-c", "echo begun; sleep 60"], "deadline": "1s"},
            {"path": "nofile.txt", "file": "/nosuch/file"},
            {"path": "empty.txt", "command": ["true"]},
        ]
    )
    ended = clinic(*only(collector))
    found = {name.split(".")[1]: record for name, record in records(tmp_path / "bundle").items()}
    assert {name: (str(record.status), str(record.reason)) for name, record in found.items()} == {
        "ok": ("ok", "None"),
        "partial": ("partial", "exit_status"),
        "failed": ("failed", "exit_status"),
        "absent": ("skipped", "tool_absent"),
        "slow": ("timed_out", "deadline"),
        "nofile": ("skipped", "not_found"),
        "empty": ("skipped", "empty"),
    }
    assert "it broke" in found["failed"].message
    assert [len(found[name].files) for name in ("ok", "partial", "slow", "failed", "absent")] == [
        1,
        1,
        1,
        0,
        0,
    ]
    assert ended.code == 3
    assert "made.slow" in ended.out
    assert "Next: clinic inspect bundle" in ended.out.replace(str(tmp_path) + "/", "")


def test_what_was_run_is_on_record(clinic: Clinic, declared: Declared, tmp_path: Path) -> None:
    clinic(*only(declared([{"path": "ok.txt", "command": ["echo", "a b", "--password=hunter22"]}])))
    (action,) = records(tmp_path / "bundle")["made.ok"].actions
    assert action.kind == "command"
    assert action.what.startswith("echo 'a b' --password=")
    assert "hunter22" not in action.what
    assert action.whom
    assert action.outcome


def test_a_credential_is_masked_in_output_message_and_everywhere_once_learned(
    clinic: Clinic, declared: Declared, tmp_path: Path
) -> None:
    secret = "Xy7-vault-Phrase"
    config = tmp_path / "app.ini"
    config.write_text(f"[db]\nuser = shop\npassword = {secret}\n")
    collector = declared(
        [
            {"path": "app.ini", "file": str(config), "content": "ini", "learn": True},
            {"path": "elsewhere.txt", "command": ["echo", f"connecting with {secret} to db1"]},
            {"path": f"{secret}.txt", "command": ["echo", "named by it"]},
            {"path": "fails.txt", "command": ["sh", "-c", f"echo {secret} >&2; exit 1"]},
        ]
    )
    ended = clinic(*only(collector, "--note", f"the password is password={secret}"))
    assert secret not in ended.out + ended.err
    for path in (tmp_path / "bundle").rglob("*"):
        assert secret not in str(path)
        if path.is_file():
            assert secret.encode() not in path.read_bytes()
    assert (tmp_path / "bundle").is_dir()


def test_a_dry_run_collects_nothing_and_its_names_can_be_pasted(
    clinic: Clinic, declared: Declared, tmp_path: Path
) -> None:
    collector = declared(
        [{"path": "hosts.txt", "file": "/etc/hosts"}, {"path": "b.txt", "command": ["echo", "x"]}]
    )
    ended = clinic("collect", "local", "--dry-run", "--collector", collector, "--include", "made")
    assert ended.code == 0
    assert "made.hosts" in ended.out
    assert "/etc/hosts" in ended.out
    assert "third party" in ended.out
    assert list(tmp_path.glob("clinic-*")) == []
    as_json = clinic(
        "collect", "local", "--dry-run", "--json", "--collector", collector, "--include", "made.hosts"
    ).json
    (item,) = as_json["items"]
    assert item["estimate"] == Path("/etc/hosts").stat().st_size
    assert item["exact"] is True


def test_an_offline_dry_run_contacts_nothing(clinic: Clinic) -> None:
    ended = clinic("collect", "local", "--dry-run", "--offline", "--json")
    assert ended.json["contacted"] == []
    assert all(item["estimate"] is None for item in ended.json["items"])
    assert clinic("collect", "--offline").code == 2


def test_without_a_terminal_nothing_waits_for_an_answer(
    clinic: Clinic, declared: Declared, tmp_path: Path
) -> None:
    collector = declared([{"path": "ok.txt", "command": ["echo", "fine"]}])
    ended = clinic(
        "collect", "local", "--collector", collector, "--include", "made", "-o", "bundle", timeout=30
    )
    assert ended.code == 0
    assert (tmp_path / "bundle" / "manifest.json").is_file()


def test_a_directory_that_holds_something_is_refused_naming_resume(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "thesis.tex").write_text("mine")
    ended = clinic("collect", "local", "-y", "-o", "bundle")
    assert ended.code == 2
    assert "--resume" in ended.err
    assert (tmp_path / "bundle" / "thesis.tex").read_text() == "mine"


def test_what_failed_for_one_reason_is_one_line(clinic: Clinic, declared: Declared) -> None:
    """A dead machine has a hundred items, and one cause."""
    rows = [{"path": f"f{n}.txt", "command": ["sh", "-c", "echo it broke >&2; exit 4"]} for n in range(5)]
    out = clinic(*only(declared([*rows, {"path": "ok.txt", "command": ["echo", "x"]}]))).out
    assert out.count("it broke") == 1
    line = next(line for line in out.splitlines() if "it broke" in line)
    assert line.startswith("  5 items of ")
    assert "(made.f0, made.f1, made.f2 and 2 more): failed (exit_status)" in line


def test_nothing_collected_has_a_code_of_its_own(clinic: Clinic, declared: Declared) -> None:
    assert clinic(*only(declared([{"path": "x.txt", "file": "/nosuch"}]))).code == 4


@pytest.mark.parametrize(
    "words", [["--include", "nosuch"], ["--from", "tomorrow-ish"], ["--profile", "nosuch"]]
)
def test_bad_input_is_one_clear_error(clinic: Clinic, words: list[str]) -> None:
    ended = clinic("collect", "local", "-y", *words)
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert "next:" in ended.err


def test_json_is_all_that_stdout_has(clinic: Clinic, declared: Declared) -> None:
    result = clinic(*only(declared([{"path": "ok.txt", "command": ["echo", "fine"]}]), "--json")).json
    assert result["complete"] is True
    assert result["statuses"] == {"ok": 1}


def test_a_required_item_that_is_skipped_makes_it_incomplete(clinic: Clinic, declared: Declared) -> None:
    rows = [
        {"path": "ok.txt", "command": ["echo", "x"]},
        {"path": "no.txt", "file": "/nosuch", "required": True},
    ]
    assert clinic(*only(declared(rows))).code == 3


def test_the_runs_deadline_cancels_what_is_left(clinic: Clinic, declared: Declared, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"path": f"s{n}.txt", "command": ["sleep", "30"]} for n in range(6)]
    began = time.monotonic()
    ended = clinic(*only(declared(rows), "--deadline", "1s"))
    assert time.monotonic() - began < 15
    assert ended.code in (3, 4)
    found = records(tmp_path / "bundle").values()
    assert {str(record.status) for record in found} == {"cancelled"}


def start(tmp_path: Path, words: list[str]) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "clinic", *words]
    return subprocess.Popen(
        argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ.copy()
    )


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def sleeping(mark: str) -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if mark in (one.info["cmdline"] or [])]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_lets_running_items_end_and_seals(
    declared: Declared, tmp_path: Path, number: signal.Signals
) -> None:
    rows = [{"path": f"{n}.txt", "command": ["sh", "-c", "sleep 1; echo done"]} for n in range(12)]
    process = start(tmp_path, only(declared(rows), "-c", "2"))
    wait_until((tmp_path / "bundle" / "journal.jsonl").exists)
    time.sleep(0.3)
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    statuses = [str(record.status) for record in records(tmp_path / "bundle").values()]
    assert "ok" in statuses
    assert "cancelled" in statuses
    assert b"Bundle id" in out


def test_a_second_signal_kills_what_runs_and_the_bundle_is_still_valid(
    declared: Declared, tmp_path: Path
) -> None:
    mark = "987.25"
    rows = [{"path": f"{n}.txt", "command": ["sleep", mark], "deadline": "100s"} for n in range(2)]
    process = start(tmp_path, only(declared(rows)))
    wait_until(lambda: len(sleeping(mark)) == 2)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=15)
    assert process.returncode == 130
    assert {str(record.status) for record in records(tmp_path / "bundle").values()} == {"cancelled"}
    wait_until(lambda: not sleeping(mark))


def test_resume_runs_what_failed_and_names_its_parent(
    clinic: Clinic, declared: Declared, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    rows = [
        {"path": "ok.txt", "command": ["sh", "-c", f"echo run >> {tmp_path}/count; echo fine"]},
        {"path": "later.txt", "command": ["sh", "-c", f"test -e {flag} && echo there"]},
    ]
    collector = declared(rows)
    assert clinic(*only(collector)).code == 3
    first = Bundle.open(tmp_path / "bundle").id
    flag.touch()
    assert clinic("collect", "--resume", "bundle", "--collector", collector).code == 0
    bundle = Bundle.open(tmp_path / "bundle")
    assert bundle.manifest.parent == first
    assert bundle.id != first
    later = records(tmp_path / "bundle")["made.later"]
    assert str(later.status) == "ok"
    assert [str(attempt.status) for attempt in later.attempts] == ["failed"]
    assert (tmp_path / "count").read_text() == "run\n"


def test_resume_takes_no_selection(clinic: Clinic) -> None:
    ended = clinic("collect", "--resume", "bundle", "--include", "storage")
    assert ended.code == 2
    assert "leave those options out" in ended.err


def test_a_size_limit_is_kept_and_the_cut_is_on_record(
    clinic: Clinic, declared: Declared, tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = [
        {"path": f"{n}.bin", "command": ["head", "-c", "3000000", "/dev/urandom"], "content": "opaque"}
        for n in range(4)
    ]
    assert clinic(*only(declared(rows), "--max-size", "5M")).code == 3
    size = sum(path.stat().st_size for path in (tmp_path / "bundle").rglob("*") if path.is_file())
    assert size < 5.5 * 1024**2
    assert "over_budget" in {str(record.reason) for record in records(tmp_path / "bundle").values()}


def test_a_long_output_keeps_its_head_and_tail(clinic: Clinic, declared: Declared, tmp_path: Path) -> None:
    rows = [{"path": "n.txt", "command": ["seq", "1", "300000"], "cap": "64K"}]
    clinic(*only(declared(rows)))
    bundle = Bundle.open(tmp_path / "bundle")
    record = records(tmp_path / "bundle")["made.n"]
    (file,) = record.files
    text = b"".join(bundle.member(file.path)).decode()
    assert text.startswith("1\n2\n3\n")
    assert text.endswith("299999\n300000\n")
    assert len(text) < 80_000
    assert str(record.reason) == "truncated"
    assert file.dropped > 1_000_000


def test_a_complete_bundle_that_is_resumed_stays_as_it_is(
    clinic: Clinic, declared: Declared, tmp_path: Path
) -> None:
    collector = declared([{"path": "ok.txt", "command": ["echo", "fine"]}])
    clinic(*only(collector))
    before = Bundle.open(tmp_path / "bundle").id
    ended = clinic("collect", "--resume", "bundle", "--collector", collector)
    assert ended.code == 0
    assert "Nothing was left to do" in ended.out
    assert Bundle.open(tmp_path / "bundle").id == before


def test_a_resumed_run_may_have_other_bounds(clinic: Clinic, declared: Declared, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"path": f"{n}.txt", "command": ["sh", "-c", "sleep 2; echo done"]} for n in range(3)
    ]
    collector = declared(rows)
    assert clinic(*only(collector, "--deadline", "1s")).code in (3, 4)
    found = records(tmp_path / "bundle").values()
    assert {str(record.reason) for record in found} == {"deadline"}
    assert all("--deadline" in record.fix for record in found)
    assert clinic("collect", "--resume", "bundle", "--collector", collector, "--deadline", "30s").code == 0


def test_what_a_size_limit_cut_is_collected_again_with_a_larger_one(
    clinic: Clinic, declared: Declared, tmp_path: Path
) -> None:
    row = {"path": "x.bin", "command": ["head", "-c", "3000000", "/dev/urandom"], "content": "opaque"}
    collector = declared([row])
    assert clinic(*only(collector, "--max-size", "1M")).code == 3
    assert clinic("collect", "--resume", "bundle", "--collector", collector, "--max-size", "10M").code == 0
    (record,) = records(tmp_path / "bundle").values()
    assert record.plain == 3_000_000


@pytest.mark.parametrize(("option", "name"), [("--role", "nosuch"), ("--node", "nohost")])
def test_a_role_or_node_that_is_not_there_is_an_error_naming_those_that_are(
    clinic: Clinic, option: str, name: str, tmp_path: Path
) -> None:
    ended = clinic("collect", "local", "-y", option, name, "-o", "bundle")
    assert ended.code == 2
    assert f"the cluster has no {option.strip('-')} {name}" in ended.err
    assert not (tmp_path / "bundle").exists()


def test_a_bundle_cannot_name_what_a_resume_runs(clinic: Clinic, declared: Declared, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    collector = declared([{"path": "x.txt", "command": ["sh", "-c", "exit 1"]}])
    clinic(*only(collector))
    collector.write_text(collector.read_text().replace("exit 1", f"touch {touched}"))
    ended = clinic("collect", "--resume", "bundle")
    assert ended.code == 2
    assert "name them again" in ended.err
    inside = tmp_path / "bundle" / "manifest.json"
    assert clinic("collect", "--resume", "bundle", "--collector", inside).code == 5
    clinic("collect", "--resume", "bundle", "--collector", collector)
    assert not touched.exists(), "it does something else by now than it was planned to"


def test_two_runs_never_write_into_one_bundle_however_often_the_second_tries(
    clinic: Clinic, declared: Declared, tmp_path: Path
) -> None:
    line = f"while [ ! -e {tmp_path}/tried ]; do sleep 0.1; done; echo done"
    collector = declared([{"path": "slow.txt", "command": ["sh", "-c", line], "deadline": "10m"}])
    process = start(tmp_path, only(collector))
    wait_until((tmp_path / "bundle" / "journal.jsonl").exists)
    for _ in range(3):
        ended = clinic("collect", "--resume", "bundle", "--collector", collector)
        assert (ended.code, "another run is writing" in ended.err) == (5, True), ended
    assert clinic("seal", "bundle").code == 5
    (tmp_path / "tried").touch()
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert clinic("verify", "bundle").code == 0


def test_a_lost_terminal_is_a_signal_to_seal(declared: Declared, tmp_path: Path) -> None:
    rows = [{"path": f"{n}.txt", "command": ["sh", "-c", "sleep 1; echo done"]} for n in range(12)]
    process = start(tmp_path, only(declared(rows), "-c", "2"))
    wait_until((tmp_path / "bundle" / "journal.jsonl").exists)
    time.sleep(0.3)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert Bundle.open(tmp_path / "bundle").manifest.interrupted


@pytest.mark.parametrize("output", [">&-", "2>&-", ">/dev/full", "2>/dev/full", "2>&1 | true"])
def test_an_output_that_is_closed_or_full_decides_nothing(
    declared: Declared, tmp_path: Path, output: str
) -> None:
    words = " ".join(only(declared([{"path": "ok.txt", "command": ["echo", "fine"]}])))
    line = f"{sys.executable} -m clinic {words} {output}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done
    assert Bundle.open(tmp_path / "bundle").manifest.complete


def test_what_the_redactor_cannot_look_into_is_withheld_and_said(
    clinic: Clinic, declared: Declared, tmp_path: Path
) -> None:
    secret = b"password = Zq8-packed-Phrase\n" * 20
    inputs = {
        "a.log.gz": gzip.compress(secret),
        "b.log": secret.decode().encode("utf-16"),
        "c.log": b"fine\n",
    }
    for name, data in inputs.items():
        (tmp_path / name).write_bytes(data)
    row = {"path": "logs", "files": [f"{tmp_path}/*.log*"], "content": "log"}
    clinic(*only(declared([row])))
    (record,) = records(tmp_path / "bundle").values()
    reasons = {file.name.rsplit("/", 1)[1]: str(file.reason) for file in record.files}
    assert reasons == {"a.log.gz": "redaction_failed", "b.log": "redaction_failed", "c.log": "None"}
    stored = b"".join(path.read_bytes() for path in (tmp_path / "bundle").rglob("*.log*") if path.is_file())
    assert b"which it can't look into" not in stored
    assert gzip.compress(secret)[10:40] not in stored
    assert "packed".encode("utf-16-le") not in stored


def test_a_large_file_with_a_small_cap_does_not_stop_the_run(
    clinic: Clinic, declared: Declared, tmp_path: Path
) -> None:
    large = tmp_path / "large.log"
    with large.open("wb") as file:
        file.truncate(400 * 1024**3)
    row = {"path": "large.log", "file": str(large), "cap": "64K", "content": "log", "deadline": "20s"}
    assert (
        clinic("collect", "local", "--dry-run", "--collector", declared([row]), "--include", "made").code == 0
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--from", "-99999999999h"], 2), (["--around", "9999-12-31T23:59"], 2), (["--include", ""], 2),
        (["-o", "x" * 300], 5), (["--exclude", "*"], 4),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_without_a_bundle(
    clinic: Clinic, words: list[str], code: int, tmp_path: Path
) -> None:
    ended = clinic("collect", "local", "-y", *words)
    assert ended.code == code, ended
    assert "Error:" not in ended.err
    assert list(tmp_path.iterdir()) == []


def test_the_first_and_the_last_line_name_cluster_hosts_and_window(
    clinic: Clinic, declared: Declared
) -> None:
    ended = clinic(*only(declared([{"path": "ok.txt", "command": ["echo", "fine"]}])))
    for line in (ended.err.strip().splitlines()[0], ended.out.strip().splitlines()[-1]):
        assert line.startswith("Cluster ")
        assert "1 host; window " in line
        assert "UTC" in line


def test_nothing_is_written_outside_the_bundle(clinic: Clinic, tmp_path: Path, home: Path) -> None:
    elsewhere = tmp_path / "tmp"
    elsewhere.mkdir()
    names = {name: str(elsewhere) for name in ("TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")}
    ended = clinic("collect", "local", "-y", "--include", "system,storage", "-o", "bundle", env=names)
    assert ended.code in (0, 3), ended
    assert list(elsewhere.iterdir()) == []
    assert [path for path in home.rglob("*") if path.is_file()] == []
    assert {path.name for path in tmp_path.iterdir()} == {"tmp", "bundle"}
