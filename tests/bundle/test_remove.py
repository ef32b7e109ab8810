"""A bundle is removed by what it says of itself: not a file more."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from clinic.bundle.journal import Header
from clinic.bundle.record import Entry, Record
from clinic.bundle.remove import remove_bundle
from clinic.bundle.writer import BundleWriter, Sealed
from clinic.errors import BadBundle, Refused
from clinic.redact import Redactor
from clinic.units import MIB

Seal = Callable[[Mapping[str, bytes]], Sealed]


def test_a_sealed_bundle_goes_with_its_directory(sealed: Seal) -> None:
    root = sealed({"h1/a.txt": b"one", "h1/deep/b.txt": b"two"}).path
    assert remove_bundle(root, None) == ()
    assert not root.exists()


def test_what_others_put_there_stays_and_is_named(sealed: Seal) -> None:
    root = sealed({"h1/a.txt": b"one"}).path
    (root / "h1" / "thesis.doc").write_bytes(b"mine")
    (root / "notes").mkdir()
    (root / "notes" / "n.txt").write_bytes(b"mine")
    assert set(remove_bundle(root, None)) == {"h1/thesis.doc", "notes/n.txt"}
    assert {path.name for path in root.rglob("*") if path.is_file()} == {"thesis.doc", "n.txt"}


def test_links_are_removed_and_never_followed(sealed: Seal, tmp_path: Path) -> None:
    root = sealed({"h1/a.txt": b"one"}).path
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "a.txt").write_bytes(b"precious")
    (root / "h1" / "a.txt").unlink()
    (root / "h1").rmdir()
    (root / "h1").symlink_to(victim)
    assert remove_bundle(root, None) == ("h1",)
    assert (victim / "a.txt").read_bytes() == b"precious"


def test_a_path_that_leads_out_is_no_file_of_the_bundle(sealed: Seal, tmp_path: Path) -> None:
    root = sealed({"h1/a.txt": b"one"}).path
    manifest = root / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"h1/a.txt", b"../x.txt"))
    (tmp_path / "x.txt").write_bytes(b"precious")
    assert remove_bundle(root, None) == ("h1/a.txt",)
    assert (tmp_path / "x.txt").read_bytes() == b"precious"


@pytest.mark.parametrize("files", [{}, {"manifest.json": b"{}"}, {"journal.jsonl": b"{}\n"}, {"a.txt": b"x"}])
def test_what_is_no_bundle_is_left_alone(tmp_path: Path, files: Mapping[str, bytes]) -> None:
    root = tmp_path / "other"
    root.mkdir(mode=0o700)
    for name, data in files.items():
        (root / name).write_bytes(data)
    with pytest.raises(BadBundle):
        remove_bundle(root, None)
    assert {path.name for path in root.iterdir()} - {".lock"} == set(files)


def test_what_a_killed_run_left_goes_too(
    tmp_path: Path,
    redactor: Redactor,
    plan: Callable[..., Header],
    write: Callable[[BundleWriter, Entry, bytes], Record],
) -> None:
    root = tmp_path / "bundle"
    header = plan("h1/a.txt", "h1/b.txt")
    writer = BundleWriter.create(root, header, redactor, reserve=0)
    write(writer, header.entries[0], b"one")
    writer.item(header.entries[1], cap=MIB, learn=False).part().write(b"half")
    with pytest.raises(Refused, match="another run is writing"):
        remove_bundle(root, None)
    writer.close()
    (root / "h1" / "b.txt").write_bytes(b"renamed, and not yet on record")
    (root / "stranger").write_bytes(b"mine")
    assert remove_bundle(root, None) == ("stranger",)
    assert os.listdir(root) == ["stranger"]
