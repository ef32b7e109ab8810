"""An organisation's rules narrow what may leave, and only root can write them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.bundle.package import Package
from clinic.consent.destination import Destination, Protocol
from clinic.consent.policy import PATH, Policy, parse_policy, read_policy
from clinic.errors import Refused, UsageError
from clinic.kinds import Category

RULES = """
destinations: [https://In.Example.com/, "https://127.0.0.1:8443"]
recipients: [age1ours]
privacy: identifiers
never: [certificates, debug]
largest: 500M
plug_ins: []
"""


@pytest.fixture
def roots() -> Iterator[Path]:
    """A directory that root alone can write, as /etc is."""
    if os.geteuid() != 0:
        pytest.skip("needs root to own a policy")
    with tempfile.TemporaryDirectory(dir="/root") as place:
        yield Path(place)


def test_all_rules_are_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(RULES)
    assert parse_policy(path) == Policy(
        "", ("https://in.example.com", "https://127.0.0.1:8443"), ("age1ours",), "identifiers",
        ("certificates", "debug"), 500 << 20, (),
    )  # fmt: skip


def test_every_mistake_is_named_and_nothing_is_allowed_until_it_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("destinations: ['http://x']\nprivacy: some\nnever: [secrets]\nlargest: big\nallow: all\n")
    with pytest.raises(UsageError) as error:
        parse_policy(path)
    for line, what in enumerate(
        ("only https", "privacy is 'some'", "never is 'secrets'", "largest", "allow"), 1
    ):
        assert any(f":{line}:" in row and what in row for row in error.value.message.splitlines())


def test_no_file_is_no_rule(tmp_path: Path) -> None:
    assert read_policy(tmp_path / "policy.yaml") == Policy()


def test_it_stands_where_nobody_but_root_can_move_it() -> None:
    assert Path("/etc/clinic/policy.yaml") == PATH


def test_roots_own_is_believed_and_its_digest_kept(roots: Path) -> None:
    path = roots / "policy.yaml"
    path.write_text(RULES)
    assert read_policy(path).digest == hashlib.sha256(RULES.encode()).hexdigest()


@pytest.mark.parametrize(
    "how", ["of another", "writable", "writable by its group", "in a directory of another", "link"]
)
def test_what_another_could_have_written_is_refused(roots: Path, how: str) -> None:
    path = roots / "clinic" / "policy.yaml"
    path.parent.mkdir()
    path.write_text(RULES)
    if how == "of another":
        os.chown(path, 65534, 65534)
    elif how.startswith("writable"):
        path.chmod(0o664 if "group" in how else 0o646)
    elif how == "link":
        other = roots / "other"
        other.write_text(RULES)
        os.chown(other, 65534, 65534)
        path.unlink()
        path.symlink_to(other)
    else:
        os.chown(path.parent, 65534, 65534)
    with pytest.raises(Refused, match="is not trusted"):
        read_policy(path)


def test_whom_it_binds_cannot_have_written_it(roots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under sudo the configuration may be the caller's; the policy may not."""
    path = roots / "policy.yaml"
    path.write_text(RULES)
    os.chown(path, 65534, 65534)
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    with pytest.raises(Refused, match="is not trusted"):
        read_policy(path)


def test_one_that_cannot_be_looked_at_is_not_none(tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.write_text("")
    with pytest.raises(Refused, match="can't look for"):
        read_policy(folder / "policy.yaml")


CASES: dict[str, tuple[Policy, str]] = {
    "destination": (
        Policy(destinations=("https://other.example.com",)),
        "the destination https://in.example.com",
    ),
    "no destination": (Policy(destinations=()), "the destination"),
    "in the clear": (Policy(recipients=("age1ours",)), "not encrypted"),
    "level": (Policy(privacy="identifiers"), "its privacy level is none, and at least identifiers"),
    "category": (Policy(never=("logs", "debug")), "it holds logs"),
    "size": (Policy(largest=1000), "more than 1000 B"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_rule_refuses_and_says_which(case: str, package: Package, destination: Destination) -> None:
    policy, why = CASES[case]
    with pytest.raises(Refused, match=why):
        policy.require(package, destination)


def test_a_destination_is_allowed_with_what_lies_below_it(package: Package, destination: Destination) -> None:
    policy = Policy(destinations=("https://in.example.com/ours",))
    policy.require(package, replace(destination, path="/ours/in"))
    for path in ("", "/ours2", "/theirs"):
        with pytest.raises(Refused, match="the destination"):
            policy.require(package, replace(destination, path=path))


def test_a_foreign_key_is_refused_however_many_of_ours_there_are(
    package: Package, destination: Destination
) -> None:
    policy = Policy(recipients=("age1ours", "age1theirs"))
    policy.require(replace(package, recipients=("age1theirs",)), destination)
    with pytest.raises(Refused, match="encrypted to age1other"):
        policy.require(replace(package, recipients=("age1ours", "age1other")), destination)


def test_a_level_that_nobody_knows_counts_as_none(package: Package, destination: Destination) -> None:
    with pytest.raises(Refused, match="level"):
        Policy(privacy="strict").require(replace(package, privacy="everything"), destination)


POLICIES = st.builds(
    Policy,
    destinations=st.none() | st.just(()) | st.just(("https://in.example.com",)),
    recipients=st.none() | st.just(()) | st.just(("age1ours",)),
    privacy=st.sampled_from(["none", "identifiers", "strict"]),
    never=st.lists(st.sampled_from([str(one) for one in Category]), max_size=3).map(tuple),
    largest=st.none() | st.integers(0, 2_000_000),
)


def allows(policy: Policy, package: Package, destination: Destination) -> bool:
    """Whether the policy is not against it."""
    try:
        policy.require(package, destination)
    except Refused:
        return False
    return True


@given(POLICIES, st.sampled_from(["none", "identifiers"]), st.sampled_from([(), ("age1ours",), ("age1x",)]))
def test_no_rule_widens_anything(policy: Policy, level: str, keys: tuple[str, ...]) -> None:
    """Whatever a policy allows is allowed without it, and also with any one of its rules taken out."""
    package = Package(
        "a" * 64, "x", "b" * 64, 1_000_000, "tar.zst", "", True, "db1", recipients=keys, privacy=level
    )
    there = Destination("x", Protocol.CLINIC, "https://in.example.com")
    if not allows(policy, package, there):
        return
    for field in fields(Policy):
        without = replace(policy, **{field.name: field.default})  # type: ignore[arg-type]  # fields by their names
        assert allows(without, package, there)


def test_plug_ins() -> None:
    Policy().require_plug_in("any.yaml")
    Policy(plug_ins=("ours",)).require_plug_in("ours")
    with pytest.raises(Refused, match=r"does not allow the collector any\.yaml"):
        Policy(plug_ins=("ours",)).require_plug_in("any.yaml")
