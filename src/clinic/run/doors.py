"""What a source may touch during a run, opened once and shared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from clinic.cluster.model import Cluster, Machine
from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError
from clinic.host.base import Host
from clinic.outcome import Reason
from clinic.secret import SecretRegister
from clinic.source.base import CONTROL, Ran
from clinic.window import Window

T = TypeVar("T")


class _Slot:
    """What one key stands for: made by the first who asks, while the others wait."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made = False
        self.value: Any = None
        self.error: ItemError | None = None


class Common:
    """What all attempts of a run share: window, secrets, hosts, connections."""

    def __init__(
        self, cluster: Cluster, window: Window, secrets: SecretRegister, connect: Callable[[Machine], Host]
    ) -> None:
        """`connect` opens the door to a machine; it may raise `ItemError`, which every item there then gets."""
        self.cluster = cluster
        self.window = window
        self.secrets = secrets
        self._connect = connect
        self._slots: dict[Hashable, _Slot] = {}
        self._lock = threading.Lock()

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once for `key`; an `ItemError` of it is remembered and raised again."""
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
        with slot.lock:
            if not slot.made:
                try:
                    slot.value = make()
                except ItemError as error:
                    slot.error = error
                slot.made = True
        if slot.error is not None:
            raise slot.error
        return cast("T", slot.value)

    def host(self, name: str) -> Host:
        """The door to the machine called `name`; `CONTROL` is this one, whatever the cluster's are called."""
        try:
            machine = Machine(CONTROL, local=True) if name == CONTROL else self.cluster.machine(name)
        except KeyError:
            raise Failed(Reason.NOT_FOUND, f"the cluster has no host {name!r}") from None
        return self.shared(("host", name), lambda: self._connect(machine))

    def costs(self) -> dict[str, dict[str, float]]:
        """What reaching each host has cost so far; of those that cost nothing, nothing."""
        with self._lock:
            slots = list(self._slots.values())
        hosts = [slot.value for slot in slots if isinstance(slot.value, Host)]
        costs = _side_by_side(lambda host: (host.name, host.cost()), hosts)
        return {name: cost for name, cost in costs if cost}

    def waiting(self) -> dict[str, str]:
        """What each host is short of on which work waits for that."""
        with self._lock:
            slots = list(self._slots.values())
        hosts = [slot.value for slot in slots if isinstance(slot.value, Host)]
        return {host.name: why for host in hosts if (why := host.waiting)}

    def again(self) -> None:
        """Everything else is done: servers that were given up may be asked once more."""
        with self._lock:
            slots = list(self._slots.values())
        for slot in slots:
            again = getattr(slot.value, "again", None)
            if again is not None:
                again()

    def close(self) -> None:
        """Close everything that was opened, the last first, and hosts after all that may use them."""
        with self._lock:
            slots, self._slots = list(self._slots.values()), {}
        hosts = [slot.value for slot in slots if isinstance(slot.value, Host)]
        for slot in reversed(slots):
            close = getattr(slot.value, "close", None)
            if close is not None and slot.value not in hosts:
                close()
        _side_by_side(lambda host: host.close(), hosts)


def _side_by_side(what: Callable[[Host], T], hosts: Sequence[Host]) -> list[T]:
    """The same for all hosts at once: one that is dead takes its time, and many are no longer than one."""
    with ThreadPoolExecutor(max_workers=max(1, len(hosts)), thread_name_prefix="clinic-host") as pool:
        return list(pool.map(what, hosts))


class AttemptDoors:
    """The `Doors` of one attempt: the shared ones, with its own clock and its own list of what was done."""

    def __init__(self, common: Common, deadline: Deadline) -> None:
        self._common = common
        self._deadline = deadline
        self.done: list[Ran] = []

    @property
    def window(self) -> Window:
        """What time is wanted."""
        return self._common.window

    @property
    def deadline(self) -> Deadline:
        """The clock of this attempt."""
        return self._deadline

    @property
    def secrets(self) -> SecretRegister:
        """The register of learned secrets."""
        return self._common.secrets

    def host(self, name: str) -> Host:
        """The door to a machine of the cluster."""
        return self._common.host(name)

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once in a run."""
        return self._common.shared(key, make)

    def ran(self, done: Ran) -> None:
        """Put on record what was done."""
        self.done.append(done)
