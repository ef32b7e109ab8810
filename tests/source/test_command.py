"""What a command's output and end come to."""

from __future__ import annotations

import dataclasses
import os
import pwd
from collections.abc import Callable
from typing import Any

import pytest

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Partial, Skip
from clinic.host.base import Host
from clinic.kinds import Privilege
from clinic.outcome import Reason
from clinic.source.base import Source
from clinic.source.command import Command

Read = Callable[[Source], tuple[bytes, Reason | None, str]]


def sh(script: str, **options: Any) -> Command:
    """A command that does whatever `script` says."""
    return Command("here", ("sh", "-c", script), **options)


def test_the_output_is_the_content_and_what_ran_is_on_record(read: Read, doors: Any) -> None:
    assert read(Command("here", ("echo", "two words", "*"))) == (b"two words *\n", None, "")
    [ran] = doors.done
    assert (ran.kind, ran.what, ran.where, ran.whom) == (
        "command",
        "echo 'two words' '*'",
        "here",
        doors.host("").user,
    )
    assert ran.outcome == "exit status 0"
    assert 0 < ran.seconds < 5


def test_a_declaration_does_nothing_and_compares_by_value() -> None:
    first, second = sh("x", environment={"A": "1"}), sh("x", environment={"A": "1"})
    assert first == second and hash(first) == hash(second)
    assert first.lane == "host:here"
    assert (first.deadline, first.stall) == (30.0, None)
    assert dataclasses.replace(first, deadline=5.0).deadline == 5.0
    assert first.narrow(10) is first
    assert (first.privilege, sh("x", root=True).privilege) == (Privilege.NONE, Privilege.ROOT)


def test_a_program_that_what_starts_it_does_not_find_is_absent(read: Read) -> None:
    gone = Command("here", ("env", "A=1", "/nosuch/bin/tikv-server", "-V"), stderr="append")
    content, reason, message = read(gone)
    assert (content, reason) == (b"", Reason.TOOL_ABSENT)
    assert "/nosuch/bin/tikv-server" in message


@pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root can become another account")
def test_an_account_that_is_not_there_runs_nothing(read: Read) -> None:
    nobodys = Command("here", ("true",), account="nosuchaccount", stderr="append")
    assert read(nobodys) == (b"", Reason.NOT_APPLICABLE, "here has no account nosuchaccount")


@pytest.mark.parametrize("argv", ["df -h", (), ""])
def test_a_line_instead_of_words_is_refused(argv: Any) -> None:
    with pytest.raises(ValueError, match="argv must be a tuple"):
        Command("here", argv)


def test_an_exit_status_is_a_failure_unless_it_is_declared(read: Read) -> None:
    assert read(sh("echo bad luck >&2; exit 3")) == (b"", Reason.EXIT_STATUS, "exit status 3: bad luck")
    assert read(sh("echo some; echo bad luck >&2; exit 3")) == (
        b"some\n", Reason.EXIT_STATUS, "exit status 3: bad luck"
    )  # fmt: skip
    assert read(sh("echo some; exit 3", ok=(0, 3))) == (b"some\n", None, "")
    assert read(sh("kill -9 $$")) == (b"", Reason.EXIT_STATUS, "killed by signal 9")


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("exit 1", Failed),
        ("echo some; exit 1", Partial),
        ("echo Permission denied >&2; exit 1", Skip),
        ("echo some; echo x: Operation not permitted >&2; exit 1", Partial),
        ("true", Skip),
    ],
)
def test_how_an_end_counts(doors: Any, script: str, kind: type[ItemError]) -> None:
    with pytest.raises(kind):
        [list(part.chunks) for part in sh(script).open(doors)]


@pytest.mark.parametrize(
    "said",
    [
        "dmesg: read kernel buffer failed: Operation not permitted",
        "cat: x: Permission denied",
        "You must be root to use this tool",
        "Error: this requires root privileges",
        "Access denied",
    ],
)
def test_what_was_not_permitted_is_skipped(read: Read, said: str) -> None:
    assert read(sh(f"echo '{said}' >&2; exit 1")) == (b"", Reason.NOT_PERMITTED, f"exit status 1: {said}")
    assert read(sh(f"echo '{said}' >&2")) == (b"", Reason.NOT_PERMITTED, f"exit status 0: {said}")
    assert read(sh(f"echo out; echo '{said}' >&2")) == (b"out\n", None, "")


def test_silence_means_what_was_declared(read: Read) -> None:
    assert read(sh("true")) == (b"", Reason.EMPTY, "sh had nothing to say")
    assert read(sh("echo none >&2", empty="not_applicable")) == (
        b"", Reason.NOT_APPLICABLE, "sh had nothing to say but: none"
    )  # fmt: skip
    assert read(sh("true", empty="ok")) == (b"", None, "")


