"""An upload beside `curl -T` of the same file to the same server, in one run.

    python benchmarks/upload.py [--dir DIR] [--size 1G] [--rounds N]

Starts nginx (PUT) and `clinic receive` on loopback, writes a file of chance, and sends it in turns, in an order that
changes, each in a process of its own:

* `curl -T`: to nginx, as a person would do it
* `clinic put`: the same request to the same nginx
* `clinic api`: to `clinic receive`, which keeps each part on the disk before it says so, and reads all of it back

The median of the rounds is shown: what went in a second once the answer was given (the digest that consent is bound to
is taken before the question) and its ratio to curl, the ratio with the digest and Python's start, the processor's time,
and the peak of the memory. Ratios within a run say more than the numbers; --dir /dev/shm takes the disk out of them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from socket import create_connection, create_server

from clinic.consent.consent import Consent
from clinic.consent.destination import Destination, Protocol
from clinic.secret import Secret
from clinic.units import MIB, human_size, parse_size
from clinic.upload.choose import Way, uploader
from clinic.upload.flow import Flow
from clinic.upload.outgoing import Agreed, Outgoing

NGINX = """
daemon off; pid {home}/pid; error_log {home}/error.log; {user}
events {{ worker_connections 64; }}
http {{
    access_log off; client_max_body_size 0; client_body_temp_path {home}/temp; proxy_temp_path {home}/temp2;
    fastcgi_temp_path {home}/temp3; uwsgi_temp_path {home}/temp4; scgi_temp_path {home}/temp5;
    server {{ listen 127.0.0.1:{port}; root {home}/files; location / {{ dav_methods PUT DELETE; }} }}
}}
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a way cost."""

    seconds: float
    """By the clock, all of the process."""

    sending: float
    """Of these, after the answer."""

    processor: float
    """What the process took of the processors, seconds."""

    memory: int
    """Peak of the process, bytes."""


def main(words: Sequence[str] | None = None) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=None)
    parser.add_argument("--size", default="1G")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--send", nargs=3, metavar=("FILE", "PROTOCOL", "URL"), help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    if given.send:
        sys.stdout.write(f"{_send(Path(given.send[0]), Protocol(given.send[1]), given.send[2])}\n")
        return 0
    with tempfile.TemporaryDirectory(dir=given.dir) as directory:
        _compare(Path(directory), parse_size(given.size), given.rounds)
    return 0


def _send(path: Path, protocol: Protocol, url: str) -> float:
    """Send it as the command does once the answer is given; the seconds that took."""
    endpoint = url if protocol is Protocol.CLINIC else url.rpartition("/")[0]
    destination, now = Destination("bench", protocol, endpoint), datetime.now(timezone.utc)
    credential = Secret("" if protocol is Protocol.CLINIC else url)
    with Outgoing(path) as outgoing:
        yes = Consent(outgoing.sha256, "", endpoint, "", "", now + timedelta(hours=1))
        began = time.monotonic()
        sender = uploader(destination, Way(credential), Flow())
        sender.send(Agreed(outgoing, yes, destination, now))
        sender.close()
    return time.monotonic() - began


def _compare(home: Path, size: int, rounds: int) -> None:
    os.environ["CLINIC_HOME"] = str(home / "state")
    path = home / "package"
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
    with _nginx(home) as nginx, _receive(home) as receive:
        costs: dict[str, list[Cost]] = {}
        for number in range(rounds):
            ways = [
                ("curl -T", ["curl", "-sS", "-f", "-o", "/dev/null", "-T", str(path), f"{nginx}/curl"]),
                ("clinic put", _ourselves(path, "put", f"{nginx}/ours")),
                ("clinic api", _ourselves(path, "clinic", receive)),
            ]
            for name, words in ways[number % 3 :] + ways[: number % 3]:
                costs.setdefault(name, []).append(_run(words))
                _clear(home)
        _show(costs, size)


def _ourselves(path: Path, protocol: str, url: str) -> list[str]:
    return [sys.executable, __file__, "--send", str(path), protocol, url]


def _run(words: list[str]) -> Cost:
    began = time.monotonic()
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{words[0]} ended with {child.returncode}")
    seconds = time.monotonic() - began
    return Cost(
        seconds, float(said) if said else seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    )


def _clear(home: Path) -> None:
    """Nothing of it is there at the next round."""
    for path in (home / "files").iterdir():
        path.unlink()
    for path in (home / "received").iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    os.sync()


def _show(costs: dict[str, list[Cost]], size: int) -> None:
    usual = statistics.median(cost.seconds for cost in costs["curl -T"])
    say = sys.stdout.write
    say(f"{human_size(size)}, {len(costs['curl -T'])} rounds, medians\n")
    for name, found in costs.items():
        sending = statistics.median(cost.sending for cost in found)
        whole = statistics.median(cost.seconds for cost in found)
        processor = statistics.median(cost.processor for cost in found)
        memory = max(cost.memory for cost in found)
        say(
            f"{name:<11} {size / sending / 1e6:7.0f} MB/s sending, {usual / sending:5.2f} of curl;"
            f" {usual / whole:5.2f} with the digest and the start; {processor:.2f} s of processor;"
            f" {human_size(memory)} at most\n"
        )


@contextmanager
def _nginx(home: Path) -> Generator[str]:
    port = _free_port()
    (home / "files").mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    (home / "nginx.conf").write_text(NGINX.format(home=home, port=port, user=user))
    program = shutil.which("nginx", path="/usr/sbin:" + os.environ.get("PATH", "")) or sys.exit(
        "there is no nginx"
    )
    with _server([program, "-p", str(home), "-c", str(home / "nginx.conf")], port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _receive(home: Path) -> Generator[str]:
    port = _free_port()
    words = ["-m", "clinic", "receive", "--dir", str(home / "received"), "--listen", f"127.0.0.1:{port}"]
    with _server([sys.executable, *words], port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _server(words: list[str], port: int) -> Generator[None]:
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as server:
        for _ in range(200):
            try:
                create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        try:
            yield
        finally:
            server.terminate()


def _free_port() -> int:
    with create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


if __name__ == "__main__":
    sys.exit(main())
