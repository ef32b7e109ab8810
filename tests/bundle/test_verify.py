"""Every bundle in `tests/hostile_bundles` is refused, with exactly the lines that name its defects."""

from __future__ import annotations

import gzip
import importlib.util
import io
import os
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from clinic.bundle.reader import Bundle
from clinic.bundle.verify import defects, verify
from clinic.bundle.writer import Sealed
from clinic.errors import BadBundle
from clinic.progress import Progress

ARCHIVES = Path(__file__).resolve().parent.parent / "hostile_bundles"

PLAIN = "and only plain files may be in a bundle"
DIFFERS = "is not the file that was sealed: its digest differs"
ZSTD = "is not what zstd wrote: zstd decompress error:"
DEFECTS: dict[str, list[str]] = {
    "whole": [],
    "journal-beside-manifest": [],
    "extra-file": ["'h1/extra.txt' is not in manifest.json"],
    "extra-folder": ["the folder 'h1/empty' is not in manifest.json"],
    "terminal-escape-in-a-name": ["'h1/\\x1b[2J\\n.txt' is not in manifest.json"],
    "symlink": [f"'h1/os.txt' is a link, {PLAIN}"],
    "symlink-folder": [f"'h1' is a link, {PLAIN}", "'h1/os.txt' is missing", "'h1/tidb.log.zst' is missing"],
    "symlink-manifest": ["'manifest.json' can't be read: Too many levels of symbolic links"],
    "pipe": [f"'h1/os.txt' is a pipe, {PLAIN}"],
    "device": [f"'h1/os.txt' is a device, {PLAIN}"],
    "parent-path": [
        "manifest.json lists '../outside.txt', which is not a path inside the bundle",
    ],
    "absolute-path": [
        "manifest.json lists '/etc/passwd', which is not a path inside the bundle",
    ],
    "windows-path": [
        "manifest.json lists 'C:\\\\secrets.txt', which is not a path inside the bundle",
    ],
    "fixed-name": [
        "manifest.json lists 'journal.jsonl', which it may not",
    ],
    "changed-byte": [f"'h1/os.txt' {DIFFERS}"],
    "wrong-size": ["'h1/os.txt' has 10 bytes instead of 7"],
    "missing-file": ["'h1/os.txt' is missing"],
    "zstd-bomb": ["'h1/bomb.zst' expands to more than the 1,000 bytes it should"],
    "zstd-short": ["'h1/short.zst' ends after 131,072 of 131,073 bytes"],
    "zstd-window": [f"'h1/window.zst' {ZSTD} Frame requires too much memory for decoding"],
    "zstd-garbage": [f"'h1/garbage.zst' {ZSTD} Unknown frame descriptor"],
    "two-sizes": ["'h1/two.txt' is not compressed, and its two sizes in the manifest differ"],
    "unknown-version": [
        "manifest.json is of the format 'clinic-bundle/2', and this version of Clinic reads clinic-bundle/1"
    ],
    "not-a-manifest": [
        "SHA256SUMS has another digest of 'manifest.json' than the file",
        "manifest.json is of no known format, and this version of Clinic reads clinic-bundle/1",
    ],
    "truncated-manifest": [
        "SHA256SUMS has another digest of 'manifest.json' than the file",
        "manifest.json is not JSON in line 32 (it is cut short)",
    ],
    "changed-manifest": ["SHA256SUMS has another digest of 'manifest.json' than the file"],
    "impossible-size": [
        "manifest.json has an impossible size or digest of 'h1/os.txt'",
    ],
    "sums-missing": ["'SHA256SUMS' can't be read: No such file or directory"],
    "sums-disagree": ["SHA256SUMS has another digest of 'h1/os.txt' than manifest.json"],
    "sums-extra": ["SHA256SUMS lists 'h1/more.txt', which manifest.json does not"],
    "sums-malformed": [
        "SHA256SUMS: line 1 is not a digest, two blanks and a path",
        "SHA256SUMS does not list 'h1/os.txt'",
    ],
    "duplicate-path": ["manifest.json lists 'h1/os.txt' twice"],
    "case-collision": [
        "'h1/os.txt' has the name of another file where case does not matter",
        "'h1/OS.txt' has the name of another file where case does not matter",
    ],
    "everything-at-once": [
        "manifest.json lists '../outside.txt', which is not a path inside the bundle",
        "'h1/extra.txt' is not in manifest.json",
        f"'h1/link' is a link, {PLAIN}",
        "'h1/os.txt' is missing",
        f"'h1/tidb.log.zst' {DIFFERS}",
    ],
}
ONLY_CONTENTS = {"changed-byte", "zstd-bomb", "zstd-short", "zstd-window", "zstd-garbage", "two-sizes"}
"""Defects that only reading the files shows."""


def unpack(name: str, into: Path) -> Path:
    """The bundle `name` as a directory."""
    with tarfile.open(ARCHIVES / f"{name}.tar.gz") as tar:
        if any(info.isdev() and not info.isfifo() for info in tar) and os.geteuid() != 0:
            pytest.skip("needs root to make a device")
        if hasattr(tarfile, "fully_trusted_filter"):
            tar.extractall(into / name, filter="fully_trusted")
        else:  # Debian 12's 3.11.2 has no filters yet, and trusts as fully
            tar.extractall(into / name)
    return into / name


