"""A TCP connection that can't outlive the attempt it serves, and the memory of servers that are down."""

from __future__ import annotations

import errno
import ipaddress
import queue
import selectors
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress

from clinic.client.address import Address
from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, NotAsked, Retryable, Silent
from clinic.outcome import Reason

CONNECT_SECONDS = 3.0
"""For the connection itself: a machine that drops packets never answers."""

FAILURES = 3
"""Connections in a row that were refused after which a server counts as down; one that is not answered is enough."""

UNENDED = 2
"""Answers in a row that did not end in time after which a server counts as down."""

BEGIN_SECONDS = 12.0
"""For the beginning of an answer. A server that is in trouble takes its time; one that takes longer counts as down."""

SHORT_SECONDS = 3.0
"""The same for a server that kept silent before."""

DOWN_SECONDS = 30.0
"""How long nothing is asked of a server that counts as down, unless everything else is done."""

_ADDRESSES = 4
"""Most addresses of one name that are tried."""

_Where = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
_Resolved = tuple[socket.AddressFamily, _Where]


def dial(address: Address, deadline: Deadline, seconds: float | None = None) -> socket.socket:
    """A connected, blocking socket, within `seconds`. Raises as `Reach.dial` and `deadline` do."""
    seconds = CONNECT_SECONDS if seconds is None else seconds
    last: ItemError = Failed(Reason.UNREACHABLE, f"{address.host} has no address")
    for family, where in _resolve(address, deadline):
        try:
            return _connect(family, where, deadline, seconds)
        except TimeoutError:
            text = f"no answer from {address} within {seconds:g} s"
            last = Silent(
                Reason.UNREACHABLE, text, fix="check that the host is up and that no firewall is between"
            )
        except OSError as error:
            last = _unreachable(address, error)
    raise last


def _connect(
    family: socket.AddressFamily, where: _Where, deadline: Deadline, seconds: float
) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        with suppress(BlockingIOError):
            made.connect(where)
        _await(made, deadline, seconds)
        error = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, errno.errorcode.get(error, ""))
        made.setblocking(True)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        made.close()
        raise
    return made


def _await(connecting: socket.socket, deadline: Deadline, seconds: float) -> None:
    until = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(connecting, selectors.EVENT_WRITE)
        while not selector.select(deadline.wait()):
            deadline.check()
            if time.monotonic() > until:
                raise TimeoutError


def _unreachable(address: Address, error: OSError) -> ItemError:
    if error.errno == errno.ECONNREFUSED:
        text = f"nothing listens on {address}: connection refused"
        return Retryable(Reason.UNREACHABLE, text, fix="check that the server runs, and its port")
    why = (error.strerror or str(error)).lower()
    kind = Failed if error.errno in (errno.EACCES, errno.EPERM) else Retryable
    return kind(
        Reason.UNREACHABLE, f"{address} can't be reached: {why}", fix="check the address and the network"
    )


def _resolve(address: Address, deadline: Deadline) -> list[_Resolved]:
    with suppress(ValueError):
        ipaddress.ip_address(address.host)
        return _look_up(address, socket.AI_NUMERICHOST)
    # The resolver has no time-out that we could set, so it waits in a thread that nobody has to wait for.
    answer: queue.SimpleQueue[list[_Resolved] | ItemError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(_look_up(address, 0))
        except ItemError as error:
            answer.put(error)

    threading.Thread(target=ask, name=f"resolve {address.host}", daemon=True).start()
    while True:
        with suppress(queue.Empty):
            found = answer.get(timeout=deadline.wait() or 0.001)
            break
        deadline.check()
    if isinstance(found, ItemError):
        raise found
    return found


def _look_up(address: Address, flags: int) -> list[_Resolved]:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=flags)
    except (socket.gaierror, UnicodeError) as error:
        kind = Retryable if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN else Failed
        text = f"the name {address.host} is not known on this machine"
        raise kind(Reason.UNREACHABLE, text, fix="check the name, or give an IP address") from error
    return [(family, where) for family, _, _, _, where in found[:_ADDRESSES]]


