"""Addresses: what is one, and whose it is."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.client.address import Address
from clinic.cluster.discovery.addresses import (
    check_host,
    is_ip,
    is_own,
    own_addresses,
    parse_address,
    resolve,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.1.5:2379", Address("10.0.1.5", 2379)),
        (" db1.prod:2379 ", Address("db1.prod", 2379)),
        ("[fd00::0005]:2379", Address("fd00::5", 2379)),
        ("http://10.0.1.5:2379", Address("10.0.1.5", 2379)),
        ("https://[fd00::5]:2379/", Address("fd00::5", 2379, tls=True)),
        ("db_1:4000", Address("db_1", 4000)),
    ],
)
def test_an_address_is_read(text: str, expected: Address) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", ":", "10.0.1.5", "fd00::5", "[fd00::5]", ":4000", "10.0.1.5:", "10.0.1.5:0", "10.0.1.5:99999", "db1:http",
        "ftp://db1:21", "http://db1:1/path", "root:secret@db1:4000", "http://root:secret@db1:4000", "db 1:4000",
        "db1/../x:4000", "-oProxyCommand=x:22", "0.0.0.0:4000", "[::]:4000", "[fe80::1%eth0]:4000", "1.2.3:4", "a..b:1",
    ],
)  # fmt: skip
def test_what_is_none_is_refused_and_a_password_never_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_address(text)
    assert "secret" not in str(caught.value)


def test_a_port_that_is_missing_is_the_usual_one() -> None:
    assert parse_address("db1", 2379) == Address("db1", 2379)
    assert parse_address("fd00::5", 2379) == Address("fd00::5", 2379)
    assert parse_address("db1:1", 2379) == Address("db1", 1)


@given(st.text())
def test_a_host_is_fit_for_a_path_and_for_a_command_line(text: str) -> None:
    try:
        host = check_host(text)
    except ValueError:
        return
    assert host
    assert host.isascii()
    assert not host.startswith((".", "-"))
    assert not set(host) & set("/\\@% \n\0")


@given(st.ip_addresses(), st.integers(1, 65535))
def test_every_address_that_can_be_reached_survives_being_written(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    if not (ip.is_unspecified or ip.is_multicast):
        address = Address(str(ip), port)
        assert parse_address(str(address)) == parse_address(address.url) == address
        assert is_ip(str(ip))


def test_this_machines_addresses_are_its_own() -> None:
    own = own_addresses()
    assert "127.0.0.1" in own
    assert is_own(["10.0.0.1", next(iter(own))], own)
    assert is_own(["127.0.4.1"], ())
    assert is_own(["::1"], ())
    assert not is_own(["192.0.2.1", "db1"], own)


def test_an_address_is_its_own_resolution_and_an_unknown_name_has_none() -> None:
    assert resolve("192.0.2.1") == ("192.0.2.1",)
    assert "127.0.0.1" in resolve("localhost")
    assert resolve("a" * 300) == ()
