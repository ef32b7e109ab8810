"""The command line of `clinic collect` as values, and what it comes to with the profile and the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clinic import profile
from clinic.cli.clusters import absolute
from clinic.cli.login import Login, is_attended
from clinic.cli.promlogin import Logins, PromLogin, conditions, step_of
from clinic.cli.ssh import hosts_in
from clinic.cluster.discover import Where
from clinic.errors import Refused, UsageError
from clinic.host.ssh.node_load import MAX_LOAD
from clinic.plan import Selection
from clinic.run.prepare import Steering
from clinic.run.reach import Ssh
from clinic.units import parse_duration


@dataclass(frozen=True)
class Options:
    """The command line of `clinic collect` as values."""

    cluster: str = ""
    """`CLUSTER`."""

    home: str = ""
    """`--home`."""

    topology: str = ""
    """`--topology`."""

    pd: tuple[str, ...] = ()
    """`--pd`."""

    tidb: tuple[str, ...] = ()
    """`--tidb`."""

    prometheus: str = ""
    """`--prometheus`."""

    ca: str = ""
    """`--ca`."""

    cert: str = ""
    """`--cert`."""

    key: str = ""
    """`--key`."""

    start: str | None = None
    """`--from`."""

    end: str | None = None
    """`--to`."""

    around: str | None = None
    """`--around`."""

    profile: str | None = None
    """`--profile`."""

    include: tuple[str, ...] = ()
    """`--include`, commas not yet split."""

    exclude: tuple[str, ...] = ()
    """`--exclude`."""

    roles: tuple[str, ...] = ()
    """`--role`."""

    nodes: tuple[str, ...] = ()
    """`--node`."""

    collectors: tuple[str, ...] = ()
    """`--collector`."""

    user: str = ""
    """`--user`."""

    password_file: str = ""
    """`--password-file`."""

    sql_ca: str = ""
    """`--sql-ca`."""

    hosts: tuple[str, ...] = ()
    """`--host`."""

    hosts_file: str = ""
    """`--hosts-file`."""

    ssh_user: str = ""
    """`--ssh-user`."""

    ssh_key: str = ""
    """`--ssh-key`."""

    ssh_port: int | None = None
    """`--ssh-port`."""

    ssh_options: tuple[str, ...] = ()
    """`--ssh-option`."""

    known_hosts: tuple[str, ...] = ()
    """`--known-hosts`."""

    limit: int | None = None
    """`--limit`, bytes a second."""

    max_load: float | None = None
    """`--max-load`."""

    output: Path | None = None
    """`-o`."""

    case: str = ""
    """`--case`."""

    note: str = ""
    """`--note`."""

    concurrency: int | None = None
    """`-c`."""

    deadline: str | None = None
    """`--deadline`."""

    max_size: int | None = None
    """`--max-size`, bytes."""

    max_log_size: int | None = None
    """`--max-log-size`, bytes of each instance."""

    metrics_match: tuple[str, ...] = ()
    """`--metrics-match`."""

    metrics_exclude: tuple[str, ...] = ()
    """`--metrics-exclude`."""

    metrics_label: tuple[str, ...] = ()
    """`--metrics-label`."""

    metrics_mode: str = "raw"
    """`--metrics-mode`."""

    verify: bool = False
    """`--verify`."""

    prometheus_user: str = ""
    """`--prometheus-user`."""

    prometheus_password_file: str = ""
    """`--prometheus-password-file`."""

    prometheus_token_file: str = ""
    """`--prometheus-token-file`."""

    prometheus_header: tuple[str, ...] = ()
    """`--prometheus-header`."""

    prometheus_header_file: str = ""
    """`--prometheus-header-file`."""

    metrics_max: int | None = None
    """`--metrics-max`, bytes."""

    keep_free: int | None = None
    """`--keep-free`, bytes."""

    privacy: str = "none"
    """`--privacy`."""

    rules: Path | None = None
    """`--rules`."""

    no_sql_literals: bool = False
    """`--no-sql-literals`."""

    keep_parent: bool = False
    """`--keep-parent`."""

    dry_run: bool = False
    """`--dry-run`."""

    offline: bool = False
    """`--offline`."""

    yes: bool = False
    """`-y`."""

    as_json: bool = False
    """`--json`."""

    json_progress: bool = False
    """`--json-progress`."""

    resumed: Path | None = None
    """`--resume`."""

    @property
    def attended(self) -> bool:
        """Whether a person is there who can be asked."""
        return is_attended(yes=self.yes or self.dry_run or self.json_progress)

    @property
    def hides(self) -> bool:
        """Whether the bundle is made anew at the end, with less in it than credentials alone would take."""
        return self.privacy != "none" or self.no_sql_literals

    @property
    def where(self) -> Where:
        """Which cluster the command line means; `cluster` is empty where it names none."""
        files = (absolute(path) for path in (self.topology, self.ca, self.cert, self.key))
        topology, ca, cert, key = files
        hosts = (*self.hosts, *(hosts_in(Path(self.hosts_file)) if self.hosts_file else ()))
        return Where(
            self.cluster, self.home, topology, self.pd, self.tidb, self.prometheus, ca, cert, key, hosts
        )

    @property
    def login(self) -> Logins:
        """Who logs in at the SQL servers and at Prometheus."""
        ask = self.attended
        sql = Login(self.user, self.password_file, self.sql_ca, ask=ask)
        prometheus = PromLogin(
            self.prometheus_user, self.prometheus_password_file, self.prometheus_token_file,
            self.prometheus_header, self.prometheus_header_file, ask,
        )  # fmt: skip
        return Logins(sql, prometheus)

    @property
    def ssh(self) -> Ssh:
        """How other machines are logged in at."""
        known = tuple(absolute(path) for path in self.known_hosts)
        port = str(self.ssh_port) if self.ssh_port is not None else ""
        load = self.max_load if self.max_load is not None else MAX_LOAD
        return Ssh(self.ssh_user, absolute(self.ssh_key), port, self.ssh_options, known, self.limit, load)

    def check(self) -> None:
        """Raise `UsageError` for options that contradict each other."""
        if self.offline and not self.dry_run:
            raise UsageError("--offline goes with --dry-run", hint="clinic collect --dry-run --offline")
        steering = (
            self.start, self.end, self.around, self.profile, self.include, self.exclude, self.roles, self.nodes,
            self.output, self.case, self.note, self.hides, *self.where.values().values(),
        )  # fmt: skip
        if self.resumed is not None and any(steering):
            raise UsageError(
                "--resume takes cluster, window, selection, case and note from the bundle",
                hint="leave those options out",
            )


def steer(options: Options, where: Where) -> Steering:
    """What `options`, the profile and the user's configuration come to. Raises `UsageError`, `Refused`."""
    config = profile.read_config()
    chosen = profile.find_profile(options.profile or config.profile)
    for name, given in (("--include", options.include), ("--exclude", options.exclude)):
        if given and not _split(given):
            raise UsageError(
                f"{name} names nothing", hint="leave it out for the default; is a variable empty?"
            )
    selection = Selection(
        include=_split(options.include) or chosen.include,
        exclude=(*chosen.exclude, *_split(options.exclude)),
        roles=_split(options.roles),
        nodes=_split(options.nodes),
        volatility=chosen.volatility,
    )
    steering = Steering(
        selection,
        profile=chosen.name,
        collectors=tuple(_absolute(name) for name in (*config.collectors, *options.collectors)),
        deadline=chosen.deadline,
        max_size=chosen.max_size,
        options=_collector_options(options),
        where=where,
        ssh=options.ssh,
        rules=str(options.rules.expanduser().absolute()) if options.rules is not None else "",
    )
    return bounded(steering, options)


