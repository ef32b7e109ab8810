"""Which names name a secret, and which values under such a name are none.

A name is a secret's by its last word: `db.password` is one, `password_lifetime` and `key-prefix` are not.
"""

from __future__ import annotations

import enum
import re
from functools import lru_cache

from clinic.secret import MASK

LONGEST_KEY = 128
"""Bytes of a key that are looked at; no setting has a longer name."""

# The words before `key` that make it a secret. Left out on purpose: primary, partition, start, end, row, index.
_OF_KEY = (
    "secret|private|access|api|auth|account|shared|master|encryption|encrypt|decryption|signing|storage|sas|hmac|jwt|"
    "app|service|routing|integration|license|session|client|user|consumer|cookie|ssh|rsa|aes|webhook|subscription"
)

NOUN = (
    r"(?i:pass(?:w(?:or)?[dt]s?|phrases?|codes?)?|pwds?|pw|secrets?|tokens?|credentials?"
    rf"|(?:{_OF_KEY})[_.\- ]?keys?(?:[_.\-]?id)?|authentication_string|snmp[_.\- ]?community|密码|口令"
    r"|jsessionid|phpsessid|asp\.net_sessionid|grafana_session"
    r"|requirepass|masterauth|securejsondata|stringdata|httpheadervalue)"
)
"""RE2: the end of a key that may name a secret; `kind_of` then decides over the whole key."""

SUFFIX = (
    r"(?i:[_.\-]?(?:\d{1,3}|hash|b64|base64|enc|encrypted|encoded|value|text|string|plain|plaintext|data|blob))?"
    r"(?:\[\w{0,8}\])?"
)
"""RE2: what may follow the noun without changing what the value is."""


class Kind(enum.Enum):
    """What a key says its value is; it decides how sure one must be before the value is masked."""

    PASSWORD = enum.auto()
    FLAG = enum.auto()
    """Ends in a password word, but reads like a switch: `validate_password`, `expired_password`."""

    SECRET = enum.auto()
    TOKEN = enum.auto()
    KEY = enum.auto()
    SOFT_KEY = enum.auto()
    """A key that is often a path or a name: masked only where the value looks random."""

    PASS = enum.auto()
    PLACE = enum.auto()
    """`pwd`: a password, or the working directory."""


class Where(enum.Enum):
    """What stands between key and value, from the surest to the least sure."""

    STRUCTURE = enum.auto()
    """The format itself says that this is a key and that its value."""

    ASSIGN = enum.auto()
    """`key=value` or `"key": "value"` in a text of no known format."""

    LINE = enum.auto()
    """A line that begins with `key: value`."""

    PROSE = enum.auto()
    """`key: value` in the middle of a line, where it may be a sentence."""


_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\x00-\x7f]+")
_NO_CHANGE = frozenset(
    "hash b base enc encrypted encoded value text string plain plaintext data blob".split()
)
# Directives that name where a secret is, or that there is none.
_OTHERS = frozenset(
    "loadcredential loadcredentialencrypted importcredential conditioncredential nopasswd".split()
)
_PLUGINS = frozenset(
    "mysqlnativepassword cachingshapassword shapassword tidbsmpassword tidbauthtoken".split()
)
_SWITCHES = frozenset(
    "validate expired expire enable disable require required requires has have no skip use using with without random "
    "generate allow check verify need needs is show max min num number empty rotate store save ask prompt".split()
)
_NOT_TOKENS = frozenset(
    "page continuation continue next cluster replayer resume lock fencing max min num number total count available "
    "used prompt completion burst refill fill unexpected invalid near start end current last".split()
)
_SESSIONS = frozenset("jsessionid phpsessid aspnetsessionid grafanasession".split())
_HEADER_TOKENS = frozenset([("private", "token"), ("job", "token"), ("deploy", "token")])
_CONTAINERS = frozenset("securejson stringdata credentials secrets passwords".split())
_GLUED_PASSWORD = re.compile(
    r".*(?:password|passwords|passwd|passwds|passphrase|passcode|passwort|requirepass|masterauth)$"
)
_GLUED_PASS = re.compile(
    r"(?:db|user|root|my|smtp|ftp|bind|key|store|keystore|trust|auth|admin|mysql)(?:pass|pw|pwd)$"
)
_GLUED_KEY = re.compile(rf".*?({_OF_KEY})keys?(?:id)?$")
_SURE_KEYS = frozenset("secret private access api auth account shared encryption sas hmac".split())