class Cut:
    """Ends connections from outside: at their attempt's deadline, or when it is called off.

    A server that sends a byte now and then defeats every time-out of a single read. A socket that is shut down
    wakes whoever waits for it, in a handshake, a header or a body.
    """

    def __init__(self, deadline: Deadline, *, first: float | None = None) -> None:
        """`first` bounds the time until `answered()`, in seconds."""
        self.began = time.monotonic()
        self._deadline = deadline
        self._first = first
        self._until = None if first is None else self.began + first
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._cut = False

    def __enter__(self) -> Cut:
        self._thread = threading.Thread(target=self._wait, name="cut", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()
        for watched in self._watched:
            watched.close()

    def watch(self, connection: socket.socket) -> None:
        """Watch a connection until the end. Its socket may be wrapped in TLS later: the descriptor is what counts."""
        # Not connection.dup(): a TLS socket has no such thing.
        copy = socket.fromfd(connection.fileno(), connection.family, connection.type)
        with self._lock:
            self._watched.append(copy)
            if self._cut:
                _shut(copy)

    def answered(self) -> None:
        """The answer has begun: from now on only the deadline counts."""
        self._until = None

    def check(self) -> None:
        """Raise why the connection was cut, or had to be by now."""
        self._deadline.check()
        if self._until is not None and time.monotonic() >= self._until:
            raise Silent(Reason.DEADLINE, f"no answer within {self._first:g} s")

    def _wait(self) -> None:
        while not self._ended.wait(self._deadline.wait() or 0.001):
            try:
                self.check()
            except ItemError:
                break
        else:
            return
        with self._lock:
            self._cut = True
            for watched in self._watched:
                _shut(watched)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class Reach:
    """How one server was reached so far, so that a dead one is not waited for by one item after the other."""

    def __init__(self, address: Address, seconds: float | None = None) -> None:
        """`seconds` is what a connection may take, where that is not `CONNECT_SECONDS`."""
        self.address = address
        self._seconds = seconds
        self._lock = threading.Lock()
        self._failures = 0
        self._down = False
        self._suspect = False
        self._unended = 0
        self._answered = 0.0
        self._since = 0.0
        self._last = ""

    def dial(self, deadline: Deadline) -> socket.socket:
        """A connection to the server, as `dial` makes it. Raises `NotAsked` at once while it counts as down."""
        return self.dialled(self.address, deadline)

    def dialled(self, address: Address, deadline: Deadline) -> socket.socket:
        """The same through another address: a proxy's."""
        with self.connecting():
            return dial(address, deadline, self._seconds)

    @contextmanager
    def connecting(self) -> Generator[None, None, None]:
        """Surrounds whatever has to succeed before anything can be asked."""
        self.require_up()
        try:
            yield
        except (Retryable, Silent) as error:
            with self._lock:
                self._failures += 1
                self._note_down(error.message, sure=isinstance(error, Silent) or self._failures >= FAILURES)
            raise
        with self._lock:
            self._failures = 0
            self._down = self._down and self._suspect

    def require_up(self) -> None:
        """Raise `NotAsked` while the server counts as down."""
        with self._lock:
            if not self._down or time.monotonic() - self._since > DOWN_SECONDS:
                return
            raise NotAsked(Reason.UNREACHABLE, f"not asked, as it was in vain before: {self._last}")

    def begin(self, seconds: float) -> float:
        """Seconds that it gets for the beginning of an answer, where that should come within `seconds`."""
        return min(seconds, SHORT_SECONDS) if self._suspect else seconds

    def answered(self) -> None:
        """It began to answer."""
        with self._lock:
            self._down = self._suspect = False
            self._answered = time.monotonic()

    def silent(self, since: float, *, sure: bool = True) -> None:
        """It took a question at `since` and did not begin to answer in time. Where not `sure`, the second time counts.

        Where it answered another one meanwhile, it is that question that was too much for it.
        """
        with self._lock:
            if self._answered < since:
                self._note_down(f"{self.address} did not answer in time", sure=sure or self._suspect)
                self._suspect = True

    def unended(self) -> None:
        """It began to answer and did not come to an end in time: the second time in a row it counts as down."""
        with self._lock:
            self._unended += 1
            self._note_down(f"{self.address} did not end its answers in time", sure=self._unended >= UNENDED)

    def ended(self) -> None:
        """It came to the end of an answer."""
        with self._lock:
            self._unended = 0

    def again(self) -> None:
        """Everything else is done: it may be asked once more."""
        with self._lock:
            self._down = False

    def _note_down(self, why: str, *, sure: bool) -> None:
        self._down = self._down or sure
        self._since, self._last = time.monotonic(), why
