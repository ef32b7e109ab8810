"""What is known of a component: how its process is recognised, and which of its options says what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Options = tuple[str, ...]
"""Names of options that mean the same thing, without dashes; the first that was given counts."""


@dataclass(frozen=True, slots=True)
class Component:
    """How one component is recognised and read."""

    name: str
    """As the cluster's model calls it."""

    executables: tuple[str, ...]
    """File names of its program."""

    ports: tuple[int, ...]
    """Ports that it serves its clients on unless told otherwise, the likeliest first."""

    command: tuple[str, ...] = ()
    """The words that follow the program where one program is several things."""

    family: bool = False
    """Whether it is one of TiDB's."""

    client: Options = ()
    """What tells the address or port for clients."""

    bind: Options = ()
    """What tells the address to listen on, where `client` tells the port alone."""

    client_opened: int = 0
    """Which of its listening sockets, in the order they were opened, is the one for clients."""

    status: Options = ()
    """What tells the address or port of its HTTP status API, where that is another."""

    status_port: int = 0
    """The port of that API unless told otherwise; 0 when there is no such port."""

    data: Options = ()
    """What tells a directory of its data."""

    data_is_cwd: bool = False
    """Whether it works inside its data directory."""

    log_files: tuple[str, ...] = ()
    """What tells a log file; each of them is another file."""

    log_dir: Options = ()
    """What tells the directory of its logs."""

    configs: tuple[str, ...] = ()
    """What tells a configuration file; each of them is another file."""

    no_configs: str = ""
    """The option that makes it read no configuration file."""

    beside: tuple[str, ...] = ()
    """Configuration files that stand beside the one it was told, where they exist."""

    usual_configs: tuple[str, ...] = ()
    """Configuration files that it looks for when it is told none, where they exist."""

    usual_data: tuple[str, ...] = ()
    """Its data directory when it is told none: the first that exists."""

    tls: Options = ()
    """What is given only when its servers speak TLS."""

    extra: Mapping[str, Options] = field(default_factory=dict[str, Options])
    """What else is worth knowing: a name, and what tells it."""

    glued: bool = False
    """Whether a one-letter option may stand right before its value, as in `-P4000`."""

    underscores: bool = False
    """Whether `_` and `-` are the same in the name of an option."""

    def names(self) -> frozenset[str]:
        """Every option that says something."""
        several = (self.client, self.bind, self.status, self.data, self.log_files, self.log_dir, self.configs)
        found = {name for options in (*several, self.tls, *self.extra.values()) for name in options}
        return frozenset(found | ({self.no_configs} if self.no_configs else set()))