@pytest.mark.parametrize("name", DEFECTS)
def test_every_defect_is_named_in_a_line_of_its_own(name: str, tmp_path: Path) -> None:
    assert list(defects(unpack(name, tmp_path))) == DEFECTS[name]


@pytest.mark.parametrize(
    "name", sorted(DEFECTS.keys() - ONLY_CONTENTS - {"whole", "journal-beside-manifest"})
)
def test_a_bundle_with_a_defect_in_its_listing_can_not_be_opened(name: str, tmp_path: Path) -> None:
    root = unpack(name, tmp_path)
    with pytest.raises(BadBundle) as caught:
        Bundle.open(root)
    lines = [line for line in DEFECTS[name] if DIFFERS not in line]
    if len(lines) == 1:
        assert caught.value.message == f"{root}: {lines[0]}"
    else:
        assert caught.value.message.split("\n") == [
            f"{root}: {len(lines)} defects",
            *(f"  {line}" for line in lines),
        ]


@pytest.mark.parametrize("name", sorted(ONLY_CONTENTS))
def test_a_bundle_with_a_defect_in_its_contents_does_not_verify(name: str, tmp_path: Path) -> None:
    root = unpack(name, tmp_path)
    with pytest.raises(BadBundle) as caught:
        verify(Bundle.open(root))
    assert caught.value.message == f"{root}: {DEFECTS[name][0]}"


@pytest.mark.parametrize("name", ["whole", "journal-beside-manifest"])
def test_a_whole_bundle_verifies(name: str, tmp_path: Path) -> None:
    verify(Bundle.open(unpack(name, tmp_path)))


def test_a_bomb_of_4_gib_is_refused_before_it_grows(tmp_path: Path) -> None:
    bundle = Bundle.open(unpack("zstd-bomb", tmp_path))
    began = time.process_time()
    with (
        bundle.member("h1/bomb") as stream,
        pytest.raises(BadBundle, match="expands to more than the 1,000 bytes"),
    ):
        stream.read()
    assert time.process_time() - began < 5


def _make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("clinic_tests_bundles_make", ARCHIVES / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_archive_has_its_lines_here_and_is_what_its_script_makes() -> None:
    drafts = _make().DRAFTS
    archives = {path.name.removesuffix(".tar.gz"): path for path in ARCHIVES.glob("*.tar.gz")}
    assert archives.keys() == DEFECTS.keys() == drafts.keys()
    for name, path in archives.items():
        # zlib's own output may change with its version; what is in it may not.
        assert gzip.decompress(path.read_bytes()) == _make().archive(drafts[name]()), (
            f"run tests/hostile_bundles/make.py: {name}"
        )


def test_the_archives_stay_small() -> None:
    assert sum(path.stat().st_size for path in ARCHIVES.glob("*.tar.gz")) < 200_000


@pytest.mark.parametrize("name", ["h1/a.txt", "h1/big.log.zst", "SUMMARY.txt", "manifest.json", "SHA256SUMS"])
def test_any_flipped_bit_of_a_real_bundle_is_found(
    sealed: Callable[[Mapping[str, bytes]], Sealed], name: str
) -> None:
    root = sealed({"h1/a.txt": b"hello\n", "h1/big.log": b"one line of a log\n" * 10_000}).path
    raw = bytearray((root / name).read_bytes())
    for at in (0, len(raw) // 2, len(raw) - 1):
        raw[at] ^= 0x10
        (root / name).write_bytes(raw)
        assert defects(root)
        raw[at] ^= 0x10
    (root / name).write_bytes(raw)
    assert defects(root) == ()


def test_progress_is_told_of_every_file(sealed: Callable[[Mapping[str, bytes]], Sealed]) -> None:
    told: list[str] = []

    class Listener(Progress):
        def ended(self, key: str, status: str) -> None:
            told.append(f"{key} {status}")

    verify(Bundle.open(sealed({"h1/a.txt": b"hello\n"}).path), Listener())
    assert told == ["h1/a.txt ok", "SUMMARY.txt ok"]


def test_what_is_no_bundle_is_told_apart(tmp_path: Path) -> None:
    for path, message in [
        (tmp_path / "nothing", f"{tmp_path}/nothing is not a directory"),
        (tmp_path, f"{tmp_path} is not a bundle: it has no manifest.json"),
    ]:
        with pytest.raises(BadBundle) as caught:
            Bundle.open(path)
        assert caught.value.message == message
    (tmp_path / "journal.jsonl").write_bytes(b"")
    with pytest.raises(BadBundle, match="is not sealed: its run did not come to an end") as caught:
        Bundle.open(tmp_path)
    assert "clinic seal" in caught.value.hint


def test_the_broken_archives_hold_no_surprise_for_an_unpacker() -> None:
    """None of them writes outside the directory that it is unpacked in."""
    for path in ARCHIVES.glob("*.tar.gz"):
        with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as tar:
            assert not [
                info.name for info in tar if info.name.startswith("/") or ".." in info.name.split("/")
            ]
