"""The lab's command line: `python tests/lab/lab.py up|down|status [--dir DIR] [--json]`.

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
from tests.lab.state import Lab, LabError, load

FAILED = 1
WITHOUT_SOME = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # clean up as after an error
    try:
        if options.command == "up":
            return _up(options.dir, as_json=options.json)
        if options.command == "down":
            return _down(options.dir, as_json=options.json)
        return _status(options.dir, as_json=options.json)
    except LabError as error:
        _print(json.dumps({"error": str(error)}) if options.json else f"lab: {error}")
        return FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab.py", description="Real servers on loopback, for tests and for people."
    )
    parser.add_argument("command", choices=("up", "down", "status"))
    parser.add_argument(
        "--dir", type=Path, default=CHECKOUT / ".lab", help="the lab's directory (default: .lab)"
    )
    parser.add_argument(
        "--json", action="store_true", help="print lab.json's content, or an object with `error`"
    )
    return parser


def _up(directory: Path, *, as_json: bool) -> int:
    lab = up(directory, lambda text: _print(text, sys.stderr if as_json else sys.stdout))
    _show(lab, as_json=as_json)
    return WITHOUT_SOME if lab.missing else 0


def _down(directory: Path, *, as_json: bool) -> int:
    stopped = down(directory)
    said = f"the lab in {directory} is down" if stopped else f"no lab is up in {directory}"
    _print(json.dumps({"stopped": stopped}) if as_json else said)
    return 0


def _status(directory: Path, *, as_json: bool) -> int:
    lab = load(directory)
    if lab is None:
        raise LabError(f"no lab is up in {directory}")
    _show(lab, as_json=as_json)
    if not lab.alive():
        return FAILED
    return WITHOUT_SOME if lab.missing else 0


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


def _print(text: str, stream: TextIO | None = None) -> None:
    (stream or sys.stdout).write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
