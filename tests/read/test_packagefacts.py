"""What stands beside a package is held against the manifest inside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clinic.bundle.manifest import Redaction
from clinic.bundle.package import Kept, Package
from clinic.bundle.record import Record
from clinic.errors import BadBundle
from clinic.read.open import open_bundle
from clinic.read.pack import pack
from clinic.read.packagefacts import require_inside


@pytest.fixture
def made(bundle: Callable[..., Path], record: Callable[..., Record], tmp_path: Path) -> tuple[Path, Package]:
    """A package, and what stands beside it."""
    root = bundle([record("system.df", b"Filesystem\n"), record("log.std", b"a log\n" * 9, name="tidb.log")])
    out = tmp_path / "p.tar.zst"
    return out, pack(open_bundle(root), out)


def test_what_pack_wrote_is_what_is_inside(made: tuple[Path, Package]) -> None:
    assert require_inside(*made) is True


def test_with_something_left_out_too(
    bundle: Callable[..., Path], record: Callable[..., Record], tmp_path: Path
) -> None:
    root = bundle([record("system.df", b"Filesystem\n"), record("log.std", b"a log\n", name="tidb.log")])
    out = tmp_path / "p.tar.zst"
    assert require_inside(out, pack(open_bundle(root), out, without=["log.std"])) is True


LIES: dict[str, dict[str, object]] = {
    "the bundle id": {"bundle": "f" * 64},
    "the files": {"kept": (Kept("system", "public", 1, 1, 1),)},
    "the cluster": {"cluster": "a test cluster"},
    "the window": {"end": "2026-01-01T00:00:00Z"},
    "the case": {"case": "T-2"},
    "whether it is complete": {"complete": False},
    "what was masked": {"redaction": Redaction("9", {"password": 999})},
    "the privacy level": {"privacy": "strict"},
}


@pytest.mark.parametrize("what", LIES)
def test_every_fact_that_was_bent_is_named(what: str, made: tuple[Path, Package]) -> None:
    path, package = made
    lie = replace(package, **LIES[what])  # type: ignore[arg-type]  # fields by their names
    with pytest.raises(BadBundle, match=f"is not what is in it: {what}$"):
        require_inside(path, lie)


def test_what_is_encrypted_is_not_looked_into(made: tuple[Path, Package]) -> None:
    path, package = made
    assert require_inside(path, replace(package, container="tar.zst.age", kept=())) is False


def test_what_is_no_package_is_refused(made: tuple[Path, Package], tmp_path: Path) -> None:
    other = tmp_path / "other.tar.zst"
    other.write_bytes(b"not one")
    with pytest.raises(BadBundle):
        require_inside(other, made[1])
