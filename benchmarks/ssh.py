"""Another machine over SSH, beside what OpenSSH's own tools take for the same: a log's window, commands, many hosts.

    python -m benchmarks.ssh [--dir DIR] [--scale 1.0] [--rounds N] [--hosts 100] [--commands 20]

Starts an sshd on loopback and makes the unified log of benchmarks/logs.py: 2 GiB of 24 hours (times --scale). Then,
each in a process of its own, in turns:

* `scp`: a copy of the whole file
* `pipe`: `ssh host 'tail -c +N FILE | head -c M | zstd -1'` at offsets that are told: the least that could be done
* `nice pipe`: the same with as little claim to the node as Clinic's has
* `door`: the window of 2 hours, found and cut by Clinic's source from here, as it comes to redaction
* `redacted`: the same with redaction, zstd -3 and SHA-256, as the bundle's writer has it
* `ssh x 20`, `one ssh`, `20 commands`: twenty commands: a connection each, one script, Clinic
* `ssh x 100`, `100 hosts`: a hundred logins with a command each, by plain ssh (16 at once) and by Clinic (the same)

All with the login counted, and without what Python takes to start (`nothing`). Ratios within a run say more than the
numbers: sshd and its programs share the machine with us.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from benchmarks.logs import MIB, START, WINDOWS, Cost, Packer, edges, make, say
from tests.lab.own_sshd import AT_EASE, ME, Sshd, start

from clinic.cluster.model import Cluster, Machine
from clinic.deadline import Deadline
from clinic.host.ssh.command_line import Login, arguments
from clinic.host.ssh.host import SSHHost
from clinic.host.ssh.traffic import Bucket, HostMeter
from clinic.kinds import Content
from clinic.redact import Redactor
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import SecretRegister
from clinic.source.log.window import LogWindow
from clinic.window import Window

WINDOW = "2h"
AT_ONCE = 16


def login(home: Path, port: str) -> Login:
    """How to log in at the server in `home`."""
    return Sshd(home, int(port), None).login  # type: ignore[arg-type]  # the server is another process's child


def door(home: Path, port: str) -> SSHHost:
    """Log in."""
    return SSHHost(login(home, port), lambda: home, HostMeter(Bucket(None)), AT_EASE)


def window(home: Path, port: str, path: str, out: str) -> None:
    """The window, as it comes to redaction; with `out` also through it and as it is stored."""
    begin, length = WINDOWS[WINDOW]
    first = START + timedelta(seconds=begin)
    wanted = Window(first, first + timedelta(seconds=length, microseconds=-1))
    cluster = Cluster("bench", "manual", (Machine("node"),))
    common = Common(cluster, wanted, SecretRegister(), lambda _: door(home, port))
    parts = LogWindow("node", (path,)).open(AttemptDoors(common, Deadline(None)))
    chunks = (chunk for part in parts for chunk in part.chunks if isinstance(chunk, bytes))
    if out:
        store(chunks, Path(out))
    else:
        deque(chunks, maxlen=0)
    common.close()


def store(chunks: Iterable[bytes], out: Path) -> None:
    """Redact them and store them as the bundle's writer does."""
    stream = Redactor(SecretRegister()).stream(Content.LOG)
    with out.open("wb") as file:
        packer = Packer(file)
        for chunk in chunks:
            packer.take(stream.feed(chunk))
        packer.take(stream.finish())
        packer.finish()


def commands(home: Path, port: str, count: str) -> None:
    """Some commands on one host."""
    host = door(home, port)
    for _ in range(int(count)):
        with host.run(("uname", "-a"), Deadline(30)) as process:
            for _ in process.chunks():
                pass
    host.close()


def hosts(home: Path, port: str, count: str) -> None:
    """A login and a command at each of many hosts; what this process needs is written down."""

    def one(_: int) -> None:
        commands(home, port, "1")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(int(count))))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    (home / "peak").write_text(f"{peak} MiB of ours at its peak")


ONE: dict[str, Callable[..., None]] = {"window": window, "commands": commands, "hosts": hosts}


