"""However large the bundle, packing and unpacking it need the same little memory."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from clinic.bundle.manifest import Manifest, Redaction, Run
from clinic.bundle.names import MANIFEST, SUMS
from clinic.bundle.record import Entry, FileEntry, Record
from clinic.bundle.structure import sums
from clinic.outcome import Status
from clinic.units import KIB, MIB

LARGEST = 100 * MIB
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

pytestmark = pytest.mark.soak


def log(size: int) -> bytes:
    """The frames of a log of so many plain bytes, about half of which is noise."""
    chance = random.Random(1)
    frames = zstandard.ZstdCompressor(level=1).compressobj()
    parts = [
        frames.compress(chance.randbytes(MIB // 4).hex().encode() + bytes(MIB // 2))
        for _ in range(size // MIB)
    ]
    return b"".join([*parts, frames.flush()])


@pytest.fixture
def root(tmp_path: Path, run: Callable[..., Run]) -> Path:
    """A sealed bundle of three logs of 512 MiB each, and what diag needs."""
    root, frames = tmp_path / "bundle", log(512 * MIB)
    members = {f"db1/log/std/tidb-{number}.log.zst": (frames, 512 * MIB) for number in range(3)}
    cluster = json.dumps({"cluster_name": "shop", "cluster_id": "7", "cluster_type": "tidb-cluster"}).encode()
    members["cluster.json"] = (cluster, len(cluster))
    records: list[Record] = []
    for path, (data, plain) in members.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        (root / path).write_bytes(data)
        identity = "topology.cluster" if path == "cluster.json" else "log.std"
        place = path if path == "cluster.json" else "db1/log/std"
        entry = Entry(identity, place, "test", "logs", "user-data", "log", place != path)
        file = FileEntry(path, plain, len(data), hashlib.sha256(data).hexdigest())
        records.append(Record(entry, Status.OK, files=(file,)))
    manifest = Manifest(run(), "2026-11-25T12:10:00Z", False, None, Redaction("1"), tuple(records))
    (root / MANIFEST).write_bytes(manifest.to_json())
    digest = hashlib.sha256(manifest.to_json()).hexdigest()
    (root / SUMS).write_bytes(sums(manifest.files(), digest))
    return root


WATCHER = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)
"""A child's peak begins with the size of the process that forked it: this one is small."""


def peak(*words: str | Path) -> int:
    """Bytes of memory that `clinic` with these words held at most."""
    command = [sys.executable, "-c", WATCHER, sys.executable, "-m", "clinic", *words]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(told.stdout) * KIB


def test_a_package(root: Path, tmp_path: Path) -> None:
    assert peak("pack", root, "--no-scan", "-o", tmp_path / "p.tar.zst") < LARGEST
    assert peak("unpack", tmp_path / "p.tar.zst", "-o", tmp_path / "again") < LARGEST


def test_an_encrypted_package(root: Path, tmp_path: Path) -> None:
    if shutil.which("age-keygen") is None:
        pytest.skip("needs the age command")
    subprocess.run(["age-keygen", "-o", tmp_path / "key"], check=True, capture_output=True)
    words: list[str | Path] = ["age-keygen", "-y", tmp_path / "key"]
    own = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    out = tmp_path / "p.tar.zst.age"
    assert peak("pack", root, "--no-scan", "-o", out, "--recipient", RECIPIENT, "--recipient", own) < LARGEST
    assert peak("unpack", out, "--identity", tmp_path / "key", "-o", tmp_path / "again") < LARGEST


def test_a_diag(root: Path, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("not run: this machine has no openssl")
    key, cert = tmp_path / "key", tmp_path / "cert"
    words: list[str | Path] = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x"]
    subprocess.run([*words, "-keyout", key, "-out", cert], check=True, capture_output=True)
    assert peak("pack", root, "--no-scan", "-o", tmp_path / "p.diag", "--cert", cert) < LARGEST
    assert peak("verify", tmp_path / "p.diag", "--key", key) < LARGEST
