"""`clinic collect`: discover, plan, ask, run, seal, and say what came of it."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import click

from clinic.bundle.names import safe_path
from clinic.cli import collect_end, collect_plan
from clinic.cli.clusters import beware, choose
from clinic.cli.collect_options import Options, resumed, steer
from clinic.cli.collect_private import collect_private, refuse_private
from clinic.cli.collect_progress import CollectEvents, HostBars
from clinic.cli.hostkeys import people
from clinic.cli.login import login_options
from clinic.cli.options import SizeType, collector_option
from clinic.cli.output import say, speak_in_events
from clinic.cli.promlogin import metrics_options
from clinic.cli.signals import stopping
from clinic.cli.ssh import ssh_options
from clinic.errors import NothingCollected
from clinic.host.local import harden, slim
from clinic.redact.privacy import Level
from clinic.run.prepare import Ready, prepare
from clinic.run.session import Result, Session, collect, prepare_again, resume
from clinic.window import resolve

_CONTEXT = {"max_content_width": 100}


@click.command("collect", context_settings=_CONTEXT)
@click.argument("cluster", default="")
@click.option(
    "-f", "--from", "start", metavar="TIME", help="First moment: RFC 3339, -4h, '2 hours ago', a date."
)
@click.option("-t", "--to", "end", metavar="TIME", help="Last moment; now when not given.")
@click.option("--around", metavar="TIME", help="One hour before and after TIME instead of --from and --to.")
@click.option("--profile", metavar="NAME|FILE", help="quick, default, full, or a YAML file.")
@click.option(
    "--include", "-i", multiple=True, metavar="WHAT", help="Only these: ids, globs, categories, 'default'."
)
@click.option("--exclude", "-x", multiple=True, metavar="WHAT", help="Not these.")
@click.option(
    "--role", "-R", "roles", multiple=True, metavar="ROLE", help="Only instances of this role or component."
)
@click.option(
    "--node", "-N", "nodes", multiple=True, metavar="HOST[:PORT]", help="Only these hosts or instances."
)
@collector_option
@click.option(
    "--pd", multiple=True, metavar="HOST:PORT", help="Ask this PD for the cluster; one that answers will do."
)
@click.option(
    "--tidb", multiple=True, metavar="HOST:PORT", help="Ask this TiDB where PD is; may be given again, too."
)
@click.option("--topology", default="", metavar="FILE", help="A YAML file that describes the cluster.")
@click.option("--home", default="", metavar="DIR", help="Home of the user who runs TiUP, or a TIUP_HOME.")
@click.option("--ca", default="", metavar="FILE", help="CA certificate of servers that speak TLS.")
@click.option("--cert", default="", metavar="FILE", help="Client certificate for them.")
@click.option("--key", default="", metavar="FILE", help="Its key.")
@login_options
@ssh_options
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Directory of the bundle.")
@click.option("--case", default="", metavar="ID", help="The support case it is for.")
@click.option(
    "--note", default="", metavar="TEXT", help="What is wrong, in your words; it goes into the bundle."
)
@click.option("-c", "--concurrency", type=click.IntRange(1, 64), help="Items at once; 16.")
@click.option("--deadline", metavar="TIME", help="Most time for all of it, as in 90s or 10m.")
@click.option("--max-size", type=SizeType(), metavar="SIZE", help="Most room the bundle may take on disk.")
@metrics_options
@click.option(
    "--max-log-size",
    type=SizeType(),
    metavar="SIZE",
    help="Most room for the logs of one instance: error and slow logs come first, then the newest of each.",
)
@click.option(
    "--keep-free",
    type=SizeType(),
    metavar="SIZE",
    help="Room that stays free on the disk; 64M.",
)
@click.option(
    "--privacy", type=click.Choice([str(level) for level in Level]), default="none",
    help="Replace your own names by pseudonyms at the end, as clinic redact does.",
)  # fmt: skip
@click.option(
    "--rules", type=click.Path(path_type=Path), metavar="FILE",
    help="Rules of your own for what is masked, which add to ours.",
)  # fmt: skip
@click.option(
    "--no-sql-literals", is_flag=True, help="Replace the values in SQL statements, at any level of --privacy."
)
@click.option("--keep-parent", is_flag=True, help="With --privacy: keep the bundle with the names as well.")
@click.option("--dry-run", is_flag=True, help="Print what would be read, and how much; collect nothing.")
@click.option("--offline", is_flag=True, help="With --dry-run: contact and read nothing, so no estimates.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before collecting. It agrees to nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan or the result as JSON.")
@click.option(
    "--json-progress", is_flag=True,
    help="Print progress as JSON on standard error, an object a line, for a program; asks nothing.",
)  # fmt: skip
@click.option("--resume", "resumed", type=click.Path(path_type=Path), metavar="DIR", help="Go on in DIR.")
def command(**values: object) -> int:
    """Collect a bundle from CLUSTER, or from this machine and the database processes on it.

    CLUSTER is one that TiUP manages here (clinic clusters lists them), or the word local: this machine alone.
    Without it, it is the only one of TiUP's, else this machine; CLINIC_CLUSTER names one for jobs. Any other
    cluster is described by a file (--topology) or asked from one of its servers (--pd, --tidb).

    Everything stays on this machine: the bundle is a local directory, and nothing is sent.

    \b
    Examples:
      clinic collect prod                              the last two hours
      clinic collect local                             this machine alone
      clinic collect --pd 10.0.1.5:2379 --ca ca.crt    without TiUP; the rest is asked
      clinic collect --topology orders.yaml
      clinic collect prod --user clinic --password-file ~/.clinic-password
      clinic collect --from -4h --case 12345
      clinic collect --around 2026-11-25T10:30
      clinic collect --dry-run --include storage       what would be read
      clinic collect --privacy identifiers             your own names replaced
      clinic collect --profile quick -y                before a restart
      clinic collect --resume clinic-db1-20261125T103000Z
    """
    return run(Options(**values))  # type: ignore[arg-type]  # click hands over what the decorators declare


def run(options: Options) -> int:
    """Do what `options` ask for; the exit code."""
    options.check()
    speak_in_events(yes=options.json_progress)
    slim()
    if options.resumed is not None:
        return _end(_resume(options, options.resumed), options)
    harden()
    window = resolve(options.start, options.end, around=options.around)
    steering = steer(options, choose(options.where))
    asked = people(attended=options.attended)
    ready = prepare(steering, window, offline=options.offline, logins=options.login, people=asked)
    beware(ready.plan.target.cluster)
    try:
        if options.dry_run:
            collect_plan.show(ready, options)
            return 0
        if not ready.plan.items and not ready.plan.broken:
            raise NothingCollected("nothing is selected", hint="clinic collect --dry-run shows what can be")
        directory = options.output or _default_directory(ready)
        if not collect_plan.agreed(ready, directory, steering.keep_free, options):
            say("Nothing was collected.", err=True)
            return 0
        session = Session(ready, steering, case=options.case, note=options.note)
        with _progress(options) as bars, stopping(bars) as watch:
            if options.hides:
                result = collect_private(session, directory, bars, watch, options)
            else:
                result = collect(session, directory, bars, watch)
        return _end(result, options)
    finally:
        ready.common.close()


def _progress(options: Options) -> HostBars | CollectEvents:
    return CollectEvents() if options.json_progress else HostBars()


def _resume(options: Options, directory: Path) -> Result:
    refuse_private(directory)
    harden()
    asked = people(attended=options.attended)
    session = prepare_again(
        directory, lambda steering: resumed(steering, options, directory), options.login, asked
    )
    try:
        with _progress(options) as bars, stopping(bars) as watch:
            return resume(session, directory, bars, watch)
    finally:
        session.ready.common.close()


def _default_directory(ready: Ready) -> Path:
    name = safe_path(ready.plan.target.cluster.name).replace("/", "-")
    return Path(f"clinic-{name}-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}")


def _end(result: Result, options: Options) -> int:
    collect_end.show(result, as_json=options.as_json)
    return result.fault.exit_code if result.fault is not None else 0
