"""The process that starts a lab's servers, is their parent, and ends with them.

Run by `control`, which gives it a `Plan` as JSON on standard input. On standard output it says `ready`
when every server answers, or what went wrong.

Nothing of a lab outlives it: it adopts every orphan among its descendants and kills what is left; should
it be killed itself, the kernel kills the servers (PR_SET_PDEATHSIG). It ends when it is told to (SIGTERM),
and, unless the plan says to stay, as soon as the process that started it is gone, however that ended.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tests.lab.directory import clear, locked, remove, root_for_servers
from tests.lab.machines.kinds import ADDRESSES, names
from tests.lab.machines.network import Network
from tests.lab.options import Options
from tests.lab.ports import NoNetwork, Ports
from tests.lab.process import Running, adopt_orphans, reap, stop_all
from tests.lab.program import LOOPBACK, Launch, Place, Program, Seat
from tests.lab.servers import PROGRAMS
from tests.lab.standin.faults import FAULTS, FaultFile, fault_file
from tests.lab.standin.members import host_in
from tests.lab.standin.programs import FOLDER, MemberProgram
from tests.lab.state import STATE_FILE, Identity, Lab, LabError, Missing

T = TypeVar("T")
WATCH_SECONDS = 0.2
READY = "ready"
TAKEN_DOWN = "taken down by a fault"
"""The reason for which `lab.json` lists a member of the cluster as missing that is down on purpose."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a supervisor is told."""

    directory: str
    """Where `lab.json` will be."""

    owner: int
    """The process that starts it, and whose end is the lab's end."""

    stay: bool
    """Whether the lab, once it is ready, stays up when its owner is gone."""

    servers: Sequence[str]
    """The servers to start."""

    missing: Mapping[str, str]
    """The servers that can't be had, each with the reason; for `lab.json`."""

    options: Mapping[str, Any]
    """The fields of the lab's `Options`."""


class Stopped(Exception):
    """The lab was told to end, or its owner is gone."""


