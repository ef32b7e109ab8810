"""Profiles and the user's configuration: named answers to "what should be collected?"."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from clinic import home
from clinic.errors import Refused, UsageError
from clinic.kinds import Volatility
from clinic.units import parse_duration, parse_size
from clinic.yamlfile import Mistakes, load

SHIPPED = ("quick", "default", "full")


@dataclass(frozen=True, slots=True)
class Profile:
    """A named selection with its bounds; options on the command line win over it."""

    name: str = "default"
    """How it is called."""

    summary: str = ""
    """What it is for."""

    include: tuple[str, ...] = ("default",)
    """What to take: ids, globs, categories, or `default` for what is on by default."""

    exclude: tuple[str, ...] = ()
    """What to leave out of that."""

    volatility: Volatility = Volatility.STABLE
    """The most lasting evidence that is still taken."""

    deadline: float | None = None
    """Seconds for the whole run."""

    max_size: int | None = None
    """Stored bytes for the whole bundle."""


@dataclass(frozen=True, slots=True)
class Config:
    """What the user settled once, in `config.yaml` of the configuration directory."""

    profile: str = "default"
    """The profile when none is named."""

    collectors: tuple[str, ...] = ()
    """Third parties' collectors to run: names of entry points, YAML files or directories of them."""


def find_profile(name: str) -> Profile:
    """The profile called `name`, or in the file `name`. Raises `UsageError`."""
    if name in SHIPPED:
        with resources.as_file(resources.files("clinic") / "profiles" / f"{name}.yaml") as path:
            return read_profile(path)
    for path in (Path(name), home.config_dir() / "profiles" / f"{name}.yaml"):
        if path.is_file():
            home.require_trusted(path)
            return read_profile(path)
    raise UsageError(
        f"there is no profile {name!r}", hint=f"shipped are {', '.join(SHIPPED)}; or name a YAML file"
    )


def read_profile(path: Path) -> Profile:
    """The profile in `path`. Raises `UsageError` with every mistake in it."""
    document = load(path)
    mistakes = Mistakes(document)
    keys = ("name", "summary", "include", "exclude", "volatility", "deadline", "max_size")
    data = mistakes.mapping((), document.data, keys)
    include = mistakes.strings(("include",), data.get("include", ["default"]))
    exclude = mistakes.strings(("exclude",), data.get("exclude", []))
    names = [member.name.lower() for member in Volatility]
    level = mistakes.choice(("volatility",), data.get("volatility", "stable"), names) or "stable"
    bounds = _bounds(mistakes, data)
    mistakes.raise_any()
    return Profile(
        str(data.get("name", path.stem)), str(data.get("summary", "")), include, exclude,
        Volatility[level.upper()], **bounds,
    )  # fmt: skip


def _bounds(mistakes: Mistakes, data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, parse in (("deadline", parse_duration), ("max_size", parse_size)):
        if key in data:
            found[key] = mistakes.parsed((key,), data[key], parse)
    return found


def read_config() -> Config:
    """The user's configuration; the defaults where there is no file. Raises `UsageError`, `Refused`."""
    path = home.config_dir() / "config.yaml"
    try:
        if not path.is_file():
            return Config()
    except OSError as error:
        raise Refused(
            f"can't look for {path}: {error.strerror}",
            hint="set HOME, or CLINIC_HOME, to a directory of your own",
        ) from error
    home.require_trusted(path)
    document = load(path)
    mistakes = Mistakes(document)
    given: object = document.data if document.data is not None else {}
    data = mistakes.mapping((), given, ("profile", "collectors"))
    collectors = mistakes.strings(("collectors",), data.get("collectors", []))
    mistakes.raise_any()
    return Config(profile=str(data.get("profile", "default")), collectors=collectors)
