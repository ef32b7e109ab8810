"""What PD says of a cluster: its members, the stores, its microservices, and what others wrote into its etcd. Pure.

Sources: answers of PD v5.0 to v9.0 (tikv/pd `server/api`); TiFlash is told from TiKV by its label `engine`
(pingcap/tiup `pkg/cluster/spec/tiflash.go`).
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clinic.client.address import Address
from clinic.cluster.discovery import topology
from clinic.cluster.discovery.view import (
    Fact,
    View,
    address_of,
    bad,
    deploy_dir,
    listed,
    parsed,
    version_of,
    why,
)
from clinic.cluster.model import Instance
from clinic.errors import ItemError
from clinic.outcome import Reason

SERVICES = ("tso", "scheduling", "resource_manager", "router")
"""Microservices, as PD's API calls them."""


class Question(str, enum.Enum):
    """What a PD is asked: the path of a GET, or the prefix of keys in its etcd."""

    CLUSTER = "/pd/api/v1/cluster"
    VERSION = "/pd/api/v1/config/cluster-version"
    MEMBERS = "/pd/api/v1/members"
    HEALTH = "/pd/api/v1/health"
    """Who its members are where it has no leader: it is answered without one."""

    STORES = "/pd/api/v1/stores"
    TSO = "/pd/api/v2/ms/members/tso"
    SCHEDULING = "/pd/api/v2/ms/members/scheduling"
    RESOURCE_MANAGER = "/pd/api/v2/ms/members/resource_manager"
    ROUTER = "/pd/api/v2/ms/members/router"
    TOPOLOGY = "etcd:/topology/"
    CAPTURES = "etcd:/tidb/cdc/"
    """Only keys are read below it, and the values of captures: changefeeds hold credentials."""

    @property
    def service(self) -> str:
        """The component of a microservice that it asks for; empty for the others."""
        name = self.value.rpartition("/")[2]
        return name.replace("_", "-") if name in SERVICES else ""

    @property
    def prefix(self) -> str:
        """The prefix of keys that it asks for; empty where it is a path."""
        return self.value.removeprefix("etcd:") if self.value.startswith("etcd:") else ""


NEEDED = frozenset(
    question for question in Question if not question.service and question is not Question.HEALTH
)
"""What every PD answers that is well."""

Answer = bytes | ItemError
"""The body, or why there is none."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the PDs of one cluster answered."""

    asked: Address
    """One of them."""

    bodies: Mapping[Question, Answer] = field(default_factory=dict[Question, Answer])
    """Each question's answer."""

    @property
    def silence(self) -> ItemError | None:
        """Why it answered nothing at all; None where it answered something."""
        failures = [answer for answer in self.bodies.values() if isinstance(answer, ItemError)]
        return failures[0] if failures and len(failures) == len(self.bodies) else None

    def take(self, question: Question) -> object:
        """The parsed answer. Raises `ItemError` where there is none or it is no JSON."""
        answer = self.bodies.get(question)
        if answer is None:
            raise bad("it was not asked")
        if isinstance(answer, ItemError):
            raise answer
        return parsed(answer)


def cluster_id(answers: Answers) -> str:
    """The id of the cluster that the PD belongs to; empty where it does not say."""
    for question, below in ((Question.CLUSTER, ""), (Question.MEMBERS, "header")):
        try:
            fact = Fact(answers.take(question))
        except ItemError:
            continue
        found = fact.below(below).number("cluster_id") if below else fact.number("id")
        if found:
            return str(found)
    return ""


def combine(several: Sequence[Answers]) -> tuple[Answers, tuple[tuple[Address, str], ...]]:
    """The answers of the PDs that belong together, each question's first good one; and those of other clusters.

    The cluster is the one that most of them say they are of. `several` holds at least one.
    """
    ids = {answers.asked: cluster_id(answers) for answers in several}
    counted = Counter(found for found in ids.values() if found)
    own = counted.most_common(1)[0][0] if counted else ""
    ours = [answers for answers in several if ids[answers.asked] in ("", own)]
    strangers = tuple((asked, found) for asked, found in ids.items() if found not in ("", own))
    bodies = {question: _best(answers.bodies.get(question) for answers in ours) for question in Question}
    kept = {question: answer for question, answer in bodies.items() if answer is not None}
    return Answers(ours[0].asked, kept), strangers


def _best(answers: Iterable[Answer | None]) -> Answer | None:
    """The first answer that is one, else the error that says most: a PD that answers knows more than a dead one."""
    given = [answer for answer in answers if answer is not None]
    return min(given, key=_silence, default=None)


def _silence(answer: Answer) -> int:
    if not isinstance(answer, ItemError):
        return 0
    return 2 if answer.reason is Reason.UNREACHABLE else 1


