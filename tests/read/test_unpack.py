"""A package becomes a bundle again, or one clear line; whatever it was made to do, nothing else on the disk changes."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from clinic.bundle.manifest import Manifest
from clinic.bundle.record import Record
from clinic.bundle.verify import defects
from clinic.errors import BadBundle, UsageError
from clinic.read.open import open_bundle, opening
from clinic.read.pack import folder_name, pack
from clinic.read.unpack import unpack
from clinic.units import MIB

MakeRecord = Callable[..., Record]
Member = tuple[str, bytes] | tarfile.TarInfo


@pytest.fixture
def root(bundle: Callable[..., Path], record: MakeRecord) -> Path:
    """A sealed bundle with a large file and two small ones."""
    noise = os.urandom(400_000).hex().encode()
    lines = b"\n".join(noise[at : at + 80] for at in range(0, len(noise), 80))
    return bundle(
        [
            record("system.df", b"Filesystem\n"),
            record("log.std", lines, name="tidb.log"),
            record("system.free", b"Mem:\n"),
        ],
        cap=8 * MIB,
    )


@pytest.fixture
def contents(root: Path) -> dict[str, bytes]:
    """The files of the bundle by their path in a package, the manifest first."""
    top = folder_name(open_bundle(root).run)
    paths = sorted(path for path in root.rglob("*") if path.is_file() and path.name != "manifest.json")
    return {f"{top}/{path.relative_to(root)}": path.read_bytes() for path in (root / "manifest.json", *paths)}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Writes a package with Python's own tar."""

    def write(members: Mapping[str, bytes] | list[Member], *, tail: bytes = b"") -> Path:
        out = io.BytesIO()
        listed = list(members.items()) if isinstance(members, Mapping) else members
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for member in listed:
                if isinstance(member, tarfile.TarInfo):
                    tar.addfile(member)
                else:
                    info = tarfile.TarInfo(member[0])
                    info.size = len(member[1])
                    tar.addfile(info, io.BytesIO(member[1]))
        path = tmp_path / "hostile.tar.zst"
        path.write_bytes(zstandard.ZstdCompressor().compress(out.getvalue() + tail))
        return path

    return write


@pytest.fixture
def refused(tmp_path: Path) -> Iterator[Callable[[Path], str]]:
    """Unpacks what must not be: its one line. Nothing on the disk is new or different afterwards."""

    def state() -> list[tuple[str, int, bytes]]:
        return sorted(
            (str(path), path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
            for path in tmp_path.rglob("*")
        )

    def attempt(package: Path) -> str:
        before = state()
        with pytest.raises(BadBundle) as told:
            unpack(package, tmp_path / "out" / "bundle")
        assert state() == before
        assert "\n" not in told.value.message
        return told.value.message

    (tmp_path / "out").mkdir()
    yield attempt


def test_what_was_packed_comes_back_byte_for_byte(root: Path, tmp_path: Path) -> None:
    pack(open_bundle(root), tmp_path / "p.tar.zst")
    made = unpack(tmp_path / "p.tar.zst", tmp_path / "again")
    assert made.id == open_bundle(root).id
    assert subprocess.run(["diff", "-r", root, tmp_path / "again"], check=False).returncode == 0
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "again").rglob("*") if path.is_file()}
    assert (stat.S_IMODE((tmp_path / "again").stat().st_mode), modes) == (0o700, {0o600})


def test_what_another_tar_wrote_is_read(
    contents: dict[str, bytes], make: Callable[..., Path], tmp_path: Path
) -> None:
    unpack(make(contents), tmp_path / "again")
    assert defects(tmp_path / "again") == ()


@pytest.mark.parametrize(
    "path", ["../evil", "/etc/evil", "a/../../evil", "", ".", "x\\y", "c:evil", "a\x1b[2J"]
)
def test_no_path_leaves_the_directory(
    contents: dict[str, bytes], make: Callable[..., Path], refused: Callable[[Path], str], path: str
) -> None:
    top = next(iter(contents)).split("/")[0]
    for name in (path, f"{top}/{path}"):
        line = refused(make({**contents, name: b"x"}))
        assert "is not a path inside of" in line
        assert "\x1b" not in line


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (tarfile.DIRTYPE, "is not in manifest.json"),
        (b"Z", "of the type b'Z'"),
    ],
)
def test_only_plain_files_are_made(
    contents: dict[str, bytes],
    make: Callable[..., Path],
    refused: Callable[[Path], str],
    kind: bytes,
    words: str,
) -> None:
    names = list(contents)
    info = tarfile.TarInfo(names[-1])
    info.type, info.linkname = kind, "/etc/passwd"
    members: list[Member] = [*list(contents.items())[:-1], info]
    assert words in refused(make(members))


