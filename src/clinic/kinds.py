"""The closed sets that a declaration chooses from: category, sensitivity, content, stage and the like."""

from __future__ import annotations

import enum


class _Named(str, enum.Enum):
    """A choice that is stored and printed as its own name."""

    def __str__(self) -> str:
        return str(self.value)


class Category(_Named):
    """Which of the kinds of data an item belongs to; people leave data out by it."""

    SYSTEM = "system"
    TOPOLOGY = "topology"
    VERSIONS = "versions"
    CONFIG = "config"
    LOGS = "logs"
    METRICS = "metrics"
    ALERTS = "alerts"
    VARIABLES = "variables"
    CHANGES = "changes"
    CERTIFICATES = "certificates"
    DEBUG = "debug"


class Sensitivity(_Named):
    """What an item may hold once credentials are masked; it is shown before anything is disclosed."""

    PUBLIC = "public"
    """Facts about products and hardware: versions, CPU flags."""

    INTERNAL = "internal"
    """Names and addresses of hosts and users, paths, sizes, settings."""

    USER_DATA = "user-data"
    """May hold values typed by the customer's own users: SQL text, log lines with literals."""


class Content(_Named):
    """The format of an item's bytes; it chooses the redactor, and the writer alone decides."""

    TEXT = "text"
    LOG = "log"
    JSON = "json"
    TOML = "toml"
    YAML = "yaml"
    INI = "ini"
    CSV = "csv"
    ENV = "env"
    ARGV = "argv"
    """Command lines, one process a line, or NUL-separated arguments."""

    SQL = "sql"
    FRAMES = "frames"
    """Remote-read frames: labels pass the redactor, samples do not."""

    OPAQUE = "opaque"
    """Binary with no text in it that could be a secret: a CPU profile. Scanned for keys all the same."""


class Stage(enum.IntEnum):
    """When an item runs: what teaches the redactor comes before everything else."""

    LEARN = 0
    COLLECT = 1


class Volatility(enum.IntEnum):
    """How soon the evidence is gone; the volatile runs first."""

    SECONDS = 0
    """Gone in seconds: process table, sockets, pressure."""

    RESTART = 1
    """Gone with a restart of the instance or the host."""

    DAYS = 2
    """Rotated or overwritten in days: logs, metrics."""

    STABLE = 3
    """Still there next week: hardware, files of the distribution."""


class Privilege(_Named):
    """What an item needs to be read."""

    NONE = "none"
    ROOT = "root"


class Role(_Named):
    """What an instance is good for, whatever product it belongs to."""

    SQL = "sql"
    STORAGE = "storage"
    PLACEMENT = "placement"
    REPLICATION = "replication"
    PROXY = "proxy"
    METRICS = "metrics"
    ALERTS = "alerts"
    DASHBOARD = "dashboard"
    EXPORTER = "exporter"
    OTHER = "other"