def _collector_options(options: Options) -> tuple[str, ...]:
    """What single collectors are told, `name=value`."""
    globs = (("metrics-match", options.metrics_match), ("metrics-exclude", options.metrics_exclude))
    found = [f"{name}={','.join(_split(words))}" for name, words in globs if words]
    found += [f"metrics-label={conditions(options.metrics_label)}"] if options.metrics_label else []
    found += [f"metrics-max={options.metrics_max}"] if options.metrics_max is not None else []
    found += [f"metrics-step={step}"] if (step := step_of(options.metrics_mode)) else []
    return (*found, *(["metrics-verify=yes"] if options.verify else []))


def bounded(steering: Steering, options: Options) -> Steering:
    """`steering` with the bounds that the command line gives; a run that is resumed may have others than before."""
    return replace(
        steering,
        deadline=parse_duration(options.deadline) if options.deadline is not None else steering.deadline,
        max_size=options.max_size if options.max_size is not None else steering.max_size,
        max_log_size=options.max_log_size if options.max_log_size is not None else steering.max_log_size,
        concurrency=options.concurrency if options.concurrency is not None else steering.concurrency,
        keep_free=options.keep_free if options.keep_free is not None else steering.keep_free,
        ssh=_logging_in(steering.ssh, options),
    )


def _logging_in(ssh: Ssh, options: Options) -> Ssh:
    """`ssh` with what the command line says of logins: a run that is resumed may have a better key than before."""
    given = options.ssh
    return Ssh(
        given.user or ssh.user, given.key or ssh.key, given.port or ssh.port, given.options or ssh.options,
        given.known_hosts or ssh.known_hosts, given.limit if given.limit is not None else ssh.limit,
        given.max_load if options.max_load is not None else ssh.max_load,
    )  # fmt: skip


def resumed(steering: Steering, options: Options, directory: Path) -> Steering:
    """What a run that is resumed is steered by: the bundle's options, and the bounds of this command line.

    A third party's collector runs because a person names it now, never because a bundle does: it may have been
    made by somebody else. Raises `UsageError` for one that is not named, `Refused` for one inside the bundle.
    """
    named = (*profile.read_config().collectors, *(_absolute(name) for name in options.collectors))
    inside = [name for name in named if Path(name).resolve().is_relative_to(directory.resolve())]
    if inside:
        raise Refused(
            f"{inside[0]} is inside the bundle", hint="a bundle's files are evidence; name your own file"
        )
    unnamed = [name for name in steering.collectors if name not in named]
    if unnamed:
        again = " ".join(f"--collector {name}" for name in unnamed)
        raise UsageError(
            f"the bundle says that its run used collectors of third parties: {', '.join(unnamed)}",
            hint=f"look at them, then name them again: {again}; or seal what there is: clinic seal {directory}",
        )
    rules = str(options.rules.expanduser().absolute()) if options.rules is not None else ""
    if steering.rules and not rules:
        raise UsageError(
            f"the bundle says that its run had rules of your own: {steering.rules}",
            hint=f"name them again, so that what comes now is masked alike: --rules {steering.rules}",
        )
    return bounded(replace(steering, collectors=named, rules=rules), options)


def _split(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(word.strip() for value in values for word in value.split(",") if word.strip())


def _absolute(name: str) -> str:
    return (
        str(Path(name).expanduser().absolute()) if "/" in name or name.endswith((".yaml", ".yml")) else name
    )
