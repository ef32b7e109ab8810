"""The question at a real terminal, its receipts, and the way back."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from tests.cli.terminal import type_at_terminal
from tests.consent.conftest import BUNDLE
from tests.receive.receiving import Receiving, receiving
from tests.test_no_network import alone

from clinic.bundle.manifest import Redaction
from clinic.bundle.package import Kept, Package
from clinic.cli.main import run
from clinic.consent.receipt import Event, Happened
from clinic.consent.receipts import Receipts

__all__ = ["receiving"]

pytestmark = pytest.mark.slow

ASKED = b"Bundle id: "
YES = BUNDLE[:8].encode() + b"\n"
TO = ("--to", "https://in.example.com")
Read = Callable[[], str]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package that somebody made, with its facts beside it."""
    path, data = tmp_path / "db1.tar.zst.age", b"not really a package" * 1000
    path.write_bytes(data)
    facts = Package(
        bundle=BUNDLE, name=path.name, sha256=hashlib.sha256(data).hexdigest(), size=len(data),
        container="tar.zst.age", recipients=("age1theirs",),
        created="2026-11-25T11:00:00Z", complete=True, cluster="db1\x1b[2J\u202eevil",
        kept=(Kept("logs", "user-data", 1, 20_000, 20_000),), redaction=Redaction("5"),
    )  # fmt: skip
    path.with_name("db1.tar.zst.age.json").write_bytes(facts.to_json())
    return path


