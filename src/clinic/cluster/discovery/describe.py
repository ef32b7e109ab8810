"""What a command line and the listening ports say of an instance. Pure: no process is looked at here."""

from __future__ import annotations

import contextlib
import ipaddress
import posixpath
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clinic.cluster.discovery.argv import leading_words, options, shorten
from clinic.cluster.discovery.component_table import COMPONENTS
from clinic.cluster.discovery.component_type import Component
from clinic.cluster.discovery.sockets import Listener

COMM_LENGTH = 15
"""The kernel cuts a process's name there (TASK_COMM_LEN less its NUL, include/linux/sched.h)."""

_SYSTEM_FOLDERS = frozenset({"", "/", "/usr/libexec"}) | {
    f"{prefix}/{folder}" for prefix in ("", "/usr", "/usr/local") for folder in ("bin", "sbin")
}

LONGEST_PATH = 4095
"""PATH_MAX of Linux less its NUL; nothing longer can be a path."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What could be told of an instance from its command line and its ports."""

    port: int = 0
    """The port for clients; 0 when nothing tells."""

    guessed: bool = False
    """Whether `port` is one of several of which no option names one."""

    bound: str = ""
    """The IP address that its options tell it to listen on; empty where they tell none, or all of them."""

    status_port: int = 0
    """The port of its HTTP status API, where that is another."""

    address: str = ""
    """Where to connect to on this machine; empty when nothing listens there as far as one can see."""

    tls: bool = False
    """Whether its options say that it speaks TLS."""

    data_dirs: tuple[str, ...] = ()
    """Directories of its data."""

    log_files: tuple[str, ...] = ()
    """Log files that it was told to write."""

    log_dir: str = ""
    """The directory that it was told for its logs."""

    config_files: tuple[str, ...] = ()
    """Configuration files that it was told to read."""

    usual_configs: tuple[str, ...] = ()
    """Configuration files that count only where they exist."""

    usual_data: tuple[str, ...] = ()
    """Data directories of which the first that exists counts."""

    extra: Mapping[str, str] = field(default_factory=dict[str, str])
    """What only this component has."""


def executable(path: str) -> str:
    """The file name of a program, also where its file was deleted or replaced since it started."""
    return posixpath.basename(path.removesuffix(" (deleted)"))


def identify(name: str, exe: str, argv: Sequence[str]) -> Component | None:
    """The component that a process is, or None.

    Its executable decides, then the name that it was called by, and only where neither is to be seen the name
    that the kernel shows. So the script or shell that starts a component is not taken for it, and threads that
    rename their process hide nothing.
    """
    called = [executable(exe)] if exe else []
    called += [executable(argv[0])] if argv else []
    if not called:
        return _named(
            lambda known: known == name or (len(name) == COMM_LENGTH and known.startswith(name)), argv
        )
    for candidate in called:
        found = _named(candidate.__eq__, argv)
        if found is not None:
            return found
    return None


def _named(matches: Callable[[str], bool], argv: Sequence[str]) -> Component | None:
    candidates = [component for component in COMPONENTS if any(map(matches, component.executables))]
    if not argv:
        # With only a program to go by, it is what that program usually is.
        return min(candidates, key=lambda component: len(component.command), default=None)
    for component in candidates:
        if leading_words(argv, len(component.command)) == component.command:
            return component
    return None


def describe(
    component: Component,
    argv: Sequence[str],
    listening: Sequence[Listener],
    *,
    cwd: str = "",
    perhaps: Collection[int] = (),
) -> Traits:
    """What `argv` and its `listening` sockets, in the order they were opened, say of an instance.

    A port is what an option says, else the usual one where it is listened on, else the one that this component
    opens first. `perhaps` are ports of the same account whose process could not be seen: enough for a usual one.
    Relative paths start at `cwd` and are left out where it is unknown.
    """
    given = options(argv, component.names(), glued=component.glued, underscores=component.underscores)
    ports = [listener.port for listener in listening]
    status = _status_port(component, given, ports, perhaps)
    port, guessed = _client_port(component, given, [each for each in ports if each != status], perhaps)
    if not status and component.status_port:
        left = [each for each in ports if each != port]
        status = left[0] if len(left) == 1 else 0
    paths = _Paths(given, cwd)
    configs = paths.of(component.configs)
    log_dirs = paths.first(component.log_dir)
    return Traits(
        port=port,
        guessed=guessed,
        bound=_told_host(component, given),
        status_port=status,
        address=next((listener.address for listener in listening if listener.port == port), ""),
        tls=_tls(component, given),
        data_dirs=paths.first(component.data)
        or (paths.at(cwd) if component.data_is_cwd and cwd != "/" else ()),
        log_files=paths.of(component.log_files),
        log_dir=log_dirs[0] if log_dirs else "",
        config_files=configs,
        usual_configs=_usual_configs(component, given, configs, paths),
        usual_data=tuple(path for usual in component.usual_data for path in paths.at(usual)),
        extra=_extra(component, given, ports),
    )