def cost(line: str | list[str]) -> Cost:
    """What a command line takes, and all that it starts."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(line, shell=isinstance(line, str), check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.monotonic() - began, cpu)


def ways(sshd: Sshd, path: Path, options: argparse.Namespace) -> dict[str, str | list[str]]:
    """What is compared."""
    begin, end = edges(path, WINDOW)
    own = sshd.login
    words = [f"-o{name}" for name in ("BatchMode=yes", "StrictHostKeyChecking=yes", *own.options)]
    words += [f"-oUserKnownHostsFile={own.known_hosts[0]}", *arguments(own)]
    ssh = " ".join(["ssh", *words, own.target])
    scp = " ".join(
        ["scp", "-q", *(word if word != "-p" else "-P" for word in words if word not in ("-l", own.user))]
    )
    me = [sys.executable, "-m", "benchmarks.ssh", "--one"]
    there = [str(sshd.home), str(sshd.port)]
    out = f"{options.dir}/out"
    script = "; ".join(["uname -a"] * options.commands)
    pipe = f"tail -c +{begin + 1} {path} | head -c {end - begin} | zstd -q -1 -c"
    return {
        "nothing": [*me, "nothing"],
        "scp": f"{scp} {own.user}@{own.target}:{path} {out}",
        "pipe": f"{ssh} '{pipe}' > {out}",
        "nice pipe": f"{ssh} 'nice -n 19 ionice -c 2 -n 7 sh -c \"{pipe}\"' > {out}",
        "door": [*me, "window", *there, str(path), ""],
        "redacted": [*me, "window", *there, str(path), out],
        f"ssh x {options.commands}": f"for i in $(seq {options.commands}); do {ssh} uname -a; done",
        "one ssh": f"{ssh} '{script}'",
        f"{options.commands} commands": [*me, "commands", *there, str(options.commands)],
        f"ssh x {options.hosts}": f"seq {options.hosts} | xargs -P {AT_ONCE} -I@ {ssh} uname -a",
        f"{options.hosts} hosts": [*me, "hosts", *there, str(options.hosts)],
    }


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--one"]:
        if sys.argv[2] != "nothing":
            ONE[sys.argv[2]](Path(sys.argv[3]), *sys.argv[4:])
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--commands", type=int, default=20)
    parser.add_argument("--only", nargs="*", help="names of ways, without the others")
    options = parser.parse_args()
    directory: Path = options.dir
    path = make(directory / "clinic-bench-tidb.log", int(2048 * MIB * options.scale))
    sshd = start(Path(tempfile.mkdtemp(dir=directory)), ("Subsystem sftp internal-sftp",), ME)
    try:
        measure(sshd, path, options)
    finally:
        sshd.kill()


def measure(sshd: Sshd, path: Path, options: argparse.Namespace) -> None:
    """Every way, in turns; the median of each."""
    compared = {
        name: line
        for name, line in ways(sshd, path, options).items()
        if not options.only or name in ("nothing", *options.only)
    }
    costs: dict[str, list[Cost]] = {name: [] for name in compared}
    for _ in range(options.rounds):
        for name, line in compared.items():
            costs[name].append(cost(line))
            (options.dir / "out").unlink(missing_ok=True)
    say(f"{path.stat().st_size / MIB:.0f} MiB of log")
    if (sshd.home / "peak").exists():
        say(f"{(sshd.home / 'peak').read_text()} for {options.hosts} hosts")
    nothing = statistics.median(one.wall for one in costs["nothing"])
    cpu = statistics.median(one.cpu for one in costs["nothing"])
    for name, found in costs.items():
        ours = isinstance(compared[name], list) and name != "nothing"
        wall = statistics.median(one.wall for one in found) - (nothing if ours else 0)
        own = statistics.median(one.cpu for one in found) - (cpu if ours else 0)
        say(f"{name:<12} {wall:8.3f} s  {own:8.3f} s of processor here")


if __name__ == "__main__":
    main()
