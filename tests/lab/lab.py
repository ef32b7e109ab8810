"""The lab's command line: `python tests/lab/lab.py up|down|status|fault|machine [--dir DIR] [--json]`.

Exit status: 0 all is well; 1 it failed, or (`status`) nothing or not all of it runs; 2 wrong usage;
3 it is up, without the servers that can't be had here.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a script, it is in no package

from tests.lab.control import CHECKOUT, down, up
from tests.lab.machines.machines import Machines
from tests.lab.options import USUAL, Options
from tests.lab.standin.cluster import Cluster
from tests.lab.standin.faults import KINDS, SLOW_SECONDS
from tests.lab.state import Lab, LabError, load

FAILED = 1
WITHOUT_SOME = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # clean up as after an error
    commands = {"up": _up, "down": _down, "status": _status, "fault": _fault, "machine": _machine}
    try:
        return commands[options.command](options)
    except LabError as error:
        _print(json.dumps({"error": str(error)}) if options.json else f"lab: {error}")
        return FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--dir", type=Path, default=CHECKOUT / ".lab", help="the lab's directory (default: .lab)"
    )
    common.add_argument(
        "--json", action="store_true", help="print lab.json's content, or an object with `error`"
    )
    parser = argparse.ArgumentParser(
        prog="lab.py",
        description="Real servers and a stand-in TiDB cluster on loopback, for tests and for people.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_up(commands.add_parser("up", parents=[common], help="start it, or find it started"))
    commands.add_parser("down", parents=[common], help="stop it")
    commands.add_parser("status", parents=[common], help="show what runs")
    machine = commands.add_parser("machine", parents=[common], help="cut a machine off, or reach it again")
    machine.add_argument("name", help="as the instance that runs on it, or `jump`")
    machine.add_argument("what", choices=("cut", "heal", "drop-sessions"))
    _add_fault(commands.add_parser("fault", parents=[common], help="show, make or clear faults"))
    return parser


def _add_up(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--machines",
        action="store_true",
        help="each instance has a machine of its own, reached by ssh (root)",
    )
    parser.add_argument(
        "--spares", type=int, default=USUAL.spares, metavar="N", help="so many machines more (at most 8)"
    )
    parser.add_argument("--no-cluster", action="store_true", help="only the real servers")
    parser.add_argument("--tls", action="store_true", help="the cluster speaks TLS, with client certificates")
    parser.add_argument(
        "--log-rate", type=float, default=USUAL.log_rate, metavar="N", help="log entries a second (1)"
    )
    parser.add_argument(
        "--history", type=float, default=USUAL.history, metavar="HOURS", help="logs begin that long ago (0)"
    )
    parser.add_argument(
        "--history-step",
        type=float,
        default=USUAL.history_step,
        metavar="SECONDS",
        help="from one entry of the past to the next (10)",
    )
    parser.add_argument(
        "--delay-scale",
        type=float,
        default=USUAL.delay_scale,
        metavar="X",
        help="multiplies recorded delays (1)",
    )


def _add_fault(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="an instance, as tikv-2, or a component for all of it")
    parser.add_argument("kind", nargs="?", help="the fault; without it, all are listed")
    parser.add_argument(
        "--for", type=float, dest="lasting", metavar="SECONDS", help="over by itself after that"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=SLOW_SECONDS,
        help=f"what `slow` takes for each answer ({SLOW_SECONDS:.0f})",
    )
    parser.add_argument("--clear", action="store_true", help="take it away: from NAME, or from all")


def _up(options: argparse.Namespace) -> int:
    chosen = Options(
        cluster=not options.no_cluster,
        tls=options.tls,
        machines=options.machines,
        spares=options.spares,
        log_rate=options.log_rate,
        history=options.history,
        history_step=options.history_step,
        delay_scale=options.delay_scale,
    )
    stream = sys.stderr if options.json else sys.stdout
    lab = up(options.dir, lambda text: _print(text, stream), chosen)
    _show(lab, as_json=options.json)
    return WITHOUT_SOME if lab.missing else 0


def _down(options: argparse.Namespace) -> int:
    stopped = down(options.dir)
    said = f"the lab in {options.dir} is down" if stopped else f"no lab is up in {options.dir}"
    _print(json.dumps({"stopped": stopped}) if options.json else said)
    return 0


def _status(options: argparse.Namespace) -> int:
    lab = _loaded(options.dir)
    _show(lab, as_json=options.json)
    if not lab.alive():
        return FAILED
    return WITHOUT_SOME if lab.missing else 0


def _fault(options: argparse.Namespace) -> int:
    cluster = Cluster(_loaded(options.dir))
    if options.clear:
        cluster.clear_faults(options.name)
    elif options.kind:
        cluster.set_fault(options.name, options.kind, seconds=options.seconds, lasting=options.lasting)
    elif options.name:
        raise LabError(f"which fault shall {options.name} have? There are {', '.join(KINDS)}")
    _show_faults(cluster, as_json=options.json)
    return 0


def _machine(options: argparse.Namespace) -> int:
    machines = Machines(_loaded(options.dir))
    acts = {"cut": machines.cut, "heal": machines.heal, "drop-sessions": machines.drop_sessions}
    acts[options.what](options.name)
    return 0


def _loaded(directory: Path) -> Lab:
    lab = load(directory)
    if lab is None:
        raise LabError(f"no lab is up in {directory}")
    return lab


def _show(lab: Lab, *, as_json: bool) -> None:
    if as_json:
        _print(lab.to_json().rstrip())
        return
    for server in lab.servers:
        state = "up" if server.process.alive() else "GONE"
        _print(f"{server.name:<17} {state:<5} {server.url:<32} {server.log.parent}")
    for absent in lab.missing:
        _print(f"{absent.name:<17} none  {absent.reason}")
    _print(f"all about them: {lab.directory / 'lab.json'}")


def _show_faults(cluster: Cluster, *, as_json: bool) -> None:
    faults = cluster.faults()
    if as_json:
        _print(json.dumps({name: fault.kind for name, fault in faults.items()}))
        return
    for kind in KINDS.values():
        whose = "" if len(kind.components) > 2 else f" ({', '.join(sorted(kind.components))})"
        _print(f"  {kind.name:<21} {kind.meaning}{whose}")
    _print("now:")
    for name, fault in faults.items():
        _print(f"  {name:<21} {fault.kind}")
    if not faults:
        _print("  no faults")


def _print(text: str, stream: TextIO | None = None) -> None:
    (stream or sys.stdout).write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
