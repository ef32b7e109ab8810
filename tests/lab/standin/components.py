"""The HTTP APIs of the other components."""

from __future__ import annotations

import dataclasses
import json

from tests.lab.standin.answers import Answer, Api, Request, as_json, not_found
from tests.lab.standin.members import Member
from tests.lab.standin.pd import PdApi
from tests.lab.standin.profiles import packed_profile, unknown_profile
from tests.lab.standin.recorded import Entry, entries
from tests.lab.standin.spec import Spec

PROFILES = "/debug/pprof/"
PD_PROFILES = "/pd/api/v1" + PROFILES
"""Where PD's own profiles were recorded: in the format of every component that is written in Go."""


class TidbApi(Api):
    """TiDB's status port."""

    mine = frozenset({"/status", "/config", "/settings"})

    def answer(self, request: Request) -> Answer:
        if request.path == "/info" and request.method == "GET":
            return self._info(super().answer(request))
        return super().answer(request)

    def unknown(self, request: Request) -> Answer:
        return profile(self, request, PROFILES) or not_found()

    def _info(self, answer: Answer) -> Answer:
        """What this server says of itself: what was recorded of the first, with what `/info/all` says of it."""
        if self.member == self.spec.of("tidb")[0]:
            return answer
        everybody = as_json(self.answer(Request("GET", "/info/all", {}, b"")).body)
        own = as_json(answer.body)
        for server in everybody["all_servers_info"].values():
            if server["ip"] == self.member.host:
                own |= {**server, "is_owner": server["ddl_id"] == everybody["owner_id"]}
        return dataclasses.replace(answer, body=json.dumps(own, indent=2).encode())


class TikvApi(Api):
    """TiKV's status port."""

    mine = frozenset({"/config", "/status"})

    def unknown(self, request: Request) -> Answer:
        """As `src/server/status_server/mod.rs` of tikv/tikv has it."""
        return Answer(404, b"path not found")


class TiflashApi(Api):
    """The status port of TiFlash's proxy, which is TiKV's, and its metrics port."""

    def unknown(self, request: Request) -> Answer:
        return Answer(404, b"path not found")


class TiproxyApi(Api):
    """TiProxy's API port."""

    def answer(self, request: Request) -> Answer:
        if request.path == "/api/admin/config":  # its router takes both
            request = dataclasses.replace(request, target=request.target.replace("config", "config/", 1))
        return super().answer(request)

    def unknown(self, request: Request) -> Answer:
        return profile(self, request, "/api" + PROFILES) or not_found()


class TicdcApi(Api):
    """TiCDC's only port."""

    mine = frozenset({"/debug/info"})
    own = frozenset({"/status", "/api/v1/status", "/api/v2/status"})

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        return self._status(answer) if request.path in self.own else answer

    def unknown(self, request: Request) -> Answer:
        if request.path.startswith(("/api/v2/changefeeds/", "/api/v1/changefeeds/")):
            name = request.path.rpartition("/")[2]
            body = {
                "error_msg": f"[CDC:ErrChangeFeedNotExists]changefeed not exists, {name}",
                "error_code": "CDC:ErrChangeFeedNotExists",
            }
            return Answer(400, json.dumps(body).encode(), "application/json; charset=utf-8")
        return profile(self, request, PROFILES) or Answer(404, b"404 page not found", "text/plain")

    def _status(self, answer: Answer) -> Answer:
        """The recorded status, with the id that this capture has."""
        listed = as_json(super().answer(Request("GET", "/api/v2/captures", {}, b"")).body)["items"]
        capture = next(each for each in listed if each["address"] == self.member.address)
        own = as_json(answer.body) | {"id": capture["id"], "is_owner": capture["is_owner"]}
        return dataclasses.replace(answer, body=json.dumps(own, separators=(",", ":")).encode())


def profile(api: Api, request: Request, prefix: str) -> Answer | None:
    """A profile of a Go program: as text PD's, as it was recorded."""
    if not request.path.startswith(prefix) or request.method != "GET":
        return None
    target = PD_PROFILES + request.target.removeprefix(prefix)
    found = next((entry for entry in _profiles() if entry.target == target), None)
    return api.play(found) if found else packed_profile(request, prefix) or unknown_profile()


def _profiles() -> list[Entry]:
    return [
        entry
        for entry in entries("pd")
        if entry.scenario == "healthy" and entry.target.startswith(PD_PROFILES)
    ]


APIS: dict[str, type[Api]] = {
    "tidb": TidbApi,
    "tikv": TikvApi,
    "tiflash": TiflashApi,
    "tiproxy": TiproxyApi,
    "ticdc": TicdcApi,
}


def api_of(spec: Spec, member: Member, port: str) -> Api:
    """The API that a member has on its port for `port`."""
    if member.component == "pd":
        return PdApi(spec, member)
    return APIS[member.component](spec, member, "metrics" if port == "metrics" else "status")
