"""A multipart upload: to an S3-compatible store of others, with keys and with presigned URLs, and to one that lies."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.client.servers import Serve
from tests.upload.sending import Heard, Scripted, Step, flow, hang_up, package, say, send
from tests.upload.stores import KEYS, Running

from clinic.consent.destination import Destination, Protocol
from clinic.errors import BadBundle, Refused, UsageError
from clinic.home import state_dir
from clinic.secret import Secret
from clinic.upload.choose import Way, uploader
from clinic.upload.s3_keys import Keys, Presigned

PART = 8 << 20


def stored(store: Running, name: str) -> bytes:
    return (store.files / "bucket" / "from-clinic" / name).read_bytes()


def to_store(path: Path, store: Running, credential: str = KEYS, **how: object) -> object:
    return send(
        path, store.url, protocol=Protocol.S3, credential=credential, path_there="/bucket/from-clinic", **how  # type: ignore[arg-type]  # each test gives its own
    )  # fmt: skip


@pytest.mark.lab
@pytest.mark.parametrize("at_once", [1, 4])
def test_a_store_gets_it_and_its_mark_is_that_of_our_bytes(
    store: Running, tmp_path: Path, at_once: int
) -> None:
    path = package(tmp_path, 2 * PART + 12345)
    sent = to_store(path, store, at_once=at_once)
    assert sent.confirmed  # type: ignore[attr-defined]  # it is a `Sent`
    assert stored(store, sent.upload) == path.read_bytes()  # type: ignore[attr-defined]  # as above
    assert list((state_dir() / "uploads").iterdir()) == []


@pytest.mark.lab
def test_wrong_keys_are_one_clear_line(store: Running, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not accepted") as caught:
        to_store(package(tmp_path), store, "CLINICTESTKEY:wrong-secret")
    assert "wrong-secret" not in f"{caught.value.message}{caught.value.hint}"
    sender = uploader(
        Destination("s", Protocol.S3, store.url, "/bucket"), Way(Secret("CLINICTESTKEY:wrong")), flow()
    )
    with pytest.raises(Refused):
        sender.check()
    sender.close()


@pytest.mark.lab
def test_it_can_be_deleted(store: Running, tmp_path: Path) -> None:
    path = package(tmp_path)
    sent = to_store(path, store)
    where = Destination("s", Protocol.S3, store.url, "/bucket/from-clinic")
    sender = uploader(where, Way(Secret(KEYS)), flow())
    assert sender.check().status == 404
    assert sender.delete(sent.upload) == "deleted"  # type: ignore[attr-defined]  # it is a `Sent`
    sender.close()
    with pytest.raises(FileNotFoundError):
        stored(store, sent.upload)  # type: ignore[attr-defined]  # as above


SENDER = """
import sys
from pathlib import Path
from clinic.consent.destination import Protocol
from tests.upload.sending import flow, send
send(Path(sys.argv[1]), sys.argv[2], protocol=Protocol.S3, credential=sys.argv[3], path_there="/bucket/from-clinic",
     by=flow(rate=20e6))
