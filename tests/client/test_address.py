"""Addresses are read one way, and nothing that could lead elsewhere is one."""

from __future__ import annotations

import pytest

from clinic.client.address import Address, read_address, read_url


@pytest.mark.parametrize(
    ("address", "text", "url"),
    [
        (Address("10.0.1.5", 2379), "10.0.1.5:2379", "http://10.0.1.5:2379"),
        (Address("pd-0.peer.svc", 2379, tls=True), "pd-0.peer.svc:2379", "https://pd-0.peer.svc:2379"),
        (Address("fd00::1", 2379), "[fd00::1]:2379", "http://[fd00::1]:2379"),
        (Address("my_container", 80), "my_container:80", "http://my_container:80"),
    ],
)
def test_an_address_is_written_as_in_a_url(address: Address, text: str, url: str) -> None:
    assert (str(address), address.url) == (text, url)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("", 80), ("a b", 80),
        ("a/b", 80), ("a@b", 80), ("a:b", 80), ("-a", 80), ("a#b", 80), ("a\r\nb", 80), ("ä", 80),
        ("[::1]", 80), ("a", 0), ("a", 65536), ("a", -1),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(host: str, port: int) -> None:
    with pytest.raises(ValueError, match=r"host is neither|no TCP port"):
        Address(host, port)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.1.5", Address("10.0.1.5", 2379)),
        ("10.0.1.5:1", Address("10.0.1.5", 1)),
        ("pd", Address("pd", 2379)),
        ("pd:1", Address("pd", 1)),
        ("fd00::1", Address("fd00::1", 2379)),
        ("[fd00::1]", Address("fd00::1", 2379)),
        ("[fd00::1]:1", Address("fd00::1", 1)),
    ],
)
def test_host_and_port_are_read_in_every_way_people_write_them(text: str, address: Address) -> None:
    assert read_address(text, port=2379) == address


@pytest.mark.parametrize(
    "text", ["", ":1", "pd:x", "pd:99999", "http://pd:1", "a b:1", "fd00::1::2", "[fd00::1"]
)
def test_what_is_neither_host_nor_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"host|port"):
        read_address(text, port=2379)


@pytest.mark.parametrize(
    ("url", "address", "path"),
    [
        ("http://10.0.1.5:9090", Address("10.0.1.5", 9090), "/"),
        ("https://grafana", Address("grafana", 443, tls=True), "/"),
        ("HTTP://[fd00::1]:9090/a/b?c=d", Address("fd00::1", 9090), "/a/b?c=d"),
        ("http://pd/x?mail=a@b", Address("pd", 80), "/x?mail=a@b"),
    ],
)
def test_a_url_is_a_server_and_a_path(url: str, address: Address, path: str) -> None:
    assert read_url(url) == (address, path)


@pytest.mark.parametrize(
    "url",
    ["", "pd:2379", "ftp://pd/x", "http://", "http://a b/", "http://pd:x/", "http://[fd00/", "http://pd/a b"],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|host"):
        read_url(url)


@pytest.mark.parametrize(
    "url", ["http://me:secret-word@pd/", "http://secret-word@pd/", "https://a@b@secret-word/"]
)
def test_a_url_with_a_password_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="must not hold a user or password") as caught:
        read_url(url)
    assert "secret-word" not in str(caught.value)
