"""From configurations to the certificates that they name, and from those to a table. Pure."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator, Mapping

from clinic.collector import Instance
from clinic.source.base import Source
from clinic.source.file import File
from clinic_collectors._x509 import Certificate, certificates

MOST = 100
"""Certificates of one machine that are looked at."""

FILE = "file:"
"""What stands before the path of a certificate among the inputs."""

HEADINGS = (
    "where", "named_by", "number", "subject", "issuer", "not_before", "not_after", "names", "algorithm", "authority",
    "serial", "sha256",
)  # fmt: skip
"""Columns of the table; times are UTC."""

# `ssl-ca`, `cluster-ssl-cert`, `cacert-path`, `ca_file`, `ca-path`, `tls-cert`, ...: what ends in `key` is a key.
_NAMED = re.compile(
    rb"(?mi)(?:^|[{,])[ \t]*[\"']?"
    rb"((?:[\w.-]*[_.-])?(?:ca|cacert|cert|crt|certificate|chain)(?:[_-](?:path|file|bundle|cert))?)"
    rb"[\"']?[ \t]*[=:][ \t]*[\"']?(/[^\"'\s#;,}]+)"
)
_OPTION = re.compile(r"--?([\w.-]*(?:ca|cert|crt)(?:[_-]?(?:path|file))?)(?:=(/\S+))?")


def named(files: Mapping[str, bytes]) -> dict[str, str]:
    """The certificates that configurations name, each with the first file that does."""
    found: dict[str, str] = {}
    for path, data in sorted(files.items()):
        for match in _NAMED.finditer(data):
            found.setdefault(match[2].decode("utf-8", "replace"), path)
    return found


def of_command_line(instance: Instance) -> Iterator[str]:
    """The certificates that an instance's options name."""
    for word, following in itertools.pairwise([*instance.argv, ""]):
        if (option := _OPTION.fullmatch(word)) and not option[1].lower().endswith("key"):
            path = option[2] or following
            if path.startswith("/"):
                yield path


def inputs(
    host: str, told: Mapping[str, str]
) -> Callable[[Mapping[str, bytes]], Iterator[tuple[str, Source]]]:
    """Makes sources of every certificate: those in `told`, and those that the configurations read so far name."""

    def then(held: Mapping[str, bytes]) -> Iterator[tuple[str, Source]]:
        configurations = {path: data for path, data in held.items() if not path.startswith(FILE)}
        for path in list(dict.fromkeys([*told, *named(configurations)]))[:MOST]:
            if f"{FILE}{path}" not in held:
                yield f"{FILE}{path}", File(host, path)

    return then


def table(told: Mapping[str, str]) -> Callable[[Mapping[str, bytes]], bytes]:
    """Makes the table. The door never opens a file with a private key in it, so none of them gets here."""

    def build(held: Mapping[str, bytes]) -> bytes:
        by = {**named({path: data for path, data in held.items() if not path.startswith(FILE)}), **told}
        paths = sorted(name.removeprefix(FILE) for name in held if name.startswith(FILE))
        found = [row for path in paths for row in rows(path, by.get(path, ""), held[FILE + path])]
        return _csv(found) if found else b""

    return build


def endpoint(where: str) -> Callable[[Mapping[str, bytes]], bytes]:
    """Makes the table of what a server showed in the handshake."""

    def build(held: Mapping[str, bytes]) -> bytes:
        found = list(rows(where, "handshake", held["shown"]))
        return _csv(found) if found else b""

    return build


def rows(where: str, by: str, data: bytes) -> Iterator[tuple[str, ...]]:
    """A row for each certificate in `data`."""
    for number, one in enumerate(certificates(data), 1):
        told = _told(one) if isinstance(one, Certificate) else (one,) + ("",) * (len(HEADINGS) - 4)
        yield (where, by, str(number), *told)


def _told(one: Certificate) -> tuple[str, ...]:
    authority = "yes" if one.authority else "no"
    return (
        one.subject, one.issuer, one.begins, one.ends, " ".join(one.names), one.algorithm, authority, one.serial,
        one.sha256,
    )  # fmt: skip


def _csv(found: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADINGS, *found])
    return text.getvalue().encode("utf-8", "replace")
