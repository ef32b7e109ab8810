"""All default items of twenty machines over SSH, beside those of one: what it costs here, for each.

    python -m benchmarks.hosts [--hosts 20] [--rounds 3]

Needs root: the machines are the lab's own, network namespaces with an sshd each, some of them odd (tests/lab). One and
many take turns. Processor seconds are those of this side, with all that it starts; the machines share the processors
with us, so the wall tells little where they are few.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.logs import Cost, say
from tests.lab.control import running
from tests.lab.machines.kinds import BEHIND_JUMP, SPARES
from tests.lab.machines.machines import Machines
from tests.lab.options import Options

from clinic.bundle.reader import Bundle
from clinic.outcome import Status


def collect(machines: Machines, names: Sequence[str], home: Path, number: int) -> Cost:
    """What all default items of these machines take; raises where a machine gave nothing."""
    known = machines.write_known_hosts(home / "known_hosts")
    bundle = home / f"bundle-{number}-{len(names)}"
    hosts = [word for name in names for word in ("--host", f"{machines.account}@{machines.address(name)}")]
    options = ["--ssh-key", str(machines.key), "--known-hosts", str(known), "--max-load", "100000"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "clinic", "collect", "-y", "-o", str(bundle), *hosts, *options],
        env={**os.environ, "CLINIC_HOME": str(home / "state")}, check=False, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    records = Bundle.open(bundle).manifest.records
    good = {record.entry.host for record in records if record.status is Status.OK and record.files}
    if absent := {machines.address(name) for name in names} - good:
        raise SystemExit(f"nothing came from {', '.join(sorted(absent))}")
    say(f"{len(names):3} hosts: {len(records)} items, {wall:.1f} s")
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    lab = Options(machines=True, spares=len(SPARES))
    with tempfile.TemporaryDirectory() as directory, running(Path(directory, "lab"), say, lab) as up:
        machines, home = Machines(up), Path(directory)
        names = [name for name in machines.names if name != BEHIND_JUMP][: options.hosts]
        found: dict[int, list[Cost]] = {1: [], len(names): []}
        for number in range(options.rounds):
            for count, costs in found.items():
                costs.append(collect(machines, names[:count], home, number))
    for count, costs in found.items():
        wall, cpu = (statistics.median(getattr(one, field) for one in costs) for field in ("wall", "cpu"))
        say(f"{count:3} hosts: {wall:6.1f} s, {cpu:6.2f} s of processor here, {cpu / count:5.2f} s for each")


if __name__ == "__main__":
    main()
