"""Which collectors there are: the built-in ones, and a third party's only when a person named them."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from clinic.collector import Collector
from clinic.consent.policy import Policy, read_policy
from clinic.errors import ClinicError, UsageError
from clinic.home import require_trusted
from clinic.yaml_collector import read_collector

GROUP = "clinic.collectors"
OURS = "clinic-diag"


@dataclass(frozen=True)
class Found:
    """One collector and where it comes from."""

    collector: Collector
    """Ready to declare its items."""

    origin: str
    """The distribution or file that brought it."""

    foreign: bool
    """Whether a third party wrote it: the plan marks its items."""


def builtin() -> list[Found]:
    """The collectors that ship with Clinic, sorted by name.

    Raises `ClinicError` when there are none: a tree that was copied and not installed.
    """
    found = [
        Found(collector, OURS, foreign=False)
        for point in _points()
        if _distribution(point) == OURS
        for collector in _collectors_of(point)
    ]
    if not found:
        raise ClinicError("no collectors are installed", hint="install Clinic again from its wheel")
    return sorted(found, key=lambda one: one.collector.name)


def foreign_names() -> list[tuple[str, str]]:
    """Name and distribution of each third party's entry point that is installed. None of them is loaded."""
    return sorted((point.name, _distribution(point)) for point in _points() if _distribution(point) != OURS)


def named(names: Sequence[str]) -> list[Found]:
    """The third parties' collectors that a person named: an entry point, or a YAML file by its path.

    Raises `UsageError` for a name that is not there, `Refused` for code or files that others can write, and for
    what the organisation's policy does not allow, before any of it is loaded.
    """
    policy = read_policy() if names else Policy()
    return [
        one
        for name in names
        for one in (_file(name, policy) if _is_file(name) else _entry_point(name, policy))
    ]


def _is_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) or "/" in name


def _file(name: str, policy: Policy) -> Iterator[Found]:
    path = Path(name).expanduser()
    if path.is_dir():
        for inner in sorted(path.glob("*.y*ml")):
            yield from _file(str(inner), policy)
        return
    if not path.is_file():
        raise UsageError(f"there is no collector file {path}", hint="check the path given with --collector")
    policy.require_plug_in(str(path.absolute()))
    require_trusted(path, runs_code=True)
    yield Found(read_collector(path), str(path), foreign=True)


def _entry_point(name: str, policy: Policy) -> Iterator[Found]:
    policy.require_plug_in(name)
    for point in _points():
        if point.name == name and _distribution(point) != OURS:
            spec = importlib.util.find_spec(point.module.split(".")[0])
            if spec is not None and spec.origin is not None:
                require_trusted(Path(spec.origin), runs_code=True)
            for collector in _collectors_of(point):
                yield Found(collector, _distribution(point), foreign=True)
            return
    known = ", ".join(other for other, _ in foreign_names()) or "none"
    raise UsageError(
        f"no third party's collector is called {name!r}",
        hint=f"installed are: {known}; a YAML file is named by its path",
    )


def _points() -> Iterable[EntryPoint]:
    return entry_points(group=GROUP)


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "unknown"


def _collectors_of(point: EntryPoint) -> list[Collector]:
    """What an entry point brings: a collector class, or each one in the public modules of a package."""
    loaded: object = point.load()
    if inspect.isclass(loaded) and issubclass(loaded, Collector):
        return [loaded()]
    if not isinstance(loaded, ModuleType):
        raise UsageError(
            f"{point.value} of {_distribution(point)} is no collector",
            hint="an entry point names a class or a package",
        )
    modules = [loaded]
    names = [info.name for info in pkgutil.iter_modules(getattr(loaded, "__path__", []))]
    modules += [
        importlib.import_module(f"{loaded.__name__}.{name}") for name in names if not name.startswith("_")
    ]
    classes = {cls: None for module in modules for cls in _classes(module)}
    return [cls() for cls in classes]


def _classes(module: ModuleType) -> Iterator[type[Collector]]:
    for _, value in inspect.getmembers(module, inspect.isclass):
        own = value.__module__ == module.__name__
        if own and issubclass(value, Collector) and not inspect.isabstract(value):
            yield value


def duplicates(found: Sequence[Found]) -> list[str]:
    """Names that more than one collector claims: their items could not be told apart."""
    names = [one.collector.name for one in found]
    return sorted({name for name in names if names.count(name) > 1})
