"""The indexes of a bundle's logs, and what they say of all logs together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import zstandard

from clinic.bundle.manifest import Run
from clinic.bundle.member import LARGEST_WINDOW, open_stored
from clinic.bundle.names import COMPRESSED, INDEX
from clinic.bundle.record import Record
from clinic.bundle.spool import Root
from clinic.errors import BadBundle
from clinic.formats.logindex import LogIndex
from clinic.read.fact import LARGEST, Fact
from clinic.units import plural

LOUDEST = 3
"""Messages that are facts."""

_GRAVE = {"fatal": 2, "error": 6}
"""How loud a message of a level is, 0 the loudest; milder ones are none."""

_PANIC = 3
"""How loud an error is that speaks of a panic: TiDB recovers from some, and logs them as errors."""


def index_beside(root: Root, name: str) -> LogIndex | None:
    """The index of the log called `name` in the directory of a bundle that may still be made; None without one."""
    for ending in ("", COMPRESSED):
        try:
            with open_stored(root, name + INDEX + ending) as stream:
                data = stream.read(LARGEST)
            return LogIndex.from_json(_unpacked(data) if ending else data)
        except (BadBundle, ValueError, zstandard.ZstdError):
            continue
    return None


def _unpacked(data: bytes) -> bytes:
    reader = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW).stream_reader(
        data, read_across_frames=True
    )
    return reader.read(LARGEST)


def loudest(root: Root, run: Run, records: Sequence[Record]) -> Iterator[Fact]:
    """The gravest messages that the logs of each component said most often."""
    components = {one.id: one.component for one in run.cluster.instances}
    said: Counter[tuple[str, str, str]] = Counter()
    where: dict[tuple[str, str, str], tuple[set[str], str]] = {}
    for record in records:
        if not record.entry.id.startswith("log."):
            continue
        component = components.get(record.entry.instance, "")
        for file in record.files:
            index = index_beside(root, file.name)
            for one in index.templates if index is not None else ():
                if one.level in _GRAVE:
                    key = (one.level, component, one.text)
                    said[key] += one.count
                    places, _ = where.setdefault(key, (set(), file.path))
                    places.add(record.entry.instance or record.entry.host)
    ordered = sorted(said.items(), key=lambda pair: (_weight(pair[0][0], pair[0][2]), -pair[1]))
    for (level, component, text), count in ordered[:LOUDEST]:
        places, path = where[level, component, text]
        of = f"{component} ({plural(len(places), 'instance')})" if component else plural(len(places), "host")
        yield Fact(_weight(level, text), "", f"{of} logged {level} {plural(count, 'time')}: {text}", "", path)


def _weight(level: str, text: str) -> int:
    return min(_GRAVE[level], _PANIC) if "panic" in text.lower() else _GRAVE[level]
