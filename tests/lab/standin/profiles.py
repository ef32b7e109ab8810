"""Profiles of Go programs in their packed form, of which none was recorded: valid, and without a sample."""

from __future__ import annotations

import gzip

from tests.lab.standin.answers import PLAIN, Answer, Request

NAMES = frozenset({"allocs", "block", "goroutine", "heap", "mutex", "profile", "threadcreate"})
TEXT = "debug="


def packed_profile(request: Request, prefix: str) -> Answer | None:
    """The answer to a request for a packed profile below `prefix`; None for any other request."""
    if request.method != "GET" or not request.path.startswith(prefix) or TEXT in request.target:
        return None
    name = request.path.removeprefix(prefix)
    if name not in NAMES:
        return None
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
    }
    return Answer(200, gzip.compress(_profile()), "application/octet-stream", headers)


def unknown_profile() -> Answer:
    """What net/http/pprof says to a name that it does not know."""
    return Answer(404, b"Unknown profile\n", PLAIN)


def _profile() -> bytes:
    """A message Profile of google/pprof's profile.proto: one type of sample, three strings, no samples."""
    strings = (b"", b"samples", b"count")
    return b"\x0a\x04\x08\x01\x10\x02" + b"".join(b"\x32" + bytes([len(each)]) + each for each in strings)
