"""What opens the servers of a cluster: given once by a person, shared by every door of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from clinic.client.account import Account
from clinic.client.tls import Tls
from clinic.secret import Secret


@dataclass(frozen=True, slots=True)
class Access:
    """TLS material, accounts, the way there. Without anything: no account, the system's own CAs, no proxy."""

    tls: Tls = field(default_factory=Tls)
    """For HTTP with servers that speak TLS."""

    sql: Account | None = None
    """For the SQL servers; without one none is asked."""

    sql_tls: Tls = field(default_factory=Tls)
    """For the SQL servers. With a CA their certificates are verified; it is often not the one of the cluster's own
    traffic, so it has to be given for this purpose."""

    web: Mapping[str, Account] = field(default_factory=dict[str, Account])
    """For HTTP, by component: `prometheus`, `grafana`."""

    headers: Mapping[str, Mapping[str, Secret]] = field(default_factory=dict[str, Mapping[str, Secret]])
    """Further headers for HTTP, by component: a tenant's name, a proxy's token."""

    proxy: str = ""
    """URL of an HTTP proxy for HTTP. Only one that was asked for is used, never the environment's."""

    def secrets(self) -> Iterator[Secret]:
        """What the redactor has to learn before anything is written."""
        for account in (self.sql, *self.web.values()):
            if account is not None and account.password:
                yield account.password
                yield account.header
