"""What is cut from a log is what a plain reading of it, line by line, says it should be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from clinic.formats.entries import Entries
from clinic.formats.logformats import FORMATS
from clinic.formats.timestamp import NANOSECONDS, Clock
from clinic.formats.window_cut import PREAMBLE, SILENCE, TRUSTED, Cut

NAMED = {known.name: known for known in FORMATS}
UNIFIED = Entries((NAMED["unified"],))
START = int(datetime(2026, 11, 24, 10, tzinfo=timezone.utc).timestamp()) * NANOSECONDS
CST = timezone(timedelta(hours=8))

Entry = tuple[int, bytes]
"""When it was written, milliseconds after `START`, and its bytes."""


def head(milliseconds: int, zone: timezone = CST) -> bytes:
    """The beginning of an entry in the unified format."""
    moment = datetime.fromtimestamp(START // NANOSECONDS, timezone.utc) + timedelta(milliseconds=milliseconds)
    local = moment.astimezone(zone)
    offset = local.strftime("%z")
    text = f"{local:%Y/%m/%d %H:%M:%S}.{local.microsecond // 1000:03} {offset[:3]}:{offset[3:]}"
    return f"[{text}] [INFO] [x.go:1] ".encode()


def at(milliseconds: int) -> int:
    """As nanoseconds since 1970."""
    return START + milliseconds * 1_000_000


def cut(entries: Entries, data: bytes, low: int, high: int, sizes: Sequence[int] = ()) -> bytes:
    """What is kept of `data` when it comes in pieces of these sizes, then in one."""
    taker, kept, place = Cut(entries, low, high), list[bytes](), 0
    for size in sizes:
        kept += taker.feed(data[place : place + size])
        place += size
    kept += taker.feed(data[place:])
    kept += taker.finish()
    assert taker.kept == len(b"".join(kept))
    return b"".join(kept)


_TEXT = st.sampled_from(
    [
        b"", b"plain", b"\xff\xfe not UTF-8 \x80", b"with \0 a NUL", b"\0\0\0", b"\r", b"x" * 9000,
        b"\n continued\n\n on lines", b"\n[2026/11/24 10:00", b" [2026/11/24 18:00:01.000 +08:00] quoted", b"\n[",
        b"\n[2026/13/24 18:00:01.000 +08:00] no such month", b"\n{\"time\":\"2026/11/24 10:00:01.000 +00:00\"}",
        "\n\u6ce8\u91ca \u043a\u043e\u043c".encode("gb18030"),
    ]
)  # fmt: skip
_ZONES = st.sampled_from([CST, timezone.utc, timezone(timedelta(hours=-3, minutes=-30))])
_ENDINGS = st.sampled_from([b"\n", b"\n", b"\r\n", b"\n\0\0\0", b"\n\n"])
_ENTRIES = st.lists(
    st.tuples(st.integers(-9000, 9000), _TEXT, _ZONES, _ENDINGS).map(
        lambda row: (row[0], head(row[0], row[2]) + row[1] + row[3])
    ),
    max_size=12,
)
_PREAMBLES = st.sampled_from(
    [b"", b"", b"a banner\n", b"\0" * 50, b"\0\0banner\n", b"rest of\n an entry\r\n", b"\n"]
)


@given(
    _PREAMBLES,
    _ENTRIES,
    st.tuples(st.integers(-9500, 9500), st.integers(0, 9000)),
    st.lists(st.integers(1, 4000), max_size=8),
    st.booleans(),
)
def test_whole_entries_of_the_window_and_nothing_else(
    preamble: bytes, entries: list[Entry], window: tuple[int, int], sizes: list[int], ends: bool
) -> None:
    """Whatever the lines hold, however the bytes come in, whether or not the file ends with a newline."""
    if not ends and entries:
        entries = [*entries[:-1], (entries[-1][0], entries[-1][1].rstrip(b"\n\0"))]
    low, high = window[0], window[0] + window[1]
    wanted = [low <= time <= high for time, _ in entries]
    expected = b"".join(data for (_, data), inside in zip(entries, wanted, strict=True) if inside)
    if wanted[:1] == [True]:
        expected = preamble.lstrip(b"\0") + expected
    data = preamble + b"".join(data for _, data in entries)
    assert cut(UNIFIED, data, at(low), at(high), sizes) == expected


def naive(entries: Entries, data: bytes, low: int, high: int) -> bytes:
    """The same by looking at every line by itself."""
    kept, keeping = b"", None
    held = b""
    for start, line in _lines(data):
        mark = entries.begins(data, start, final=True)
        if mark is not None:
            if low <= mark.time <= high:
                kept += held.lstrip(b"\0") if keeping is None else b""
                keeping = True
            else:
                keeping = False
        if keeping is None:
            held += line
        kept += line if keeping else b""
    return kept


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    for place in (place for place, byte in enumerate(data) if byte in b"\n\0"):
        yield start, data[start : place + 1]
        start = place + 1
    if start < len(data):
        yield start, data[start:]


_SCRAPS = st.sampled_from(
    [
        b"\n",
        b"\0",
        b"[",
        b"]",
        b" ",
        b"2026",
        b"\r\n",
        head(0),
        head(1000),
        head(5000),
        head(0)[:20],
        b"/11/24",
        b"\xe9",
    ]
)


@given(
    st.lists(_SCRAPS, max_size=40).map(b"".join),
    st.integers(-1000, 6000),
    st.integers(0, 5000),
    st.integers(1, 50),
)
def test_scraps_of_a_log_are_read_as_every_line_by_itself_would_be(
    data: bytes, low: int, length: int, size: int
) -> None:
    sizes = [size] * (len(data) // size)
    expected = naive(UNIFIED, data, at(low), at(low + length))
    assert cut(UNIFIED, data, at(low), at(low + length), sizes) == expected


def test_a_clock_that_is_put_back_shows_an_hour_twice_and_each_entry_counts_once() -> None:
    """Without a zone on the line only the order tells which of the two hours it is."""
    berlin = ZoneInfo("Europe/Berlin")
    python = Entries((NAMED["python"],), Clock(berlin))
    back = int(datetime(2026, 10, 25, 1, tzinfo=timezone.utc).timestamp())
    moments = range(back - 4 * 3600, back + 4 * 3600, 300)
    lines = [
        f"{datetime.fromtimestamp(moment, berlin):%Y-%m-%d %H:%M:%S},000 INFO {moment}\n".encode()
        for moment in moments
    ]
    for low in range(back - 3 * 3600, back + 3 * 3600, 1800):
        expected = b"".join(
            line for moment, line in zip(moments, lines, strict=True) if low <= moment <= low + 3000
        )
        assert cut(python, b"".join(lines), low * NANOSECONDS, (low + 3000) * NANOSECONDS) == expected


def test_a_log_that_goes_on_in_another_format_is_read_on() -> None:
    """Its writer was told to write JSON from now on."""
    text = b"".join(head(second * 1000) + b"x" * 80 + b"\n" for second in range(600))
    stamps = [datetime.fromtimestamp(START // NANOSECONDS + second, CST) for second in range(600, 1800)]
    lines = [
        f'{{"level":"INFO","time":"{stamp:%Y/%m/%d %H:%M:%S}.000 +08:00","m":1}}\n'.encode()
        for stamp in stamps
    ]
    kept = cut(UNIFIED, text + b"".join(lines), at(900_000), at(1_000_000), [len(text), 20_000, 20_000])
    assert kept == b"".join(lines[300:401])


def test_a_long_preamble_is_left_out_and_counted() -> None:
    taker = Cut(UNIFIED, at(0), at(1000))
    kept = [piece for _ in range(20) for piece in taker.feed(b"a line without a time\n" * 4000)]
    kept += [*taker.feed(head(0) + b"\n"), *taker.finish()]
    assert taker.left_out > PREAMBLE
    assert len(b"".join(kept)) + taker.left_out == 20 * 4000 * 22 + len(head(0)) + 1
    assert b"".join(kept).endswith(head(0) + b"\n")


def test_pieces_well_inside_the_window_are_taken_as_they_are() -> None:
    """Nothing is looked at between their first and their last entry; beside the edges everything is."""
    lines = [head(second * 1000) + b"x" * 2000 + b"\n" for second in range(0, 20_000, 10)]
    data = b"".join(lines)
    assert len(data) > 16 * TRUSTED
    kept = cut(UNIFIED, data, at(1_000_000), at(19_000_500), [2 * TRUSTED] * 16)
    assert kept == b"".join(lines[100:1901])


def test_a_clock_that_is_put_back_far_within_the_window_is_noticed() -> None:
    times = [*range(0, 10_000, 10), *range(-20_000, -10_000, 10), *range(10_000, 20_000, 10)]
    lines = [head(second * 1000) + b"x" * 2000 + b"\n" for second in times]
    kept = cut(UNIFIED, b"".join(lines), at(0), at(30_000_000), [2 * TRUSTED] * 30)
    assert kept == b"".join(line for second, line in zip(times, lines, strict=True) if second >= 0)


def test_it_tells_the_first_and_last_time_and_the_longest_silence() -> None:
    times = [0, 60, 120, 120 + SILENCE // NANOSECONDS, 5000, 5001]
    taker = Cut(UNIFIED, at(60_000), at(5_000_000))
    for second in times:
        taker.feed(head(second * 1000) + b"\n")
    taker.finish()
    assert taker.seen is not None
    assert (taker.seen.first, taker.seen.last) == (at(60_000), at(5_000_000))
    assert taker.seen.silence == (at((120 + SILENCE // NANOSECONDS) * 1000), at(5_000_000))


def test_it_tells_from_when_on_there_is_room_for_it() -> None:
    lines = [head(second * 1000) + b"x" * 200 + b"\n" for second in range(4000)]

    def newest(room: int) -> tuple[int, int, int]:
        taker = Cut(UNIFIED, at(0), at(10_000_000), room=room)
        for number in range(0, 4000, 500):
            taker.feed(b"".join(lines[number : number + 500]))
        taker.finish()
        return (*taker.newest(), taker.kept)

    low, before, kept = newest(100_000)
    rest = cut(UNIFIED, b"".join(lines), low, at(10_000_000))
    assert 97_000 < len(rest) <= 100_000
    assert before + len(rest) == kept
    assert newest(kept)[:2] == (at(0), 0)
    assert newest(1)[:2] == (at(10_000_000) + 1, kept)
