"""A bundle as diag's tree and as a `.diag`, held against openssl, zstd and tar, which know nothing of us."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard

from clinic.bundle.journal import Header
from clinic.bundle.manifest import ClusterFacts, InstanceFacts, Run
from clinic.bundle.record import Entry, Record
from clinic.bundle.writer import BundleWriter
from clinic.container import archive, diag
from clinic.errors import BadBundle, UsageError
from clinic.formats.protobuf import field, number
from clinic.formats.readframes import frame
from clinic.formats.xorchunk import STALE, encode, to_bits
from clinic.outcome import Status
from clinic.read.diagfile import examine_diag, head_of, is_diag, unpack_diag
from clinic.read.diagtree import convert
from clinic.read.open import Opened, open_bundle
from clinic.read.pack import pack
from clinic.redact import Redactor
from clinic.secret import SecretRegister
from clinic.units import MIB

START = 1_764_000_000_000
CLUSTER: dict[str, object] = {
    "cluster_name": "shop",
    "cluster_id": "7026979526203810949",
    "cluster_type": "tidb-cluster",
    "topology": {},
}
LOG = b"[2026/11/25 10:00:00.000 +08:00] [INFO] [a.go:1] [hello]\n" * 3000


def series(name: str, values: list[tuple[int, float]]) -> bytes:
    """A series of one chunk as a server writes it into a frame."""
    samples = [(moment, STALE if value == -1 else to_bits(value)) for moment, value in values]
    return chunk(name, samples[0][0], samples[-1][0], 1, encode(samples))


def chunk(name: str, start: int, end: int, encoding: int, data: bytes) -> bytes:
    """A series of one chunk, of numbers (1) or of native histograms (2)."""
    label = field(1, field(1, b"__name__") + field(2, name.encode()))
    span = b"\x08" + number(start) + b"\x10" + number(end) + b"\x18" + number(encoding)
    return field(1, label + field(2, span + field(4, data)))


FRAMES = frame(
    series("up", [(START, 1.0), (START + 15_000, 0.0)])
    + series("up", [(START + 30_000, 1.0), (START + 45_123, -1)])
    + series("load", [(START, 0.1 + 0.2), (START + 1, float("inf"))])
    # The same three histograms came twice.
    + 2 * chunk("latency", START, START + 30_000, 2, b"\x00\x03and what only Prometheus reads")
)
LEFT_OUT = "diag has no form for 3 samples of native histograms, of 1 metric: latency"

Item = tuple[str, str, str, bytes]
ITEMS: tuple[Item, ...] = (
    ("topology.cluster", "cluster.json", "", json.dumps(CLUSTER).encode()),
    ("log.std", "db1/tidb-deploy/tidb-4000/log/std", "tidb.log", LOG),
    (
        "log.slow",
        "db1/tidb-deploy/tidb-4000/log/slow",
        "tidb_slow_query.log",
        b"# Time: 2026-11-25T10:00:00Z\n",
    ),
    ("config.files", "db1/tidb-deploy/tidb-4000/conf", "tidb.toml", b"port = 4000\n"),
    ("config.running", "db1/tidb-deploy/tidb-4000/conf/config.json", "", b"{}\n"),
    ("variables.global", "db_vars/db1-4000/global_variables.csv", "", b"a,1\n"),
    ("variables.global", "db_vars/db2-4000/global_variables.csv", "", b"a,2\n"),
    ("variables.session", "db_vars/db1-4000/session_variables.csv", "", b"s,1\n"),
    ("variables.tidb", "db_vars/mysql.tidb.csv", "", b"tikv_gc_life_time,10m0s\n"),
    ("metrics.samples", "monitor/metrics/db1-9090", "frames-0001.bin", FRAMES),
    ("system.df", "db1/system/df.txt", "", b"Filesystem\n"),
)
EXPECTED = {
    "db1/tidb-deploy/tidb-4000/log/tidb.log": LOG,
    "db1/tidb-deploy/tidb-4000/log/tidb_slow_query.log": b"# Time: 2026-11-25T10:00:00Z\n",
    "db1/tidb-deploy/tidb-4000/conf/tidb.toml": b"port = 4000\n",
    "db1/tidb-deploy/tidb-4000/conf/config.json": b"{}\n",
    "db_vars/global_variables.csv": b"a,1\n",
    "db_vars/mysql.tidb.csv": b"s,1\n",
}
METRICS = "monitor/metrics/db1_9090"


def _entry(identity: str, path: str, name: str) -> Entry:
    content = "frames" if identity.startswith("metrics") else "text"
    category = {"log": "logs"}.get(identity.partition(".")[0], identity.partition(".")[0])
    return Entry(identity, path, "test", category, "internal", content, bool(name), "db1")


@pytest.fixture
def opened(tmp_path: Path, run: Callable[..., Run]) -> Opened:
    """A bundle of a small cluster."""
    monitor = InstanceFacts("db1-9090", "prometheus", "db1", 9090)
    header = Header(
        run(cluster=ClusterFacts("shop", "tiup", ("db1",), (monitor,), id=str(CLUSTER["cluster_id"]))),
        tuple(_entry(identity, path, name) for identity, path, name, _ in ITEMS),
    )
    with BundleWriter.create(tmp_path / "bundle", header, Redactor(SecretRegister()), reserve=0) as writer:
        for entry, (_, _, name, data) in zip(header.entries, ITEMS, strict=True):
            item = writer.item(entry, cap=4 * MIB, learn=False)
            part = item.part(name)
            part.write(data)
            part.finish()
            writer.record(Record(entry, Status.OK, files=item.commit()))
        writer.seal()
    return open_bundle(tmp_path / "bundle")


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, made by openssl."""

    pem: str
    key: Path


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("pair"))


