"""What to ask a host's journal: commands that can be pasted there, and none where it has nothing to say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from shlex import quote

from clinic.bundle.manifest import InstanceFacts
from clinic.read.instances import called


@dataclass(frozen=True, slots=True)
class Journals:
    """Which hosts have a journal, as far as the bundle tells."""

    hosts: frozenset[str] = frozenset()
    """Those that have one."""

    rebooted: frozenset[str] = frozenset()
    """Those of them whose journal holds the boot before this one."""

    def before(self, instance: InstanceFacts, when: datetime) -> str:
        """What its unit said until it was started at `when`; empty where there is nothing to ask."""
        if not self._of(instance):
            return ""
        # The time is the host's own: journalctl reads RFC 3339 from systemd 254 on only.
        until = f"--until '{when:%Y-%m-%d %H:%M:%S}'"
        why = f"what stopped {called(instance)} before {when.isoformat(timespec='seconds')}?"
        return f"journalctl -u {quote(instance.unit)} {until} -n 200 --no-pager # {why}"

    def last(self, instance: InstanceFacts) -> str:
        """The last that its unit said; empty where there is nothing to ask."""
        if not self._of(instance):
            return ""
        return f"journalctl -u {quote(instance.unit)} -n 200 --no-pager # was {called(instance)} stopped on purpose?"

    def boot(self, host: str) -> str:
        """The last that `host` said before it was started; empty where its journal does not hold that."""
        return (
            "journalctl -b -1 -n 200 --no-pager # what stopped the machine?" if host in self.rebooted else ""
        )

    def _of(self, instance: InstanceFacts) -> bool:
        return instance.host in self.hosts and bool(instance.unit) and not instance.unit.startswith("-")