def give(package: Path, answer: bytes, *more: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Answer `answer` at a terminal."""
    words = ["consent", "give", package.name, *TO, *more]
    asked = ASKED if "zh" not in more else "数据 id: ".encode()
    return type_at_terminal(package.parent, words, (asked, answer), env=env)


def decisions() -> list[dict[str, Any]]:
    """What the store holds, as `clinic consent list --json` tells it."""
    listed = [sys.executable, "-m", "clinic", "consent", "list", "--json"]
    done = subprocess.run(listed, capture_output=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_yes(package: Path) -> None:
    code, shown = give(package, YES)
    assert code == 0, shown
    assert "Nothing has been sent, and nothing was connected to." in shown
    assert "OPERATOR UNKNOWN: nobody told Clinic who runs this address." in shown
    assert "PingCAP" not in shown
    assert f"Bundle id    {BUNDLE}" in shown
    assert "Yes for https://in.example.com, until" in shown
    (decision,) = decisions()
    assert (decision["answer"], decision["state"]) == ("yes", "given")


@pytest.mark.parametrize("answer", [b"\n", b"no\n", b"y\n", b"yes\n", b"\x04", BUNDLE[:7].encode() + b"\n"])
def test_enter_and_anything_else_is_a_no(package: Path, answer: bytes) -> None:
    code, shown = give(package, answer)
    assert code == 5, shown
    assert "not sent: you did not type abcdef01" in shown
    (decision,) = decisions()
    assert (decision["answer"], decision["state"], decision["expires"]) == ("no", "refused", "")


def test_the_question_connects_to_nothing(package: Path, cut_off: list[str], home: Path, root: Path) -> None:
    """Where every packet that would leave the machine is counted."""
    words = ["consent", "give", package.name, *TO]
    script = (
        f"import sys; sys.path.insert(0, {str(root)!r}); from pathlib import Path\n"
        "from tests.cli.terminal import type_at_terminal\n"
        f"code, shown = type_at_terminal(Path({str(package.parent)!r}), {words!r}, ({ASKED!r}, {YES!r}))\n"
        "print(shown); sys.exit(code)"
    )
    said = alone(cut_off, home, sys.executable, "-c", script)
    assert "Yes for https://in.example.com" in said
    assert "ended with 0, tried to leave 0 times" in said


def test_what_was_typed_before_the_question_is_no_answer(package: Path) -> None:
    words = ["consent", "give", package.name, *TO]
    early = (b"MAY THIS PACKAGE", YES)
    code, shown = type_at_terminal(package.parent, words, early, (ASKED, b"\n"))
    assert code == 5, shown


def test_what_the_package_says_cannot_steer_the_terminal(package: Path) -> None:
    _, shown = give(package, b"\n")
    assert "db1\\x1b[2J\\u202eevil" in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown


def test_in_chinese(package: Path) -> None:
    code, shown = give(package, YES, "--lang", "zh", env={"PYTHONUTF8": "1"})
    assert code == 0, shown
    assert "是否允许将此数据包发送到此目的地" in shown


def test_a_terminal_that_cannot_show_it_shows_nothing_and_asks_nothing(package: Path) -> None:
    plain = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    code, shown = give(package, YES, "--lang", "zh", env=plain)
    assert code == 5
    assert "this terminal can't show the question" in shown
    assert decisions() == []


def test_the_environment_chooses_the_language_and_nothing_else(package: Path) -> None:
    words = ["consent", "give", package.name, *TO]
    env = {"LC_ALL": "zh_CN.UTF-8", "PYTHONUTF8": "1"}
    code, shown = type_at_terminal(package.parent, words, ("数据 id: ".encode(), b"\n"), env=env)
    assert (code, "尚未发送任何内容" in shown) == (5, True)


def test_the_case_and_the_protocol_are_those_of_the_upload(
    package: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, shown = give(package, YES, "--case", "TS-17", "--protocol", "s3")
    assert (code, "Case         TS-17" in shown) == (0, True)
    record = json.loads(_said(capfd, "consent", "show", decisions()[0]["receipt"], "--json"))["record"]
    assert (record["disclosed"]["case"], record["parties"]["protocol"]) == ("TS-17", "s3")


def test_a_changed_package_is_not_asked_about(package: Path) -> None:
    with package.open("ab") as stream:
        stream.write(b"!")
    code, shown = give(package, b"\n")
    assert code == 6
    assert "is not the package that db1.tar.zst.age.json tells of" in shown
    assert decisions() == []


def test_ctrl_c_sends_nothing_and_is_written_down(package: Path) -> None:
    code, shown = give(package, b"\x03")
    assert (code, "stopped, which is a no" in shown) == (130, True)
    assert decisions()[0]["answer"] == "no"


def answered(package: Path, happened: Happened | None = None) -> str:
    """A yes, and what followed from it; the id of its receipt."""
    code, shown = give(package, YES)
    assert code == 0, shown
    receipt = str(decisions()[-1]["receipt"])
    if happened is not None:
        moment = (datetime.now(timezone.utc) + timedelta(seconds=1)).isoformat()
        Receipts().append(Event(happened, receipt, moment, upload="up-17", link="https://in.example.com/17"))
    return receipt


def test_a_withdrawal_is_requested_until_the_operator_confirms(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receipt = answered(package, Happened.UPLOADED)
    letter = tmp_path / "letter.txt"
    assert run(["consent", "withdraw", receipt[:8], "-o", str(letter)]) == 0
    said = capsys.readouterr().out
    assert f"Receipt {receipt}: withdrawal-requested." in said
    assert "It can't undo what was read" in " ".join(said.split())
    text = letter.read_text()
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    for fact in (receipt, "up-17", "https://in.example.com/17", digest, BUNDLE, package.name):
        assert fact in text
    assert os.environ.get("USER", "root") + "@" not in text
    assert letter.stat().st_mode & 0o777 == 0o600
    assert decisions()[0]["state"] == "withdrawal-requested"
    assert run(["consent", "withdraw", receipt[:8], "--confirmed", "mail of today"]) == 0
    assert decisions()[0]["state"] == "withdrawal-confirmed"
    capsys.readouterr()
    assert run(["consent", "show", receipt[:8]]) == 0
    assert "mail of today" in capsys.readouterr().out


def test_a_bundle_is_packed_as_the_upload_would_and_the_answer_is_for_that_package(
    tmp_path: Path, receiving: Receiving
) -> None:
    subprocess.run(
        [sys.executable, "-m", "clinic", "collect", "local", "-y", "--include", "system.os", "-o", "bundle"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    begins = hashlib.sha256((tmp_path / "bundle" / "manifest.json").read_bytes()).hexdigest()[:8]
    words = ["consent", "give", "bundle", "--to", receiving.url, "--lang", "en"]
    code, shown = type_at_terminal(tmp_path, words, (ASKED, f"{begins}\n".encode()))
    assert code == 0, shown
    job = [sys.executable, "-m", "clinic", "upload", "bundle", "--to", receiving.url]
    done = subprocess.run(
        job, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert decisions()[0]["state"] == "uploaded"


def test_what_was_never_sent_needs_no_letter(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    receipt = answered(package)
    assert run(["consent", "withdraw", receipt, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["state"], told["letter"]) == ("withdrawal-confirmed", "")


def test_a_no_can_not_be_withdrawn_nor_a_yes_confirmed_before(package: Path) -> None:
    give(package, b"\n")
    receipt = str(decisions()[0]["receipt"])
    assert run(["consent", "withdraw", receipt]) == 2
    assert run(["consent", "withdraw", answered(package), "--confirmed", "x"]) == 2


def test_the_text_that_was_shown_is_kept_to_the_byte(
    package: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    receipt = answered(package)
    record = json.loads(_said(capfd, "consent", "show", receipt, "--json"))["record"]
    text = _said(capfd, "consent", "show", receipt, "--text")
    assert hashlib.sha256(text.encode()).hexdigest() == record["text_sha256"]
    assert record["disclosed"]["kept"] == [
        {"category": "logs", "sensitivity": "user-data", "files": 1, "plain": 20000, "stored": 20000}
    ]


def _said(capfd: pytest.CaptureFixture[str], *words: str) -> str:
    capfd.readouterr()
    assert run(list(words)) == 0
    return capfd.readouterr().out


def test_verify_finds_what_was_changed_and_with_a_noted_head_what_was_cut_off(
    package: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answered(package)
    noted = json.loads(_said(capfd, "consent", "verify", "--json"))["head"]
    answered(package)
    assert run(["consent", "verify", "--head", noted]) == 0
    assert run(["consent", "verify", "--head", "0" * 63 + "1"]) == 6
    path = Receipts().directory / "receipts.jsonl"
    path.write_bytes(path.read_bytes().replace(b"db1.tar.zst", b"db2.tar.zst", 1))
    capfd.readouterr()
    assert run(["consent", "verify"]) == 6
    assert "one of them was changed, removed or moved" in capfd.readouterr().err


def test_facts_that_are_not_there_or_no_facts_are_refused(package: Path) -> None:
    beside = package.with_name("db1.tar.zst.age.json")
    facts = Package.from_json(beside.read_bytes(), "x")
    beside.write_bytes(replace(facts, bundle="short").to_json())
    assert run(["consent", "give", str(package), *TO]) == 6
    beside.write_bytes(b"{}")
    assert run(["consent", "give", str(package), *TO]) == 6
    beside.unlink()
    assert run(["consent", "give", str(package), *TO]) == 2
