"""Nothing phones home: each command runs where every packet that would leave the machine is counted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clinic.cli.main import COMMANDS

pytestmark = pytest.mark.slow

DRIVER = """
import fcntl, socket, struct, subprocess, sys
from pathlib import Path

with socket.socket() as any_socket:
    up = struct.pack("16sH14x", b"lo", 1)
    fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS, IFF_UP: loopback works, and nothing else is there
code = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL).returncode
names, values = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Ip:"))
lost = int(values[names.index("OutNoRoutes")])
for line in Path("/proc/net/snmp6").read_text().splitlines():
    lost += int(line.split()[1]) if line.startswith("Ip6OutNoRoutes") else 0
print(f"\\nended with {code}, tried to leave {lost} times")
"""
"""Runs in a network namespace that has loopback alone: whatever else is tried finds no route, and is counted."""

RUNS = {
    "bundles": ["bundles", "BUNDLE"],
    "clusters": ["clusters"],
    "collect": ["collect", "local", "-y", "-o", "NEW"],
    "collectors": ["collectors"],
    "consent": ["consent", "list"],
    "convert": ["convert", "BUNDLE", "--to", "diag", "-o", "NEW"],
    "doctor": ["doctor"],
    "drift": ["drift", "BUNDLE"],
    "inspect": ["inspect", "BUNDLE"],
    "join": ["join", "PARTS", "-o", "NEW"],
    "keys": ["keys", "--help"],
    "leaks": ["leaks", "BUNDLE"],
    "logs": ["logs", "BUNDLE"],
    "metrics": ["metrics", "BUNDLE"],
    "pack": ["pack", "BUNDLE", "-o", "NEW"],
    "purge": ["purge", "BUNDLE", "--dry-run"],
    "rebuild": ["rebuild", "BUNDLE"],
    "receive": ["receive", "--dir", "NEW", "--new-token", "sender"],
    "redact": ["redact", "BUNDLE", "-o", "NEW"],
    "seal": ["seal", "BUNDLE"],
    "unmask": ["unmask", "FILE"],
    "unpack": ["unpack", "PACKAGE", "-o", "NEW"],
    "upload": ["upload", "BUNDLE", "--to", "https://in.example.com"],
    "verify": ["verify", "BUNDLE"],
}
"""How each command is run here. One that sends on purpose is named in `SENDS` instead."""

SENDS: set[str] = set()


def alone(cut_off: list[str], home: Path, *command: str | Path) -> str:
    """What the command printed, and how often it tried to leave the machine."""
    # A name server on loopback would hide a lookup; this one can't be reached.
    resolver = home / "resolv.conf"
    resolver.write_text("nameserver 192.0.2.53\noptions timeout:1 attempts:1\n")
    inside = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    own: list[str | Path] = [*cut_off, "sh", "-c", inside, resolver, sys.executable, "-c", DRIVER, *command]
    done = subprocess.run(
        own,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=120,
    )
    return done.stdout


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed bundle for the commands that read one."""
    path = tmp_path_factory.mktemp("bundle") / "bundle"
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "clinic",
        "collect",
        "local",
        "-y",
        "--include",
        "system",
        "-o",
        path,
    ]
    subprocess.run(command, check=False, capture_output=True, timeout=120)
    for made in (["whole.tar.zst"], ["cut.tar.zst", "--split", "1M"]):
        packing: list[str | Path] = [
            sys.executable,
            "-m",
            "clinic",
            "pack",
            path,
            "-o",
            path.with_name(made[0]),
        ]
        subprocess.run([*packing, *made[1:]], check=True, capture_output=True, timeout=120)
    return path


def test_every_command_is_tried() -> None:
    assert set(COMMANDS) == RUNS.keys() | SENDS, "say in RUNS how a new command is run here"


@pytest.mark.parametrize("name", RUNS)
def test_a_command_tries_to_reach_nobody(
    cut_off: list[str], home: Path, tmp_path: Path, bundle: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINIC_TOKEN", "any")  # without one an upload ends before it looks for a yes
    places = {
        "NEW": tmp_path / "new",
        "BUNDLE": bundle,
        "FILE": bundle / "manifest.json",
        "PACKAGE": bundle.with_name("whole.tar.zst"),
        "PARTS": bundle.with_name("cut.tar.zst.parts"),
    }
    words: list[str | Path] = [places.get(word, word) for word in RUNS[name]]
    said = alone(cut_off, home, sys.executable, "-m", "clinic", *words)
    assert "tried to leave 0 times" in said, said
    # A machine without a database has no configuration to compare, no metrics, and may have no logs, which is said.
    expected: tuple[int, ...] = (
        (0, 3, 2) if name in ("convert", "drift", "logs", "metrics", "rebuild") else (0, 3)
    )
    # Nobody is at a terminal to say yes, and without a yes an upload connects to nobody.
    expected = (5,) if name == "upload" else expected
    assert any(f"ended with {code}," in said for code in expected), said


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.socket().connect(('192.0.2.1', 80))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 53))",
        "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
        "socket.getaddrinfo('example.com', 80)",
    ],
)
def test_an_attempt_is_noticed(cut_off: list[str], home: Path, attempt: str) -> None:
    said = alone(cut_off, home, sys.executable, "-c", f"import socket; {attempt}")
    assert "tried to leave" in said
    assert "tried to leave 0 times" not in said
