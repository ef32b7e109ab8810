"""Where an instance keeps things when only its deploy directory is known: as TiUP lays it out. Pure."""

from __future__ import annotations

import posixpath
from dataclasses import replace

from clinic.cluster.discovery.tiup_defaults import DM_KINDS, TIDB_KINDS
from clinic.cluster.model import Cluster, Instance
from clinic.units import plural

_KINDS = {kind.component: kind for kind in (*TIDB_KINDS, *DM_KINDS)}


def laid_out(cluster: Cluster) -> Cluster:
    """`cluster` with the directories and files of instances of which only the deploy directory is known.

    That is a guess, and said: what is not there will be a record of its own.
    """
    instances = tuple(map(_guessed, cluster.instances))
    count = sum(one is not other for one, other in zip(instances, cluster.instances, strict=True))
    if not count:
        return cluster
    said = (
        f"nobody said where the files of {plural(count, 'instance')} are: looked for is where TiUP has them"
    )
    return replace(cluster, instances=instances, unknown=(*cluster.unknown, said))


def _guessed(instance: Instance) -> Instance:
    kind = _KINDS.get(instance.component)
    known = instance.log_dir or instance.log_files or instance.config_files
    if kind is None or known or not instance.deploy_dir:
        return instance
    log = posixpath.join(instance.deploy_dir, "log")
    return replace(
        instance,
        log_dir=log,
        log_files=tuple(posixpath.join(log, file) for file in kind.logs),
        config_files=tuple(posixpath.join(instance.deploy_dir, "conf", file) for file in kind.configs),
    )
