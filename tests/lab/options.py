"""What can be chosen when a lab is started."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Options:
    """Choices for one lab; all but the first are about the stand-in cluster."""

    cluster: bool = True
    """Whether it has a stand-in TiDB cluster."""

    tls: bool = False
    """Whether the cluster is one with TLS between all of its parts, as TiUP's `enable_tls` makes it."""

    machines: bool = False
    """Whether each of its instances has a machine of its own: network namespaces, with sshd. Needs root."""

    spares: int = 0
    """How many more machines there are then, on which nothing of the cluster runs; eight at most."""

    log_rate: float = 1.0
    """Entries a second that each instance adds to its logs."""

    history: float = 0.0
    """Hours of log entries that are written before the start, with rotated files."""

    history_step: float = 10.0
    """Seconds from one entry of the history to the next."""

    delay_scale: float = 1.0
    """What the recorded delays (3 s without a leader, ...) are multiplied by."""


USUAL = Options()
"""What is chosen when nothing is said."""
