"""The steps of a multipart upload, in the words of an S3 store: with keys of our own, or with URLs made for us."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote, urlencode

from clinic.errors import BadBundle, Refused, UsageError
from clinic.secret import Secret
from clinic.units import MIB
from clinic.upload.door import Door, Reply, Route, Stretch
from clinic.upload.flow import Flow
from clinic.upload.put import require_within
from clinic.upload.s3_keys import Call, Headers, Keys, Presigned
from clinic.upload.state import Done

LEAST_PART = 8 * MIB
"""Bytes of a part; S3 takes none below 5 MiB but the last."""

MOST_PARTS = 10_000
"""Most parts of one upload."""

EMPTY = hashlib.sha256(b"").hexdigest()


class Store(Protocol):
    """What takes the parts."""

    door: Door

    def part_size(self, size: int) -> int:
        """Bytes of each part of a package of `size`. Raises `Refused` when it can't take that much."""
        ...

    def begin(self, name: str) -> str:
        """Begin an upload of the object `name`; what the store calls it."""
        ...

    def held(self, name: str, upload: str) -> tuple[Done, ...] | None:
        """Parts that the store says it has; None when it does not know the upload, or can't be asked."""
        ...

    def put(self, name: str, upload: str, number: int, body: Stretch, sha256: bytes) -> Reply:
        """One part, once."""
        ...

    def complete(self, name: str, upload: str, parts: tuple[Done, ...]) -> Reply:
        """Make the object of its parts."""
        ...

    def exists(self, name: str) -> Reply | None:
        """The head of the object; None when the store can't be asked."""
        ...

    def abort(self, name: str, upload: str) -> Reply | None:
        """Give the upload up; None when the store can't be asked."""
        ...

    def delete(self, name: str) -> Reply | None:
        """Delete the object; None when the store can't be asked."""
        ...

    def link(self, name: str) -> str:
        """The address of the object, without anything that opens it."""
        ...


