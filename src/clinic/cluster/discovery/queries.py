"""The servers of a cluster asked what they know of it: all at once, each within seconds, none twice.

Nothing here decides what an answer means; that is done by the pure modules beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing

from clinic.client import mysql, wire
from clinic.client.account import Account
from clinic.client.address import Address
from clinic.client.http import Web
from clinic.client.tls import Tls
from clinic.cluster.discovery import tidb, topology
from clinic.cluster.discovery.in_parallel import together
from clinic.cluster.discovery.pd import NEEDED, Answer, Answers, Question
from clinic.cluster.discovery.view import View, parsed
from clinic.cluster.model import Instance
from clinic.deadline import Deadline
from clinic.errors import ItemError
from clinic.outcome import Reason
from clinic.units import MIB

ASK_SECONDS = 6.0
"""For all that one server is asked: 3 for the connection, and as many for a PD that looks for its leader."""

SQL_SECONDS = 3.5
"""For all SQL servers, of which one is enough."""

MOST_SQL = 3
"""SQL servers for which time is kept while one that does not answer is waited for."""

DIAL_SECONDS = 5.0
"""For all connections that only try whether somebody is there; each of them gets 3."""

MOST_PDS = 5
"""PDs that are asked; the largest clusters have 7, and one that answers is enough."""

MOST_DIALLED = 192
"""Connections at once that only try whether somebody is there."""

LIMIT = 4 * MIB
"""Bytes of one answer: a store takes about a thousand of them."""

Sql = Callable[[Address, Deadline], Iterable[Mapping[str, str | None]]]
"""Asks the SQL server at an address for `tidb.CLUSTER_INFO` and gives its rows; raises `ItemError`."""


def with_account(account: Account | None, tls: Tls) -> Sql | None:
    """Asks as `account`; None without one."""
    if account is None:
        return None

    def ask(server: Address, deadline: Deadline) -> Iterable[Mapping[str, str | None]]:
        with closing(mysql.Sql(server, account, tls)) as door:
            return door.table(tidb.CLUSTER_INFO, deadline)

    return ask


def ask_pds(addresses: Iterable[Address], tls: Tls) -> list[Answers]:
    """What each PD answers to every question, at most `MOST_PDS` of them."""
    asked = list(dict.fromkeys(addresses))[:MOST_PDS]
    doors = {address: Web(address, tls) for address in asked}
    pairs = [(address, question) for question in Question for address in asked]
    try:
        answers, failures = together(
            pairs, lambda pair: _ask_pd(doors[pair[0]], pair[1]), ASK_SECONDS + 0.5, enough=_all_answered
        )
    finally:
        for door in doors.values():
            door.close()
    found: dict[Address, dict[Question, Answer]] = {address: {} for address in asked}
    for (address, question), body in answers.items():
        found[address][question] = body
    for (address, question), error in failures.items():
        found[address][question] = error
    return [Answers(address, bodies) for address, bodies in found.items()]


def _all_answered(pairs: Collection[tuple[Address, Question]]) -> bool:
    """Whether some PD has answered everything that each of them can."""
    return {question for _, question in pairs} >= NEEDED


def _ask_pd(door: Web, question: Question) -> bytes:
    deadline = Deadline(ASK_SECONDS)
    if question is Question.CAPTURES:
        return _captures(door, deadline)
    if question.prefix:
        return _range(door, topology.range_request(question.prefix), deadline)
    return door.fetch(question.value, deadline, limit=LIMIT)


def _range(door: Web, body: bytes, deadline: Deadline) -> bytes:
    with door.ask("/v3/kv/range", deadline, method="POST", body=body.decode()) as answer:
        return answer.read(LIMIT)


def _captures(door: Web, deadline: Deadline) -> bytes:
    """The captures of TiCDC: what else is below the prefix stays unread, as it holds credentials."""
    keys = _range(door, topology.range_request(Question.CAPTURES.prefix, keys_only=True), deadline)
    prefixes = topology.capture_prefixes(parsed(keys))
    return topology.joined(
        parsed(_range(door, topology.range_request(prefix), deadline)) for prefix in prefixes
    )


def ask_tidbs(addresses: Iterable[Address], tls: Tls) -> tuple[list[Address], list[Instance], list[str]]:
    """From the status ports `addresses` of TiDB servers: the addresses of PD, the TiDBs there are, what failed."""
    asked = list(dict.fromkeys(addresses))
    pairs = [(address, path) for address in asked for path in (tidb.CONFIG, tidb.ALL_INFO)]
    answers, failures = together(pairs, lambda pair: _fetch(pair[0], pair[1], tls), ASK_SECONDS + 0.5)
    pds: dict[Address, None] = {}
    servers: dict[tuple[str, int], Instance] = {}
    for (address, path), raw in answers.items():
        try:
            if path == tidb.CONFIG:
                pds |= dict.fromkeys(tidb.pd_addresses(raw, tls=address.tls))
            else:
                servers |= {(one.host, one.port): one for one in tidb.servers(raw)}
        except ItemError as error:
            failures[address, path] = error
    said = [
        f"TiDB at {address} did not answer {path}: {error.message}"
        for (address, path), error in failures.items()
    ]
    return list(pds), list(servers.values()), said


def _fetch(address: Address, path: str, tls: Tls) -> bytes:
    with closing(Web(address, tls)) as door:
        return door.fetch(path, Deadline(ASK_SECONDS), limit=LIMIT)


def ask_sql(servers: Sequence[Address], sql: Sql) -> View:
    """What the first SQL server that answers says of the cluster.

    One after the other, each with its share of the time, and none after one that refused the account: the next may
    lock it.
    """
    until = time.monotonic() + SQL_SECONDS
    why = "no TiDB can be reached"
    for number, server in enumerate(servers):
        left = (until - time.monotonic()) / min(len(servers) - number, MOST_SQL)
        try:
            return tidb.read_cluster_info(sql(server, Deadline(max(0.0, left))))
        except ItemError as error:
            why = error.message
            if error.reason is Reason.NOT_PERMITTED:
                break
    return View("SQL", unknown=(f"SQL did not say which instances there are: {why}",))


def dial(addresses: Iterable[Address]) -> dict[Address, ItemError]:
    """The addresses at which nobody takes a connection, each with the reason. Nothing is sent."""

    def connect(address: Address) -> None:
        wire.dial(address, Deadline(wire.CONNECT_SECONDS + 1)).close()

    return together(addresses, connect, DIAL_SECONDS, most=MOST_DIALLED)[1]
