"""Names in a bundle: which are fixed, and how any name from a host becomes one that is safe everywhere."""

from __future__ import annotations

import hashlib
import itertools
import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Iterator

MANIFEST = "manifest.json"
"""The sealed list of everything; its presence is the seal."""

MANIFEST_NEW = "manifest.json.new"
"""The manifest until the bundle is sealed by giving it its name."""

SUMS = "SHA256SUMS"
"""Digests of every other file, for `sha256sum -c`."""

JOURNAL = "journal.jsonl"
"""What happened so far, while there is no manifest."""

SUMMARY = "SUMMARY.txt"
"""The page for people."""

PRIVACY = "PRIVACY.txt"
"""The page that says what was hidden."""

PAGES = frozenset({SUMMARY, PRIVACY})
"""Pages that a bundle brings of itself: listed in its manifest, and no item may have their names."""

LOCK = ".lock"
"""Held by the one run that may write here; gone once the bundle is sealed."""

PARTIAL = ".partial"
"""Folder of files that are not finished; gone once the bundle is sealed."""

COMPRESSED = ".zst"
"""Ending of a file that is stored as zstd frames."""

INDEX = ".index"
"""What is appended to a log's name for its index."""

UNLISTED = frozenset({MANIFEST, SUMS, JOURNAL, LOCK})
"""Files that no manifest lists. After a crash the last two may lie beside a manifest, meaning nothing."""

FIXED = UNLISTED | PAGES | {PARTIAL, MANIFEST_NEW}
"""Names at the root that no item may take."""

LONGEST_NAME = 200
"""Bytes of one part of a path; leaves room in the usual 255 for endings that come later."""

LONGEST_PATH = 1000
"""Bytes of a whole path: far below Linux's 4096, so that a bundle can be unpacked in any directory."""

# Win32 "Naming Files, Paths, and Namespaces"; the superscript digits count as digits there.
_DEVICES = re.compile(r"(?i)(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])(?=\.|$|[ ]+(?:\.|$))")
_FORBIDDEN = frozenset('<>:"|?*\\')
_PLAIN = re.compile(r"[A-Za-z0-9_\-.,=+@%~()\[\]{} ]*\Z")
_ENDING_BYTES = 16


def safe_path(path: str) -> str:
    """`path` as a relative path below the bundle's root that every common system can hold.

    Nothing is refused. Empty and `.` parts are dropped, `..` and what systems reserve is percent-encoded,
    long names are shortened with a hash. A safe path is returned unchanged.
    """
    parts = [safe_name(part) for part in path.split("/") if part not in ("", ".")]
    return _shorten_path(parts) if parts else "_"


def safe_name(name: str) -> str:
    """`name` as one part of a safe path: slashes are encoded as well."""
    text = name if _PLAIN.match(name) else "".join(_encoded(char) for char in name)
    if _DEVICES.match(text):
        text = _percent(text[0]) + text[1:]
    if text.endswith((".", " ")):
        text = text[:-1] + _percent(text[-1])
    return _shorten_name(text or "_")


def _encoded(char: str) -> str:
    # What can't be printed: controls, line separators, direction marks, private use, half surrogates.
    return _percent(char) if char in _FORBIDDEN or char == "/" or not char.isprintable() else char


def _percent(char: str) -> str:
    code = ord(char)
    # A byte that was not UTF-8 comes as U+DC80..U+DCFF (PEP 383) and goes back to that byte.
    raw = bytes((code - 0xDC00,)) if 0xDC80 <= code <= 0xDCFF else char.encode("utf-8", "surrogatepass")
    return "".join(f"%{byte:02X}" for byte in raw)


def _shorten_name(name: str) -> str:
    if len(name.encode()) <= LONGEST_NAME:
        return name
    dot = name.rfind(".")
    ending = name[dot:] if dot > 0 and len(name[dot:].encode()) <= _ENDING_BYTES else ""
    mark = f"~{_short_hash(name)}{ending}"
    return _cut(name, LONGEST_NAME - len(mark.encode())) + mark


def _shorten_path(parts: list[str]) -> str:
    whole = "/".join(parts)
    if len(whole.encode()) <= LONGEST_PATH:
        return whole
    middle = _short_hash(whole)
    kept = parts[:1]
    for part in parts[1:-1]:
        if len("/".join((*kept, part, f"~{middle}", parts[-1])).encode()) > LONGEST_PATH:
            break
        kept.append(part)
    return "/".join((*kept, f"~{middle}", parts[-1]))


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _cut(text: str, size: int) -> str:
    """The beginning of `text` in at most `size` bytes of UTF-8."""
    return text.encode()[:size].decode("utf-8", "ignore")


def is_confined(path: str) -> bool:
    """Whether a path that someone else wrote stays below the root, and means the same on every system."""
    return all(part not in ("", ".", "..") for part in path.split("/")) and not any(
        char in _FORBIDDEN or char < " " or char == "\x7f" for char in path
    )


def fold(path: str) -> str:
    """What two paths have in common when a system that ignores case or composition takes them for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


class Names:
    """Keeps paths apart: no two that some system takes for one, none that is both a file and a folder.

    Thread-safe.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._files: set[str] = set()
        self._folders: Counter[str] = Counter()
        self._lock = threading.RLock()
        for path in taken:
            self.take(path)

    def take(self, path: str) -> None:
        """`path` is a file now."""
        with self._lock:
            if fold(path) not in self._files:
                self._files.add(fold(path))
                self._folders.update(fold(folder) for folder in _folders(path))

    def release(self, path: str) -> None:
        """`path` is free again."""
        with self._lock:
            if fold(path) in self._files:
                self._files.discard(fold(path))
                self._folders.subtract(fold(folder) for folder in _folders(path))

    def claim(self, path: str, *, replacing: Container[str] = ()) -> str:
        """The first of `path`, `path~2`, `path~3` ... that is free, now taken.

        The number stands before the endings: `a~2.log`. The same name with `.zst` is kept free for it too.
        Names in `replacing` (as `fold` gives them) count as free.
        """
        with self._lock:
            for folder in _folders(path):
                if fold(folder) in self._files:
                    free = next(name for name in _candidates(folder) if fold(name) not in self._files)
                    return self.claim(free + path[len(folder) :], replacing=replacing)
            chosen = next(name for name in _candidates(path) if self._is_free(name, replacing))
            self.take(chosen)
            return chosen

    def _is_free(self, path: str, replacing: Container[str]) -> bool:
        names = {fold(path), fold(path + COMPRESSED), fold(path.removesuffix(COMPRESSED))}
        taken = (name in self._files and name not in replacing for name in names)
        return not any(taken) and not any(self._folders[name] > 0 for name in names)


def _folders(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:length]) for length in range(1, len(parts)))


def _candidates(path: str) -> Iterator[str]:
    yield path
    for number in itertools.count(2):
        yield _numbered(path, number)


def _numbered(path: str, number: int) -> str:
    folder, slash, name = path.rpartition("/")
    lead = "." if name.startswith(".") else ""
    stem, dot, endings = name[len(lead) :].partition(".")
    return f"{folder}{slash}{lead}{stem}~{number}{dot}{endings}"