def read_pd(answers: Answers) -> View:
    """What the answers say, and a sentence for each of them that is missing; one for all where there is none."""
    if answers.silence is not None:
        text = "PD could not be asked for the cluster's id, its members, stores, and what registers with it"
        return View("PD", unknown=(f"{text}: {why(answers.silence)}",))
    unknown: list[str] = []
    complete: set[str] = set()
    instances: list[Instance] = []

    def add(components: Iterable[str], found: Iterable[Instance] | None) -> None:
        if found is not None:
            instances.extend(found)
            complete.update(components)

    add(("pd",), _members(answers, unknown))
    add(("tikv", "tiflash"), _stores(answers, unknown))
    for question in Question:
        if question.service:
            add((question.service,), _services(answers, question))
    keyed = _keyed(answers, unknown)
    add(topology.REGISTERED, keyed)
    return View(
        source="PD",
        instances=tuple(instances),
        complete=frozenset(complete),
        id=cluster_id(answers),
        version=_version(answers),
        unknown=tuple(unknown),
    )


def _members(answers: Answers, unknown: list[str]) -> list[Instance] | None:
    try:
        value = Fact(answers.take(Question.MEMBERS))
        leader = value.below("leader").text("name")
        found = [_member(fact, leader) for fact in value.facts("members")]
        if found:
            return [one for one in found if one is not None]
        reason = "it names none"
    except ItemError as error:
        reason = error.message
    try:
        found = [_member(fact, "") for fact in listed(answers.take(Question.HEALTH))]
    except ItemError:
        found = []
    unknown.append(f"PD did not say who leads it and what its members run: {reason}")
    return [one for one in found if one is not None] or None


def _member(fact: Fact, leader: str) -> Instance | None:
    address = next((found for url in fact.texts("client_urls") if (found := address_of(url))), None)
    if address is None:
        return None
    name = fact.text("name")
    extra = {"name": name} if name else {}
    if leader and name == leader:
        extra["leader"] = "yes"
    return Instance(
        component="pd",
        host=address.host,
        port=address.port,
        version=version_of(fact.text("binary_version")),
        tls=address.tls,
        deploy_dir=deploy_dir(fact.path("deploy_path")),
        extra=extra,
    )


def _stores(answers: Answers, unknown: list[str]) -> list[Instance] | None:
    try:
        value = Fact(answers.take(Question.STORES))
        if "stores" not in value.keys:
            raise bad("the answer names no stores")
    except ItemError as error:
        unknown.append(f"PD did not say which TiKV and TiFlash there are: {error.message}")
        return None
    found = [_store(fact.below("store")) for fact in value.facts("stores")]
    return [one for one in found if one is not None]


def _store(fact: Fact) -> Instance | None:
    address = address_of(fact.text("address"))
    if address is None:
        return None
    labels = fact.labels("labels")
    engines = [label.text("value") for label in fact.facts("labels") if label.text("key") == "engine"]
    status = address_of(fact.text("status_address"))
    extra = {"store": fact.text("id"), "state": fact.text("state_name"), "labels": labels}
    return Instance(
        component="tiflash" if any(text.startswith("tiflash") for text in engines) else "tikv",
        host=address.host,
        port=address.port,
        status_port=status.port if status else 0,
        version=version_of(fact.text("version")),
        deploy_dir=deploy_dir(fact.path("deploy_path")),
        extra={key: text for key, text in extra.items() if text},
    )


def _services(answers: Answers, question: Question) -> list[Instance] | None:
    """None where PD has no such microservice, which it answers with an error."""
    try:
        facts = list(listed(answers.take(question)))
    except ItemError:
        return None
    found: list[Instance] = []
    for fact in facts:
        address = address_of(fact.text("service-addr"))
        if address is not None:
            found.append(
                Instance(
                    component=question.service,
                    host=address.host,
                    port=address.port,
                    version=version_of(fact.text("version")),
                    tls=address.tls,
                    deploy_dir=deploy_dir(fact.path("deploy-path")),
                    extra={"name": fact.text("name")} if fact.text("name") else {},
                )
            )
    return found or None


def _keyed(answers: Answers, unknown: list[str]) -> list[Instance] | None:
    try:
        found = topology.read_keys(topology.pairs(answers.take(Question.TOPOLOGY)))
    except ItemError as error:
        unknown.append(
            f"PD's etcd did not say which TiDB, TiProxy, TiCDC and monitoring there are: {error.message}"
        )
        return None
    if not any(one.component == "ticdc" for one in found):
        try:
            found += topology.read_captures(topology.pairs(answers.take(Question.CAPTURES)))
        except ItemError as error:
            unknown.append(f"PD's etcd did not say whether there is TiCDC: {error.message}")
    return found


def _version(answers: Answers) -> str:
    try:
        value = answers.take(Question.VERSION)
    except ItemError:
        return ""
    # 0.0.0 until the first TiKV has joined.
    return version_of(Fact({"version": value}).text("version")) if value != "0.0.0" else ""
