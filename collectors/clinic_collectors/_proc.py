"""Counters of /proc as numbers. Field orders are those of proc(5) and admin-guide/iostats.rst of the kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Counters = Mapping[str, Sequence[float]]
"""Numbers by what they count: a processor, a disk, an interface, a name."""

Parse = Callable[[bytes], Counters]


def named(prefix: str = "") -> Parse:
    """A parser of `name number...` lines, as in stat and vmstat, for names that begin with `prefix`."""

    def parse(data: bytes) -> Counters:
        rows = [line.split() for line in _lines(data)]
        return {row[0]: _numbers(row[1:]) for row in rows if len(row) > 1 and row[0].startswith(prefix)}

    return parse


def diskstats(data: bytes) -> Counters:
    """By disk: reads, merged, sectors, ms; writes, merged, sectors, ms; in flight, busy ms, weighted ms ..."""
    rows = [line.split() for line in _lines(data)]
    return {row[2]: _numbers(row[3:]) for row in rows if len(row) >= 14}


def netdev(data: bytes) -> Counters:
    """By interface: bytes, packets, errors, dropped and four more, received; then the same, sent."""
    pairs = [line.partition(":") for line in _lines(data) if ":" in line]
    return {name.strip(): _numbers(rest.split()) for name, _, rest in pairs}


def snmp(data: bytes) -> Counters:
    """By name: snmp and netstat come as a line of names and a line of their values."""
    rows = [line.split() for line in _lines(data)]
    pairs = zip(rows[::2], rows[1::2], strict=False)
    return {
        name: _numbers([value])
        for names, values in pairs
        for name, value in zip(names[1:], values[1:], strict=False)
    }


def pressure(data: bytes) -> Counters:
    """By `some` and `full`: microseconds lost since boot."""
    rows = [line.split() for line in _lines(data)]
    return {row[0]: _numbers([row[-1].removeprefix("total=")]) for row in rows if row}


def labelled(data: bytes) -> Counters:
    """By name: the plain numbers among the `name: value` lines of a process's io."""
    pairs = [line.partition(":")[::2] for line in _lines(data)]
    return {name: _numbers([value]) for name, value in pairs if value.strip().isdigit()}


def process_stat(data: bytes) -> Counters:
    """User and system time in ticks, minor and major faults of a process, from its stat."""
    # The name of a process stands in brackets and may hold anything, also blanks and brackets.
    words = data.decode("utf-8", "replace").rpartition(")")[2].split()
    order = (("utime", 14), ("stime", 15), ("minflt", 10), ("majflt", 12))
    return {name: _numbers([words[number - 3]]) for name, number in order} if len(words) > 12 else {}


def process_name(data: bytes) -> str:
    """The name in a process's stat."""
    return data.rpartition(b")")[0].partition(b"(")[2].decode("utf-8", "replace")


def change(before: bytes, after: bytes, parse: Parse) -> Counters:
    """How much each counter grew, for what was there both times."""
    old, new = parse(before), parse(after)
    return {
        key: [b - a for a, b in zip(old[key], row, strict=False)] for key, row in new.items() if key in old
    }


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").splitlines()


def _numbers(words: Sequence[str]) -> list[float]:
    return [float(word) for word in words]
