"""Builds the broken bundles beside it, one archive for each defect. Run it after a change of the format.

Nothing of the writer is used, so that reader and writer can't agree on the same mistake.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BLOCK = 128 * 1024
Change = Callable[[dict[str, bytes]], None]


def frame(size: int, *, window: int = 17) -> bytes:
    """`size` zero bytes, a multiple of 128 KiB, as a zstd frame of repeated blocks (RFC 8878, 3.1.1)."""
    last = size // BLOCK - 1
    blocks = b"".join(
        ((number == last) | 1 << 1 | BLOCK << 3).to_bytes(3, "little") + b"\0"
        for number in range(size // BLOCK)
    )
    return b"\x28\xb5\x2f\xfd" + bytes((0, (window - 10) << 3)) + blocks


FILES: dict[str, bytes] = {"h1/os.txt": b"Debian\n", "h1/tidb.log.zst": frame(BLOCK)}


@dataclass(frozen=True)
class Draft:
    """A bundle that is not written yet."""

    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    """Stored bytes of every file, by path."""

    listed: list[dict[str, Any]] = field(
        default_factory=lambda: [listed(path, data) for path, data in FILES.items()]
    )
    """What the manifest says of them."""

    others: list[tarfile.TarInfo] = field(default_factory=list[tarfile.TarInfo])
    """Links, pipes, devices and folders."""

    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the manifest that are not as they should be."""

    sums: dict[str, str] = field(default_factory=dict[str, str])
    """Lines of SHA256SUMS that are not as they should be."""

    late: list[Change] = field(default_factory=list[Change])
    """What is done to the files once everything is in order."""


def listed(path: str, data: bytes, *, plain: int | None = None) -> dict[str, Any]:
    """The manifest's line for a file."""
    size = BLOCK if path.endswith(".zst") else len(data)
    digest = hashlib.sha256(data).hexdigest()
    return {"path": path, "plain": size if plain is None else plain, "stored": len(data), "sha256": digest}


def manifest(draft: Draft) -> bytes:
    """The bytes of `manifest.json`: one record with all the files."""
    known = {"category": "system", "sensitivity": "internal", "content": "text"}
    entry = {"id": "test.all", "path": "h1", "collector": "test", "folder": True, **known}
    total = {name: sum(file[name] for file in draft.listed) for name in ("plain", "stored")}
    found = {
        "format": "clinic-bundle/1",
        "totals": {
            "status": {"ok": 1},
            "category": {"system": {"items": 1, "files": len(draft.listed), **total}},
        },
        "run": {
            "tool": "clinic", "version": "0.1.0", "machine": "control", "user": "root", "root": True,
            "created": "2026-11-25T10:00:00Z", "started": "2026-11-25T10:00:00Z",
            "cluster": {"name": "prod", "deployed": "local", "machines": ["h1"]},
            "window": {"start": "2026-11-25T08:00:00Z", "end": "2026-11-25T10:00:00Z", "zone": "UTC"},
        },
        "ended": "2026-11-25T10:01:00Z", "interrupted": False, "parent": None, "redaction": {"rules": "1"},
        "records": [{"entry": entry, "status": "ok", "files": draft.listed}],
        **draft.fields,
    }  # fmt: skip
    return json.dumps(found, indent=1).encode() + b"\n"


def members(draft: Draft) -> dict[str, bytes]:
    """The files of the bundle, the manifest and the digests with them."""
    files = dict(draft.files)
    files["manifest.json"] = manifest(draft)
    digests = {file["path"]: file["sha256"] for file in draft.listed}
    digests["manifest.json"] = hashlib.sha256(files["manifest.json"]).hexdigest()
    lines = sorted({**digests, **draft.sums}.items())
    files["SHA256SUMS"] = "".join(f"{digest}  {path}\n" for path, digest in lines).encode()
    for change in draft.late:
        change(files)
    return files


def other(path: str, kind: bytes, *, target: str = "", device: tuple[int, int] = (0, 0)) -> tarfile.TarInfo:
    """A member that is no plain file."""
    info = tarfile.TarInfo(path)
    info.type, info.linkname = kind, target
    info.devmajor, info.devminor = device
    info.mode = 0o700 if kind == tarfile.DIRTYPE else 0o600
    return info


