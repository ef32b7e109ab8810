"""Pseudonyms keep their kind and the relations of addresses, and depend on nothing but key and name."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.errors import Refused
from clinic.redact.pseudonyms import Pseudonyms
from clinic.secret import Secret

KEY = Secret("5a" * 32)
PRIVATE = st.one_of(
    st.ip_addresses(network="10.0.0.0/8"),
    st.ip_addresses(network="192.168.0.0/16"),
    st.ip_addresses(network="172.16.0.0/12"),
    st.ip_addresses(network="100.64.0.0/10"),
)


def _shared(one: str, other: str) -> int:
    """Bits that two IPv4 addresses have in common at their beginning."""
    return 32 - (int(ipaddress.ip_address(one)) ^ int(ipaddress.ip_address(other))).bit_length()


@given(PRIVATE, PRIVATE)
def test_private_addresses_keep_their_subnets_and_never_collide(
    one: ipaddress.IPv4Address, other: ipaddress.IPv4Address
) -> None:
    made = Pseudonyms(KEY)
    new, new_other = made.address(str(one)), made.address(str(other))
    assert ipaddress.ip_address(new) in ipaddress.ip_network("240.0.0.0/4")
    assert (new == new_other) == (one == other)
    shared = _shared(str(one), str(other))
    assert (_shared(new, new_other) >= 24) == (shared >= 24)
    if shared >= 24:
        assert _shared(new, new_other) == shared


@given(st.ip_addresses(v=6))
def test_an_ipv6_address_stays_one_and_is_replaced_once(address: ipaddress.IPv6Address) -> None:
    made = Pseudonyms(KEY)
    new = made.address(str(address))
    assert ipaddress.ip_address(new).version == 6
    assert made.address(new) == new


@pytest.mark.parametrize("kept", ["127.0.0.1", "0.0.0.0", "::1", "224.0.0.1", "240.1.2.3"])
def test_what_names_nobody_stays(kept: str) -> None:
    assert Pseudonyms(KEY).address(kept) == kept


def test_a_name_has_the_same_digits_whatever_its_kind_and_case() -> None:
    made = Pseudonyms(KEY)
    assert made.name("db", "Orders").partition("-")[2] == made.name("table", "orders").partition("-")[2]
    assert made.name("host", made.name("host", "db1")) == made.name("host", "db1")
    assert Pseudonyms(Secret("5b" * 32)).name("host", "db1") != made.name("host", "db1")


def test_a_collision_is_an_error() -> None:
    pseudonym = Pseudonyms(KEY).name("host", "db1")
    with pytest.raises(Refused, match="same pseudonym"):
        Pseudonyms(KEY, {pseudonym: "another"}).name("host", "db1")