class Supervisor:
    """Starts the servers of one lab and stays with them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._directory = Path(plan.directory)
        self._root = self._directory
        self._programs = [program for program in PROGRAMS if program.name in plan.servers]
        self._ports = Ports()
        self._options = Options(**plan.options)
        self._network: Network | None = None
        self._running: list[Running] = []
        self._down: dict[str, Running] = {}
        self._told_to_end = False
        self._bound_to_owner = True

    def run(self) -> None:
        """The whole life of the lab; raises `LabError` when it can't be started."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._tell_to_end)
        adopt_orphans()
        with locked(self._directory):
            clear(self._directory)
            self._root = root_for_servers(self._directory)
            try:
                self._start()
                self._save()
                self._bound_to_owner = not self._plan.stay
                say(READY)
                self._live()
            except Stopped:
                return
            finally:
                self._end()

    def _tell_to_end(self, _number: int, _frame: object) -> None:
        self._told_to_end = True

    def _owner_gone(self) -> bool:
        return self._bound_to_owner and os.getppid() != self._plan.owner

    def _check(self) -> None:
        if self._told_to_end or self._owner_gone():
            raise Stopped

    def _start(self) -> None:
        given_up = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(max_workers=2 * len(PROGRAMS)) as pool:
            try:
                self._start_with(pool, given_up)
            finally:
                given_up.set()

    def _start_with(self, pool: concurrent.futures.Executor, given_up: threading.Event) -> None:
        places = self._places()
        preparing = {pool.submit(_prepare, each, places[each.name]): each for each in self._programs}
        answering: list[concurrent.futures.Future[None]] = []
        for prepared in self._as_they_end(preparing):
            program = preparing[prepared]
            running = Running(program, places[program.name], prepared.result())
            self._running.append(running)
            answering.append(pool.submit(running.wait_ready, given_up))
        for answered in self._as_they_end(answering):
            answered.result()

    def _as_they_end(
        self, futures: Iterable[concurrent.futures.Future[T]]
    ) -> Iterator[concurrent.futures.Future[T]]:
        waiting = set(futures)
        while waiting:
            self._check()
            done, waiting = concurrent.futures.wait(
                waiting, WATCH_SECONDS, return_when=concurrent.futures.FIRST_COMPLETED
            )
            yield from done

    def _places(self) -> dict[str, Place]:
        try:
            number = self._ports.network()
        except NoNetwork as error:
            raise LabError(str(error)) from error
        network = f"100.{64 + number}" if self._options.machines else f"127.{number}"
        seats = {each.name: self._seat(each, network) for each in self._programs}
        holders = self._machines(network)
        addresses = {name: f"{seat.host}:{seat.ports['client']}" for name, seat in seats.items()}
        addresses["down"] = f"{LOOPBACK}:{self._ports.take()}"
        return {
            each.name: Place(
                home=self._root / (each.folder or each.name),
                ports=seats[each.name].ports,
                user=each.user(),
                addresses=addresses,
                host=seats[each.name].host,
                seats=seats,
                network=network,
                holder=holders.get(seats[each.name].host, 0),
                options=self._options,
            )
            for each in self._programs
        }

    def _machines(self, network: str) -> dict[str, int]:
        """Makes the machines that were asked for, and gives the process that holds each, by its address."""
        if not self._options.machines:
            return {}
        self._network = Network(network)
        addresses = {name: host_in(network, ADDRESSES[name]) for name in names(self._options.spares)}
        return {address: self._network.add(name, address) for name, address in addresses.items()}

    def _seat(self, program: Program, network: str) -> Seat:
        host, usual = program.host(network), program.usual_ports()
        if not host.startswith("127."):  # on a machine of its own nobody else asks for a port
            return Seat(host, usual)
        return Seat(host, {use: self._ports.take(host, usual.get(use, 0)) for use in program.ports})

    def _save(self) -> None:
        Lab(
            directory=self._directory,
            root=self._root,
            supervisor=Identity.of(os.getpid()),
            servers=tuple(sorted((each.server for each in self._running), key=lambda server: server.name)),
            missing=tuple(
                Missing(name, reason)
                for name, reason in (
                    *self._plan.missing.items(),
                    *((each, TAKEN_DOWN) for each in self._down),
                )
            ),
        ).save()

    def _live(self) -> None:
        while True:
            self._check()
            reap(self._running)
            if self._took_down() + self._brought_up():
                self._save()
            time.sleep(WATCH_SECONDS)

    def _fault(self, running: Running) -> FaultFile:
        return fault_file(self._root / FOLDER / FAULTS, running.server.name)

    def _took_down(self) -> int:
        """Kills the members of the cluster whose fault is to be down, and says how many."""
        falling = [
            each
            for each in self._running
            if isinstance(each.program, MemberProgram) and self._fault(each).kind() == "down"
        ]
        for each in falling:
            each.process.kill()
            each.process.wait()
            self._running.remove(each)
            self._down[each.server.name] = each
        return len(falling)

    def _brought_up(self) -> int:
        """Starts those anew whose fault is over, and says how many."""
        rising = [each for each in self._down.values() if self._fault(each).kind() != "down"]
        for each in rising:
            del self._down[each.server.name]
            self._running.append(each.again())
        return len(rising)

    def _end(self) -> None:
        stop_all(self._running)
        if self._network is not None:
            self._network.close()
        self._ports.close()
        if self._root != self._directory:
            shutil.rmtree(self._root, ignore_errors=True)
        if self._owner_gone():
            remove(self._directory)
        else:
            (self._directory / STATE_FILE).unlink(missing_ok=True)


def _prepare(program: Program, place: Place) -> Launch:
    place.home.mkdir(mode=0o700, exist_ok=bool(program.folder))
    place.give(place.home)
    try:
        return program.prepare(place)
    except LabError as error:
        raise LabError(f"{program.name} could not be prepared: {error}") from error


def say(text: str) -> None:
    """One message to the process that started this one; it may be gone already."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        return


def main() -> int:
    """Runs the lab that standard input describes; 1 when it can't be started."""
    plan = Plan(**json.load(sys.stdin))
    try:
        Supervisor(plan).run()
    except LabError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