def test_a_name_that_comes_twice_is_refused(
    contents: dict[str, bytes], make: Callable[..., Path], refused: Callable[[Path], str]
) -> None:
    twice: list[Member] = [*contents.items(), list(contents.items())[-1]]
    assert "is there twice" in refused(make(twice))
    name, data = list(contents.items())[-1]
    other = f"{name.rpartition('/')[0]}/{name.rpartition('/')[2].upper()}"
    assert "is there twice" in refused(make({**contents, other: data}))


def test_what_the_manifest_does_not_list_is_refused(
    contents: dict[str, bytes], make: Callable[..., Path], refused: Callable[[Path], str]
) -> None:
    top = next(iter(contents)).split("/")[0]
    for name in ("extra.txt", ".lock", "journal.jsonl", "manifest.json.new"):
        assert "is not in manifest.json" in refused(make({**contents, f"{top}/{name}": b"x"}))


def test_what_is_missing_changed_or_of_another_size_is_named(
    contents: dict[str, bytes], make: Callable[..., Path], refused: Callable[[Path], str]
) -> None:
    victim = next(name for name in contents if name.endswith("/df.txt"))
    without = {name: data for name, data in contents.items() if name != victim}
    assert "is missing" in refused(make(without))
    assert "its digest differs" in refused(make({**contents, victim: b"X" + contents[victim][1:]}))
    assert "bytes instead of" in refused(make({**contents, victim: contents[victim] * 2}))
    sums = next(name for name in contents if name.endswith("SHA256SUMS"))
    changed = contents[sums].replace(b"0", b"1")
    assert "its SHA256SUMS is not that of its manifest.json" in refused(make({**contents, sums: changed}))


def test_the_manifest_must_come_first(
    contents: dict[str, bytes], make: Callable[..., Path], refused: Callable[[Path], str]
) -> None:
    assert "its first member is not manifest.json" in refused(make(dict(reversed(contents.items()))))
    assert "its first member is not manifest.json" in refused(make({}))
    assert "its first member is not manifest.json" in refused(make({"manifest.json": b"{}"}))
    assert "its first member is not manifest.json" in refused(make({"../manifest.json": b"{}"}))
    assert "is not JSON" in refused(make({"top/manifest.json": b"{"}))


def test_a_manifest_with_a_path_that_leaves_is_refused(
    root: Path, contents: dict[str, bytes], make: Callable[..., Path], refused: Callable[[Path], str]
) -> None:
    manifest = Manifest.from_json((root / "manifest.json").read_bytes())
    evil = replace(manifest, derived=(replace(manifest.derived[0], path="../evil"),))
    line = refused(make({**contents, next(iter(contents)): evil.to_json()}))
    assert "'../evil', which is not a path inside the bundle" in line


def test_a_bomb_costs_no_more_than_the_manifest_says(
    contents: dict[str, bytes], make: Callable[..., Path], refused: Callable[[Path], str], tmp_path: Path
) -> None:
    name = list(contents)[-1]
    huge = tarfile.TarInfo(name)
    huge.size = 1 << 40
    line = refused(_stream(tmp_path, [*list(contents.items())[:-1], huge]))
    assert "1,099,511,627,776 bytes instead of" in line
    manifest = tarfile.TarInfo("top/manifest.json")
    manifest.size = 1 << 40
    assert "more than the 256.0 MiB it may" in refused(_stream(tmp_path, [manifest]))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_never_ends_is_refused(
    kind: bytes, refused: Callable[[Path], str], tmp_path: Path
) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 1 << 33
    line = refused(_stream(tmp_path, [info]))
    assert "absurdly long" in line or "only plain files" in line


def _stream(tmp_path: Path, members: list[Member]) -> Path:
    """A package whose last member says that it is larger than what there is; zeros follow."""
    compressor = zstandard.ZstdCompressor().compressobj()
    path = tmp_path / "bomb.tar.zst"
    with path.open("wb") as out:
        for member in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member[0])
            data = b"" if isinstance(member, tarfile.TarInfo) else member[1]
            info.size = info.size or len(data)
            out.write(compressor.compress(info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)))
        for _ in range(64):
            out.write(compressor.compress(bytes(MIB)))
        out.write(compressor.flush())
    return path


