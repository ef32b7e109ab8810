"""Which instance of a machine has which port, and an id of its own for each. Pure.

The address is part of who listens: instances at one port of several addresses do not contradict each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from clinic.cluster.model import Instance


@dataclass(frozen=True, slots=True)
class Claim:
    """One instance, and what is known of the port that it has."""

    instance: Instance
    """The instance, with the port that it seems to have."""

    listens: bool = False
    """Whether it is seen to listen there."""

    bound: str = ""
    """At which address it listens, as is seen or as its options say; empty when nothing says."""

    perhaps: Sequence[str] | None = None
    """Where its sockets can't be seen: the addresses at which its account listens at that port; None where they can."""


@dataclass(frozen=True, slots=True)
class Apart:
    """The instances, each with an id of its own."""

    instances: tuple[Instance, ...]
    """In the order of the claims."""

    unknown: tuple[str, ...] = ()
    """What could not be learned, a sentence each."""

    differences: tuple[str, ...] = ()
    """What contradicts itself, a sentence each."""


def called(instance: Instance) -> str:
    """How a sentence calls it."""
    return f"{instance.component} (process {instance.pid})"


def apart(claims: Sequence[Claim]) -> Apart:
    """A port and address that several claim go to the one that listens there, else to the one that runs longest."""
    groups: dict[int, list[int]] = defaultdict(list)
    for index, claim in enumerate(claims):
        groups[claim.instance.port].append(index)
    groups.pop(0, None)
    settled: dict[int, Instance] = {}
    unknown: list[str] = []
    differences: list[str] = []
    for members in groups.values():
        group = _Group({index: claims[index] for index in members})
        settled.update(group.instances())
        unknown += group.unknown
        differences += group.differences
    instances = (settled.get(index, claim.instance) for index, claim in enumerate(claims))
    return Apart(tuple(instances), tuple(unknown), tuple(differences))


class _Group:
    """Those who claim one port."""

    def __init__(self, claims: Mapping[int, Claim]) -> None:
        self._claims = claims
        self._taken: dict[str, int] = {}
        self._unplaced: list[int] = []
        self._lost: list[int] = []
        self.unknown: list[str] = []
        self.differences: list[str] = []
        for index in sorted(claims, key=lambda index: self._rank(claims[index])):
            self._place(index, claims[index])

    @property
    def _placed(self) -> list[int]:
        """Those that have the port."""
        return [*self._unplaced, *self._taken.values()]

    @staticmethod
    def _rank(claim: Claim) -> tuple[bool, bool, bool, float]:
        """Who listens comes first, then who has an address, then those of which too little can be seen."""
        return not claim.listens, not claim.bound, claim.perhaps is None, claim.instance.started

    def _place(self, index: int, claim: Claim) -> None:
        if claim.bound or (claim.perhaps is None and not self._placed):
            owner = self._taken.setdefault(claim.bound, index)
            if owner != index:
                self._lose(index, self._claims[owner])
        elif claim.perhaps is None:
            self._lose(index, self._claims[self._placed[0]])
        else:
            self._place_unseen(index, claim, claim.perhaps)

    def _place_unseen(self, index: int, claim: Claim, perhaps: Sequence[str]) -> None:
        """One whose sockets can't be seen: as many of them can have the port as there are sockets left."""
        free = [address for address in dict.fromkeys(perhaps) if address not in self._taken]
        rivals = self._rivals()
        if len(free) == 1 and rivals == [index]:
            self._taken[free[0]] = index
        elif len(free) > len(self._unplaced) or not self._placed:
            self._unplaced.append(index)
        else:
            self._lost.append(index)
            self.unknown += [
                f"port {claim.instance.port} is that of {called(self._claims[other].instance)} or of"
                f" {called(claim.instance)}: which process listens there can't be seen; run as root to see it"
                for other in self._unplaced[:1]
            ]

    def _rivals(self) -> list[int]:
        """All whose sockets and addresses nothing tells."""
        return [index for index, one in self._claims.items() if not one.bound and one.perhaps is not None]

    def _lose(self, index: int, owner: Claim) -> None:
        self._lost.append(index)
        instance = self._claims[index].instance
        self.differences.append(
            f"{called(instance)} claims port {instance.port}, as does {called(owner.instance)}"
        )

    def instances(self) -> Iterable[tuple[int, Instance]]:
        """Each with its port, address and id; those who lost it only with what they claimed."""
        shared = len(self._placed) > 1
        for address, index in self._taken.items():
            yield index, _at(self._claims[index], address, shared)
        for index in self._unplaced:
            yield index, _at(self._claims[index], "", shared)
        for index in self._lost:
            one = self._claims[index].instance
            yield index, replace(one, port=0, extra={**one.extra, "claimed_port": str(one.port)})


def _at(claim: Claim, address: str, shared: bool) -> Instance:
    """The instance at its port and `address`, which is part of its id where the port is `shared`."""
    one = claim.instance
    if address and claim.perhaps is not None:
        # Its account does listen there, or so its options say: the best that is known of where to connect to.
        one = replace(one, extra={**one.extra, "address": address})
    if not shared:
        return one
    return replace(
        one, own_id=f"{address}-{one.port}" if address else f"{one.host}-{one.component}-{one.pid}"
    )
