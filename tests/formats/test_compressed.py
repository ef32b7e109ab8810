"""Compressed files come out as they went in, or say that they are damaged, in bounded memory."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from clinic.formats.compressed import PIECE, BadPacking, Packing, packing_of, unpack

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