def test_an_absent_tool_is_skipped_with_its_package(read: Read, doors: Any) -> None:
    absent = Command("here", ("no-such-tool", "-x"), package="no-such-tools")
    assert read(absent) == (b"", Reason.TOOL_ABSENT, "no-such-tool is not installed on here")
    assert doors.done == [], "nothing ran"
    impossible = absent.plan(doors).impossible
    assert isinstance(impossible, Skip)
    assert impossible.fix == "apt install no-such-tools or dnf install no-such-tools"
    both = dataclasses.replace(absent, package="iproute2/iproute").plan(doors).impossible
    assert both is not None and both.fix == "apt install iproute2 or dnf install iproute"


def test_without_root_the_fix_is_one_line_for_sudoers(read: Read, doors: Any) -> None:
    host = doors.host("")
    host.is_root, host.user = False, "tidb"
    source = Command("here", ("id", "-u"), root=True)
    impossible = source.plan(doors).impossible
    assert isinstance(impossible, Skip)
    assert impossible.reason is Reason.NOT_PERMITTED
    line = f"tidb ALL=(root) NOPASSWD: {host.which('id')} -u"
    assert impossible.fix == f"run Clinic as root, or add to a file in /etc/sudoers.d, with visudo: {line}"
    assert read(source) == (b"", Reason.NOT_PERMITTED, "id needs root, and tidb is not")
    assert doors.done == [], "nothing ran"
    absent = Command("here", ("no-such-tool",), root=True).plan(doors).impossible
    assert absent is not None and absent.reason is Reason.TOOL_ABSENT


def test_a_plan_looks_and_runs_nothing(doors: Any) -> None:
    estimate = sh("exit 1").plan(doors)
    assert (estimate.size, estimate.exact, estimate.impossible) == (None, False, None)
    assert doors.done == []


def test_errors_can_follow_the_output(read: Read) -> None:
    assert read(sh("echo a; echo b >&2", stderr="append")) == (b"a\nb\n", None, "")
    assert read(sh("echo b >&2", stderr="append")) == (b"b\n", None, "")


def test_the_environment_is_added_to(read: Read) -> None:
    assert read(sh("echo $A $LC_ALL", environment={"A": "x"})) == (b"x C\n", None, "")


def test_what_came_before_a_deadline_is_kept_and_the_end_is_on_record(read: Read, doors: Any) -> None:
    doors.deadline = Deadline(0.5)
    assert read(sh("echo begun; sleep 60")) == (b"begun\n", Reason.DEADLINE, "not done after 0.5 s")
    assert doors.done[0].outcome == "deadline"


def test_a_reader_that_leaves_is_on_record_too(doors: Any) -> None:
    [part] = sh("yes").open(doors)
    chunks = part.chunks
    next(chunks)
    chunks.close()  # type: ignore[attr-defined] # it is a generator
    assert doors.done[0].outcome == "stopped"


def test_errors_of_a_hostile_program_are_harmless(read: Read) -> None:
    _, _, said = read(sh(r"printf '\033[2J%01000d\377' 0 >&2; exit 1"))
    assert said.startswith("exit status 1: ?[2J000")
    assert len(said) < 400


def test_bytes_pass_unchanged(read: Read) -> None:
    assert read(sh(r"printf '\377\000\n'")) == (b"\xff\x00\n", None, "")


def test_a_program_of_another_account_has_that_accounts_rights_and_no_others(read: Read, doors: Any) -> None:
    """As root, it gives up everything before the program begins."""
    status = Command("here", ("grep", "-E", "^(Uid|Groups|Cap|NoNew)", "/proc/self/status"), account="nobody")
    said, reason, why = read(status)
    assert reason is None, why
    lines = {
        name: values.split()
        for name, _, values in (line.partition(":") for line in said.decode().splitlines())
    }
    assert set(lines["Uid"]) == {str(pwd.getpwnam("nobody").pw_uid)}
    assert {int(lines[name][0], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")} == {0}
    assert lines["NoNewPrivs"] == ["1"] and lines["Groups"] == []
    [ran] = doors.done
    assert ran.whom == "nobody"
    assert ran.what.startswith("setpriv --reuid=nobody --regid=65534 --clear-groups --no-new-privs")


class Someone:
    """What a command asks a host before it runs: who is there, and which programs."""

    user = "me"
    is_root = False
    become_root = Host.become_root
    sudo_fix = Host.sudo_fix
    may_run_as_root = Host.may_run_as_root

    def which(self, tool: str) -> str:
        return f"/bin/{tool}"


def test_a_program_of_ones_own_account_is_run_as_it_is(doors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def someone(name: str) -> Someone:
        del name
        return Someone()

    monkeypatch.setattr(doors, "host", someone)
    assert sh("x", account="me").plan(doors).impossible is None
    refused = sh("x", account="other").plan(doors).impossible
    assert refused is not None and "NOPASSWD: /bin/setpriv --reuid" in refused.fix


@pytest.mark.parametrize(
    "options", [{"account": "root"}, {"account": "0"}, {"account": "tidb", "root": True}]
)
def test_what_is_another_accounts_is_never_run_as_root(options: Any) -> None:
    with pytest.raises(ValueError, match="never run as root"):
        sh("id", **options)
