"""What looks drawn by lot, and what only resembles it."""

from __future__ import annotations

import base64
import hashlib
import random
import string

import pytest

from clinic.redact.entropy import random_words

ALPHABET = string.ascii_letters + string.digits


def _found(text: str) -> list[int]:
    return list(random_words(text.encode()))


def test_nine_in_ten_random_tokens_are_found() -> None:
    pick = random.Random(4)
    words = ["".join(pick.choice(ALPHABET) for _ in range(32)) for _ in range(500)]
    assert sum(bool(_found(f'x "{word}" y')) for word in words) >= 450


@pytest.mark.parametrize(
    "text",
    [
        hashlib.sha256(b"x").hexdigest(), "6f03675a-1600-4d4b-8a7e-36f5d3e0c1a2", "github.com/pingcap/tidb/pkg/session",
        "tidb_server_query_total", "cutNewHeadChunk+0x1cf", "getPointSlice+0x1d64", "7480000000000000FF5F728000000000",
        "AVG_ROCKSDB_BLOCK_CACHE_HIT_COUNT", "BenchmarkHashJoinExecBuild2ndPhase", "SHA256:" + "a1B2c3D4e5" * 4,
        "/tmp/0_tidb/" + base64.b64encode(b"0.0.0.0:4000/0.0.0.0:10080").decode(), "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAA",
        "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ2x9\nq8Zr5Tn0Kp3Vw7Yb1Xc6Lm2Jd9\n-----END CERTIFICATE-----",
        "2026-11-26T14:56:53.706031789+00:00", "v9.0.0-beta.2.pre-483-ga186e0cc61", "Ip6InNoECTPktsOfAll64",
        "tidb_decode_plan('q8Zr5Tn0Kp3Vw7Yb1Xc6Lm2Jd9')",
    ],
)  # fmt: skip
def test_a_look_alike_is_none(text: str) -> None:
    assert _found(text) == []
