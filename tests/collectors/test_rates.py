"""Two looks at /proc become rates; what one of them lacks is left out."""

from __future__ import annotations

import pytest

from clinic_collectors._rates import rates

BEFORE = {
    "/proc/uptime": b"100.00 150.00\n",
    "/proc/stat": b"cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 100 0 100 800 0 0 0 0 0 0\nctxt 5\n",
    "/proc/diskstats": b" 254 0 vda 10 0 1000 100 20 0 2000 400 0 50 500 0 0 0 0\n 7 0 loop0 1 0 0 0 0 0 0 0 0 0 0\n",
    "/proc/vmstat": b"pgmajfault 10\noom_kill 1\n",
    "/proc/net/dev": b"Inter-| Receive\n eth0: 1000 10 0 0 0 0 0 0 5000 20 0 0 0 0 0 0\n",
    "/proc/net/snmp": b"Tcp: RtoMin RetransSegs\nTcp: 200 7\n",
    "/proc/net/netstat": b"TcpExt: ListenDrops\nTcpExt: 3\n",
    "/proc/pressure/io": b"some avg10=0.00 avg60=0.00 avg300=0.00 total=1000\nfull avg10=0 avg60=0 avg300=0 total=0\n",
    "/proc/42/stat": b"42 (tikv) server) S 1 42 42 0 -1 0 100 0 5 0 1000 500 0 0 20 0 9 0 1\n",
    "/proc/42/io": b"rchar: 1\nread_bytes: 4096\nwrite_bytes: 0\n",
}
AFTER = {
    "/proc/uptime": b"102.00 153.00\n",
    "/proc/stat": b"cpu  150 0 125 900 20 0 0 5 0 0\ncpu0 150 0 125 900 20 0 0 5 0 0\ncpu1 1 0 0 0 0 0 0 0 0 0\n",
    "/proc/diskstats": b" 254 0 vda 110 0 21000 300 40 0 6000 800 0 1050 900 0\n 7 0 loop0 1 0 0 0 0 0 0 0 0 0 0\n",
    "/proc/vmstat": b"pgmajfault 30\noom_kill 2\n",
    "/proc/net/dev": b"Inter-| Receive\n eth0: 21000 110 0 4 0 0 0 0 5000 20 0 0 0 0 0 0\n",
    "/proc/net/snmp": b"Tcp: RtoMin RetransSegs\nTcp: 200 17\n",
    "/proc/net/netstat": b"TcpExt: ListenDrops\nTcpExt: 9\n",
    "/proc/pressure/io": b"some avg10=0.00 avg60=0.00 avg300=0.00 total=501000\nfull total=200000\n",
    "/proc/42/stat": b"42 (tikv) server) S 1 42 42 0 -1 0 300 0 9 0 1100 550 0 0 20 0 9 0 1\n",
    "/proc/42/io": b"rchar: 1\nread_bytes: 204096\nwrite_bytes: 0\n",
}


def table(inputs: dict[str, bytes], row: str) -> list[str]:
    """The cells behind the row that begins with `row`."""
    rows = [line.split("\t") for line in rates(inputs).decode().splitlines()]
    return next(cells[1:] for cells in rows if cells[0] == row)


@pytest.fixture
def inputs() -> dict[str, bytes]:
    return {
        f"{when}:{path}": data
        for when, side in (("before", BEFORE), ("after", AFTER))
        for path, data in side.items()
    }


def test_processors_show_shares_of_their_time(inputs: dict[str, bytes]) -> None:
    assert table(inputs, "cpu") == [
        "%user",
        "%nice",
        "%system",
        "%idle",
        "%iowait",
        "%irq",
        "%softirq",
        "%steal",
        "%guest",
    ]
    assert table(inputs, "cpu0") == ["25.0", "0.0", "12.5", "50.0", "10.0", "0.0", "0.0", "2.5", "0.0"]


def test_disks_show_rates_waits_and_how_busy_they_were(inputs: dict[str, bytes]) -> None:
    assert table(inputs, "vda") == ["50.00", "5.12", "2.00", "10.00", "1.02", "20.00", "0.20", "50.00"]


def test_a_disk_that_did_nothing_is_left_out(inputs: dict[str, bytes]) -> None:
    assert b"loop0" not in rates(inputs)


def test_interfaces_show_what_they_dropped(inputs: dict[str, bytes]) -> None:
    assert table(inputs, "eth0") == ["50.0", "10.0", "0.0", "2.0", "0.0", "0.0", "0.0", "0.0"]


def test_counters_of_the_kernel_are_rates(inputs: dict[str, bytes]) -> None:
    assert [table(inputs, name) for name in ("pgmajfault", "oom_kill", "RetransSegs", "ListenDrops")] == [
        ["10.0"], ["0.5"], ["5.0"], ["3.0"],
    ]  # fmt: skip


def test_pressure_is_the_share_of_time_lost(inputs: dict[str, bytes]) -> None:
    assert table(inputs, "io") == ["25.00", "10.00"]


def test_processes_are_found_by_their_number_whatever_they_are_called(inputs: dict[str, bytes]) -> None:
    assert table(inputs, "42") == [
        "tikv) server",
        "50.0",
        "25.0",
        "100.0",
        "2.0",
        "-",
        "-",
        "100.0",
        "0.0",
    ]


def test_what_came_or_went_between_the_looks_is_left_out(inputs: dict[str, bytes]) -> None:
    del inputs["after:/proc/42/stat"], inputs["before:/proc/vmstat"]
    text = rates(inputs)
    assert b"cpu1" not in text
    assert b"pgmajfault" not in text
    assert table(inputs, "42")[1:3] == ["-", "-"]


def test_looks_without_time_between_them_are_refused(inputs: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="no time passed"):
        rates({**inputs, "after:/proc/uptime": inputs["before:/proc/uptime"]})