def archive(draft: Draft) -> bytes:
    """The bundle as a tar file, the same bytes each time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, data in sorted(members(draft).items()):
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(data), 0o600
            tar.addfile(info, io.BytesIO(data))
        for info in draft.others:
            tar.addfile(info)
    return out.getvalue()


def _without(path: str) -> dict[str, bytes]:
    return {name: data for name, data in FILES.items() if name != path}


def _put(path: str, data: bytes) -> Change:
    def put(files: dict[str, bytes]) -> None:
        files[path] = data

    return put


def _edit(path: str, old: bytes, new: bytes) -> Change:
    def edit(files: dict[str, bytes]) -> None:
        files[path] = files[path].replace(old, new)

    return edit


def _cut(files: dict[str, bytes]) -> None:
    files["manifest.json"] = files["manifest.json"][:500]


def _plus(path: str, data: bytes, *, plain: int | None = None) -> Draft:
    """A bundle with one file more."""
    draft = Draft()
    draft.files[path] = data
    draft.listed.append(listed(path, data, plain=plain))
    return draft


def _lists(path: str) -> Draft:
    """A bundle whose manifest lists a file that the archive does not hold."""
    draft = Draft()
    draft.listed.append(listed(path, b"x\n"))
    return draft


def _twice() -> Draft:
    draft = Draft()
    draft.listed.append(draft.listed[0])
    return draft


def _all_at_once() -> Draft:
    draft = Draft(
        files={**_without("h1/os.txt"), "h1/extra.txt": b"x\n"}, late=[_edit("h1/tidb.log.zst", b"\0", b"\1")]
    )
    draft.listed.append(listed("../outside.txt", b"x\n"))
    draft.others.append(other("h1/link", tarfile.SYMTYPE, target="/etc/passwd"))
    return draft


DRAFTS: dict[str, Callable[[], Draft]] = {
    "whole": Draft,
    "journal-beside-manifest": lambda: Draft(late=[_put("journal.jsonl", b"{}\n"), _put(".lock", b"")]),
    "extra-file": lambda: Draft(late=[_put("h1/extra.txt", b"x\n")]),
    "extra-folder": lambda: Draft(others=[other("h1/empty", tarfile.DIRTYPE)]),
    "terminal-escape-in-a-name": lambda: Draft(late=[_put("h1/\x1b[2J\n.txt", b"x\n")]),
    "symlink": lambda: Draft(
        _without("h1/os.txt"), others=[other("h1/os.txt", tarfile.SYMTYPE, target="/etc/passwd")]
    ),
    "symlink-folder": lambda: Draft({}, others=[other("h1", tarfile.SYMTYPE, target="/etc")]),
    "symlink-manifest": lambda: Draft(
        late=[lambda files: files.update({"real.json": files.pop("manifest.json")})],
        others=[other("manifest.json", tarfile.SYMTYPE, target="real.json")],
    ),
    "pipe": lambda: Draft(_without("h1/os.txt"), others=[other("h1/os.txt", tarfile.FIFOTYPE)]),
    "device": lambda: Draft(
        _without("h1/os.txt"), others=[other("h1/os.txt", tarfile.CHRTYPE, device=(1, 5))]
    ),
    "parent-path": lambda: _lists("../outside.txt"),
    "absolute-path": lambda: _lists("/etc/passwd"),
    "windows-path": lambda: _lists("C:\\secrets.txt"),
    "fixed-name": lambda: _lists("journal.jsonl"),
    "changed-byte": lambda: Draft(late=[_edit("h1/os.txt", b"Debian", b"Debiam")]),
    "wrong-size": lambda: Draft(late=[_put("h1/os.txt", b"Debian 12\n")]),
    "missing-file": lambda: Draft(_without("h1/os.txt")),
    "zstd-bomb": lambda: _plus("h1/bomb.zst", frame(4 << 30), plain=1000),
    "zstd-short": lambda: _plus("h1/short.zst", frame(BLOCK), plain=BLOCK + 1),
    "zstd-window": lambda: _plus("h1/window.zst", frame(BLOCK, window=31)),
    "zstd-garbage": lambda: _plus("h1/garbage.zst", b"this is not zstd\n"),
    "two-sizes": lambda: _plus("h1/two.txt", b"x\n", plain=3),
    "unknown-version": lambda: Draft(fields={"format": "clinic-bundle/2"}),
    "not-a-manifest": lambda: Draft(late=[_put("manifest.json", b'{"name": "something else"}\n')]),
    "truncated-manifest": lambda: Draft(late=[_cut]),
    "changed-manifest": lambda: Draft(late=[_edit("manifest.json", b'"prod"', b'"prob"')]),
    "impossible-size": lambda: Draft(
        listed=[{**listed("h1/os.txt", b"Debian\n"), "stored": -7}], files=_without("h1/tidb.log.zst")
    ),
    "sums-missing": lambda: Draft(late=[lambda files: files.__delitem__("SHA256SUMS")]),
    "sums-disagree": lambda: Draft(sums={"h1/os.txt": "0" * 64}),
    "sums-extra": lambda: Draft(sums={"h1/more.txt": "0" * 64}),
    "sums-malformed": lambda: Draft(late=[_edit("SHA256SUMS", b"  h1/os.txt", b" *h1/os.txt")]),
    "duplicate-path": _twice,
    "case-collision": lambda: _plus("h1/OS.txt", b"x\n"),
    "everything-at-once": _all_at_once,
}
"""The bundles by the name of their defect; `whole` and `journal-beside-manifest` have none."""


def main() -> None:
    """Write every archive."""
    for name, draft in DRAFTS.items():
        (HERE / f"{name}.tar.gz").write_bytes(gzip.compress(archive(draft()), mtime=0))


if __name__ == "__main__":
    main()
