"""Bad news is found in the kernel's messages, whoever wrote them down."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.read.kernel import messages, moment_of

CHINA = timezone(timedelta(hours=8))


def told(text: str) -> list[tuple[str, int]]:
    """What is found, in words, and how often."""
    return [(seen.kind.name.format(seen.what), seen.count) for seen in messages(text, CHINA)]


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        (
            "Out of memory: Killed process 4567 (tikv-server) total-vm:8123456kB, anon-rss:5234567kB, UID:1000",
            "the kernel killed tikv-server for lack of memory",
        ),
        (
            "Memory cgroup out of memory: Killed process 4182 (order-worker) total-vm:812044kB, anon-rss:518420kB",
            "the kernel killed order-worker for lack of memory",
        ),
        (
            "Killed process 16498 (java) total-vm:1kB, anon-rss:1kB, file-rss:0kB",
            "the kernel killed java for lack of memory",
        ),
        (
            "blk_update_request: I/O error, dev nvme0n1, sector 32776 op 0x1:(WRITE) flags 0x3000 phys_seg 6",
            "I/O errors on nvme0n1",
        ),
        ("print_req_error: critical medium error, dev nvme0n1, sector 40910720", "I/O errors on nvme0n1"),
        ("Buffer I/O error on dev sda, logical block 0, lost sync page write", "I/O errors on sda"),
        ("nvme nvme0: I/O 566 QID 7 timeout, aborting", "I/O errors on nvme0"),
        ("nvme nvme0: I/O tag 42 (0002) QID 1 timeout", "I/O errors on nvme0"),
        ("nvme nvme2: Device not ready; aborting reset, CSTS=0x3", "I/O errors on nvme2"),
        (
            "EXT4-fs error (device sdb7): ext4_get_branch:171: inode #8: block 30343695: comm jbd2: invalid block",
            "the file system on sdb7 has errors",
        ),
        (
            'XFS (dm-2): metadata I/O error in "xfs_imap_to_bp+0x88/0x130 [xfs]" at daddr 0xa9 len 32 error 117',
            "the file system on dm-2 has errors",
        ),
        ("EXT4-fs (sdb7): Remounting filesystem read-only", "sdb7 was remounted read-only"),
        ("INFO: task DataXceiver for:7494 blocked for more than 120 seconds.", "DataXceiver for hung without progress"),
        ("mce: [Hardware Error]: Machine check events logged", "hardware errors (Hardware Error)"),
        ("EDAC MC0: 1 UE memory scrubbing error on CPU_SrcID#0_Ha#0_Chan#1", "hardware errors (EDAC MC0: 1 UE)"),
        ("rcu: INFO: rcu_sched detected stalls on CPUs/tasks:", "rcu_sched was stuck in the kernel"),
        (
            "Possible SYN flooding on port 0.0.0.0:4000. Sending cookies.",
            "connections were refused: Possible SYN flooding on port 0.0.0.0:4000",
        ),
        ("traps: tidb-server[77] general protection fault ip:7f sp:7f error:0 in libc.so.6", "tidb-server crashed"),
        ("XFS (sdb1): Corruption detected. Unmount and run xfs_repair", "the file system on sdb1 has errors"),
        ("BTRFS critical (device sda3): corrupt leaf: root=5 block=1", "the file system on sda3 has errors"),
        ("Memory failure: 0x1234: recovery action for dirty page: Failed", "hardware errors (Memory failure)"),
        ("watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [tikv-server:123]", "CPU#3 was stuck in the kernel"),
        ("tikv-server[4567]: segfault at 0 ip 00007f sp 00007f error 4 in libc.so.6", "tikv-server crashed"),
        ("nf_conntrack: table full, dropping packet", "connections were refused: nf_conntrack: table full"),
    ],
)  # fmt: skip
def test_a_message_is_understood(line: str, meaning: str) -> None:
    assert told(f"[12345.678901] {line}\n") == [(meaning, 1)]


@pytest.mark.parametrize(
    "line",
    [
        "EXT4-fs (sda1): mounted filesystem with ordered data mode",
        "nvme nvme0: 8/0/0 default/read/poll queues",
        "XFS (sda1): Ending clean mount",
        "tikv-server invoked oom-killer: gfp_mask=0x100cca(GFP_HIGHUSER_MOVABLE), order=0",
        "EDAC MC0: Giving out device to module skx_edac",
        "audit: type=1400 apparmor=DENIED",
    ],
)
def test_an_ordinary_message_is_no_news(line: str) -> None:
    assert told(line) == []


def test_what_came_often_is_told_once_with_its_times() -> None:
    text = "".join(
        f"2026-11-25T0{hour}:00:00.000000Z kern:err: [1.0] I/O error, dev sdb, sector {hour} op 0x0\n"
        for hour in range(1, 4)
    )
    (seen,) = messages(text, CHINA)
    assert seen.what == "sdb"
    assert seen.count == 3
    assert max(seen.times) == datetime(2026, 11, 25, 3, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        ("2026-11-25T02:03:04.000005Z kern:info: [ 12.3] text", datetime(2026, 11, 25, 2, 3, 4, tzinfo=timezone.utc)),
        ("2026-11-25T10:03:04,123456+08:00 text", datetime(2026, 11, 25, 2, 3, 4, tzinfo=timezone.utc)),
        ("2026-11-25T10:03:04.123456+0800 host kernel: text", datetime(2026, 11, 25, 2, 3, 4, tzinfo=timezone.utc)),
        ("[Wed Nov 25 10:03:04 2026] text", datetime(2026, 11, 25, 10, 3, 4, tzinfo=CHINA)),
        ("[Sun Nov  1 00:00:00 2026] text", datetime(2026, 11, 1, tzinfo=CHINA)),
        ("[   12.345678] text", None),
        ("[Wed Feb 31 10:03:04 2026] no such day", None),
        ("[Wed Foo 25 10:03:04 2026] no such month", None),
        ("2026-11-25T10:03:04+99:99 no such zone", None),
    ],
)  # fmt: skip
def test_the_time_of_a_line_is_read_in_each_form(line: str, moment: datetime | None) -> None:
    assert moment_of(line, CHINA) == moment


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_any_text_is_only_data(text: str) -> None:
    assert all(seen.count >= 1 for seen in messages(text + "\nI/O error, dev " + text, CHINA))


def test_a_hostile_line_costs_no_time() -> None:
    """Long lines that nearly match: what is looked at is bounded."""
    assert told(("task " + "a" * 100_000 + "\n") * 200 + "XFS (" * 50_000) == []
