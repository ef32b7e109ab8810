"""Certificates: those that configurations name, those beside them, and those that servers show. Never a key."""

from __future__ import annotations

import glob
from collections.abc import Iterator

from clinic.collector import Category, Collector, Content, Instance, Item, Role, Sensitivity, Source, Target
from clinic.source.command import Command
from clinic.source.composed import Composed
from clinic.source.file import File, Files
from clinic_collectors._certificates import FILE, endpoint, inputs, of_command_line, table
from clinic_collectors._servers import place

_BESIDE = ("tls/*.crt", "tls/*.pem", "conf/*.crt", "conf/*.pem")
"""Below a deploy directory. A file with a key in it is left alone by the door, whatever it is called."""


class Certificates(Collector):
    """Subject, issuer, names and validity of every certificate."""

    name = "certificates"
    category = Category.CERTIFICATES
    summary = "subject, issuer, names, validity of certificates in files and of TLS endpoints; never keys"

    def items(self, target: Target) -> Iterator[Item]:
        for machine in target.machines:
            instances = [one for one in target.instances(host=machine.name) if not one.container]
            if source := _files(machine.name, instances):
                yield Item(
                    f"{machine.name}/certificates/files.csv", source, id="certificates.files", content=Content.CSV,
                    sensitivity=Sensitivity.INTERNAL,
                )  # fmt: skip
        for instance in target.instances():
            if (instance.tls or Role.SQL in instance.roles) and instance.port and not instance.container:
                yield Item(
                    f"{place(instance)}/certificates.csv", _shown(instance), id="certificates.endpoint",
                    host=instance.host, instance=instance.id, content=Content.CSV,
                )  # fmt: skip


def _files(host: str, instances: list[Instance]) -> Source | None:
    """The table of a machine's certificates; None where nothing could name any."""
    told = {path: f"the command line of {one.id}" for one in instances for path in of_command_line(one)}
    configurations = {path for one in instances for path in one.config_files if path.startswith("/")}
    first: list[tuple[str, Source]] = [(path, File(host, path)) for path in sorted(configurations)]
    deployed = sorted({one.deploy_dir.rstrip("/") for one in instances if one.deploy_dir.startswith("/")})
    beside = tuple(f"{glob.escape(deploy)}/{pattern}" for deploy in deployed for pattern in _BESIDE)
    if beside:
        first.append((FILE, Files(host, beside)))
    if not first and not told:
        return None
    return Composed(host, tuple(first), table(told), then=inputs(host, told))


def _shown(instance: Instance) -> Source:
    """What it shows in a handshake, asked on its own machine; without a client certificate it shows it all the same.

    s_client ends with 1 where the server then refuses us.
    """
    address = instance.extra.get("address", "") or instance.host
    where = f"[{address}]:{instance.port}" if ":" in address else f"{address}:{instance.port}"
    start = ("-starttls", "mysql") if Role.SQL in instance.roles else ()
    argv = ("openssl", "s_client", "-connect", where, *start, "-showcerts")
    shown = Command(instance.host, argv, ok=(0, 1), package="openssl", deadline=5.0)
    return Composed(instance.host, (("shown", shown),), endpoint(where), needs=frozenset({"shown"}))
