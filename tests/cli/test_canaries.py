"""A whole bundle of a cluster that holds a made-up secret in each source, and real names: none is left in any form."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard
from tests.lab.planted import ADDRESS, HOST, Planted, plant, unplant
from tests.lab.state import LabError

from clinic.bundle.reader import Bundle
from clinic.bundle.verify import verify

pytestmark = [pytest.mark.lab, pytest.mark.slow]

TRACES = {
    "log-url": rb"kafka://u:\*\*\*@10\.0\.9\.21", "log-sql": rb"alter user 'app' identified by '\*\*\*'",
    "log-json": rb'\\"password\\": \\"\*\*\*\\"', "log-header": rb"Bearer \*\*\*",
    "slow-log": rb"secret-access-key=\*\*\*'",
    "config-file": rb'\[canary\]\npassword = "\*\*\*"', "config-run-time": rb'"auth-password": "\*\*\*"',
    "config-etcd": rb'"token": "\*\*\*"', "command-line": rb"loader --password=\*\*\*",
    "sql-processlist": rb"SET PASSWORD FOR 'app' = '\*\*\*'", "sql-slow-query": rb"IDENTIFIED BY '\*\*\*';",
    "sql-variable": rb"authentication_ldap_simple_bind_root_pwd,\*\*\*", "metric-label": rb"mysql://app:\*\*\*@db1",
    "alert-annotation": rb"https://ops:\*\*\*@runbooks", "error-body": rb"access denied, password=\*\*\*",
    "file-name": rb"old --password=(?:\*|%2A){3} x\.toml", "sink-uri": rb"cdc_user:\*\*\*@",
}  # fmt: skip
"""What is left where a canary was: that it was looked at shows that its absence says something."""


@dataclass(frozen=True)
class Made:
    """A bundle of the lab with canaries."""

    planted: Planted
    """The lab."""

    bundle: Path
    """The bundle."""

    environment: Mapping[str, str]
    """For further commands on it."""


def _clinic(made_or_environment: Mapping[str, str], *words: str | Path) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-m", "clinic", *map(str, words)]
    return subprocess.run(argv, env=dict(made_or_environment), capture_output=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Everything that can be collected from it."""
    place = tmp_path_factory.mktemp("canaries")
    place.parent.chmod(0o755)
    place.chmod(0o755)
    try:
        planted = plant(place)
    except LabError as error:
        pytest.skip(f"not run: {error}")
    try:
        password = place / "password"
        password.write_text(planted.cluster.credentials["password"])
        password.chmod(0o600)
        environment = {
            **os.environ, "CLINIC_HOME": str(place / "state"), "TIUP_HOME": str(planted.cluster.tiup_home),
        }  # fmt: skip
        bundle = place / "bundle"
        words = ("--from", "-5m", "--user", "root", "--password-file", password, "-o", bundle)
        done = _clinic(environment, "collect", "lab", "-y", "--include", "*", *words)
        assert done.returncode in (0, 3), done.stderr
        yield Made(planted, bundle, environment)
    finally:
        unplant(planted, place)


def _contents(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every file as it is stored and as it is decompressed, and every name."""
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        yield name, name.encode()
        if path.is_file():
            data = path.read_bytes()
            yield name, data
            if path.suffix == ".zst":
                reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True)
                yield name, reader.read()


def _forms(value: str) -> list[bytes]:
    """The value, and the ways in which it can be written; of base64 what does not depend on its neighbours."""
    data = value.encode()
    packed = [base64.b64encode(b"\0" * lead + data)[(0, 2, 3)[lead] : -4] for lead in range(3)]
    url = "".join(f"%{byte:02X}" for byte in data).encode()
    return [data, data[::-1], data.hex().encode(), data.hex().upper().encode(), url, url.lower(), *packed]


def test_no_canary_is_in_the_bundle_in_any_form(made: Made) -> None:
    forms = {form: place for place, value in made.planted.canaries.items() for form in _forms(value)}
    pattern = re.compile(b"|".join(map(re.escape, forms)))
    found = [(forms[hit], name) for name, data in _contents(made.bundle) for hit in pattern.findall(data)]
    assert found == []


def test_every_place_of_a_canary_was_looked_at(made: Made) -> None:
    together = b"\n".join(data for _, data in _contents(made.bundle))
    assert {place for place, trace in TRACES.items() if not re.search(trace, together)} == set()
    assert TRACES.keys() == made.planted.canaries.keys()


def test_leaks_finds_none_either(made: Made, tmp_path: Path) -> None:
    planted = tmp_path / "canaries.txt"
    planted.write_text("\n".join(made.planted.canaries.values()))
    assert _clinic(made.environment, "leaks", made.bundle, "--canaries", planted).returncode == 0


@pytest.mark.parametrize("level", ["identifiers", "strict"])
def test_no_name_is_left_the_joins_hold_and_the_way_back_is_there(
    made: Made, tmp_path: Path, level: str
) -> None:
    new = tmp_path / "new"
    done = _clinic(made.environment, "redact", made.bundle, "-o", new, "--privacy", level)
    assert done.returncode == 0, done.stderr
    verify(Bundle.open(new))
    gone = [
        re.escape(ADDRESS),
        r"10\.0\.9\.22",
        rf"\b{HOST}\b",
        r"\balicia\b",
        r"\bcdc_user\b",
        r",app,",
        r"app@",
        r"\[app\]",
    ]
    if level == "strict":
        gone += [
            r"\bshop\b",
            r"\borders\b",
            r"\bidx_note\b",
            r"\bcustomers\b",
            r"\b7480000000000000[0-9A-F]{4,}",
        ]
    pattern = re.compile("|".join(gone).encode())
    left = [(name, hit) for name, data in _contents(new) for hit in pattern.findall(data)]
    assert left == []
    _joins(made, new)


def _joins(made: Made, new: Path) -> None:
    """The host in a log is that of PD's labels and of metrics, the client that of the processes; both come back."""
    held = dict(_contents(new))
    log = next(
        data
        for data in held.values()
        if b"] [e.go:5] [" in data and b" is slow" in data and b"<*>" not in data
    )
    said = re.search(rb"peer (\S+) at (\S+) is slow", log)
    assert said is not None
    host, address = said[1], said[2]
    stores = next(data for name, data in held.items() if name.endswith("pd/stores-leaving.json"))
    assert host in stores
    processes = next(data for name, data in held.items() if name.endswith("processlist.csv"))
    assert address in processes
    frames = b"".join(data for name, data in held.items() if "/frames-" in name)
    assert host in frames
    assert address + b":20160" in frames
    text = new.parent / "answer.txt"
    text.write_bytes(b"Please look at " + host + b" (" + address + b").\n")
    back = _clinic(made.environment, "unmask", text)
    assert back.stdout.decode() == f"Please look at {HOST} ({ADDRESS}).\n"