def test_a_frame_that_needs_much_memory_is_refused(refused: Callable[[Path], str], tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    path = tmp_path / "wide.tar.zst"
    path.write_bytes(
        zstandard.ZstdCompressor(compression_params=parameters).compressobj().compress(os.urandom(9 << 20))
    )
    assert "it is damaged" in refused(path)


def test_something_after_the_end_is_refused(
    contents: dict[str, bytes], make: Callable[..., Path], refused: Callable[[Path], str]
) -> None:
    assert "something follows its last member" in refused(make(contents, tail=b"more"))
    assert "something follows its last member" in refused(make(contents, tail=bytes(2 * MIB)))


def test_every_cut_and_a_flipped_bit_anywhere_is_noticed(
    root: Path, refused: Callable[[Path], str], tmp_path: Path
) -> None:
    pack(open_bundle(root), tmp_path / "p.tar.zst")
    data = (tmp_path / "p.tar.zst").read_bytes()
    for number in range(24):
        at = number * (len(data) - 16) // 24
        broken = tmp_path / "broken.tar.zst"
        broken.write_bytes(data[:at] if number % 2 else data[:at] + bytes((data[at] ^ 4,)) + data[at + 1 :])
        assert str(broken) in refused(broken)


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04", b"age-encryption.org/v2\nx"])
def test_what_is_no_package_says_so(refused: Callable[[Path], str], tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "p"
    path.write_bytes(data)
    assert "is no package" in refused(path)


class TestEncrypted:
    """A package for age recipients."""

    @pytest.fixture
    def package(self, root: Path, tmp_path: Path) -> Path:
        """One that the identity in `key.txt` opens."""
        if shutil.which("age-keygen") is None:
            pytest.skip("needs the age command")
        for name in ("key.txt", "other.txt"):
            subprocess.run(["age-keygen", "-o", tmp_path / name], check=True, capture_output=True)
        shown = subprocess.run(
            ["age-keygen", "-y", tmp_path / "key.txt"], check=True, capture_output=True, text=True
        )
        pack(open_bundle(root), tmp_path / "p.tar.zst.age", recipients=[shown.stdout.strip()])
        return tmp_path / "p.tar.zst.age"

    def test_its_identity_opens_it(self, package: Path, tmp_path: Path, root: Path) -> None:
        made = unpack(package, tmp_path / "again", identities=[tmp_path / "other.txt", tmp_path / "key.txt"])
        assert made.id == open_bundle(root).id

    def test_what_age_encrypted_is_read(self, package: Path, root: Path, tmp_path: Path) -> None:
        pack(open_bundle(root), tmp_path / "p.tar.zst")
        words: list[str | Path] = ["age", "-e", "-i", tmp_path / "other.txt", "-o", tmp_path / "q.age"]
        subprocess.run([*words, tmp_path / "p.tar.zst"], check=True)
        unpack(tmp_path / "q.age", tmp_path / "again", identities=[tmp_path / "other.txt"])
        assert defects(tmp_path / "again") == ()

    def test_a_wrong_key_is_one_clear_line(self, package: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"no identity that was given opens .*p\.tar\.zst\.age"):
            unpack(package, tmp_path / "again", identities=[tmp_path / "other.txt"])
        with pytest.raises(UsageError, match="is encrypted") as told:
            unpack(package, tmp_path / "again")
        assert "--identity FILE" in told.value.hint
        assert not (tmp_path / "again").exists()

    @pytest.mark.parametrize("place", [0.3, 0.6, 0.999])
    def test_a_changed_or_cut_one_leaves_nothing(self, package: Path, tmp_path: Path, place: float) -> None:
        data = bytearray(package.read_bytes())
        at = int(len(data) * place)
        cut = bytes(data[:at])
        data[at] ^= 1
        for broken in (bytes(data), cut):
            package.write_bytes(broken)
            with pytest.raises(BadBundle, match=r"p\.tar\.zst\.age is damaged"):
                unpack(package, tmp_path / "again", identities=[tmp_path / "key.txt"])
            assert not (tmp_path / "again").exists()

    @pytest.mark.parametrize(
        "text", ["", "# nothing\n", "hello\n", "AGE-SECRET-KEY-1ABC\n", "age-encryption.org/v1\n"]
    )
    def test_what_holds_no_identity_says_so_and_shows_nothing_of_it(
        self, package: Path, tmp_path: Path, text: str
    ) -> None:
        (tmp_path / "bad.txt").write_text(text)
        with pytest.raises(UsageError, match=r"bad\.txt") as told:
            unpack(package, tmp_path / "again", identities=[tmp_path / "bad.txt"])
        assert "KEY-1ABC" not in told.value.message + str(told.value.__cause__)


def test_what_a_reader_unpacks_of_a_package_never_has_a_name(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(open_bundle(root), tmp_path / "p.tar.zst")
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    with opening(tmp_path / "p.tar.zst") as opened:
        assert (opened.name, opened.package) == (str(tmp_path / "p.tar.zst"), tmp_path / "p.tar.zst")
        for file in opened.files():
            with opened.member(file.path) as stream, open_bundle(root).member(file.path) as theirs:
                assert stream.read() == theirs.read()
        assert list((tmp_path / "scratch").iterdir()) == []
        held = opened.held
    with pytest.raises(ValueError, match="closed file"):
        held.member(opened.files()[0].path)
