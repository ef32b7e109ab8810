"""`clinic metrics`: which metrics a bundle has, and series of them as table, sparkline, JSON or CSV."""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import click

from clinic.cli.output import say, table
from clinic.cli.promquery import evaluating
from clinic.cli.reading import identity_option, key_option, read_bundle
from clinic.errors import UsageError
from clinic.read.fromdiag import FromDiag
from clinic.read.metrics import Samples, listed, select, window_of
from clinic.read.open import Opened
from clinic.read.samples import MetricsOf, chosen
from clinic.read.selector import NAME, BadSelector, parse
from clinic.units import parse_duration
from clinic.window import parse_moment

BARS = "▁▂▃▄▅▆▇█"
"""Heights of a sparkline."""

POINTS = 240
"""Values of a series that PromQL gives when no step is said."""

COLUMNS = 40
"""Columns of a sparkline."""

_EVER = 1 << 62


@click.command("metrics")
@click.argument("bundle", type=click.Path(path_type=Path))
@identity_option
@key_option
@click.argument("selector", default="")
@click.option("-f", "--from", "start", metavar="TIME", help="Samples from this time on.")
@click.option("-t", "--to", "end", metavar="TIME", help="Samples up to this time.")
@click.option("--server", default="", metavar="NAME", help="Of this server only.")
@click.option(
    "--step", metavar="TIME", help="With PromQL: time between two values; 240 in all when not said."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, with all samples.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a row for each sample.")
def command(
    bundle: Path,
    identities: tuple[Path, ...],
    key: Path | None,
    selector: str,
    start: str | None,
    end: str | None,
    server: str,
    *,
    step: str | None,
    as_json: bool,
    as_csv: bool,
) -> int:
    """Show which metrics are in BUNDLE, or the series that SELECTOR chooses, or what PromQL makes of them.

    A selector is a name and labels in braces with = != =~ and !~; Clinic reads it itself. The rest of PromQL is left
    to the prometheus of this machine, which is started over the rebuilt samples and stopped again.

    \b
    Examples:
      clinic metrics clinic-db1-20261125T103000Z
      clinic metrics clinic-db1-20261125T103000Z 'up{job="tikv"}'
      clinic metrics clinic-db1-20261125T103000Z '{__name__=~"tidb_server_.+"}' --json
      clinic metrics clinic-db1-20261125T103000Z tidb_server_connections --csv > connections.csv
      clinic metrics clinic-db1-20261125T103000Z.diag --key key.pem up
      clinic metrics clinic-db1-20261125T103000Z 'sum by (type) (rate(tikv_grpc_msg_fail_total[1m]))' --step 1m
    """
    if as_json and as_csv:
        raise UsageError("--json and --csv can't both be printed", hint="give one of them")
    opened = read_bundle(bundle, identities, key)
    wanted = chosen(opened, server)
    if not selector:
        return _list(opened, wanted, as_json)
    now = datetime.now(timezone.utc)
    low = _milliseconds(parse_moment(start, now)) if start else -_EVER
    high = _milliseconds(parse_moment(end, now, day_end=True)) if end else _EVER
    asked = _Range(low, high, round(parse_duration(step) * 1000) if step else 0)
    found = _selected(opened, wanted, selector, asked)
    show = _show_json if as_json else _show_csv if as_csv else _show
    shown = show(found)
    damaged = _say_damaged(opened)
    if not shown and not damaged:
        raise UsageError(
            f"no series in the bundle matches {selector}", hint=f"clinic metrics {bundle} lists the metrics"
        )
    return 0


def _say_damaged(opened: Opened) -> bool:
    """Say which files of diag's could not be read to their end; whether there are any."""
    damaged = opened.held.damaged if isinstance(opened.held, FromDiag) else {}
    for path, why in damaged.items():
        say(f"{path}: {why}; what stands before that is shown", err=True, colour="yellow")
    return bool(damaged)


@dataclass(frozen=True)
class _Range:
    """What time is shown, in milliseconds."""

    low: int
    """From."""

    high: int
    """To."""

    step: int
    """Between two values of PromQL; 0 when not said."""


def _selected(
    opened: Opened, wanted: Sequence[MetricsOf], text: str, asked: _Range
) -> Iterator[tuple[str, Samples]]:
    try:
        selector = parse(text)
    except BadSelector as error:
        yield from _evaluated(opened, wanted, text, asked, str(error))
        return
    for one in wanted:
        for each in select(opened, one, selector, asked.low, asked.high):
            yield one.server, each


def _evaluated(
    opened: Opened, wanted: Sequence[MetricsOf], text: str, asked: _Range, why: str
) -> Iterator[tuple[str, Samples]]:
    """What PromQL makes of each server's samples."""
    if shutil.which("prometheus") is None:
        hint = "apt install prometheus; or write a plain selector"
        raise UsageError(f"{why}; the rest of PromQL needs prometheus, which is not on the PATH", hint=hint)
    for one in wanted:
        start, end = window_of(opened, one)
        start, end = max(start, asked.low), min(end, asked.high)
        step = asked.step or max(1000, (end - start) // POINTS)
        with evaluating(opened, one) as query:
            yield from ((one.server, each) for each in query(text, start, end, step))


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _list(opened: Opened, wanted: Sequence[MetricsOf], as_json: bool) -> int:
    for one in wanted:
        found = listed(opened, one)
        if as_json:
            for each in found:
                row = {
                    "server": one.server,
                    "metric": each.name,
                    "series": each.series,
                    "samples": each.samples,
                }
                click.echo(json.dumps({**row, "missing": each.missing} if each.missing else row))
            continue
        say(
            f"{one.server}: {sum(each.series for each in found):,} series of {len(found):,} metrics",
            bold=True,
        )
        rows = [
            (
                each.name,
                f"{each.series:,}",
                f"{each.samples:,}",
                " ".join(text for text in (_between(each.first, each.last), each.missing) if text),
            )
            for each in found
        ]
        table(("METRIC", "SERIES", "SAMPLES", "FROM AND TO, UTC"), rows, right=(1, 2))
    return 0


def _between(first: int, last: int) -> str:
    return f"{_clock(first)} {_clock(last)}" if first else ""


def _clock(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment / 1000, timezone.utc):%Y-%m-%dT%H:%M:%S}"


def _show(found: Iterator[tuple[str, Samples]]) -> int:
    rows = [_row(each) for _, each in found]
    if rows:
        table(("SERIES", "SAMPLES", "", "LEAST", "MOST", "LAST", ""), rows, right=(1, 3, 4, 5))
    return len(rows)


def _row(one: Samples) -> tuple[object, ...]:
    values = one.values
    least, most, last = (min(values), max(values), values[-1]) if values else (math.nan, math.nan, math.nan)
    numbers = (_number(least), _number(most), _number(last))
    return (_called(one), len(one.times), _line(values), *numbers, _note(one))


def _called(one: Samples) -> str:
    inside = ",".join(f"{name}={value}" for name, value in one.labels.items() if name != NAME)
    return f"{one.labels.get(NAME, '')}{{{inside}}}"


def _note(one: Samples) -> str:
    holes = one.holes()
    texts = [f"hole from {_clock(holes[0][0])} to {_clock(holes[0][1])}" if holes else ""]
    texts += [f"and {len(holes) - 1} more" if len(holes) > 1 else ""]
    texts += [f"{one.histograms:,} histograms: clinic rebuild --serve" if one.histograms else ""]
    return " ".join(text for text in texts if text)


def _number(value: float) -> str:
    return f"{value:.6g}"


def _line(values: Sequence[float]) -> str:
    """The values as heights, each the mean of what falls into its column."""
    size = max(1, math.ceil(len(values) / COLUMNS))
    groups = [
        [value for value in values[at : at + size] if math.isfinite(value)]
        for at in range(0, len(values), size)
    ]
    means = [sum(group) / len(group) if group else math.nan for group in groups]
    known = [mean for mean in means if math.isfinite(mean)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((mean - low) * scale)] if math.isfinite(mean) else " " for mean in means)


def _show_json(found: Iterator[tuple[str, Samples]]) -> int:
    count = 0
    for server, one in found:
        values = [value if math.isfinite(value) else str(value) for value in one.values]
        row = {"server": server, "metric": one.labels, "timestamps": list(one.times), "values": values}
        click.echo(json.dumps({**row, "histograms": one.histograms} if one.histograms else row))
        count += 1
    return count


def _show_csv(found: Iterator[tuple[str, Samples]]) -> int:
    count, out = 0, csv.writer(sys.stdout, lineterminator="\n")
    for server, one in found:
        if not count:
            out.writerow(("server", "series", "time", "value"))
        name = _called(one)
        pairs = zip(one.times, one.values, strict=True)
        out.writerows((server, name, moment / 1000, value) for moment, value in pairs)
        count += 1
    return count