class _Paths:
    """The paths among the options that were given."""

    def __init__(self, given: Mapping[str, str], cwd: str) -> None:
        self._given = given
        self._cwd = cwd

    def of(self, names: Iterable[str]) -> tuple[str, ...]:
        """The path of each option in `names`."""
        found = [path for name in names for path in self.at(self._given.get(name, ""))]
        return tuple(dict.fromkeys(found))

    def first(self, names: Iterable[str]) -> tuple[str, ...]:
        """The path of the first option in `names` that was given."""
        return next((self.at(self._given[name]) for name in names if self._given.get(name)), ())

    def at(self, text: str) -> tuple[str, ...]:
        """`text` as an absolute path; nothing where it can't be one."""
        path = posixpath.join(self._cwd, text) if text else ""
        if not path.startswith("/") or len(path) > LONGEST_PATH:
            return ()
        # Not normpath: what `..` means after a link is for the file system to say.
        return (path.rstrip("/") or "/",)


def _usual_configs(
    component: Component, given: Mapping[str, str], configs: Sequence[str], paths: _Paths
) -> tuple[str, ...]:
    if configs:
        beside = (posixpath.join(posixpath.dirname(configs[0]), name) for name in component.beside)
        return tuple(beside)
    if component.no_configs in given:
        return ()
    return tuple(path for usual in component.usual_configs for path in paths.at(usual))


def _client_port(
    component: Component, given: Mapping[str, str], ports: Sequence[int], perhaps: Collection[int]
) -> tuple[int, bool]:
    """The port for clients, and whether it is one of several that nothing names."""
    told = _told_port(component.client, given)
    usual = [port for port in component.ports if port in ports or port in perhaps]
    if told or usual or not ports:
        return told or next(iter(usual), 0), False
    return ports[min(component.client_opened, len(ports) - 1)], len(ports) > 1


def _status_port(
    component: Component, given: Mapping[str, str], ports: Collection[int], perhaps: Collection[int]
) -> int:
    told = _told_port(component.status, given)
    usual = component.status_port
    return told or (usual if usual in ports or usual in perhaps else 0)


def _told_port(names: Iterable[str], given: Mapping[str, str]) -> int:
    for name in names:
        for text in given.get(name, "").split(","):
            port = port_of(text)
            if port:
                return port
    return 0


def _told_host(component: Component, given: Mapping[str, str]) -> str:
    """The IP address for clients that the options name; empty where that is a name, or stands for all addresses."""
    for name in (*component.bind, *component.client):
        for text in given.get(name, "").split(","):
            with contextlib.suppress(ValueError):
                address = ipaddress.ip_address(_host_of(text))
                return "" if address.is_unspecified else str(address)
    return ""


def _host_of(text: str) -> str:
    """What stands before the port in `10.0.1.5:4000`, `[::1]:4000`, a URL; the whole where that has no port."""
    authority = text.strip().rpartition("://")[2].partition("/")[0]
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.rpartition(":")[0] if authority.count(":") == 1 else authority


def deploy_dir(exe: str, cwd: str) -> str:
    """The directory that a program was installed in by itself; empty for the system's own directories.

    TiUP starts everything in its deploy directory, with the program in `bin` or below it.
    """
    folder = posixpath.dirname(exe)
    if folder in _SYSTEM_FOLDERS:
        return ""
    if cwd not in ("", "/") and exe.startswith(f"{cwd}/bin/"):
        return cwd
    above, found, _ = f"{folder}/".rpartition("/bin/")
    return above if found else folder


def port_of(text: str) -> int:
    """The port in `4000`, `:9090`, `10.0.1.5:4000`, `[::1]:4000` or a URL; 0 when there is none."""
    authority = text.strip().rpartition("://")[2].partition("/")[0]
    digits = authority.rpartition(":")[2] if authority.count(":") == 1 or "]:" in authority else authority
    # isascii: int() would take the digits of every script.
    port = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 5 else 0
    return port if port <= 65535 else 0


def _tls(component: Component, given: Mapping[str, str]) -> bool:
    urls = any(given.get(name, "").startswith("https://") for name in component.client)
    return urls or any(given.get(name) for name in component.tls)


def _extra(component: Component, given: Mapping[str, str], ports: Sequence[int]) -> dict[str, str]:
    extra: dict[str, str] = {}
    for key, names in component.extra.items():
        value = next((given[name] for name in names if given.get(name)), "")
        if value:
            extra[key] = shorten(value)
    if len(ports) > 1:
        extra["ports"] = " ".join(str(port) for port in ports)
    return extra
