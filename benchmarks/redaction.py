"""How fast the redaction door is, beside `zstd -3` and a plain `re` of the same purpose, in one run.

python benchmarks/redaction.py [--size MIB] [--rounds N]

Every number is measured here and now, in processor seconds of one core; the best of the rounds is shown. Ratios within
a run say more than the numbers themselves, which move with whatever else the machine is doing.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import time
from collections.abc import Callable

import zstandard

from clinic.kinds import Content
from clinic.redact import Redactor
from clinic.secret import SecretRegister

MIB = 1 << 20
PIECE = 64 * 1024
"""Bytes that a source gives at once."""

_SOURCES = ("conn.go:1146", "session.go:3296", "2pc.go:685", "region_cache.go:1201", "ddl.go:377")
_SECRETS = (
    '["changefeed sink uri"] [sink-uri="mysql://cdc_user:{s}@10.0.1.{n}:3306/?worker-count=16"]',
    "[GENERAL_LOG] [conn={n}] [user=root@%] [sql=\"create user 'u{n}'@'%' identified by '{s}'\"]",
    '["load config"] [config="{{\\"user\\":\\"root\\",\\"password\\":\\"{s}\\",\\"port\\":{n}}}"]',
)
_LINES = (
    '["command dispatched failed"] [conn={n}] [connInfo="id:{n}, addr:10.0.{a}.{b}:{p} status:10, '
    'collation:utf8mb4_bin, user:app"] [command=Query] [status="inTxn:0, autocommit:1"] '
    "[sql=\"select * from `orders_{a}` where `id` in ({n}, {p}) and `note` = '{w}'\"] [timestamp={t}] "
    "[err=\"[kv:1062]Duplicate entry '{n}' for key 'orders_{a}.PRIMARY'\"]",
    "[expensive_query] [cost_time={n}.{p}s] [process_time={a}.{p}s] [wait_time=0.{p}s] [request_count={n}] "
    '[conn={t}] [user=app] [database=shop] [table_ids="[{a}]"] [txn_start_ts={t}] [mem_max="{n} Bytes ({a} MB)"] '
    "[sql=\"update t{b} set b = b + {n} where quantity = {p} and name = '{w}'\"]",
    '["[BIG_TXN]"] [session={t}] ["key sample"=7480000000000000{a:02x}5f7280000000{n:010x}] [size={n}] [keys={p}]',
    '["switch region peer to next due to send request fail"] [current="region ID: {n}, meta: id:{n} start_key:'
    '\\"t\\\\200\\\\000\\\\{a:03o}\\" region_epoch:<conf_ver:5 version:{p} > peers:<id:{n} store_id:{a} >"] '
    '[needReload=false] [error="rpc error: code = Unavailable desc = connection error: desc = \\"transport: '
    'dialing dial tcp 10.0.{a}.{b}:20160: connect: connection refused\\""] [errorVerbose="{w}\\n\\tgithub.com/'
    'pingcap/tidb/store/tikv/region_request.go:{p}\\nruntime.goexit\\n\\t/usr/local/go/src/runtime/asm_amd64.s:1371"]',
    '["update pd client"] [old-urls="[http://10.0.{a}.1:2379,http://10.0.{a}.2:2379]"] [cluster-id={t}]',
    '["got safepoint"] [service=gc_worker] [safepoint={t}] [safepoint-ts={t}] [minServiceGCSafePoint={n}]',
)
_ALIKE = (
    '[GENERAL_LOG] [conn={n}] [user=app@%] [sql="update sessions set token = {p} where id = {n}"]',
    "[\"check\"] [err=\"Access denied for user 'u{n}'@'10.0.{a}.{b}' (using password: YES)\"] [token={p}]",
)


def tidb_log(size: int, seed: int = 1) -> bytes:
    """A unified log of about `size` bytes: a secret in one line of two thousand, a look-alike in one of fifty."""
    pick = random.Random(seed)
    out: list[bytes] = []
    length = number = 0
    while length < size:
        number += 1
        values = {
            "n": pick.randrange(1 << 30), "a": pick.randrange(256), "b": pick.randrange(256),
            "p": pick.randrange(65536), "t": 440_000_000_000_000_000 + pick.randrange(1 << 50),
            "s": f"S3cr3t{pick.randrange(1 << 40):x}",
            "w": " ".join(pick.choice(_WORDS) for _ in range(pick.randrange(8))),
        }  # fmt: skip
        kind = _SECRETS if number % 2000 == 0 else _ALIKE if number % 50 == 0 else _LINES
        second, milli = divmod(number, 1000)
        clock = f"{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}.{milli:03}"
        level, source = pick.choice(("INFO", "INFO", "WARN", "ERROR")), pick.choice(_SOURCES)
        body = pick.choice(kind).format(**values)
        line = f"[2026/11/24 {clock} +08:00] [{level}] [{source}] {body}\n".encode()
        out.append(line)
        length += len(line)
    return b"".join(out)


_WORDS = (
    "the order was paid and then a customer called about late delivery of item number in region store".split()
)


def regions(size: int) -> bytes:
    """PD's list of regions: one line of JSON."""
    one = {
        "id": 1, "start_key": "7480000000000000FF5F728000000000FF0012340000000000FA",
        "end_key": "7480000000000000FF5F728000000000FF0056780000000000FA", "epoch": {"conf_ver": 5, "version": 77},
        "peers": [{"id": 2, "store_id": 1, "role_name": "Voter"}], "approximate_size": 96, "approximate_keys": 123456,
    }  # fmt: skip
    text = json.dumps(one, separators=(",", ":")).encode()
    return b'{"count":1,"regions":[' + b",".join([text] * (size // len(text))) + b"]}"


NAIVE = re.compile(
    rb"(?i)((?:password|passwd|secret|token|credential|access[_-]?key)[\w.-]*\\?[\"']?\s*[=:]\s*\\?[\"']?)"
    rb"([^\s\"'\\,;&]+)|(\w+://[^\s:/@]+:)([^\s@]+)(?=@)|(identified\s+by\s+')([^']+)"
    rb"|(\beyJ[\w-]+\.[\w-]+\.[\w-]+)|(\bAKIA[A-Z0-9]{16}\b)"
)


def naive(data: bytes) -> bytes:
    """What one would write in an hour: eight of the rules, line by line."""
    return b"".join(NAIVE.sub(rb"\1\3\5***", line) for line in data.splitlines(keepends=True))


def through(redactor: Redactor, content: Content, data: bytes) -> int:
    """How many bytes come out of the door."""
    stream = redactor.stream(content)
    size = sum(len(stream.feed(data[at : at + PIECE])) for at in range(0, len(data), PIECE))
    return size + len(stream.finish())


def say(line: str = "") -> None:
    """One line of the table."""
    print(line)  # noqa: T201 - a table on the terminal is what it is for


def rate(name: str, data: bytes, work: Callable[[bytes], object], rounds: int, beside: float = 0.0) -> float:
    """MiB per second of processor time, printed."""
    seconds: list[float] = []
    for _ in range(rounds):
        start = time.process_time()
        work(data)
        seconds.append(time.process_time() - start)
    speed = len(data) / MIB / min(seconds)
    say(f"{name:<44} {speed:9.1f} MiB/s" + (f"   {speed / beside:7.2f} of zstd -3" if beside else ""))
    return speed


def worst(size: int) -> dict[str, bytes]:
    """Lines without an end that a hostile node could send."""
    return {
        "a million `=` and more": b"=" * size,
        "nested quotes": b'\\\\\\"\\"' * (size // 6),
        "nested JSON": b'{"a":' * (size // 5),
        "half of a trigger, over and over": b"passwor pass tok secre ://a" * (size // 27),
        "one secret without an end": b"password=" + b"a" * size,
    }


_DENSE = {
    "nothing but `pwd=1`": b"pwd=1 ",
    "nothing but `-p`": b" -p",
    'nothing but `"password":"x"`': b'"password":"x",',
    "nothing but `://a:b@c`": b"://a:b@c ",
}
"""What looks like a secret every few bytes, as no log does: each place costs some microseconds."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=64, metavar="MIB", help="of the generated log")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    size, rounds = options.size * MIB, options.rounds
    log = tidb_log(size)
    register = SecretRegister()
    plain = Redactor(register)
    teacher = SecretRegister()
    for number in range(50):
        teacher.learn(f"l3arned-{number}-secret")
    say(f"unified log of {len(log) / MIB:.0f} MiB")
    zstd = rate("zstd -3", log, lambda data: zstandard.ZstdCompressor(3).compress(data), rounds)
    ordinary = rate(
        "the door, Content.LOG", log, lambda data: through(plain, Content.LOG, data), rounds, zstd
    )
    rate(
        "the door, with 50 learned secrets",
        log,
        lambda data: through(Redactor(teacher), Content.LOG, data),
        rounds,
        zstd,
    )
    slow = rate("plain re, line by line (on 4 MiB)", log[: 4 * MIB], naive, 1, zstd)
    say(f"the door is {ordinary / slow:.0f} times as fast as plain re\n")
    one_line = regions(size)
    say(f"JSON of one line, {len(one_line) / MIB:.0f} MiB")
    rate("the door, Content.JSON", one_line, lambda data: through(plain, Content.JSON, data), rounds, zstd)
    say(f"\nworst cases, one line of {min(size, 200 * MIB) // MIB} MiB")
    for name, data in worst(min(size, 200 * MIB)).items():
        rate(name, data, lambda data: through(plain, Content.LOG, data), 1, zstd)
    for name, field in (("a secret in every line", b"0a1b2c3d4e5f"), ("a look-alike in every line", b"1000")):
        line = b'[2026/11/24 10:41:07.096 +08:00] [INFO] [x.go:1] ["login"] [token=' + field + b"] [conn=7]\n"
        rate(name, line * (MIB // len(line)), lambda data: through(plain, Content.LOG, data), 1, zstd)
    for name, piece in _DENSE.items():
        rate(name, piece * (MIB // 4 // len(piece)), lambda data: through(plain, Content.LOG, data), 1, zstd)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say(f"\nlargest resident size {peak:.0f} MiB, with the inputs in memory")


if __name__ == "__main__":
    main()
