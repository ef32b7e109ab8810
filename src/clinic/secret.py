"""Secrets of this run: a type that prints masked, and the register of what was learned. Memory only."""

from __future__ import annotations

import hmac
import re
import threading
from dataclasses import dataclass
from typing import ClassVar, NoReturn

MASK = "***"
"""What stands in place of every secret."""

SHORTEST = 4
"""Characters below which a value is not masked wherever it occurs: it would hit half of all words."""

SHORTEST_NUMBER = 6
"""The same for a value of digits only: ports, sizes and ids are evidence."""

LONGEST = 64 * 1024
"""Bytes of the longest secret that is learned; longer ones are keys, which have a shape of their own."""

# Words that are passwords somewhere and evidence everywhere: masking them by value would gut every file.
_WORDS = """
access account admin administrator alert alertmanager always anonymous auth auto backup base beta binlog
block cdc changeme client cluster config credential credentials data database debug default demo dev
disable disabled disk docker drainer enable enabled error etcd event example expired export exporter false
file fresh grafana group guest health hidden host http https import index info instance int internal json
kafka key kubernetes leader level lightning linux local localhost lock log login main manager master
memory metric metrics mode monitor monitoring mysql name native never node none normal null nullable off
open operator owner pass passphrase passw0rd passwd password peer permission ping plain port postgres prod
production prometheus proxy public pump read readonly redacted redis region replica replication required
role root rule running scheduler schema secret select server service session show slave slow sql ssl
stable staging start status stop storage store string super sync sysbench system table task temp test
test1 test123 testing testuser text ticdc tidb tidbadmin tiflash tikv time tiproxy tispark tiup tls tmp
token true type undefined unknown update user username utf8 value version warn warning worker write yes
zone
"""
_VOCABULARY = frozenset(_WORDS.split())

# Nothing was hidden behind these: they are masks or holes themselves.
_PLACEHOLDER = re.compile(r"(?i)[*x.?#_-]+|<[^<>]*>|\$\{[^{}]*\}|\{\{.*\}\}|%\(?\w*\)?s|\[?\(?redacted\)?\]?")


class Secret:
    """A value that prints masked. `reveal` is the only way to it.

    It can't be hashed, pickled, or formatted into a text by accident; it compares in constant time.
    """

    __slots__ = ("_value",)
    __hash__: ClassVar[None]  # type: ignore[assignment]  # unhashable on purpose: no set or dict key leads to it

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __bool__(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._value)

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(to_bytes(self), to_bytes(other))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not written anywhere, so it is not pickled")


def to_bytes(value: str | bytes | Secret) -> bytes:
    """The bytes of a secret, as they would stand in a file."""
    if isinstance(value, Secret):
        value = value.reveal()
    # What came as bytes that are not UTF-8 comes out as the same bytes.
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Learned:
    """One secret that the run has come to know."""

    value: Secret
    """The value; `to_bytes` gives it as bytes."""

    source: str
    """Where it was learned, for the count in the manifest; never the value itself."""

    version: int
    """The register's version from which on it is known."""


class SecretRegister:
    """What was learned in this run, from any thread. It is never written anywhere."""

    def __init__(self) -> None:
        self._learned: list[Learned] = []
        self._known: set[bytes] = set()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"SecretRegister({self.version} learned)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a SecretRegister is not written anywhere, so it is not pickled")

    @property
    def version(self) -> int:
        """Grows by one with each secret that is new."""
        return len(self._learned)

    def learn(self, value: str | bytes | Secret, *, source: str = "") -> bool:
        """Mask `value` wherever it occurs from now on.

        False where it is too short or too common for that (`root`, `true`, `4000`): such a value is masked where a
        key says what it is, and left alone elsewhere, for the sake of the evidence.
        """
        data = to_bytes(value).strip(b"\r\n\0")
        if not maskable(data):
            return False
        with self._lock:
            if data not in self._known:
                self._known.add(data)
                text = Secret(data.decode("utf-8", "surrogateescape"))
                self._learned.append(Learned(text, source, len(self._learned) + 1))
        return True

    def since(self, version: int) -> tuple[Learned, ...]:
        """What was learned after that version, oldest first; 0 for all."""
        with self._lock:
            return tuple(self._learned[version:])


def maskable(data: bytes) -> bool:
    """Whether a value is long and rare enough to be masked by its value alone."""
    text = data.decode("utf-8", "surrogateescape").strip()
    if len(text) < SHORTEST or len(data) > LONGEST:
        return False
    if text.isdigit() and len(text) < SHORTEST_NUMBER:
        return False
    if len(set(text)) == 1 or _PLACEHOLDER.fullmatch(text):
        return False
    return text.lower() not in _VOCABULARY
