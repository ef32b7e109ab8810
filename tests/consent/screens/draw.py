"""Draws the screens that the tests hold the code to. Run it after a change of words, and read what it wrote.

python -m tests.consent.screens.draw
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from clinic.bundle.manifest import Redaction
from clinic.bundle.package import Kept, LeakResult, Package
from clinic.consent.destination import Destination, Protocol
from clinic.consent.destinations import find_destination
from clinic.consent.notice import read_notice
from clinic.consent.policy import Policy
from clinic.consent.screen import Question, draw

HERE = Path(__file__).resolve().parent
CLINIC_KEY = "71aaf29c77a289f1ee7b15a5932e037140bb421c3afb22dfdf8a0894c19deb12"

PLAIN = Package(
    bundle="abcdef0123456789" * 4, name="clinic-orders-20261125T120000Z.tar.zst", sha256="c" * 64, size=123_456_789,
    container="tar.zst", created="2026-11-25T12:30:00Z", complete=False, cluster="orders",
    cluster_id="7123456789012345678", version="v8.5.1", start="2026-11-25T10:00:00+08:00",
    end="2026-11-25T12:00:00+08:00", case="T-17",
    kept=(
        Kept("bundle", "internal", 4, 180_000, 180_000), Kept("config", "internal", 8, 30_000, 10_000),
        Kept("logs", "user-data", 12, 3 << 30, 110 << 20), Kept("metrics", "internal", 300, 400 << 20, 8 << 20),
        Kept("system", "public", 40, 900_000, 300_000),
    ),
    missing=("tikv-2: logs, config: the host did not answer", "tidb-1: debug: not permitted"),
    redaction=Redaction("7", {"password-key": 12, "url-credentials": 3}), leaks=LeakResult("2026-11-25T12:20:00Z", "7"),
    left_out=("debug",),
)  # fmt: skip
DIAG = replace(PLAIN, name="clinic-orders-20261125T120000Z.diag", container="diag", recipients=(CLINIC_KEY,))
AGE = replace(
    PLAIN, name="clinic-orders-20261125T120000Z.tar.zst.age", container="tar.zst.age", complete=True, missing=(),
    recipients=("age1theirs", "age1ours"), privacy="identifiers", left_out=(),
    leaks=LeakResult("2026-11-25T12:20:00Z", "7", 2, ("10.0.1.5/tidb.log.zst",)),
)  # fmt: skip
SUPPORT = Destination(
    "support", Protocol.CLINIC, "https://in.example.com", operator="Example Support Ltd",
    region="Frankfurt", processed="Frankfurt alone",
    container="tar.zst.age", recipients=("age1theirs",), retention="30 days", contact="data@example.com",
    terms="https://example.com/privacy",
)  # fmt: skip
UNKNOWN = Destination("https://192.0.2.7", Protocol.CLINIC, "https://192.0.2.7")


def screens() -> dict[str, str]:
    """File name -> text."""
    cases = {
        "clinic": (DIAG, find_destination("clinic-us"), Policy()),
        "support": (AGE, SUPPORT, Policy(digest="e" * 64)),
        "unknown": (PLAIN, UNKNOWN, Policy()),
    }
    now = datetime(2026, 11, 25, 13, tzinfo=timezone.utc)
    return {
        f"{name}.{language}.txt": draw(
            Question(package, there, read_notice(there.notice, language), policy, now)
        )
        for name, (package, there, policy) in cases.items()
        for language in ("en", "zh")
    }


if __name__ == "__main__":
    for file, text in screens().items():
        (HERE / file).write_text(text, encoding="utf-8")
