"""The stand-in cluster as tests and people use it: its instances, its credentials, its faults."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path

from tests.lab.standin.access import Access, read
from tests.lab.standin.faults import KINDS, SLOW_SECONDS, Fault, fault_file
from tests.lab.standin.members import Member
from tests.lab.standin.programs import FOLDER
from tests.lab.standin.spec import CLUSTER_ID, CLUSTER_NAME, VERSION, Spec, load_spec
from tests.lab.state import Lab, LabError, load

EFFECT_SECONDS = 20
"""How long it may take until a process is gone, or is there again."""

PAUSE = 0.05


class Cluster:
    """A stand-in TiDB cluster that is up."""

    name = CLUSTER_NAME
    """What TiUP calls it."""

    version = VERSION
    """What TiUP deployed."""

    id = CLUSTER_ID
    """What PD calls it."""

    def __init__(self, lab: Lab) -> None:
        """The cluster of a lab; raises `LabError` when the lab has none."""
        self._lab = lab
        try:
            self.spec: Spec = load_spec(lab.root / FOLDER)
        except OSError as error:
            raise LabError(f"the lab in {lab.directory} has no cluster") from error

    @property
    def instances(self) -> tuple[Member, ...]:
        """All of them."""
        return self.spec.members

    def instance(self, name: str) -> Member:
        """The one called `name`, as `tikv-2`; raises KeyError."""
        return self.spec.member(name)

    def of(self, component: str) -> tuple[Member, ...]:
        """Those of a component."""
        return self.spec.of(component)

    @property
    def tiup_home(self) -> Path:
        """What TIUP_HOME has to be for TiUP's files of this cluster."""
        return self.spec.tiup_home

    @property
    def meta_yaml(self) -> Path:
        """TiUP's description of it."""
        return self.tiup_home / "storage/cluster/clusters" / self.name / "meta.yaml"

    @property
    def credentials(self) -> Mapping[str, str]:
        """`user` and `password`, who may do everything; `plain_user` and `plain_password`, who may nothing."""
        return self.spec.credentials

    @property
    def ca(self) -> Path:
        """The CA of everything in it that speaks TLS."""
        return self.spec.tls_dir / "ca.crt"

    @property
    def client_certificate(self) -> tuple[Path, Path]:
        """A certificate that its servers take, and the key for it."""
        return self.spec.tls_dir / "client.crt", self.spec.tls_dir / "client.pem"

    def pid(self, name: str) -> int:
        """The process of an instance now; raises `LabError` when it is down."""
        lab = load(self._lab.directory)
        if lab is None:
            raise LabError(f"no lab is up in {self._lab.directory}")
        return lab.server(name).process.pid

    def requests(self, name: str) -> list[Access]:
        """What an instance was asked so far, in that order; the lab's own Prometheus asks for /metrics."""
        return read(self.spec.access_log(self.instance(name)))

    @contextlib.contextmanager
    def fault(self, name: str, kind: str, seconds: float = SLOW_SECONDS) -> Generator[None, None, None]:
        """An instance, or all of the component `name`, has a fault within the block, and none after it.

        Raises `LabError` for a name or a kind that there is not.
        """
        self.set_fault(name, kind, seconds=seconds)
        try:
            yield
        finally:
            self.clear_faults(name)

    def set_fault(
        self, name: str, kind: str, *, seconds: float = SLOW_SECONDS, lasting: float | None = None
    ) -> None:
        """Gives an instance or a component a fault, for `lasting` seconds or until it is cleared.

        Returns when it has it. Raises `LabError` for a name or a kind that there is not.
        """
        members = self._named(name)
        self._check(members, kind)
        until = None if lasting is None else time.time() + lasting
        for member in members:
            fault_file(self.spec.faults_dir, member.name).write(Fault(kind, seconds, until))
        self._settle(members, down=kind == "down")

    def clear_faults(self, name: str | None = None) -> None:
        """Takes the faults away from an instance, a component, or all; returns when they are well."""
        members = self._named(name) if name else self.instances
        for member in members:
            fault_file(self.spec.faults_dir, member.name).clear()
        self._settle(members, down=False)

    def faults(self) -> dict[str, Fault]:
        """The fault of each instance that has one now."""
        found = {each.name: fault_file(self.spec.faults_dir, each.name).read() for each in self.instances}
        return {name: fault for name, fault in found.items() if fault is not None}

    def _named(self, name: str) -> tuple[Member, ...]:
        found = tuple(each for each in self.instances if name in {each.name, each.component})
        if not found:
            names = ", ".join(each.name for each in self.instances)
            raise LabError(
                f"the cluster has no {name}; it has {names}, and a component's name means all of it"
            )
        return found

    def _check(self, members: Iterable[Member], kind: str) -> None:
        if kind not in KINDS:
            raise LabError(f"there is no fault {kind}; there are {', '.join(KINDS)}")
        for member in members:
            if member.component not in KINDS[kind].components:
                able = ", ".join(sorted(KINDS[kind].components))
                raise LabError(f"{member.name} can't have the fault {kind}; it is for {able}")

    def _settle(self, members: Iterable[Member], *, down: bool) -> None:
        deadline = time.monotonic() + EFFECT_SECONDS
        for member in members:
            while _listens(member) == down:
                if time.monotonic() > deadline:
                    state = "there" if down else "down"
                    raise LabError(f"{member.name} is still {state} after {EFFECT_SECONDS} s")
                time.sleep(PAUSE)


def _listens(member: Member) -> bool:
    """Whether all its ports are open."""
    for port in member.ports.values():
        with socket.socket() as client:
            if client.connect_ex((member.host, port)) != 0:
                return False
    return True
