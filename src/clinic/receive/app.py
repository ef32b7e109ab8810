"""The Clinic API as an ASGI application: precreate, upload, flush, and the deletion that a withdrawal asks for.

What it says beyond PingCAP's: how many bytes are here (`offset`), so that a part that broke off is gone on with
in its middle, and the SHA-256 of what is on the disk. A sender that knows neither works as well.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable

from anyio import fail_after
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from clinic.receive.part import Part
from clinic.receive.problem import Problem
from clinic.receive.state import State, Wanted
from clinic.receive.store import Store
from clinic.receive.tokens import sender
from clinic.units import MIB

API = "/clinic/api/v1/diag"
"""Where PingCAP's API is."""

PACKAGES = "/clinic/packages"
"""Where what is known of a package can be asked for: the link for the ticket."""

STALL = 60.0
"""Seconds without a byte after which a connection is given up."""

_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")

Answer = Callable[[Request, str], Awaitable[Response]]


class Receiver:
    """Answers requests from a store."""

    def __init__(self, store: Store, url: str = "", stall: float = STALL) -> None:
        """`url` is where senders find us, when that is not what they asked: behind another server."""
        self._store = store
        self._url = url.rstrip("/")
        self._stall = stall

    def app(self) -> Starlette:
        """The application."""
        routes = [
            Route(f"{API}/precreate", self._known(self.precreate), methods=["POST"]),
            Route(f"{API}/upload", self._known(self.upload), methods=["POST"]),
            Route(f"{API}/flush", self._known(self.flush), methods=["POST"]),
            Route(f"{API}/package", self._known(self.delete), methods=["DELETE", "POST"]),
            Route(f"{PACKAGES}/{{uuid}}", self._known(self.show), methods=["GET"]),
        ]
        return Starlette(routes=routes)

    def _known(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request) -> Response:
            try:
                header = request.headers.get("authorization", "")
                return await answer(request, await run_sync(sender, self._store.root, header))
            except Problem as problem:
                # What is still to come of the body is not read: the connection ends.
                return JSONResponse(problem.body, problem.status, {"Connection": "close"})
            except ClientDisconnect:
                return Response(status_code=499)

        return checked

    async def precreate(self, request: Request, owner: str) -> Response:
        """An upload is announced, or asked about after a break; its body is the metadata of a `.diag`."""
        query = request.query_params
        metadata = bytearray()
        async for data in self._body(request):
            metadata += data
            if len(metadata) > self._store.limits.metadata:
                raise Problem(413, "size", f"the metadata has more than {self._store.limits.metadata} bytes")
        wanted = Wanted(
            query.get("uuid", ""), _number(query.get("length", ""), "length"), query.get("filename", ""),
            query.get("alias", ""), query.get("encryption") or "none", query.get("compression") or "none",
            _sha256(request.headers.get("repr-digest", "")).hex(),
        )  # fmt: skip
        state = await run_sync(self._store.begin, wanted, bytes(metadata), owner)
        return JSONResponse({**_progress(state), "blockbytes": state.block, "digest": "sha-256"})

    async def upload(self, request: Request, owner: str) -> Response:
        """One part: by its number, or with `offset` by the byte where what is here ends."""
        query = request.query_params
        state = await run_sync(self._store.find, query.get("uuid", ""), owner)
        start = self._start(state, query.get("offset"), query.get("sequence", ""))
        if start >= state.wanted.length:
            # diag counts its parts by the size of the whole file, and may send one too many, which is empty.
            async for data in self._body(request):
                if data:
                    raise Problem(413, "size", "that is after the end of the upload")
            return JSONResponse(_progress(state))
        promised = _sha256(request.headers.get("content-digest", ""))
        part = await run_sync(Part, self._store, state, start, promised)
        try:
            return JSONResponse(_progress(await self._take(request, part)))
        finally:
            await run_sync(part.close)

    async def flush(self, request: Request, owner: str) -> Response:
        """The sender is done: the whole is read back, and its digest is the answer beside the link."""
        uuid, issue = request.query_params.get("uuid", ""), request.query_params.get("issue", "")
        state = await run_sync(self._store.finish, uuid, owner, issue)
        url = self._url or f"{request.url.scheme}://{request.url.netloc}"
        return JSONResponse({"result": f"{url}{PACKAGES}/{uuid}", **_facts(state)})

    async def delete(self, request: Request, owner: str) -> Response:
        """A consent was withdrawn: the package goes, what was deleted is on record and answered."""
        if request.method == "POST" and request.headers.get("x-http-method-override", "") != "DELETE":
            raise Problem(405, "method", "a package is only deleted")
        return JSONResponse(await run_sync(self._store.delete, request.query_params.get("uuid", ""), owner))

    async def show(self, request: Request, owner: str) -> Response:
        """What is known of a package; never its bytes."""
        state = await run_sync(self._store.find, request.path_params["uuid"], owner)
        return JSONResponse({"uuid": state.wanted.uuid, **_progress(state), **_facts(state)})

    def _start(self, state: State, offset: str | None, sequence: str) -> int:
        if offset is None:
            number = _number(sequence, "sequence")
            if number < 1:
                raise Problem(400, "sequence", "parts are numbered from 1")
            return (number - 1) * state.block
        start = _number(offset, "offset")
        if start != state.offset:
            raise Problem(409, "offset", f"the next byte here is {state.offset}", offset=state.offset)
        return start

    async def _take(self, request: Request, part: Part) -> State:
        """The body of a part; what came of one that breaks off is kept."""
        behind = _Behind(part)
        try:
            async for data in self._body(request):
                await behind.take(data)
            await behind.finish()
        except (ClientDisconnect, Problem) as error:
            if isinstance(error, ClientDisconnect):
                await behind.finish()
            await behind.settle()
            await run_sync(part.keep)
            raise
        finally:
            await behind.settle()
        return await run_sync(part.end)

    async def _body(self, request: Request) -> AsyncIterator[bytes]:
        stream = aiter(request.stream())
        while True:
            try:
                with fail_after(self._stall):
                    data = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise Problem(408, "stalled", f"no byte for {self._stall:g} s") from error
            yield data


