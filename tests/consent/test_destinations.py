"""Where a package may go: the shipped regions, the files of others, and what those may not say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clinic.bundle.package import Package
from clinic.consent.destination import Destination, Protocol
from clinic.consent.destinations import (
    certificate_of,
    find_destination,
    read_destinations,
    require_fits,
    shipped_destinations,
)
from clinic.consent.origin import origin
from clinic.errors import Refused, UsageError
from clinic.units import GIB

FINGERPRINT = "71aaf29c77a289f1ee7b15a5932e037140bb421c3afb22dfdf8a0894c19deb12"
"""Of the certificate that both regions have, by `openssl x509 -fingerprint -sha256`."""


def test_the_regions_of_the_clinic_server_are_known() -> None:
    us, cn = shipped_destinations()
    assert (us.name, us.endpoint) == ("clinic-us", "https://clinic.pingcap.com")
    assert (cn.name, cn.endpoint) == ("clinic-cn", "https://clinic.pingcap.com.cn")
    for one in (us, cn):
        certificate = certificate_of(one)
        assert certificate is not None
        assert (certificate.sha256, certificate.name) == (FINGERPRINT, "test")
        assert f"{certificate.expires:%Y-%m-%d}" == "2022-10-13"
        assert (one.notice, one.operator, one.container) == ("pingcap", "PingCAP", "diag")
        assert (one.largest, one.protocol) == (3 * GIB, Protocol.CLINIC)
        assert "180 days" in one.retention
        assert one.region not in one.processed


@pytest.mark.parametrize(
    "text", ["clinic-us", "https://clinic.pingcap.com", "https://Clinic.PingCAP.com:443/clinic/api/"]
)
def test_it_is_found_by_name_and_by_any_url_of_it(text: str) -> None:
    assert find_destination(text).name == "clinic-us"


def test_an_unknown_url_has_no_operator_and_no_notice_of_the_vendors() -> None:
    found = find_destination("https://clinic.pingcap.com.example.org/put?X-Signature=abc", Protocol.PUT)
    address = "https://clinic.pingcap.com.example.org/put"
    assert found == Destination(address, Protocol.PUT, "https://clinic.pingcap.com.example.org", "/put")
    assert found.address == address
    assert (found.operator, found.notice) == ("", "generic")


@pytest.mark.parametrize(
    "text",
    [
        "http://in.example.com",
        "ftp://x",
        "https://",
        "https://a:Zq8secret@x",
        "https://x:99999",
        "https://пример.рф",
    ],
)
def test_what_is_no_place_to_send_to_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as error:
        find_destination(text)
    assert "Zq8secret" not in error.value.message


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="there is no destination 'somewhere'") as error:
        find_destination("somewhere")
    assert "clinic-us, clinic-cn" in error.value.hint


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("https://Example.com:443/a?b#c", "https://example.com"),
        ("https://example.com.:8443", "https://example.com:8443"),
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080"),
        ("http://localhost:80", "http://localhost"),
        ("https://[::1]", "https://[::1]"),
    ],
)
def test_an_origin_has_one_spelling(text: str, one: str) -> None:
    assert origin(text) == one


def test_two_paths_of_one_origin_are_two_destinations(home: Path) -> None:
    """A store is many people's: what is known of one bucket says nothing of the next."""
    (home / "clinic").mkdir()
    rows = "destinations:\n  ours: {endpoint: 'https://s3.example.com/ours/in/', protocol: s3, operator: Example}\n"
    (home / "clinic" / "destinations.yaml").write_text(rows)
    ours = find_destination("https://s3.example.com/ours/in/a.diag")
    assert (ours.name, ours.endpoint, ours.path, ours.operator) == (
        "ours", "https://s3.example.com", "/ours/in", "Example",
    )  # fmt: skip
    for other in ("/theirs", "/ours", "/ours/in2", ""):
        found = find_destination(f"https://s3.example.com{other}")
        assert (found.address, found.operator) == (f"https://s3.example.com{other}", "")


OWN = """
destinations:
  support:
    endpoint: https://In.example.com/
    operator: Example Ltd
    region: Frankfurt
    container: tar.zst.age
    recipients: [age1theirs]
    largest: 10G
  store: {endpoint: 'http://127.0.0.1:9000', protocol: s3}
"""


def test_the_users_file_adds_to_them(home: Path) -> None:
    (home / "clinic").mkdir()
    (home / "clinic" / "destinations.yaml").write_text(OWN)
    found = find_destination("https://in.example.com/anything")
    assert (found.name, found.operator, found.recipients, found.largest) == (
        "support", "Example Ltd", ("age1theirs",), 10 * GIB,
    )  # fmt: skip
    assert find_destination("store").protocol is Protocol.S3


def test_a_file_that_others_can_write_is_refused(home: Path) -> None:
    (home / "clinic").mkdir()
    path = home / "clinic" / "destinations.yaml"
    path.write_text(OWN)
    path.chmod(0o666)
    with pytest.raises(Refused, match="others can write"):
        find_destination("support")


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ("clinic-us: {endpoint: 'https://evil.example.com'}", "there is a destination 'clinic-us' already"),
        ("x: {endpoint: 'https://CLINIC.pingcap.com'}", "is known already"),
        ("x: {endpoint: 'https://evil.example.com', notice: pingcap}", "are for PingCAP's own endpoints"),
        (
            "x: {endpoint: 'https://evil.example.com', operator: 'PingCAP Inc'}",
            "are for PingCAP's own endpoints",
        ),
        ("x: {endpoint: 'http://evil.example.com'}", "only https"),
        ("x: {endpoint: 'https://e.example.com', protocol: offline}", "protocol is 'offline'"),
        ("x: {endpoint: 'https://e.example.com', certificate: nonsense}", "there is no certificate in it"),
        ("x: {endpoint: 'https://clinic.pingcap.com/other'}", "is known already"),
        ("x: {endpoint: 'https://e.example.com/a?sig=1'}", "may hold a signature"),
        ("x: {operator: me}", "lacks 'endpoint'"),
        ("x: [1]", "must be a mapping"),
    ],
)
def test_a_file_cannot_pass_one_off_for_another(tmp_path: Path, rows: str, what: str) -> None:
    path = tmp_path / "destinations.yaml"
    path.write_text(f"destinations:\n  {rows}\n")
    with pytest.raises(UsageError, match=what):
        read_destinations(path, shipped_destinations())


def test_a_package_must_fit(package: Package, destination: Destination) -> None:
    clinic = find_destination("clinic-cn")
    diag = replace(package, container="diag", recipients=(FINGERPRINT,))
    require_fits(diag, clinic)
    for wrong, what in (
        (package, "it takes diag, and this is tar.zst"),
        (replace(diag, size=3 * GIB + 1), "at most 3.0 GiB"),
        (replace(diag, recipients=("0" * 64,)), "not encrypted to the key 71aaf29c"),
    ):
        with pytest.raises(Refused, match=what) as error:
            require_fits(wrong, clinic)
        assert error.value.hint
    require_fits(replace(package, container="tar.zst.age", recipients=("age1x",)), destination)
    keyed = replace(destination, container="tar.zst.age", recipients=("age1theirs",))
    require_fits(replace(package, container="tar.zst.age", recipients=("age1ours", "age1theirs")), keyed)
    with pytest.raises(Refused, match="not encrypted to age1theirs"):
        require_fits(replace(package, container="tar.zst.age", recipients=("age1ours",)), keyed)
    with pytest.raises(Refused, match=r"it takes tar.zst.age, and this is tar.zst"):
        require_fits(package, keyed)