def make_pair(folder: Path) -> Pair:
    """A new pair in `folder`: `cert.pem` and `key`."""
    if shutil.which("openssl") is None:
        pytest.skip("not run: this machine has no openssl")
    words = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=lab-test -days 1 -keyout key -out cert.pem"
    subprocess.run(words.split(), cwd=folder, check=True, capture_output=True)
    return Pair((folder / "cert.pem").read_text(), folder / "key")


def files_of(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def openssl_opens(data: bytes, key: Path) -> bytes:
    """What a wrapped key and what it encrypts hold, by openssl alone."""
    oaep = ("rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256")
    options = [word for one in oaep for word in ("-pkeyopt", one)]
    words: list[str | Path] = ["openssl", "pkeyutl", "-decrypt", "-inkey", key, *options]
    secret = subprocess.run(words, input=data[:256], check=True, capture_output=True).stdout
    assert len(secret) == 32
    cipher = ["openssl", "enc", "-d", "-aes-256-cfb", "-K", secret.hex(), "-iv", data[:16].hex()]
    return subprocess.run(cipher, input=data[256:], check=True, capture_output=True).stdout


def test_an_independent_reader_opens_it(opened: Opened, pair: Pair, tmp_path: Path) -> None:
    made = pack(opened, tmp_path / "p.diag", certificate=pair.pem)
    data = (tmp_path / "p.diag").read_bytes()
    assert data[:5] == b"D1ag\x18"
    length = int.from_bytes(data[5:8], "big")
    told = json.loads(openssl_opens(data[8 : 8 + length], pair.key))
    payload = openssl_opens(data[8 + length :], pair.key)
    tar = subprocess.run(["zstd", "-dcq"], input=payload, check=True, capture_output=True).stdout
    (tmp_path / "tree").mkdir()
    subprocess.run(["tar", "-x", "-C", tmp_path / "tree"], input=tar, check=True)
    convert(opened, tmp_path / "converted")
    assert files_of(tmp_path / "tree") == files_of(tmp_path / "converted")
    size = sum(map(len, files_of(tmp_path / "tree").values()))
    assert told == {
        "cluster_id": CLUSTER["cluster_id"], "cluster_type": "tidb-cluster", "cluster_name": "shop",
        "begin_time": opened.run.window.start, "end_time": opened.run.window.end, "k8s_namespace": None,
        "rebuild": True, "dir_size": size,
    }  # fmt: skip
    names = subprocess.run(["tar", "-t"], input=tar, check=True, capture_output=True).stdout.decode().split()
    assert names[:3] == ["cluster.json", "db1/", "db1/tidb-deploy/"]
    assert made.container == "diag"


def test_its_facts_name_the_certificate_and_what_is_not_in_it(
    opened: Opened, pair: Pair, tmp_path: Path
) -> None:
    made = pack(opened, tmp_path / "p.diag", certificate=pair.pem)
    words = ["openssl", "x509", "-noout", "-fingerprint", "-sha256"]
    shown = subprocess.run(words, input=pair.pem, check=True, capture_output=True, text=True).stdout
    assert made.recipients == (shown.partition("=")[2].strip().replace(":", "").lower(),)
    assert "system" not in {kept.category for kept in made.kept}
    told = "3 files have no place in diag's format: 1 of system, 2 of variables"
    assert made.missing[-1] == f"{told}; {LEFT_OUT}"


def test_the_tree_is_diags(opened: Opened, tmp_path: Path) -> None:
    tree = convert(opened, tmp_path / "out")
    found = files_of(tmp_path / "out")
    assert {path: found[path] for path in EXPECTED} == EXPECTED
    cluster = json.loads(found["cluster.json"])
    assert {name: cluster[name] for name in CLUSTER} == CLUSTER
    assert cluster["session"] == opened.id[:11]
    rest = found.keys() - EXPECTED.keys() - {"cluster.json"}
    assert rest == {
        f"{METRICS}/load-2025-11-24T16:00:00Z-2025-11-24T16:00:00Z.json",
        f"{METRICS}/up-2025-11-24T16:00:00Z-2025-11-24T16:00:30Z.json",
    }
    assert tree.homeless == {"system": 1, "variables": 2}


def test_native_histograms_are_left_out_and_that_is_said(opened: Opened, tmp_path: Path) -> None:
    tree = convert(opened, tmp_path / "out")
    assert tree.histograms == {"latency": 3}
    assert tree.lost.endswith(LEFT_OUT)


def test_metrics_are_answers_of_prometheus_to_the_last_bit(opened: Opened, tmp_path: Path) -> None:
    convert(opened, tmp_path / "out")
    answers = [
        json.loads(zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read())
        for path in sorted((tmp_path / "out" / METRICS).iterdir())
    ]
    assert [answer["status"] for answer in answers] == ["success", "success"]
    (load,), (up,) = (answer["data"]["result"] for answer in answers)
    assert load["metric"] == {"__name__": "load"}
    assert load["values"] == [[START / 1000, "0.30000000000000004"], [START / 1000 + 0.001, "+Inf"]]
    # The two pieces of one series are one; its end is no value.
    assert up["values"] == [[START / 1000, "1"], [START / 1000 + 15, "0"], [START / 1000 + 30, "1"]]


def test_a_log_that_is_left_out_is_not_in_it(opened: Opened, pair: Pair, tmp_path: Path) -> None:
    pack(opened, tmp_path / "p.diag", certificate=pair.pem, without=["log.std", "metrics"])
    unpack_diag(tmp_path / "p.diag", tmp_path / "out", pair.key)
    found = files_of(tmp_path / "out")
    assert not [path for path in found if path.endswith("tidb.log") or path.startswith("monitor/")]
    assert "db1/tidb-deploy/tidb-4000/log/tidb_slow_query.log" in found


def test_what_we_made_we_read(opened: Opened, pair: Pair, tmp_path: Path) -> None:
    pack(opened, tmp_path / "p.diag", certificate=pair.pem)
    assert is_diag(tmp_path / "p.diag")
    assert head_of(tmp_path / "p.diag").encrypted
    facts = examine_diag(tmp_path / "p.diag", pair.key)
    assert facts == unpack_diag(tmp_path / "p.diag", tmp_path / "out", pair.key)
    assert dict(facts.files) == {path: len(data) for path, data in files_of(tmp_path / "out").items()}


def test_a_changed_byte_in_the_bundle_leaves_nothing(opened: Opened, pair: Pair, tmp_path: Path) -> None:
    victim = next((tmp_path / "bundle").rglob("tidb.log*"))
    data = bytearray(victim.read_bytes())
    data[-2] ^= 1
    victim.write_bytes(data)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(BadBundle):
        pack(opened, tmp_path / "p.diag", certificate=pair.pem)
    with pytest.raises(BadBundle):
        convert(opened, tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before


def test_a_wrong_key_and_none_are_one_clear_line(opened: Opened, pair: Pair, tmp_path: Path) -> None:
    pack(opened, tmp_path / "p.diag", certificate=pair.pem)
    subprocess.run(["openssl", "genrsa", "-out", tmp_path / "other", "2048"], check=True, capture_output=True)
    with pytest.raises(UsageError, match=r"the key does not open .*p\.diag"):
        examine_diag(tmp_path / "p.diag", tmp_path / "other")
    with pytest.raises(UsageError, match="is encrypted"):
        examine_diag(tmp_path / "p.diag", None)
    (tmp_path / "none").write_text("hello")
    with pytest.raises(UsageError, match="holds no key"):
        examine_diag(tmp_path / "p.diag", tmp_path / "none")


def test_a_cut_or_a_changed_byte_is_noticed(opened: Opened, pair: Pair, tmp_path: Path) -> None:
    path = tmp_path / "p.diag"
    pack(opened, path, certificate=pair.pem)
    data = path.read_bytes()
    for broken in (data[:-700], data[:6], data[:-900] + bytes((data[-900] ^ 1,)) + data[-899:]):
        path.write_bytes(broken)
        with pytest.raises(BadBundle):
            examine_diag(path, pair.key)
        with pytest.raises(BadBundle):
            unpack_diag(path, tmp_path / "out", pair.key)
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [("../evil", "is not a path inside"), ("/etc/x", "is not a path inside"), ("a", "more than")],
)
def test_one_that_was_made_to_harm_is_refused(pair: Pair, tmp_path: Path, name: str, words: str) -> None:
    pieces = archive.write([archive.Member(name, 3000, [bytes(3000)])], 0)
    parts: list[bytes] = []
    diag.encrypt(b'{"dir_size": 2999}', pieces, pair.pem, parts.append)
    (tmp_path / "p.diag").write_bytes(b"".join(parts))
    with pytest.raises(BadBundle, match=words):
        unpack_diag(tmp_path / "p.diag", tmp_path / "out", pair.key)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "evil").exists()


def test_what_is_no_rsa_certificate_leaves_nothing(opened: Opened, tmp_path: Path) -> None:
    for text in ("hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(UsageError, match="certificate"):
            pack(opened, tmp_path / "p.diag", certificate=text)
    assert not (tmp_path / "p.diag").exists()


def test_without_cluster_json_nothing_of_diag_could_read_it(
    bundle: Callable[..., Path], record: Callable[..., Record], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"has no cluster\.json"):
        convert(open_bundle(bundle([record("system.df", b"x\n")])), tmp_path / "out")
    assert not (tmp_path / "out").exists()
