"""Bytes that a redactor of text sees nothing in: packed data, and text in an encoding that it can't read."""

from __future__ import annotations

LOOK = 512
"""Bytes at the beginning that tell."""

_PACKED = (
    (b"\x1f\x8b", "gzip data"), (b"BZh", "bzip2 data"), (b"\xfd7zXZ\0", "xz data"), (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"\x04\x22\x4d\x18", "lz4 data"), (b"PK\x03\x04", "a zip archive"), (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"), (b"\x1f\x9d", "compressed data"), (b"age-encryption.org/", "encrypted data"),
)  # fmt: skip
"""How packed data begin, as file(1) knows them."""

_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
"""Byte order marks of UTF-16 and UTF-32."""

_TAR = (257, b"ustar")


def unread(head: bytes) -> str:
    """What the data beginning with `head` are, when they can't be looked into as text; empty when they can."""
    for magic, name in _PACKED:
        if head.startswith(magic):
            return name
    if head[_TAR[0] :].startswith(_TAR[1]):
        return "a tar archive"
    return "text in UTF-16 or UTF-32" if head.startswith(_WIDE) or _is_wide(head) else ""


def _is_wide(head: bytes) -> bool:
    """Whether every second byte is NUL, as in UTF-16 of plain letters; a list with NULs between has fewer."""
    if len(head) < 16:
        return False
    half = len(head) // 2
    even, odd = head[: 2 * half : 2].count(0), head[1 : 2 * half : 2].count(0)
    return max(even, odd) > 0.7 * half and min(even, odd) < 0.3 * half