@lru_cache(maxsize=4096)
def kind_of(key: bytes) -> Kind | None:
    """What the value under `key` is, None where it is no secret."""
    name = key[-LONGEST_KEY:].rpartition(b"/")[2].decode("utf-8", "replace")
    words = [word.lower() for word in _WORDS.findall(name)]
    while (
        len(words) > 1
        and (words[-1].isdigit() or words[-1] in _NO_CHANGE)
        and words[-2:] != ["authentication", "string"]
    ):
        words.pop()
    if not words:
        return None
    glued = "".join(word for word in words if not word.isdigit())
    if glued in _PLUGINS or glued in _OTHERS:
        return None
    return _password(words, glued) or _token(words) or _secret(words, glued) or _key(words, glued)


def holds_secrets(key: bytes) -> bool:
    """Whether an object under `key` holds nothing but secrets, whatever their own keys are."""
    return re.sub(r"[^a-z]", "", key.decode("utf-8", "replace").lower()) in _CONTAINERS | {"securejsondata"}


def _password(words: list[str], glued: str) -> Kind | None:
    if words[-2:] == ["old", "passwords"]:
        return Kind.FLAG
    if (
        _GLUED_PASSWORD.match(glued)
        or words[-2:] == ["authentication", "string"]
        or words[-1] in ("密码", "口令")
    ):
        return Kind.FLAG if _SWITCHES.intersection(words[:-1]) else Kind.PASSWORD
    if words[-1] in ("pwd", "pwds"):
        return Kind.PLACE
    if words[-1] == "pass" or (words[-1] == "pw" and len(words) > 1) or _GLUED_PASS.match(words[-1]):
        return Kind.PASS
    return Kind.PLACE if words[-1].endswith("pwd") else None


def _token(words: list[str]) -> Kind | None:
    if "".join(words) in _SESSIONS:
        return Kind.TOKEN
    if not words[-1].endswith(("token", "tokens")):
        return None
    if _is_header(words) or tuple(words) in _HEADER_TOKENS:
        return Kind.SECRET
    return None if _NOT_TOKENS.intersection(words[-2:-1]) else Kind.TOKEN


def _is_header(words: list[str]) -> bool:
    """`X-Vault-Token`: a header's name is no word of a sentence, so a short value counts."""
    return words[0] == "x" and len(words) > 2 and not _NOT_TOKENS.intersection(words[-2:-1])


def _secret(words: list[str], glued: str) -> Kind | None:
    if glued.endswith(("secret", "secrets")):
        return None if "pull" in words[-2:-1] else Kind.SECRET
    if (
        words[-1] in ("credential", "credentials")
        or glued in _CONTAINERS
        or glued.endswith("httpheader")
        or words[-2:] == ["snmp", "community"]
    ):
        return Kind.SECRET
    return None


def _key(words: list[str], glued: str) -> Kind | None:
    match = _GLUED_KEY.match(glued)
    if match is None or not words[-1].endswith(("key", "keys", "id")):
        return None
    if match[1] not in _SURE_KEYS:
        return Kind.SOFT_KEY
    return Kind.SECRET if _is_header(words) else Kind.KEY


