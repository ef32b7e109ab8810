"""The certificate of a Clinic Server: from a PEM file, or from the `info.toml` of an installed diag."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from clinic.errors import UsageError
from clinic.smallfile import read_small
from clinic.units import MIB

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

INFO = "info.toml"
"""The file beside diag's program that names the regions of the Clinic Server."""


def certificate(path: Path | None, region: str, tiup_home: Path) -> str:
    """The PEM certificate in the file `path`, or of `region` in diag's list: that file, or the newest installed diag's.

    Raises `UsageError` where there is none.
    """
    if path is not None and path.suffix != ".toml":
        return _present(_text(path), str(path))
    listed = path or _installed(tiup_home)
    try:
        found = tomllib.loads(_text(listed)).get("clinicservers", {})
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{listed} is no TOML: {error}") from error
    if not isinstance(found, Mapping):
        raise UsageError(f"{listed}: clinicservers is no table", hint="name a certificate: --cert FILE")
    return _of_region(cast("Mapping[str, Any]", found), region, listed)


def _present(text: str, where: str) -> str:
    """`text` itself. An empty one would be no certificate at all, and what it is for would go in clear."""
    if not text.strip():
        raise UsageError(
            f"there is no certificate in {where}: it is empty", hint="give the certificate as PEM"
        )
    return text


def _installed(tiup_home: Path) -> Path:
    found = sorted(
        (tiup_home / "components" / "diag").glob(f"*/{INFO}"), key=lambda path: path.stat().st_mtime
    )
    if not found:
        raise UsageError(
            f"there is no {INFO} of an installed diag below {tiup_home}",
            hint="name a certificate: --cert FILE",
        )
    return found[-1]


def _of_region(servers: Mapping[str, Any], region: str, path: Path) -> str:
    names = ", ".join(sorted(servers)) or "none"
    if not region and len(servers) != 1:
        raise UsageError(f"{path} has several regions: {names}", hint="name one: --region")
    chosen = servers.get(region or next(iter(servers)))
    if not isinstance(chosen, Mapping) or not isinstance(
        cert := cast("Mapping[str, object]", chosen).get("cert"), str
    ):
        raise UsageError(f"{path} has no region {region!r} with a certificate", hint=f"it has {names}")
    return _present(cert, f"{path}, region {region or next(iter(servers))}")


def _text(path: Path) -> str:
    try:
        return read_small(path, MIB).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text", hint="give the certificate as PEM") from error
