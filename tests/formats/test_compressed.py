"""Compressed files come out as they went in, or say that they are damaged, in bounded memory."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from clinic.formats.compressed import PIECE, BadPacking, Packing, packing_of, unpack
from clinic.units import MIB

PACKERS: dict[Packing, Callable[[bytes], bytes]] = {
    Packing.GZIP: gzip.compress,
    Packing.ZSTD: zstandard.compress,
}
both = pytest.mark.parametrize("packing", PACKERS, ids=lambda packing: packing.name)


def pieces(data: bytes, size: int) -> list[bytes]:
    """As a file gives them."""
    return [data[at : at + size] for at in range(0, len(data), size)]


@both
@given(
    st.lists(st.binary(max_size=3000).map(lambda data: data * 50), min_size=1, max_size=3),
    st.integers(1, 5000),
)
def test_what_went_in_comes_out(packing: Packing, members: list[bytes], size: int) -> None:
    """Also where several were written one after another, as a program that appends does."""
    packed = b"".join(map(PACKERS[packing], members))
    assert packing_of(packed) is packing
    found = list(unpack(packing, pieces(packed, size)))
    assert b"".join(found) == b"".join(members)
    assert max(map(len, found), default=0) <= PIECE


@both
def test_padding_after_it_is_no_damage(packing: Packing) -> None:
    assert b"".join(unpack(packing, [PACKERS[packing](b"x" * 100) + bytes(1000), bytes(50)])) == b"x" * 100


@both
def test_what_ends_early_says_so_after_what_it_had(packing: Packing) -> None:
    packed = PACKERS[packing](bytes(range(256)) * 4000)
    got: list[bytes] = []
    with pytest.raises(BadPacking, match="ends in the middle"):
        got.extend(unpack(packing, pieces(packed[:-1], 1000)))
    assert (bytes(range(256)) * 4000).startswith(b"".join(got))


@both
def test_what_is_damaged_says_so(packing: Packing) -> None:
    packed = PACKERS[packing](bytes(range(256)) * 400)
    with pytest.raises(BadPacking, match="damaged"):
        list(unpack(packing, [packed[:5] + b"\xff" * 20 + packed[25:]]))
    with pytest.raises(BadPacking, match="damaged"):
        list(unpack(packing, [packed + b"something else"]))


@both
def test_a_gibibyte_of_nothing_comes_in_small_pieces(packing: Packing) -> None:
    """A file of a megabyte may say that it holds a thousand times as much."""
    one = PACKERS[packing](bytes(1 << 24))
    sizes = [len(piece) for piece in unpack(packing, [one] * 4)]
    assert sum(sizes) == 4 << 24
    assert max(sizes) <= PIECE


@given(
    data=st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 9000)), max_size=12),
    level=st.sampled_from([-5, 1, 3, 9]),
    sums=st.booleans(),
    sized=st.booleans(),
    skipped=st.integers(0, 3000),
    size=st.integers(1, 70_000),
)
def test_every_kind_of_zstd_frame_comes_out_in_small_pieces(
    data: list[tuple[bytes, int]], level: int, *, sums: bool, sized: bool, skipped: int, size: int
) -> None:
    """With and without sizes and sums, of blocks of each kind, with frames to skip between them."""
    plain = b"".join(some * often for some, often in data)
    packer = zstandard.ZstdCompressor(level=level, write_checksum=sums, write_content_size=sized)
    stream = packer.compressobj()
    one = packer.compress(plain) if sized else stream.compress(plain) + stream.flush()
    skip = (
        b"\x5a\x2a\x4d\x18"
        + skipped.to_bytes(4, "little")
        + b"\x28\xb5\x2f\xfd"[:skipped].ljust(skipped, b"x")
    )
    packed = skip + one + skip + one
    found = list(unpack(Packing.ZSTD, pieces(packed, size)))
    assert b"".join(found) == plain * 2
    assert max(map(len, found), default=0) <= PIECE


def test_little_is_unpacked_at_once_whatever_it_stands_for() -> None:
    """A block of four bytes may stand for 128 KiB: a piece of 64 KiB has thousands of them."""
    # A frame with a window of 8 MiB: blocks that repeat one byte (RFC 8878, 3.1.1.2.2), the last one empty.
    block = ((1 << 17) << 3 | 1 << 1).to_bytes(3, "little") + b"x"
    packed = b"\x28\xb5\x2f\xfd\x00\x68" + block * 20_000 + b"\x01\x00\x00"
    tracemalloc.start()
    try:
        assert sum(map(len, unpack(Packing.ZSTD, [packed]))) == 20_000 << 17
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


def test_a_frame_that_wants_too_much_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    data = packed.compress(bytes(1000)) + packed.flush()
    with pytest.raises(BadPacking, match="damaged"):
        list(unpack(Packing.ZSTD, [data]))


@pytest.mark.parametrize(
    ("head", "packing"),
    [
        (b"BZh91AY", Packing.OTHER), (b"\xfd7zXZ\x00", Packing.OTHER), (b"PK\x03\x04", Packing.OTHER),
        (b"\x50\x2a\x4d\x18", Packing.ZSTD), (b"[2026/11/24", None), (b"", None),
    ],
)  # fmt: skip
def test_a_file_tells_how_it_is_packed(head: bytes, packing: Packing | None) -> None:
    assert packing_of(head) is packing
