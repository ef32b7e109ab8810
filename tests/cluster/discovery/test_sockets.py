"""Listening ports are read from the kernel's table, with the address to connect to."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clinic.cluster.discovery.sockets import Listener, listeners, opened, parse

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def line(local: str, state: str, inode: int, uid: int = 1000) -> str:
    """One line of /proc/net/tcp."""
    return f"   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  {uid}  0 {inode} 1 0 100 0\n"


def test_a_real_listener_is_found_with_its_address_and_account(listen: Callable[[], socket.socket]) -> None:
    own = listen()
    port = own.getsockname()[1]
    found = next(each for each in listeners(Path("/proc/net")) if each.port == port)
    assert found == Listener(port, "127.0.0.1", os.fstat(own.fileno()).st_ino, os.geteuid())


def test_a_socket_for_every_address_is_reached_over_loopback() -> None:
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        with socket.socket(family) as own:
            own.bind((address, 0))
            own.listen()
            found = [each for each in listeners(Path("/proc/net")) if each.port == own.getsockname()[1]]
            assert [each.address for each in found] == ["127.0.0.1"]


@pytest.mark.skipif("sys.byteorder != 'little'", reason="the recorded lines are of a little-endian machine")
def test_addresses_are_read_from_the_kernels_words() -> None:
    lines = [
        HEAD,
        line("0501000A:0FA0", "0A", 1),
        line("0000000000000000FFFF00000501000A:0FA1", "0A", 2),
        line("000080FE00000000FF005450B6AD1DFE:0FA2", "0A", 3),
    ]
    assert [each.address for each in parse(lines)] == ["10.0.1.5", "10.0.1.5", "fe80::5054:ff:fe1d:adb6"]


def test_reading_ends_at_the_first_connection() -> None:
    """However many connections a database has, they cost nothing."""
    taken: list[str] = []

    def endless() -> Iterator[str]:
        yield HEAD
        yield line("0100007F:0FA0", "0A", 1)
        while True:
            taken.append("connection")
            yield line("0100007F:0FA0", "01", 2)

    assert [each.port for each in parse(endless())] == [4000]
    assert len(taken) == 1


def test_the_sockets_of_a_process_keep_the_order_in_which_it_opened_them() -> None:
    known = [Listener(2379, "127.0.0.1", 12), Listener(2380, "127.0.0.1", 11), Listener(2380, "::1", 13)]
    assert opened([10, 11, 12, 13], known) == (known[1], known[0])


def test_where_nothing_can_be_read_there_is_nothing(tmp_path: Path) -> None:
    assert listeners(tmp_path / "gone") == ()