_HARMLESS = re.compile(
    r"true|false|on|off|yes|no|null|nil|none|undefined|enabled?|disabled?|required|optional|expired|never|always|"
    r"(?:files|compat)(?:\s+[\w\[\]!=]+){0,8}|not set|unset|n/?a|~|redacted|hidden|masked|"
    r"[\[(<](?:redacted|hidden|masked|removed|filtered|omitted|null|none|nil)[\])>]|"
    r"(?:%2a){3}|\*{2}|\*{4,64}|x{3,64}|\?{1,64}|-{1,64}|\.{2,64}|<[^<>]*>?|\$\{[^{}]*\}?|\$\([^()]*\)?|\{\{[^{}]*(?:\}\})?|%(?:\(\w+\))?[+#-]?[sdvq]|\$\d+|%!s\(\S*\)"
)
_NUMBER = re.compile(
    r"[-+]?\d[\d_,.]*(?:e[-+]?\d+)?\s?(?:/(?:tcp|udp|sctp)|[kmgtp]?i?b?|[mun]?s|µs|min|m|h|d|%)"
)
_PATH = re.compile(
    r"(?:~|\.{1,2}|\$\{?\w+\}?)?/[\w.@%+-]+(?:/[\w.@%+=,-]+)*/?|[A-Za-z]:\\.*|[\w./@%+-]+\.(?:pem|key|crt|cer|cert|pub|p12|pfx|jks|json|ya?ml|toml|cnf|conf|txt|zip)"
)
# `<Zq1Secret>` is no placeholder: those are words.
_IN_BRACKETS = re.compile(r"<(?=\D*\d)(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])[^<>\s_-]{6,64}>?")
# A first directory of capitals and digits is none that a system or a person makes for keys.
_ODD_PATH = re.compile(
    r"/(?!(?:Users|Library|Applications|System|Volumes)/)(?=[^/]*[A-Z])(?=[^/]*[a-z0-9])[\w+=-]{4,}(?:/[\w+=-]+)*/?"
)
_AWS_SECRET = re.compile(r"[A-Za-z0-9/+]{40}")
_OPAQUE = re.compile(r"(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])[\w\-.+/=~!@#$%^&*]+")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]{1,20}://")
_SENTENCE = frozenset(
    "incorrect invalid wrong missing required expired must should cannot can may might is was are were not no failed "
    "failure error unexpected unknown authentication the a an for of to and or too at by in on with from empty unset "
    "access denied mismatch mismatched does do did has have will been be length strength policy update rejected "
    "accepted verified ok changed login user check hash found unauthorized forbidden using".split()
)


def is_secret(kind: Kind, value: bytes, where: Where) -> bool:
    """Whether `value`, without its quotes, is masked under a key of this kind.

    Empty values, switches, numbers under keys that count things, paths of key files, and masks that somebody put
    there before are evidence and stay.
    """
    text = value.decode("utf-8", "replace").strip()
    if text == MASK:
        return True
    if text[:1] == "<" and _IN_BRACKETS.fullmatch(text):
        return True
    if not text or _HARMLESS.fullmatch(text.lower()):
        return False
    if where in (Where.PROSE, Where.LINE) and (_first_word(text) in _SENTENCE or _ADDRESS.match(text)):
        return False
    if _NUMBER.fullmatch(text.lower()):
        return text.isdigit() and (
            (kind is Kind.PASSWORD and len(text) > 1) or (kind is Kind.SECRET and len(text) > 5)
        )
    return _JUDGES[kind](text, where)


def _first_word(text: str) -> str:
    return text.split(maxsplit=1)[0].rstrip(".,;:!").lower()


def _always(text: str, where: Where) -> bool:
    return bool(text)


def _unless_path(text: str, where: Where) -> bool:
    return not _PATH.fullmatch(text) or _ODD_PATH.fullmatch(text) is not None


def _unless_place(text: str, where: Where) -> bool:
    return not text.startswith(("/", "~", "C:\\"))


def looks_random(value: bytes, shortest: int) -> bool:
    """Whether a word has both letters and digits, as tokens have and words of a sentence have not."""
    return _opaque(value.decode("utf-8", "replace"), shortest)


def _opaque(text: str, shortest: int) -> bool:
    return len(text) >= shortest and _OPAQUE.fullmatch(text) is not None


def _token_value(text: str, where: Where) -> bool:
    if not _unless_path(text, where):
        return False
    if where in (Where.PROSE, Where.LINE):
        return _opaque(text, 16)
    return where is Where.STRUCTURE or len(text) >= 4


def _key_value(text: str, where: Where) -> bool:
    if _PATH.fullmatch(text) and not _AWS_SECRET.fullmatch(text):
        return False
    if where in (Where.PROSE, Where.LINE):
        return _opaque(text, 8)
    # HTML has an attribute of that name, with one letter.
    return where is Where.STRUCTURE or len(text) >= 4


def _soft_key_value(text: str, where: Where) -> bool:
    return _unless_path(text, where) and _opaque(text, 16)


def _secret_value(text: str, where: Where) -> bool:
    return _unless_path(text, where) and (where is not Where.PROSE or _opaque(text, 8))


def _pass_value(text: str, where: Where) -> bool:
    return where in (Where.STRUCTURE, Where.ASSIGN) or _opaque(text, 6)


_JUDGES = {
    Kind.PASSWORD: _always, Kind.FLAG: _always, Kind.SECRET: _secret_value, Kind.TOKEN: _token_value,
    Kind.KEY: _key_value, Kind.SOFT_KEY: _soft_key_value, Kind.PASS: _pass_value, Kind.PLACE: _unless_place,
}  # fmt: skip