"""


@pytest.mark.lab
def test_a_sender_that_is_killed_goes_on_with_the_parts_that_are_missing(
    store: Running, tmp_path: Path, root: Path
) -> None:
    path = package(tmp_path, 4 * PART)
    uploads = state_dir() / "uploads"
    with subprocess.Popen([sys.executable, "-c", SENDER, path, store.url, KEYS], cwd=root) as sender:
        while not any(json.loads(one.read_bytes()).get("done") for one in uploads.glob("*.json")):
            assert sender.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
        sender.kill()
    heard = Heard()
    sent = to_store(path, store, by=flow(heard))
    assert heard.bytes <= 3 * PART
    assert stored(store, sent.upload) == path.read_bytes()  # type: ignore[attr-defined]  # it is a `Sent`


@pytest.mark.lab
def test_presigned_urls_do_without_keys(store: Running, tmp_path: Path) -> None:
    path = package(tmp_path, 2 * PART + 5)
    credential = presigned(store, path.name, parts=3)
    sent = send(path, store.url, protocol=Protocol.S3, credential=credential)
    assert sent.confirmed
    assert stored(store, path.name) == path.read_bytes()
    assert "Signature" not in repr(sent)


def presigned(store: Running, name: str, parts: int) -> str:
    """What the owner of a store makes for somebody who has no keys, with the library of AWS."""
    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    keys = Credentials(*KEYS.split(":"))
    base = f"{store.url}/bucket/from-clinic/{name}"
    begun = subprocess.run(
        ["curl", "-s", "-X", "POST", _sign(AWSRequest, S3SigV4QueryAuth, keys, "POST", f"{base}?uploads=")],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    match = re.search("<UploadId>(.*?)</UploadId>", begun)
    assert match is not None, begun
    number = f"uploadId={match[1]}"
    urls = [
        _sign(AWSRequest, S3SigV4QueryAuth, keys, "PUT", f"{base}?partNumber={part}&{number}")
        for part in range(1, parts + 1)
    ]
    end = _sign(AWSRequest, S3SigV4QueryAuth, keys, "POST", f"{base}?{number}")
    return json.dumps({"part_size": PART, "parts": urls, "complete": end})


def _sign(request_type: type, auth: type, keys: object, method: str, url: str) -> str:
    request = request_type(method=method, url=url)
    auth(keys, "s3", "us-east-1", expires=600).add_auth(request)
    return str(request.url)


BEGUN = say(
    "200 OK", "<InitiateMultipartUploadResult><UploadId>u-1</UploadId></InitiateMultipartUploadResult>"
)
DENIED = say("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>")
FAILED_LATE = say("200 OK", "<Error><Code>InternalError</Code></Error>")


def part(tag: str = "t-1") -> Step:
    return say("200 OK", "", f'ETag: "{tag}"')


def complete(tag: str) -> Step:
    listed = f"<ETag>&quot;{tag}&quot;</ETag>"
    return say("200 OK", f"<CompleteMultipartUploadResult>{listed}</CompleteMultipartUploadResult>")


def scripted(serve: Serve, path: Path, *steps: Step) -> object:
    server = serve(Scripted(steps).script)
    try:
        return send(
            path,
            f"http://127.0.0.1:{server.port}",
            protocol=Protocol.S3,
            credential=KEYS,
            path_there="/bucket",
        )
    except (Refused, BadBundle) as error:
        return error


def mark(data: bytes) -> str:
    parts = [data[at : at + PART] for at in range(0, len(data), PART)]
    return f"{hashlib.md5(b''.join(hashlib.md5(one).digest() for one in parts)).hexdigest()}-{len(parts)}"


@pytest.mark.slow
def test_the_mark_of_the_whole_decides_what_is_said(serve: Serve, tmp_path: Path) -> None:
    path = package(tmp_path)
    data = path.read_bytes()
    for tag, confirmed in ((mark(data), True), (mark(b"other"), False), ("opaque", False)):
        sent = scripted(serve, path, BEGUN, part(), complete(tag))
        assert sent.confirmed is confirmed  # type: ignore[attr-defined]  # it is a `Sent`


@pytest.mark.slow
def test_an_error_after_200_is_no_success(serve: Serve, tmp_path: Path) -> None:
    ended = scripted(serve, package(tmp_path), BEGUN, part(), FAILED_LATE, say("404 Not Found"))
    assert isinstance(ended, Refused)


@pytest.mark.slow
def test_a_lost_last_answer_is_told_by_the_object_that_is_there(serve: Serve, tmp_path: Path) -> None:
    path = package(tmp_path)
    gone = say("404 Not Found", "<Error><Code>NoSuchUpload</Code></Error>")
    size = str(path.stat().st_size)

    def head(peer: object, request: bytes) -> None:
        del request
        tag = mark(path.read_bytes())
        peer.send(f'HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: "{tag}"\r\n\r\n'.encode())  # type: ignore[attr-defined]  # a `Peer`

    sent = scripted(serve, path, BEGUN, part(), hang_up, gone, head)
    assert sent.confirmed  # type: ignore[attr-defined]  # it is a `Sent`


@pytest.mark.slow
def test_a_part_that_arrives_changed_is_sent_again_a_few_times(serve: Serve, tmp_path: Path) -> None:
    path = package(tmp_path)
    changed = say("400 Bad Request", "<Error><Code>BadDigest</Code></Error>")
    tag = mark(path.read_bytes())
    assert scripted(serve, path, BEGUN, changed, changed, part(), complete(tag)).confirmed  # type: ignore[attr-defined]  # it is a `Sent`
    assert isinstance(scripted(serve, package(tmp_path, 5), BEGUN, *[changed] * 5), Refused)


@pytest.mark.slow
def test_a_clock_that_is_wrong_is_said(serve: Serve, tmp_path: Path) -> None:
    skewed = say("403 Forbidden", "<Error><Code>RequestTimeTooSkewed</Code></Error>")
    ended = scripted(serve, package(tmp_path), skewed)
    assert isinstance(ended, Refused)
    assert "clock" in ended.hint


@pytest.mark.parametrize("text", ["", "only-one", ":", "a:"])
def test_keys_that_are_none_are_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Keys(Secret(text), "")
    assert text == "" or text not in caught.value.message or len(text) < 3


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "{}", '{"parts": [], "part_size": 5, "complete": "https://h/x"}',
        '{"parts": [1], "part_size": 5, "complete": "x"}',
        '{"parts": ["https://h/secret"], "part_size": 0, "complete": "https://h/x"}',
    ],
)  # fmt: skip
def test_a_presigned_upload_that_is_none_is_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Presigned.read(Secret(text))
    assert "secret" not in f"{caught.value.message}"


def test_presigned_urls_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    parts = ["https://h.example/1", "https://elsewhere.example/2"]
    urls = {"part_size": PART, "parts": parts, "complete": "https://h.example/3"}
    with pytest.raises(Refused, match=r"elsewhere\.example"):
        send(package(tmp_path), "https://h.example", protocol=Protocol.S3, credential=json.dumps(urls))
