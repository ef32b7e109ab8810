"""The redaction door beside the parsers of `sos clean`, on the same log in the same run; one core and two.

python benchmarks/redaction_sos.py [--size MIB] [--sos-size MIB] [--rounds N]

sos is Debian's package (`apt-get install sosreport`); its parsers are called line by line, as its cleaner does, and are
not asked to write files. They look for addresses and host names and for no credential; the door masks credentials, and
at level `identifiers` replaces names as well. On one core it is processor seconds, the best of the rounds. On two it is
the wall clock of two workers with half of the log each: it says something only on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, it is in no package

from benchmarks.redaction import MIB, rate, say, through, tidb_log

from clinic.kinds import Content
from clinic.redact import Redactor
from clinic.redact.learning import learn_names
from clinic.redact.privacy import Level, Names, Privacy
from clinic.redact.pseudonyms import Pseudonyms
from clinic.secret import Secret, SecretRegister

PACKAGES = "/usr/lib/python3/dist-packages"
"""Where Debian has what its programs import."""

_PARSERS = ("hostname", "ip", "mac", "keyword")


def sos_clean() -> Callable[[bytes], object] | None:
    """The parsers of sos one after another on each line; None where it is not installed."""
    sys.path.append(PACKAGES)
    try:
        hostname, ip, mac, keyword = (
            importlib.import_module(f"sos.cleaner.parsers.{name}_parser") for name in _PARSERS
        )
    except ImportError:
        return None
    parsers: list[Any] = [
        hostname.SoSHostnameParser(opt_domains=["example.com"]), ip.SoSIPParser(), mac.SoSMacParser(),
        keyword.SoSKeywordParser(keywords=["warehouse7"]),
    ]  # fmt: skip

    def clean(data: bytes) -> int:
        size = 0
        for line in data.decode().splitlines(keepends=True):
            seen = line
            for parser in parsers:
                seen, _ = parser.parse_line(seen)
            size += len(seen)
        return size

    return clean


def masked(data: bytes) -> int:
    """Credentials alone: what every byte of a bundle passes."""
    return through(Redactor(SecretRegister()), Content.LOG, data)


def renamed(data: bytes) -> int:
    """Credentials, and names at level `identifiers`, learned first."""
    found: dict[str, str] = {}
    learn_names(data, found, Level.IDENTIFIERS)
    privacy = Privacy(Level.IDENTIFIERS, Pseudonyms(Secret("5a" * 32)), Names(found))
    return through(Redactor(SecretRegister(), privacy=privacy), Content.LOG, data)


def on_two(name: str, data: bytes, rounds: int, run: Callable[[list[bytes]], object]) -> float:
    """MiB per second of wall clock with two workers, printed."""
    middle = data.rfind(b"\n", 0, len(data) // 2) + 1
    halves = [data[:middle], data[middle:]]
    seconds: list[float] = []
    run([half[:1000] for half in halves])
    for _ in range(rounds):
        start = time.monotonic()
        run(halves)
        seconds.append(time.monotonic() - start)
    speed = len(data) / MIB / min(seconds)
    say(f"{name:<44} {speed:9.1f} MiB/s")
    return speed


def by_threads(halves: list[bytes]) -> None:
    """As the engine runs items: RE2 lets go of Python's lock while it searches."""
    threads = [threading.Thread(target=masked, args=(half,)) for half in halves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=64, metavar="MIB", help="of the log")
    parser.add_argument("--sos-size", type=int, default=2, metavar="MIB", help="of its part that sos reads")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    log = tidb_log(options.size * MIB)
    sos = sos_clean()
    if sos is None:
        say("sos is not installed: apt-get install sosreport")
    base = rate("sos clean, its parsers", log[: options.sos_size * MIB], sos, 1) if sos is not None else 0.0
    say("\none core")
    door = rate("the door: credentials", log, masked, options.rounds)
    names = rate(
        "the door: credentials and names", log[: max(1, options.size // 4) * MIB], renamed, options.rounds
    )
    say("\ntwo cores")
    start = time.monotonic()
    masked(log)
    alone = len(log) / MIB / (time.monotonic() - start)
    say(f"{'one worker by the wall clock':<44} {alone:9.1f} MiB/s")
    threads = on_two("two threads", log, options.rounds, by_threads)
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as pool:
        processes = on_two(
            "two processes, the log sent to them",
            log,
            options.rounds,
            lambda halves: list(pool.map(masked, halves)),
        )
    say(f"\nthreads {threads / alone:.2f} times one worker, processes {processes / alone:.2f} times")
    if base:
        say(
            f"credentials {door / base:.0f} times sos clean on one core, "
            f"{max(threads, processes) / base:.0f} times on two"
        )
        say(f"credentials and names {names / base:.1f} times sos clean on one core")


if __name__ == "__main__":
    main()
