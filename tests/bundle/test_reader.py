"""What readers get: checked bundles, plain bytes of any member, and what a killed run left."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from clinic.bundle.journal import Header
from clinic.bundle.reader import Bundle
from clinic.bundle.record import Entry, Record
from clinic.bundle.writer import BundleWriter, Sealed
from clinic.errors import BadBundle, UsageError
from clinic.redact import Redactor
from clinic.units import MIB

Seal = Callable[[Mapping[str, bytes]], Sealed]
Write = Callable[[BundleWriter, Entry, bytes], Record]
LOG = b"".join(b"[2026/11/25 10:00:%02d] one line of a log, number %d\n" % (n % 60, n) for n in range(20_000))


def test_a_member_gives_its_plain_bytes_whatever_its_compression(sealed: Seal) -> None:
    bundle = Bundle.open(sealed({"h1/os.txt": b"Debian\n", "h1/tidb.log": LOG}).path)
    assert {file.path for file in bundle.files()} == {"h1/os.txt", "h1/tidb.log.zst", "SUMMARY.txt"}
    for name, data in {"h1/os.txt": b"Debian\n", "h1/tidb.log": LOG, "h1/tidb.log.zst": LOG}.items():
        with bundle.member(name) as stream:
            assert stream.read() == data


def test_a_member_can_be_read_in_small_pieces_and_by_line(sealed: Seal) -> None:
    bundle = Bundle.open(sealed({"h1/tidb.log": LOG}).path)
    with bundle.member("h1/tidb.log") as stream:
        assert stream.read(10) == LOG[:10]
        assert stream.readline() == LOG[10 : LOG.index(b"\n") + 1]
        assert b"".join(stream) == LOG[LOG.index(b"\n") + 1 :]


def test_a_name_that_is_not_listed_is_a_usage_error(sealed: Seal) -> None:
    bundle = Bundle.open(sealed({"h1/os.txt": b"Debian\n"}).path)
    for name in ("h1/other.txt", "manifest.json", "../outside", "/etc/passwd"):
        with pytest.raises(UsageError, match="there is no file"):
            bundle.member(name)


def test_a_file_that_is_swapped_for_a_link_after_the_check_is_not_followed(
    sealed: Seal, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(b"Debian\n")
    root = sealed({"h1/os.txt": b"Debian\n"}).path
    bundle = Bundle.open(root)
    (root / "h1/os.txt").unlink()
    (root / "h1/os.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(BadBundle, match="can't be read"):
        bundle.member("h1/os.txt")


def test_a_folder_that_is_swapped_for_a_link_after_the_check_is_not_followed(
    sealed: Seal, tmp_path: Path
) -> None:
    root = sealed({"h1/os.txt": b"Debian\n"}).path
    bundle = Bundle.open(root)
    (root / "h1").rename(tmp_path / "h1")
    (root / "h1").symlink_to(tmp_path / "h1")
    with pytest.raises(BadBundle, match="can't be read"):
        bundle.member("h1/os.txt")


def test_a_file_that_shrinks_or_grows_after_the_check_is_told(sealed: Seal) -> None:
    root = sealed({"h1/os.txt": b"Debian\n"}).path
    bundle = Bundle.open(root)
    for data, message in (
        (b"Deb", "ends after 3 of 7 bytes"),
        (b"Debian 12\n", "holds more than the 7 bytes"),
    ):
        (root / "h1/os.txt").write_bytes(data)
        with bundle.member("h1/os.txt") as stream, pytest.raises(BadBundle, match=message):
            stream.read()


def test_the_id_is_the_digest_of_the_manifest_and_stands_in_no_file(sealed: Seal) -> None:
    made = sealed({"h1/os.txt": b"Debian\n"})
    assert Bundle.open(made.path).id == made.bundle_id
    for path in made.path.rglob("*"):
        if path.is_file() and path.name != "SHA256SUMS":
            assert made.bundle_id not in path.read_text()


def test_what_a_killed_run_left_says_what_is_there_and_what_is_not(
    tmp_path: Path, redactor: Redactor, plan: Callable[..., Header], write: Write
) -> None:
    header = plan("h1/a.txt", "h1/b.txt", "h1/c.txt")
    with BundleWriter.create(tmp_path / "b", header, redactor, reserve=0) as writer:
        write(writer, header.entries[0], b"hello\n")
        writer.item(header.entries[1], cap=MIB, learn=False).part().write(b"half")
        left = Bundle.unsealed(tmp_path / "b")
    assert left.header == header
    assert [record.entry.path for record in left.records()] == ["h1/a.txt"]
    assert [entry.path for entry in left.missing()] == ["h1/b.txt", "h1/c.txt"]
    assert set(left.begun) == {"h1/b.txt"}
    assert not left.torn
    with left.member("h1/a.txt") as stream:
        assert stream.read() == b"hello\n"


def test_a_directory_without_a_journal_is_not_an_unfinished_bundle(tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match=r"is not a bundle: it has no journal\.jsonl"):
        Bundle.unsealed(tmp_path)


WITHOUT_LINUX = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name in {"fcntl", "pwd", "grp", "resource", "termios", "pty"}:
            raise ModuleNotFoundError(f"no module named {name!r} on this system", name=name)

sys.meta_path.insert(0, Blocked())
for name in ("fcntl", "pwd", "grp", "resource"):
    sys.modules.pop(name, None)

import os
from pathlib import Path

for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_DIRECTORY", "posix_fallocate", "fchmod", "geteuid"):
    if hasattr(os, name):
        delattr(os, name)
os.supports_dir_fd = set()

from clinic.bundle.reader import Bundle
from clinic.bundle.verify import verify

bundle = Bundle.open(Path(sys.argv[1]))
verify(bundle)
for file in bundle.files():
    with bundle.member(file.path) as stream:
        assert len(stream.read()) == file.plain
print(bundle.id)
"""


def test_reading_works_without_the_modules_that_only_unix_has(sealed: Seal) -> None:
    made = sealed({"h1/os.txt": b"Debian\n", "h1/tidb.log": LOG})
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LINUX, str(made.path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, made.bundle_id), done.stderr
