"""Two looks at the counters of /proc made into rates: what vmstat, iostat and pidstat would print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from clinic_collectors import _proc as proc

TICKS = 100
"""Units of CPU time in a second: USER_HZ is 100 on every architecture that databases run on."""

SECTOR = 512
"""Bytes of a sector in /proc/diskstats, whatever the disk's own are."""

_VM = """
pgpgin pgpgout pswpin pswpout pgfault pgmajfault pgscan_kswapd pgscan_direct pgsteal_direct allocstall_normal
allocstall_movable compact_stall thp_fault_alloc thp_split_page numa_pages_migrated nr_dirtied nr_written oom_kill
"""
_TCP = """
ActiveOpens PassiveOpens AttemptFails EstabResets InSegs OutSegs RetransSegs InErrs OutRsts ListenOverflows ListenDrops
TCPTimeouts TCPLostRetransmit TCPSynRetrans TCPFastRetrans TCPRcvQDrop TCPBacklogDrop TCPReqQFullDrop TCPAbortOnMemory
TCPAbortOnTimeout PruneCalled
"""

Table = Iterator[Sequence[str]]


def rates(inputs: Mapping[str, bytes]) -> bytes:
    """Tables of what happened in each second between the inputs `before:PATH` and `after:PATH`."""
    look = _Look(inputs)
    if look.elapsed <= 0:
        raise ValueError("no time passed between the two looks")
    tables = (
        _cpu(look), _disks(look), _links(look), _pressure(look), _processes(look),
        _counters(look, "memory", _VM, {"/proc/vmstat": proc.named()}),
        _counters(look, "tcp", _TCP, {"/proc/net/snmp": proc.snmp, "/proc/net/netstat": proc.snmp}),
    )  # fmt: skip
    text = [f"over {look.elapsed:.2f} s; all rates are per second"]
    text += ["\n".join("\t".join(row) for row in rows) for rows in map(list, tables) if len(rows) > 1]
    return ("\n\n".join(text) + "\n").encode()


@dataclass(frozen=True, slots=True)
class _Look:
    """Both looks at the machine."""

    inputs: Mapping[str, bytes]
    """Each file twice, under `before:` and `after:`."""

    @property
    def elapsed(self) -> float:
        """Seconds between the two."""
        first, last = (self.inputs[f"{when}:/proc/uptime"].split()[0] for when in ("before", "after"))
        return float(last) - float(first)

    @property
    def pids(self) -> list[str]:
        """Processes that were looked at."""
        return sorted({path.split("/")[2] for path in self.inputs if path.split("/")[2].isdigit()}, key=int)

    def after(self, path: str) -> bytes:
        """The file as it was last."""
        return self.inputs.get(f"after:{path}", b"")

    def change(self, path: str, parse: proc.Parse) -> proc.Counters:
        """How much the counters in the file grew."""
        return proc.change(self.inputs.get(f"before:{path}", b""), self.after(path), parse)


def _cpu(look: _Look) -> Table:
    yield ("cpu", "%user", "%nice", "%system", "%idle", "%iowait", "%irq", "%softirq", "%steal", "%guest")
    for name, row in look.change("/proc/stat", proc.named("cpu")).items():
        total = sum(row[:8]) or 1.0  # what guests took is counted as user time already
        yield (name, *(f"{100 * value / total:.1f}" for value in row[:9]))


def _disks(look: _Look) -> Table:
    yield ("disk", "r/s", "rMB/s", "r_await_ms", "w/s", "wMB/s", "w_await_ms", "queue", "%util")
    for name, row in look.change("/proc/diskstats", proc.diskstats).items():
        if row[0] or row[4] or row[9]:
            cells: list[float] = []
            for count, sectors, waited in ((row[0], row[2], row[3]), (row[4], row[6], row[7])):
                cells += [count / look.elapsed, sectors * SECTOR / 1e6 / look.elapsed, waited / (count or 1)]
            cells += [row[10] / 1000 / look.elapsed, row[9] / 10 / look.elapsed]
            yield (name, *(f"{cell:.2f}" for cell in cells))


def _links(look: _Look) -> Table:
    yield (
        "interface",
        "rx_packets",
        "rx_kB",
        "rx_errors",
        "rx_dropped",
        "tx_packets",
        "tx_kB",
        "tx_errors",
        "tx_dropped",
    )
    for name, row in look.change("/proc/net/dev", proc.netdev).items():
        picked = (row[1], row[0] / 1000, row[2], row[3], row[9], row[8] / 1000, row[10], row[11])
        yield (name, *(f"{value / look.elapsed:.1f}" for value in picked))


def _counters(look: _Look, title: str, names: str, files: Mapping[str, proc.Parse]) -> Table:
    yield (title, "per_second")
    for path, parse in files.items():
        changes = look.change(path, parse)
        yield from (
            (name, f"{changes[name][0] / look.elapsed:.1f}") for name in names.split() if name in changes
        )


def _pressure(look: _Look) -> Table:
    yield ("pressure", "some_%", "full_%")
    for kind in ("cpu", "io", "memory"):
        if changes := look.change(f"/proc/pressure/{kind}", proc.pressure):
            lost = [changes[word][0] if word in changes else 0.0 for word in ("some", "full")]
            yield (kind, *(f"{microseconds / 1e4 / look.elapsed:.2f}" for microseconds in lost))


def _processes(look: _Look) -> Table:
    ticks, plain = 100 / TICKS, 1.0
    columns = {
        "utime": ("%user", ticks), "stime": ("%system", ticks), "minflt": ("minor_faults", plain),
        "majflt": ("major_faults", plain), "syscr": ("reads", plain), "syscw": ("writes", plain),
        "read_bytes": ("read_kB", 1e-3), "write_bytes": ("written_kB", 1e-3),
    }  # fmt: skip
    yield ("pid", "name", *(name for name, _ in columns.values()))
    for pid in look.pids:
        own = f"/proc/{pid}"
        found = {
            **look.change(f"{own}/stat", proc.process_stat),
            **look.change(f"{own}/io", proc.labelled),
        }
        cells = (
            f"{found[key][0] * scale / look.elapsed:.1f}" if key in found else "-"
            for key, (_, scale) in columns.items()
        )
        yield (pid, proc.process_name(look.after(f"{own}/stat")), *cells)
