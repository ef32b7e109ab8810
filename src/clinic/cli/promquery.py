"""Full PromQL over a bundle: by a Prometheus that is started over the rebuilt samples and stopped again."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, cast

from clinic.cli.progress import Bars
from clinic.cli.promserve import await_ready, free_port, program, serving
from clinic.client.http import Web
from clinic.deadline import Deadline
from clinic.errors import ItemError, UsageError
from clinic.read.metrics import Samples
from clinic.read.open import Opened
from clinic.read.rebuild import rebuild
from clinic.read.samples import MetricsOf
from clinic.scratch import scratch
from clinic.units import MIB

LARGEST = 64 * MIB
"""Bytes of an answer."""

SECONDS = 90.0
"""For one query; it has a bound of its own that is shorter."""

Query = Callable[[str, int, int, int], Iterator[Samples]]
"""An expression, from, to and step in milliseconds: the series that come of it."""


@contextmanager
def evaluating(opened: Opened, one: MetricsOf) -> Generator[Query, None, None]:
    """Evaluates expressions over one server's samples. Raises `UsageError` without a prometheus, `BadBundle`."""
    binary = program()
    with scratch("clinic-promql-") as directory:
        place, port = directory / "data", free_port()
        with Bars() as bars:
            bars.begin(f"metrics of {one.server}", len(one.files), None)
            rebuild(opened, one, place, bars)
        with serving(binary, place, port) as running, await_ready(running, port) as web:
            yield lambda text, start, end, step: _asked(web, text, start, end, step)


def _asked(web: Web, text: str, start: int, end: int, step: int) -> Iterator[Samples]:
    query = (
        ("query", text), ("start", f"{start / 1000:.3f}"), ("end", f"{end / 1000:.3f}"), ("step", f"{step / 1000:.3f}"),
    )  # fmt: skip
    try:
        answer = json.loads(web.fetch("/api/v1/query_range", Deadline(SECONDS), limit=LARGEST, query=query))
    except ItemError as error:
        raise UsageError(
            error.message.partition(": ")[2] or error.message, hint="see PromQL's documentation"
        ) from None
    for row in cast("list[dict[str, Any]]", answer["data"]["result"]):
        one = Samples(row["metric"])
        one.add([(round(float(moment) * 1000), float(value)) for moment, value in row.get("values", ())])
        one.histograms = len(row.get("histograms", ()))
        yield one