class Direct:
    """A store that is written to with keys of our own, below the path of its URL (`/BUCKET/PREFIX`)."""

    def __init__(self, url: str, keys: Keys, route: Route, flow: Flow) -> None:
        self.door = Door(url, route, flow)
        self._keys = keys
        self._path = self.door.path.rstrip("/")
        if not self._path:
            raise UsageError("the URL of an S3 store names a bucket: https://HOST/BUCKET or with a prefix")

    def part_size(self, size: int) -> int:
        return max(LEAST_PART, -(-size // MOST_PARTS))

    def begin(self, name: str) -> str:
        reply = self._ask("POST", name, "uploads=")
        found = tag(reply, "UploadId") if reply.good else ""
        if not found:
            raise no_store(reply)
        return found

    def held(self, name: str, upload: str) -> tuple[Done, ...] | None:
        found: list[Done] = []
        after: dict[str, str] = {}
        while True:
            query = urlencode({**after, "uploadId": upload})
            reply = self._ask("GET", name, query)
            if reply.status == 404:
                return None
            if not reply.good:
                raise no_store(reply)
            found += parts_of(reply)
            if tag(reply, "IsTruncated") != "true" or not found:
                return tuple(found)
            after = {"part-number-marker": str(found[-1].number)}

    def put(self, name: str, upload: str, number: int, body: Stretch, sha256: bytes) -> Reply:
        query = urlencode({"partNumber": number, "uploadId": upload})
        path, headers = self._signed(Call("PUT", query, sha256.hex()), name, {})
        return self.door.ask("PUT", path, body, headers)

    def complete(self, name: str, upload: str, parts: tuple[Done, ...]) -> Reply:
        return self._ask("POST", name, urlencode({"uploadId": upload}), completion(parts))

    def exists(self, name: str) -> Reply | None:
        return self._ask("HEAD", name, "")

    def abort(self, name: str, upload: str) -> Reply | None:
        return self._ask("DELETE", name, urlencode({"uploadId": upload}))

    def delete(self, name: str) -> Reply | None:
        return self._ask("DELETE", name, "")

    def link(self, name: str) -> str:
        return f"{self.door.address.url}{self._path}/{quote(name)}"

    def _ask(self, method: str, name: str, query: str, body: bytes = b"") -> Reply:
        path, headers = self._signed(Call(method, query, hashlib.sha256(body).hexdigest()), name, {})
        return self.door.insist(method, path, body, headers)

    def _signed(self, call: Call, name: str, headers: Mapping[str, str]) -> tuple[str, Headers]:
        return self._keys.sign(self.link(name), call, {"Host": _host(self.door), **headers})


class ByUrls:
    """A store whose owner signed a URL for each step."""

    def __init__(self, presigned: Presigned, address: str, route: Route, flow: Flow) -> None:
        """Raises `Refused` when one of them leads elsewhere than to `address`."""
        for url in (*presigned.parts, presigned.complete, *filter(None, [presigned.abort])):
            require_within(Secret(url), address)
        self.door = Door(presigned.complete, route, flow)
        self._urls = presigned

    def part_size(self, size: int) -> int:
        room = self._urls.part_size * len(self._urls.parts)
        if size > room:
            raise Refused(
                f"the presigned URLs take {room} bytes, and the package has {size}",
                hint="ask for more parts, or leave things out with --without",
            )
        return self._urls.part_size

    def begin(self, name: str) -> str:
        del name
        return "presigned"

    def held(self, name: str, upload: str) -> tuple[Done, ...] | None:
        del name, upload  # nobody signed a list of parts for us
        return None

    def put(self, name: str, upload: str, number: int, body: Stretch, sha256: bytes) -> Reply:
        del name, upload, sha256
        return self.door.ask("PUT", path_of(self._urls.parts[number - 1]), body)

    def complete(self, name: str, upload: str, parts: tuple[Done, ...]) -> Reply:
        del name, upload
        return self.door.insist("POST", path_of(self._urls.complete), completion(parts))

    def exists(self, name: str) -> Reply | None:
        del name
        return None

    def abort(self, name: str, upload: str) -> Reply | None:
        del name, upload
        return self.door.insist("DELETE", path_of(self._urls.abort)) if self._urls.abort else None

    def delete(self, name: str) -> Reply | None:
        del name
        return None

    def link(self, name: str) -> str:
        del name
        return self.door.address.url + self.door.path.split("?", maxsplit=1)[0]


def completion(parts: tuple[Done, ...]) -> bytes:
    """The list that ends an upload."""
    listed = "".join(
        f"<Part><PartNumber>{one.number}</PartNumber><ETag>{html.escape(one.tag)}</ETag></Part>"
        for one in sorted(parts, key=lambda one: one.number)
    )
    return f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()


def tag(reply: Reply, name: str) -> str:
    """The text of the first element `name` of an answer; empty where there is none."""
    match = re.search(rf"<{name}>([^<]*)</{name}>", reply.body.decode("utf-8", "replace"))
    return html.unescape(match[1]) if match is not None else ""


def parts_of(reply: Reply) -> list[Done]:
    """The parts that a store lists; some list no mark beside the number."""
    found: list[Done] = []
    for part in re.findall(r"<Part>(.*?)</Part>", reply.body.decode("utf-8", "replace"), re.DOTALL):
        number, mark = (re.search(rf"<{one}>([^<]*)</{one}>", part) for one in ("PartNumber", "ETag"))
        if number is not None and number[1].isdigit():
            found.append(Done(int(number[1]), html.unescape(mark[1]) if mark is not None else ""))
    return found


def no_store(reply: Reply) -> BadBundle | Refused:
    """What an answer means that no S3 store gives."""
    from clinic.upload.uploader import refusal

    if reply.good:
        return Refused(f"{reply.words} is no answer of an S3 store", hint="check the destination's address")
    why = tag(reply, "Code")
    if why == "RequestTimeTooSkewed":
        return Refused("the store refuses the time of this machine", hint="set this machine's clock")
    found = refusal(reply)
    return found if isinstance(found, BadBundle | Refused) else Refused(found.message, hint=found.hint)


def path_of(url: str) -> str:
    """The path of a presigned URL with its query."""
    return "/" + url.split("://", maxsplit=1)[-1].partition("/")[2]


def _host(door: Door) -> str:
    standard = 443 if door.address.tls else 80
    return (
        str(door.address).removesuffix(f":{standard}") if door.address.port == standard else str(door.address)
    )
