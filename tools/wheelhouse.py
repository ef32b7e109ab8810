"""Make one archive that installs Clinic on a machine without network, with whatever Python is there.

python tools/wheelhouse.py [--machine aarch64] [--python 3.11 ...] [--out DIR]   what `make wheelhouse` runs

It holds our wheel, the wheels of what it depends on, a requirements file for each Python from 3.10 to 3.13
that pins them by SHA-256, pip itself, and an install script.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from email.parser import Parser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename

from check_dist import ROOT, build, commit_time

SUPPORTED = ("3.10", "3.11", "3.12", "3.13")
GLIBC = range(28, 16, -1)
"""Minor versions of glibc 2 whose wheels will do: from that of RHEL 8 and Debian 10 (2.28) down."""


def platforms(machine: str) -> list[str]:
    """The wheel platforms that a Linux machine of this kind can use, the newest first."""
    return [f"manylinux_2_{minor}_{machine}" for minor in GLIBC] + [f"manylinux2014_{machine}"]


def requirements_of(wheel: Path, python: str, machine: str) -> Iterator[str]:
    """What the wheel needs on that Python, without its extras.

    pip judges the conditions of a requirement by the Python that runs it, not by the one asked for, so it is
    done here.
    """
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    there = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "extra": "",
    }
    for line in metadata.get_all("Requires-Dist", []):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(there):
            requirement.marker = None
            yield str(requirement)


def fetch(into: Path, *arguments: str) -> None:
    """Download wheels, and only wheels: an archive for a machine without compiler holds no source."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    subprocess.run([*pip, "--only-binary=:all:", f"--dest={into}", *arguments], check=True)


def dependencies(into: Path, wheel: Path, python: str, machine: str) -> list[Path]:
    """Fetch the wheels of everything that ours needs on that Python; returns them with ours."""
    print(f"fetching the wheels for Python {python} on {machine}", flush=True)
    there = [f"--platform={name}" for name in platforms(machine)]
    with tempfile.TemporaryDirectory(prefix="clinic-wheels-") as folder:
        wanted = requirements_of(wheel, python, machine)
        fetch(Path(folder), "--implementation=cp", f"--python-version={python}", *there, *wanted)
        fetched = sorted(Path(folder).iterdir())
        for path in fetched:
            shutil.copy(path, into)
    return [into / path.name for path in [*fetched, wheel]]


def pinned(wheels: Iterable[Path]) -> str:
    """A requirements file that allows exactly these files."""
    lines: list[str] = []
    for wheel in sorted(wheels):
        name, version, _, _ = parse_wheel_filename(wheel.name)
        lines.append(f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
    return "\n".join(lines) + "\n"


def pack(folder: Path, archive: Path) -> None:
    """A .tar.gz that is the same bytes whenever it is made of the same files."""
    stamp = int(commit_time())

    def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mtime = stamp
        member.mode = 0o755 if member.isdir() or member.name.endswith(".sh") else 0o644
        return member

    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=stamp) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        tar.add(folder, arcname=folder.name, filter=anonymous)


def make(out: Path, machine: str, pythons: Iterable[str]) -> Path:
    """Build our wheel, fetch the rest, pin, pack; returns the archive."""
    with tempfile.TemporaryDirectory(prefix="clinic-wheelhouse-") as scratch:
        own = build(Path(scratch, "own"), "--wheel")[0]
        version = parse_wheel_filename(own.name)[1]
        folder = Path(scratch, f"clinic-{version}-wheelhouse-linux-{machine}")
        shutil.copytree(ROOT / "tools" / "wheelhouse", folder)
        shutil.copy(own, folder)
        fetch(folder, "--no-deps", "pip")
        for python in pythons:
            wheels = dependencies(folder, own, python, machine)
            (folder / f"requirements-{python}.txt").write_text(pinned(wheels), encoding="utf-8")
        out.mkdir(parents=True, exist_ok=True)
        archive = out / f"{folder.name}.tar.gz"
        pack(folder, archive)
    return archive


def main() -> None:
    """Read the options, make the archive, say what to do with it."""
    parser = argparse.ArgumentParser(description="make an archive that installs Clinic without network")
    parser.add_argument(
        "--machine", default=platform.machine(), help="x86_64 or aarch64; default: this machine's"
    )
    parser.add_argument(
        "--python", nargs="+", choices=SUPPORTED, default=list(SUPPORTED), help="default: all of them"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="default: dist/")
    chosen = parser.parse_args()
    archive = make(chosen.out, chosen.machine, chosen.python)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    print(f"\n{archive}  {archive.stat().st_size / 1e6:.1f} MB\nsha256 {digest}\n")
    print("Carry it to the machine and type there, with a directory of your choice:\n")
    print(f"  tar xf {archive.name}\n  sh {archive.name.removesuffix('.tar.gz')}/install.sh /opt/clinic")


if __name__ == "__main__":
    main()
