"""Kernel messages get their facility, their severity and the wall clock."""

from __future__ import annotations

from clinic_collectors._dmesg import dated, messages

RAW = b"""\
<5>[    0.000000] Linux version 6.1.0-18-amd64
<6>[   12.345678] eth0: link up; speed 10000; full duplex
<30>[   13.000001] systemd[1]: Started tikv-20160.service
<12>[   14.5] a message of a user
a second line of it
<3>[86400.000000] blk_update_request: I/O error, dev sda, sector 2048
<700>[86401.000000] from a facility that has no name
"""
STAT = b"cpu  1 2 3 4\nbtime 1700000000\nprocesses 7\n"


def test_every_line_has_its_time_source_and_severity() -> None:
    lines = dated({"dmesg": RAW, "stat": STAT}).decode().splitlines()
    assert lines[0] == "2023-11-14T22:13:20.000000Z kern:notice: [    0.000000] Linux version 6.1.0-18-amd64"
    assert (
        lines[2]
        == "2023-11-14T22:13:33.000001Z daemon:info: [   13.000001] systemd[1]: Started tikv-20160.service"
    )
    assert lines[3].startswith("2023-11-14T22:13:34.500000Z user:warn: ")
    assert lines[5].startswith("2023-11-15T22:13:20.000000Z kern:err: ")


def test_a_semicolon_in_a_message_does_not_end_it() -> None:
    assert b"link up; speed 10000; full duplex\n" in dated({"dmesg": RAW, "stat": STAT})


def test_a_line_without_a_head_belongs_to_the_record_before_it() -> None:
    assert b"user:warn: [   14.500000] a second line of it" in dated({"dmesg": RAW, "stat": STAT})


def test_no_record_is_lost_to_another_that_is_odd() -> None:
    assert len(dated({"dmesg": RAW, "stat": STAT}).splitlines()) == len(RAW.splitlines())
    assert [message.source for message in messages(RAW)][-1] == "87:warn"


def test_without_the_time_of_boot_the_kernels_own_clock_stands_alone() -> None:
    assert dated({"dmesg": RAW}).startswith(b"kern:notice: [    0.000000] Linux version")


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert "\N{REPLACEMENT CHARACTER}" in dated({"dmesg": b"<6>[    1.000000] \xff\xfe"}).decode()
