"""PD's HTTP API and etcd gateway: recorded from a real PD in several states."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from tests.lab.standin.answers import PLAIN, Answer, Api, Request, as_json, json_answer, not_found
from tests.lab.standin.etcd import Store
from tests.lab.standin.faults import SCENARIOS, FaultFile, fault_file
from tests.lab.standin.members import Member
from tests.lab.standin.profiles import packed_profile
from tests.lab.standin.recorded import Entry
from tests.lab.standin.spec import Spec

HEALTHY = "healthy"
FOLLOWER = "follower"
NO_LEADER = "noleader"
RANGE = re.compile(r"/v3(?:beta)?/kv/range")
PD_JSON = "application/json; charset=UTF-8"
PROFILES = "/pd/api/v1/debug/pprof/"
DIFFERENT = frozenset({"PD-Allow-follower-handle"})
"""The request headers that make PD answer otherwise."""

NO_LEADER_SECONDS = 3.0
NOT_BOOTSTRAPPED = (
    b'"[PD:cluster:ErrNotBootstrapped]TiKV cluster not bootstrapped, please start TiKV first"\n'
)
STORE = re.compile(r"/pd/api/v1/store/(\d+)")


class PdApi(Api):
    """One PD. What it says depends on its own fault and on which other PDs are down."""

    def __init__(self, spec: Spec, member: Member) -> None:
        super().__init__(spec, member)
        self._faults = fault_file(spec.faults_dir, member.name)
        self._others = {
            each.name: fault_file(spec.faults_dir, each.name) for each in spec.of("pd") if each != member
        }
        self._store = Store(self.rewriter)

    def answer(self, request: Request) -> Answer:
        scenario = self._scenario()
        if request.method == "POST" and RANGE.fullmatch(request.path):
            return self._range(scenario, request)
        found = self._recorded(request, scenario)
        answer = self.play(found) if found else self._fallback(request, scenario)
        return self._without_the_dead(request, answer) if scenario == HEALTHY else answer

    def _scenario(self) -> str:
        """The state of the cluster, as far as this PD can know it."""
        if 2 * len(self._dead()) > len(self._others) + 1:
            return NO_LEADER
        return SCENARIOS.get(self._faults.kind(), HEALTHY)

    def _dead(self) -> list[str]:
        return [name for name, file in self._others.items() if _is_down(file)]

    def _recorded(self, request: Request, scenario: str) -> Entry | None:
        for each in self._order(scenario):
            among = [
                entry for entry in self.entries if entry.scenario == each and _same_headers(entry, request)
            ]
            found = self.find(request, among)
            if found:
                return found
        return None

    def _order(self, scenario: str) -> Sequence[str]:
        """Whose recordings are asked, the first first."""
        if scenario in {NO_LEADER, "election", "fresh"}:
            return (scenario,)
        here = [scenario] if scenario != HEALTHY else []
        return [*here, *([] if self.member.name == "pd-1" else [FOLLOWER]), HEALTHY]

    def _fallback(self, request: Request, scenario: str) -> Answer:
        """What there is no recording of, by the rule that the recordings of its kind follow."""
        if request.path == "/metrics":
            return self._of_healthy(request)
        if scenario == NO_LEADER:
            seconds = NO_LEADER_SECONDS * self.spec.options.delay_scale
            text = b"[PD:apiutil:ErrRedirectNoLeader]redirect finds no leader\n"
            return Answer(503, text, PLAIN, {"X-Content-Type-Options": "nosniff"}, seconds=seconds)
        if scenario == "election":
            return Answer(500, b"[PD:apiutil:ErrRedirect]redirect failed\n", PLAIN)
        if scenario == "fresh":
            known = self.find(request, (each for each in self.entries if each.scenario == HEALTHY))
            return Answer(500, NOT_BOOTSTRAPPED, PD_JSON) if known else self._unknown(request)
        packed = packed_profile(request, PROFILES)
        return packed or self._store_of(request, scenario) or self._unknown(request)

    def _of_healthy(self, request: Request) -> Answer:
        found = self.find(request, (each for each in self.entries if each.scenario == HEALTHY))
        return self.play(found) if found else not_found()

    def _unknown(self, request: Request) -> Answer:
        known = {each.method for each in self.entries if each.path == request.path}
        return Answer(405) if known and request.method not in known else not_found()

    def _store_of(self, request: Request, scenario: str) -> Answer | None:
        """A store that was not asked for by its id, out of the list of all."""
        found = STORE.fullmatch(request.path)
        if not found or request.method != "GET":
            return None
        listed = self._recorded(dataclasses.replace(request, target="/pd/api/v1/stores"), scenario)
        stores: list[dict[str, Any]] = as_json(self.body(listed))["stores"] if listed else []
        for store in stores:
            if store["store"]["id"] == int(found[1]):
                return dataclasses.replace(json_answer(store, indent=2), content_type=PD_JSON)
        missing = self._recorded(dataclasses.replace(request, target="/pd/api/v1/store/9999"), scenario)
        answer = self.play(missing) if missing else not_found()
        return dataclasses.replace(answer, body=answer.body.replace(b"9999", found[1].encode()))

    def _range(self, scenario: str, request: Request) -> Answer:
        if scenario in {NO_LEADER, "election"} and not _serializable(request.body):
            for entry in self.entries:
                if entry.scenario == NO_LEADER and entry.path == "/v3/kv/range" and entry.status != 200:
                    return self.play(entry)
        return self._store.range(request.body)

    def _without_the_dead(self, request: Request, answer: Answer) -> Answer:
        """Who is healthy and who leads, when a PD is down: the next one leads if it was the first."""
        dead = self._dead()
        if not dead or request.method != "GET":
            return answer
        hosts = {self.spec.member(name).host for name in dead}
        if request.path == "/pd/api/v1/leader":
            members = self._of_healthy(dataclasses.replace(request, target="/pd/api/v1/members"))
            leader = as_json(_members(members, hosts).body)["leader"]
            known = as_json(answer.body)
            return _pd_json(answer, {name: leader[name] for name in known})
        change = _CHANGES.get(request.path)
        return change(answer, hosts) if change else answer


def _is_down(file: FaultFile) -> bool:
    return file.kind() == "down"


def _same_headers(entry: Entry, request: Request) -> bool:
    """Whether the recorded request has the headers that matter, and the asked one too."""
    wanted = {name.lower() for name in entry.request_headers if name in DIFFERENT}
    sent = {name.lower() for name in DIFFERENT if name.lower() in request.headers}
    return wanted == sent


def _serializable(body: bytes) -> bool:
    try:
        return bool(json.loads(body).get("serializable"))
    except (ValueError, AttributeError):
        return True


def _lives(member: dict[str, Any], dead: Iterable[str]) -> bool:
    return not any(f"//{host}:" in url for url in member["client_urls"] for host in dead)


def _health(answer: Answer, dead: set[str]) -> Answer:
    members = as_json(answer.body)
    for member in members:
        member["health"] = _lives(member, dead)
    return _pd_json(answer, members)


def _members(answer: Answer, dead: set[str]) -> Answer:
    value = as_json(answer.body)
    for role in ("leader", "etcd_leader"):
        if not _lives(value[role], dead):
            value[role] = next(each for each in value["members"] if _lives(each, dead))
    return _pd_json(answer, value)


def _pd_json(answer: Answer, value: object) -> Answer:
    """JSON as PD writes it."""
    return dataclasses.replace(answer, body=json.dumps(value, indent=2).encode() + b"\n")


_CHANGES = {"/pd/api/v1/health": _health, "/pd/health": _health, "/pd/api/v1/members": _members}
