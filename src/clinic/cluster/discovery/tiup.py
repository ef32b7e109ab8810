"""The clusters that TiUP manages from this machine: found, listed, and read. Nothing is written or contacted.

Looked at is one directory: `TIUP_HOME`, else `.tiup` in the home of the person at the keyboard (under sudo of who
called it), else in a home that was named. Below it TiUP keeps `storage/cluster/clusters/NAME/meta.yaml` for clusters
of TiDB and `storage/dm/clusters/NAME/meta.yaml` for those of DM (pingcap/tiup `pkg/cluster/spec/profile.go`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from clinic import home
from clinic.client.tls import Tls
from clinic.cluster.discovery.tiup_spec import read_meta
from clinic.cluster.model import Cluster, Machine
from clinic.errors import UsageError
from clinic.yamlfile import load

SORTS = ("cluster", "dm")
"""The components of TiUP that manage clusters, as its command line and its directories call them."""

META = "meta.yaml"
NATIVE, CLIENT = "TIUP_NATIVE_SSH", "TIUP_SSH_PATH"
"""TiUP's variables: use the system's ssh whatever meta.yaml says; and which program that is
(pingcap/tiup `pkg/localdata/constant.go`, `pkg/cluster/executor/ssh.go`)."""

_YES = ("true", "1", "enable")
"""What TiUP takes for a yes in NATIVE, in any case."""

_NAME = re.compile(r"[A-Za-z0-9._-]+\Z")
"""What TiUP accepts as a cluster's name (pingcap/tiup `pkg/cluster/clusterutil`)."""


@dataclass(frozen=True, slots=True)
class Managed:
    """A cluster that TiUP manages."""

    sort: str
    """`cluster` or `dm`."""

    name: str
    """Its name."""

    folder: Path
    """What TiUP keeps of it."""

    @property
    def id(self) -> str:
        """What names it among all: `cluster/prod`, `dm/prod`."""
        return f"{self.sort}/{self.name}"

    @property
    def home(self) -> Path:
        """TiUP's directory that it is in."""
        return self.folder.parents[3]

    @property
    def meta(self) -> Path:
        """The file that describes it."""
        return self.folder / META


def tiup_home(named: str = "") -> Path:
    """TiUP's directory: in the home `named` or that directory itself, else `TIUP_HOME`, else the usual one.

    Raises `UsageError` for a name that is no directory.
    """
    if named:
        path = Path(named).expanduser()
        if not path.is_dir():
            raise UsageError(f"{path} is no directory", hint="name a home, or a TIUP_HOME, with --home")
        return path / ".tiup" if (path / ".tiup").is_dir() else path
    variable = os.environ.get("TIUP_HOME", "")
    return Path(variable) if variable else home.home() / ".tiup"


def managed(where: Path) -> tuple[Managed, ...]:
    """The clusters below TiUP's directory `where`, by name. Raises `UsageError` where one may not look."""
    return tuple(found for sort in SORTS for found in _of_sort(where, sort))


def _of_sort(where: Path, sort: str) -> Iterable[Managed]:
    folder = where / "storage" / sort / "clusters"
    try:
        names = sorted(entry.name for entry in folder.iterdir() if (entry / META).exists())
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise UsageError(
            f"can't look for TiUP's clusters in {folder}: {error.strerror}",
            hint="run as the user who manages the cluster, or name the cluster's PD: clinic collect --pd HOST:PORT",
        ) from error
    for name in names:
        if _NAME.match(name):
            yield Managed(sort, name, folder / name)


def choose(found: Iterable[Managed], name: str) -> Managed:
    """The one that `name` means: `NAME`, or `cluster/NAME` or `dm/NAME`. Raises `UsageError` naming those there are."""
    listed = tuple(found)
    chosen = [one for one in listed if name in (one.name, one.id)]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise UsageError(
            f"two clusters are called {name!r}", hint="say which: " + " or ".join(one.id for one in chosen)
        )
    known = ", ".join(one.name for one in listed)
    hint = f"there are: {known}" if known else "TiUP manages none here; see clinic clusters"
    raise UsageError(f"no cluster is called {name!r}", hint=hint)


def read(found: Managed) -> Cluster:
    """The cluster as its files describe it. Raises `UsageError` naming every mistake, `Refused` for files of others."""
    try:
        home.require_trusted(found.meta)
    except OSError as error:
        raise UsageError(
            f"can't read {found.meta}: {error.strerror}", hint="run as the user who manages the cluster"
        ) from error
    cluster = read_meta(load(found.meta), found.name)
    key = found.folder / "ssh" / "id_rsa"
    machines = tuple(_with_executor(_with_key(machine, key), os.environ) for machine in cluster.machines)
    tls = _tls(found) if any(instance.tls for instance in cluster.instances) else Tls()
    return replace(cluster, machines=machines, tls=tls, unknown=(*cluster.unknown, *_unknown(found, tls)))


def _with_key(machine: Machine, key: Path) -> Machine:
    return replace(machine, login={**machine.login, "key": str(key)}) if key.exists() else machine


def _with_executor(machine: Machine, variables: Mapping[str, str]) -> Machine:
    """`machine` reached as TiUP would, with these variables: they count for more than its file."""
    native = {"executor": "system"} if variables.get(NATIVE, "").lower() in _YES else {}
    login = {**machine.login, **native}
    client = variables.get(CLIENT, "") if login.get("executor") == "system" else ""
    return replace(machine, login={**login, **({"client": client} if client else {})})


def _tls(found: Managed) -> Tls:
    """TiUP's names. The CA's own key, `ca.pem`, is there too and is never asked for."""
    folder = found.folder / "tls"
    return Tls(folder / "ca.crt", folder / "client.crt", folder / "client.pem")


def _unknown(found: Managed, tls: Tls) -> Iterable[str]:
    lacking = [str(path) for path in (tls.ca, tls.cert, tls.key) if path is not None and not path.exists()]
    if lacking:
        yield f"TLS is on, and TiUP's {', '.join(lacking)} can't be found: servers that ask for it say nothing"
    if (found.folder / ".scale-out.yaml").exists():
        yield "a scale-out was begun and not ended: what it adds is not in meta.yaml yet"
