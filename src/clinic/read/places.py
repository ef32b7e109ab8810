"""The hosts and what runs on them, so that what belongs together stands together."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from clinic.bundle.manifest import InstanceFacts, Run
from clinic.bundle.record import Record
from clinic.cluster.discovery.component_table import COMPONENTS
from clinic.formats.page import COLUMNS, plain, width
from clinic.read.fact import Findings
from clinic.units import plural

_ORDER = {name: place for place, name in enumerate(dict.fromkeys(one.name for one in COMPONENTS))}


def places(run: Run, records: Sequence[Record], findings: Findings) -> Iterator[str]:
    """Each host with its instances, by address and component; the addresses first at which one does not run."""
    of_host: dict[str, list[Record]] = {}
    for record in records:
        of_host.setdefault(record.entry.host, []).append(record)
    for machine in run.cluster.machines:
        ours = of_host.get(machine, [])
        held = sum(bool(record.files) for record in ours)
        silent = " (no answer)" if ours and not held else ""
        instances = [one for one in run.cluster.instances if one.host == machine]
        yield f"  {plain(machine)}: {held} of {plural(len(ours), 'item')} collected{silent}{_down(instances, findings)}"
        for instance in _sorted(instances, findings):
            yield _line(instance, findings)


def _down(instances: Sequence[InstanceFacts], findings: Findings) -> str:
    down = sum(_is_down(one, findings) for one in instances)
    return f"; {down} of {plural(len(instances), 'instance')} down" if down else ""


def _is_down(instance: InstanceFacts, findings: Findings) -> bool:
    state = findings.states.get(instance.id)
    return state is not None and state.down


def _sorted(instances: Sequence[InstanceFacts], findings: Findings) -> list[InstanceFacts]:
    """By address: first those where one is down, then as their first component has it; by component within each."""
    bad = {_address(one) for one in instances if _is_down(one, findings)}
    first: dict[str, int] = {}
    for one in instances:
        first[_address(one)] = min(_order(one), first.get(_address(one), _order(one)))

    def place(one: InstanceFacts) -> tuple[bool, int, tuple[int, int, str], int, str, int, str]:
        own = _address(one)
        return own not in bad, first[own], _numeric(own), _order(one), one.component, one.port, one.id

    return sorted(instances, key=place)


def _order(instance: InstanceFacts) -> int:
    return _ORDER.get(instance.component, len(_ORDER))


def _address(instance: InstanceFacts) -> str:
    """Where it listens, as its id says or as was seen; empty when nothing says."""
    return _own(instance) or instance.address


def _own(instance: InstanceFacts) -> str:
    """The address that its id tells it from others at its port by; empty where it needs none."""
    before, found, _ = instance.id.rpartition(f"-{instance.port}")
    return before if found and instance.port and before != instance.host else ""


def _numeric(address: str) -> tuple[int, int, str]:
    """`address` so that 10.0.0.9 comes before 10.0.0.10; what is none comes first."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return 0, 0, address
    return found.version, int(found), address


def _line(instance: InstanceFacts, findings: Findings) -> str:
    """`tidb 127.0.4.1:4000 v8.5.0 (/tidb-deploy/tidb-4000): up, pid 777`; without the directory where it is long."""
    port = f":{instance.port}" if instance.port else ""
    own = _own(instance)
    name = f"{instance.component} {own}{port}" if own else f"{instance.component}{port}"
    version = f" {instance.version}" if instance.version else ""
    state = findings.states.get(instance.id, "not looked at")
    directory = f" ({instance.directory})" if instance.directory else ""
    long, short = (f"    {plain(f'{name}{version}{rest}')}: {state}" for rest in (directory, ""))
    return long if width(long) <= COLUMNS else short
