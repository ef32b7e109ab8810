"""`clinic upload`: nothing goes without a typed yes, all of it after one, and each trouble is one clear line."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from tests.cli.terminal import type_at_terminal
from tests.client.servers import closed_port
from tests.receive.receiving import API, Receiving, receiving
from tests.upload.stores import KEYS, Running, nginx, store

from clinic.receive import tokens

__all__ = ["nginx", "receiving", "store"]

pytestmark = pytest.mark.slow
QUESTION = b"Bundle id: "
TOKEN = {"CLINIC_TOKEN": "any token will do"}


def clinic(*words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clinic", *words], capture_output=True, text=True, check=False, timeout=120,
        stdin=subprocess.DEVNULL, env={**os.environ, **env},
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed bundle and its package, in one directory."""
    place = tmp_path_factory.mktemp("made")
    clinic("collect", "local", "-y", "--include", "system", "-o", place / "bundle")
    packed = clinic("pack", place / "bundle", "-o", place / "db1.tar.zst")
    assert packed.returncode == 0, packed.stderr
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of both for one test."""
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    return copy


def start_of_id(place: Path) -> bytes:
    facts = json.loads((place / "db1.tar.zst.json").read_text())
    return str(facts["bundle"])[:8].encode() + b"\n"


def arrived(receiving: Receiving) -> list[bytes]:
    return [path.read_bytes() for path in receiving.directory.glob("*/package*")]


def send(place: Path, url: str, answer: bytes, *more: str, source: str = "db1.tar.zst") -> tuple[int, str]:
    words = ["upload", source, "--to", url, "--lang", "en", *more]
    return type_at_terminal(place, words, (QUESTION, answer), env=TOKEN)


def last_line(shown: str) -> str:
    return shown.replace("\r", "").rstrip("\n").rpartition("\n")[2]


def test_a_typed_yes_sends_it_and_the_last_line_is_the_link(receiving: Receiving, place: Path) -> None:
    code, shown = send(place, receiving.url, start_of_id(place), "--case", "TS-4711")
    assert code == 0, shown
    assert "OPERATOR UNKNOWN" in shown
    assert "The server confirmed the digest: " + receiving.url + "/clinic/packages/" in last_line(shown)
    assert (place / "db1.tar.zst").read_bytes() in arrived(receiving)
    upload = last_line(shown).rpartition("/")[2].split("\x1b")[0]
    assert receiving.ask("GET", f"/clinic/packages/{upload}")[1]["issue"] == "TS-4711"
    listed = json.loads(clinic("consent", "list", "--json").stdout)
    assert [one["state"] for one in listed] == ["uploaded"]
    receipt = json.loads(clinic("consent", "show", listed[0]["receipt"], "--json").stdout)
    assert [one["happened"] for one in receipt["events"]] == ["given", "started", "uploaded"]
    assert receipt["events"][-1]["upload"] == upload


@pytest.mark.parametrize("answer", [b"\n", b"yes\n", b"y\n", b"00000000\n", b"\x04"])
def test_anything_else_connects_to_nobody(place: Path, answer: bytes) -> None:
    code, shown = send(place, f"http://127.0.0.1:{closed_port()}", answer)
    assert code == 5, shown
    assert "not sent" in shown
    assert "refused" not in shown.replace("connection refused", "connected"), "nobody was asked for"
    (refused,) = json.loads(clinic("consent", "list", "--json").stdout)
    assert refused["answer"] == "no"


def test_without_a_terminal_it_is_refused_and_after_a_yes_at_one_it_is_not(
    receiving: Receiving, place: Path
) -> None:
    words = ("upload", str(place / "db1.tar.zst"), "--to", receiving.url, "--json")
    refused = clinic(*words)
    assert (refused.returncode, "nobody is at a terminal" in refused.stderr) == (5, True), refused.stderr
    give = ["consent", "give", "db1.tar.zst", "--to", receiving.url, "--lang", "en"]
    assert type_at_terminal(place, give, (QUESTION, start_of_id(place)))[0] == 0
    sent = clinic(*words)
    assert sent.returncode == 0, sent.stderr
    told = json.loads(sent.stdout)
    assert told["confirmed"] is True
    events = [json.loads(line)["event"] for line in sent.stderr.splitlines()]
    assert {"checking", "sending", "ended"} <= set(events)
    assert receiving.url + "/clinic/packages/" in told["link"]
    assert (receiving.directory / told["upload"]).is_dir()
    withdrawn = clinic("consent", "withdraw", told["receipt"], "--json")
    assert json.loads(withdrawn.stdout)["state"] == "withdrawal-confirmed", withdrawn.stderr
    assert not (receiving.directory / told["upload"]).exists(), "the receiver was asked, and deleted it"
    again = clinic(*words)
    assert (again.returncode, "withdrawn" in again.stderr) == (5, True), again.stderr


def test_a_package_that_was_tampered_with_is_one_clear_line(receiving: Receiving, place: Path) -> None:
    with (place / "db1.tar.zst").open("r+b") as file:
        file.seek(100)
        file.write(b"tampered")
    done = clinic("upload", place / "db1.tar.zst", "--to", receiving.url)
    assert done.returncode == 6
    first, _ = done.stderr.split("\n", 1)
    assert first == f"clinic: {place}/db1.tar.zst is not the package that db1.tar.zst.json tells of"


def test_a_bundle_is_looked_through_packed_and_asked_about(receiving: Receiving, place: Path) -> None:
    identity = start_of_id(place)
    code, shown = send(place, receiving.url, identity, source="bundle")
    assert code == 0, shown
    (package,) = place.glob("clinic-*.tar.zst")
    assert package.read_bytes() in arrived(receiving)
    facts = json.loads(package.with_name(package.name + ".json").read_text())
    assert facts["leaks"]["checked"]
    again = clinic("upload", place / "bundle", "--to", receiving.url)
    assert again.returncode == 0, "packed once, and the answer holds"
    code, shown = send(
        place, receiving.url, b"\n", "--without", "system", "-o", "less.tar.zst", source="bundle"
    )
    assert (code, "characters" in shown) == (5, True), "less of it is another package, and asked anew"


@pytest.fixture
def guarded(tmp_path: Path) -> Receiving:
    return Receiving(tmp_path / "guarded")


def test_a_token_that_is_wrong_or_too_old_is_one_clear_line(guarded: Receiving, place: Path) -> None:
    good = tokens.make(guarded.directory, "customer", timedelta(days=1))
    old = tokens.make(guarded.directory, "late", timedelta(seconds=-1))
    guarded.start()
    try:
        give = ["consent", "give", "db1.tar.zst", "--to", guarded.url, "--lang", "en"]
        assert type_at_terminal(place, give, (QUESTION, start_of_id(place)))[0] == 0
        words = ("upload", str(place / "db1.tar.zst"), "--to", guarded.url)
        for token, said in ((old, "the token expired at"), ("wrong", "the token is not known here")):
            done = clinic(*words, CLINIC_TOKEN=token)
            assert (done.returncode, said in done.stderr.split("\n")[0]) == (5, True), done.stderr
            assert token not in done.stderr + done.stdout
        private = place / "token"
        private.write_text(good)
        private.chmod(0o644)
        assert "chmod 600" in clinic(*words, "--token-file", private).stderr
        private.chmod(0o600)
        assert clinic(*words, "--token-file", private).returncode == 0
        check = clinic("upload", "--check", "--to", guarded.url, "--json", CLINIC_TOKEN=good)
        assert [one["good"] for one in json.loads(check.stdout)] == [True, True, True]
        check = clinic("upload", "--check", "--to", guarded.url, CLINIC_TOKEN=old)
        assert (check.returncode, "expired" in check.stderr) == (5, True), check.stderr
    finally:
        guarded.kill()


@pytest.mark.parametrize("option", ["--token", "--password", "--yes", "-y"])
def test_no_option_holds_a_token_or_says_yes(option: str) -> None:
    assert clinic("upload", "x", "--to", "http://127.0.0.1:1", option, "x").returncode == 2


def test_a_check_says_what_is_wrong_and_needs_no_package() -> None:
    done = clinic("upload", "--check", "--to", f"http://127.0.0.1:{closed_port()}", CLINIC_TOKEN="x")
    assert done.returncode == 5
    assert "connection refused" in done.stderr
    assert "reached" in done.stdout


def limited(home: Path, url: str, largest: str) -> None:
    (home / "clinic").mkdir(mode=0o700, exist_ok=True)
    text = f"destinations:\n  small:\n    protocol: clinic\n    endpoint: {url}\n    largest: {largest}\n"
    (home / "clinic" / "destinations.yaml").write_text(text)


def test_a_bundle_that_is_too_large_is_told_with_what_to_leave_out(place: Path, home: Path) -> None:
    limited(home, "http://127.0.0.1:9", "2K")
    done = clinic("upload", place / "bundle", "--to", "small")
    assert done.returncode == 5
    assert "the largest: " in done.stderr
    assert "--without " in done.stderr
    assert not list(place.glob("clinic-*")), "nothing was packed"
    checked = clinic("upload", place / "bundle", "--to", "small", "--check")
    assert (checked.returncode, "--without " in checked.stderr) == (5, True)


EXPIRED = "https://in.example.com/x?X-Amz-Date=20240101T000000Z&X-Amz-Expires=60&X-Amz-Signature=s3cr3t"


@pytest.mark.parametrize(
    ("credential", "protocol", "said"),
    [
        (EXPIRED, "put", "the presigned URL expired at 2024-01-01T00:01:00Z"),
        ("https://elsewhere.example/x?X-Amz-Signature=s3cr3t", "put", "leads to https://elsewhere.example/x"),
        ("s3cr3t", "s3", "ACCESS_KEY:SECRET_KEY"),
        ("{s3cr3t", "s3", "the presigned upload can't be understood"),
        ("s3cr3t\u00e9", "clinic", "characters that no token has"),
        ("", "clinic", "there is no token for https://in.example.com"),
    ],
)
def test_what_can_be_told_of_a_credential_without_connecting_is_told_before_anything_is_packed(
    place: Path, credential: str, protocol: str, said: str
) -> None:
    words = ("upload", str(place / "bundle"), "--to", "https://in.example.com", "--protocol", protocol)
    done = clinic(*words, **({"CLINIC_TOKEN": credential} if credential else {}))
    assert said in done.stderr.split("\n")[0], done.stderr
    assert done.returncode in (2, 5)
    assert "s3cr3t" not in done.stderr
    assert not list(place.glob("clinic-*")), "nothing was packed"


def test_a_job_that_nobody_answered_for_packs_nothing(place: Path) -> None:
    for words in (("upload", "--to"), ("upload", "--offline"), ("consent", "give", "--to")):
        done = clinic(*words[:-1], str(place / "bundle"), words[-1], "https://in.example.com", **TOKEN)
        assert (done.returncode, "at a terminal" in done.stderr) == (5, True), done.stderr
    assert not list(place.glob("clinic-*"))


def test_a_refused_token_costs_neither_the_package_nor_the_answer(guarded: Receiving, place: Path) -> None:
    good = tokens.make(guarded.directory, "customer", timedelta(days=1))
    guarded.start()
    try:
        words = ["upload", "bundle", "--to", guarded.url, "--lang", "en"]
        code, shown = type_at_terminal(
            place, words, (b"Enter for none", b"wrong\n"), (QUESTION, start_of_id(place))
        )
        assert (code, "the token is not known here" in shown) == (5, True), shown
        assert shown.index("Enter for none") < shown.index("Bundle id: "), (
            "the token comes before the packing"
        )
        assert not list(guarded.directory.glob("*/package*")), "no byte of it came"
        (package,) = place.glob("clinic-*.tar.zst")
        packed = package.stat().st_mtime_ns
        again = clinic("upload", place / "bundle", "--to", guarded.url, CLINIC_TOKEN=good)
        assert again.returncode == 0, again.stderr
        assert package.stat().st_mtime_ns == packed
        assert len(json.loads(clinic("consent", "list", "--json").stdout)) == 1
    finally:
        guarded.kill()


def test_offline_asks_the_same_and_writes_what_is_carried(place: Path) -> None:
    words = ["upload", "db1.tar.zst", "--offline", "https://support.example.com", "--lang", "en"]
    assert type_at_terminal(place, words, (QUESTION, b"\n"))[0] == 5
    assert not (place / "db1.tar.zst.carry").exists()
    code, shown = type_at_terminal(place, words, (QUESTION, start_of_id(place)))
    assert code == 0, shown
    folder = place / "db1.tar.zst.carry"
    assert subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, check=False).returncode == 0
    names = {path.name for path in folder.iterdir()}
    assert names == {"NOTE.txt", "SHA256SUMS", "db1.tar.zst", "db1.tar.zst.json", "receipt.json"}
    assert "OPERATOR UNKNOWN" in (folder / "NOTE.txt").read_text()
    assert json.loads((folder / "receipt.json").read_text())["answer"] == "yes"
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, *folder.iterdir()))
    assert json.loads(clinic("consent", "list", "--json").stdout)[-1]["state"] == "carried"


@pytest.mark.lab
def test_a_server_that_says_no_digest_ends_in_9(nginx: Running, place: Path) -> None:
    url = f"{nginx.url}/drop/db1.tar.zst"
    words = ["upload", "db1.tar.zst", "--to", f"{nginx.url}/drop", "--protocol", "put", "--lang", "en"]
    signed = {"CLINIC_TOKEN": f"{url}?sig=secret"}
    code, shown = type_at_terminal(place, words, (QUESTION, start_of_id(place)), env=signed)
    assert code == 9, shown
    assert "said no digest" in last_line(shown)
    assert "sig=" not in shown
    assert (nginx.files / "drop/db1.tar.zst").read_bytes() == (place / "db1.tar.zst").read_bytes()
    (sent,) = json.loads(clinic("consent", "list", "--json").stdout)
    withdrawn = clinic("consent", "withdraw", sent["receipt"], "--json", **signed)
    told = json.loads(withdrawn.stdout)
    assert (withdrawn.returncode, told["state"]) == (0, "withdrawal-requested")
    assert "a URL for one PUT can't delete" in withdrawn.stderr
    assert "sig=" not in told["letter"]
    digest = hashlib.sha256((place / "db1.tar.zst").read_bytes()).hexdigest()
    assert all(
        fact in told["letter"]
        for fact in (sent["receipt"], "/drop/db1.tar.zst", digest, "to delete the package")
    )
    recorded = clinic("consent", "withdraw", sent["receipt"], "--confirmed", "mail of today", "--json")
    assert json.loads(recorded.stdout)["state"] == "withdrawal-confirmed"


@pytest.mark.lab
def test_an_s3_store_gets_it_and_deletes_it_when_the_yes_is_taken_back(store: Running, place: Path) -> None:
    words = ("upload", "--to", f"{store.url}/bucket/in", "--protocol", "s3")
    wrong = clinic(*words, "--check", CLINIC_TOKEN="CLINICTESTKEY:wr0ng")
    assert (wrong.returncode, "wr0ng" in wrong.stderr) == (5, False), wrong.stderr
    keys = {"CLINIC_TOKEN": KEYS}
    assert clinic(*words, "--check", **keys).returncode == 0
    answer = (QUESTION, start_of_id(place))
    code, shown = type_at_terminal(place, [*words, "db1.tar.zst", "--lang", "en"], answer, env=keys)
    assert (code, "The server confirmed the digest" in last_line(shown)) == (0, True), shown
    (object_,) = (store.files / "bucket" / "in").rglob("db1.tar.zst")
    assert object_.read_bytes() == (place / "db1.tar.zst").read_bytes()
    (sent,) = json.loads(clinic("consent", "list", "--json").stdout)
    withdrawn = clinic("consent", "withdraw", sent["receipt"], "--json", **keys)
    assert json.loads(withdrawn.stdout)["state"] == "withdrawal-confirmed", withdrawn.stderr
    assert not object_.exists()


def pressed(receiving: Receiving, place: Path) -> tuple[int, str]:
    """Ctrl-C twice, once the package is on its way, which is slow, to a receiver that has not had it before."""
    for known in receiving.directory.glob("*/upload.json"):
        receiving.ask("DELETE", f"{API}/package", {"uuid": known.parent.name})
    words = ["upload", "db1.tar.zst", "--to", receiving.url, "--lang", "en", "--limit-rate", "9K"]
    answers = ((QUESTION, start_of_id(place)), (b"sending", b"\x03"), (b"Once more", b"\x03"))
    return type_at_terminal(place, words, *answers, env=TOKEN)


def test_ctrl_c_twice_ends_it_and_tells_how_to_go_on(receiving: Receiving, place: Path) -> None:
    code, shown = pressed(receiving, place)
    assert code == 130, shown
    assert f"clinic upload db1.tar.zst --to {receiving.url}" in shown
    done = clinic("upload", place / "db1.tar.zst", "--to", receiving.url)
    assert done.returncode == 0, "the answer holds, and it goes on"


def test_an_upload_can_be_given_up(receiving: Receiving, place: Path) -> None:
    assert pressed(receiving, place)[0] == 130
    words = ("upload", str(place / "db1.tar.zst"), "--to", receiving.url, "--abort")
    given_up = clinic(*words)
    assert (given_up.returncode, "Given up" in given_up.stdout) == (0, True), (
        given_up.stdout + given_up.stderr
    )
    assert "nothing unfinished" in clinic(*words).stderr
    words = ("upload", str(place / "bundle"), "--to", receiving.url, "--abort")
    assert "no package was made of" in clinic(*words).stderr


def test_a_proxy_s_account_is_not_for_the_command_line(place: Path) -> None:
    done = clinic(
        "upload", place / "db1.tar.zst", "--to", "https://h.example", "--proxy", "http://user:word@p:1"
    )
    assert (done.returncode, "HTTPS_PROXY" in done.stderr) == (2, True)
    assert "word" not in done.stderr