class _Behind:
    """Writes a part a MiB at a time, while the next MiB comes."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._waiting: list[bytes] = []
        self._count = 0
        self._writing: asyncio.Future[None] | None = None

    async def take(self, data: bytes) -> None:
        """Take more. Raises what writing earlier bytes has raised."""
        self._waiting.append(data)
        self._count += len(data)
        if self._count >= MIB:
            await self._hand_over()

    async def finish(self) -> None:
        """Write what is left and wait for it. Raises what that has raised."""
        await self._hand_over()
        await self._written()

    async def settle(self) -> None:
        """Nothing is being written any more, whatever became of it."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _hand_over(self) -> None:
        await self._written()
        pieces, self._waiting, self._count = self._waiting, [], 0
        self._writing = asyncio.ensure_future(run_sync(self._part.write, *pieces))

    async def _written(self) -> None:
        if self._writing is not None:
            # Whoever is called off here must not leave a thread behind that still writes.
            await asyncio.shield(self._writing)


def _progress(state: State) -> dict[str, object]:
    return {"sequence": state.sequence, "offset": state.offset, "complete": bool(state.ended)}


def _facts(state: State) -> dict[str, object]:
    return {
        "sha256": state.sha256, "bytes": state.head + state.wanted.length, "issue": state.issue,
        "received": state.ended,
    }  # fmt: skip


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Problem(400, name, f"{name} is no number of bytes or parts")
    return int(text)


def _sha256(header: str) -> bytes:
    """What a `Content-Digest` or `Repr-Digest` (RFC 9530) says; empty where none is given."""
    match = _DIGEST.search(header)
    if match is None:
        if header:
            raise Problem(400, "digest", "the digest has to be sha-256")
        return b""
    return base64.b64decode(match[1])


def app(store: Store, url: str = "", stall: float = STALL) -> Starlette:
    """The application that answers from `store`."""
    return Receiver(store, url, stall).app()
