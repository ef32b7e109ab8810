"""Who logs in at Prometheus, with which headers: never from the command line, never in a bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.client.servers import Certificates, Peer, Serve, certificates, serve
from tests.source.prometheus.realproms import START, WINDOW, prometheus, proxy, truth, write_block

from clinic.cli.promlogin import HEADERS, PASSWORD, TOKEN, PromLogin, conditions, step_of
from clinic.client.access import Access
from clinic.client.account import Account
from clinic.errors import Refused, UsageError
from clinic.secret import SecretRegister

__all__ = ["certificates", "serve"]  # fixtures

SECRET = "Zq8-prom-Phrase"
HASHED = "$2b$04$3KGCONCwC/ceoUmaiICLKOZUAxGJSSpWCCxhcwol.rH/M1uqRMAIe"
"""What Prometheus keeps of it."""


def given(login: PromLogin) -> tuple[Account | None, dict[str, str]]:
    """The account and the headers that it comes to; their secrets are learned."""
    register = SecretRegister()
    access = login.added(Access(), register)
    account = access.web.get("prometheus")
    assert access.web.get("victoria-metrics") is account
    learned = {one.value.reveal() for one in register.since(0)}
    assert account is None or account.password.reveal() in learned
    return account, {name: value.reveal() for name, value in access.headers.get("prometheus", {}).items()}


@pytest.fixture
def private(tmp_path: Path) -> Callable[..., str]:
    """Write a file that only its owner can read."""

    def write(text: str, mode: int = 0o600) -> str:
        path = tmp_path / f"file{len(list(tmp_path.iterdir()))}"
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    return write


def test_a_password_comes_from_a_file_or_the_environment(
    private: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert given(PromLogin()) == (None, {})
    account, _ = given(PromLogin("me", private(f"{SECRET}\nnot this\n")))
    assert account is not None and (account.user, account.password.reveal()) == ("me", SECRET)
    with pytest.raises(UsageError, match="no password of me"):
        given(PromLogin("me"))
    monkeypatch.setenv(PASSWORD, "Zq8-env-Phrase")
    account, _ = given(PromLogin("me"))
    assert account is not None and account.password.reveal() == "Zq8-env-Phrase"


def test_a_token_comes_from_a_file_or_the_environment(
    private: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    account, _ = given(PromLogin(token_file=private(f"{SECRET}\n")))
    assert account is not None and account.header.reveal() == f"Bearer {SECRET}"
    monkeypatch.setenv(TOKEN, "Zq8-env-Token")
    account, _ = given(PromLogin())
    assert account is not None and account.header.reveal() == "Bearer Zq8-env-Token"
    with pytest.raises(UsageError, match="both"):
        given(PromLogin("me", token_file=private(SECRET)))
    with pytest.raises(Refused, match="others can read"):
        given(PromLogin(token_file=private(SECRET, 0o644)))


def test_headers_with_secrets_are_refused_on_the_command_line(
    private: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert given(PromLogin(headers=("X-Scope-OrgID: shop",)))[1] == {"X-Scope-OrgID": "shop"}
    for line in ("Authorization: Bearer x", "cookie: a=b", "X-Auth-Token: x", "X-API-Key: x"):
        with pytest.raises(Refused, match="lists of processes") as caught:
            given(PromLogin(headers=(line,)))
        assert "--prometheus-header-file" in caught.value.hint and HEADERS in caught.value.hint
    for line in ("no header", "Host: other", "Content-Length: 5", "X: a\r\nY: b"):
        with pytest.raises(UsageError):
            given(PromLogin(headers=(line,)))
    monkeypatch.setenv(HEADERS, "X-Env: Zq8-env-Header")
    found = given(PromLogin(header_file=private("X-Auth-Token: Zq8-Header\n\n")))[1]
    assert found == {"X-Auth-Token": "Zq8-Header", "X-Env": "Zq8-env-Header"}


def test_modes_and_conditions_are_read_or_refused() -> None:
    assert (step_of("raw"), step_of("downsample:1m")) == (0, 60_000)
    for mode in ("downsample", "raw:1m", "downsample:10ms", "nix"):
        with pytest.raises(UsageError):
            step_of(mode)
    assert conditions(("instance=~10.0.1.*", "job!=x")) == "instance=~10.0.1.*\njob!=x"
    for text in ("instance", "__name__=x", "a b=c"):
        with pytest.raises(UsageError, match="--metrics-label"):
            conditions((text,))


def test_an_account_in_the_url_is_refused_and_not_repeated(clinic: Callable[..., Any]) -> None:
    ended = clinic("collect", "--prometheus", f"http://me:{SECRET}@127.0.0.1:9090", "--dry-run")
    assert ended.code == 2
    assert "--prometheus-user" in ended.err and "--prometheus-token-file" in ended.err
    assert SECRET not in ended.out + ended.err


WEB = """
basic_auth_users:
  me: {hashed}
tls_server_config:
  cert_file: {server}.pem
  key_file: {server}.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: {ca}
"""


def window() -> list[str]:
    """The window of the test's samples."""
    return ["--from", WINDOW.start.isoformat(), "--to", WINDOW.end.isoformat()]


def metrics_of(bundle: Path) -> list[dict[str, Any]]:
    """What is said of each metric of the one server, the head first."""
    from clinic.read.open import open_bundle
    from clinic.read.samples import servers

    opened = open_bundle(bundle)
    (one,) = servers(opened)
    with opened.member(one.summary) as stream:
        return [json.loads(line) for line in stream.read().splitlines()]


@pytest.mark.lab
@pytest.mark.slow
def test_a_server_behind_tls_a_client_certificate_a_password_and_a_path_is_read(
    clinic: Callable[..., Any], private: Callable[..., str], tmp_path: Path, certificates: Certificates
) -> None:
    write_block(tmp_path / "data", truth())
    config = tmp_path / "web.yml"
    server = str(certificates.path("server.pem")).removesuffix(".pem")
    config.write_text(WEB.format(hashed=HASHED, server=server, ca=certificates.path("ca.pem")))
    flags = (f"--web.config.file={config}", "--web.route-prefix=/prom", "--web.external-url=/prom")
    with prometheus(tmp_path / "data", *flags, wait=False) as (port, _):
        words = [
            "collect", "--prometheus", f"https://127.0.0.1:{port}/prom", "--ca", certificates.path("ca.pem"),
            "--cert", certificates.path("client.pem"), "--key", certificates.path("client.key"),
            *window(), "--include", "metrics,alerts", "-y", "--verify", "--prometheus-user", "me",
        ]  # fmt: skip
        refused = clinic(*words, "-o", "refused", env={PASSWORD: "Zq8-wrong-Phrase"})
        ended = clinic(*words, "-o", "bundle", "--prometheus-password-file", private(SECRET))
    assert refused.code in (3, 4), refused
    assert ended.code == 0, ended
    head, *metrics = metrics_of(tmp_path / "bundle")
    assert head["verified"]["metrics"] == len(metrics) == 6 and head["from"] == START
    for member in (tmp_path / "bundle").rglob("*"):
        assert not member.is_file() or SECRET.encode() not in member.read_bytes()


@pytest.mark.lab
@pytest.mark.slow
def test_a_token_a_tenant_and_conditions_reach_the_server(
    clinic: Callable[..., Any], private: Callable[..., str], tmp_path: Path, serve: Serve
) -> None:
    """The proxy lets nothing through without both."""
    write_block(tmp_path / "data", truth())

    def guarded(peer: Peer, path: bytes, answer: requests.Response) -> bool:
        sent = answer.request.headers
        if (sent.get("Authorization"), sent.get("X-Scope-OrgID")) == (f"Bearer {SECRET}", "shop"):
            return False
        peer.answer(b"no", status="401 Unauthorized")
        return True

    with prometheus(tmp_path / "data") as (port, _):
        front = serve(proxy(port, guarded)).port
        ended = clinic(
            "collect", "--prometheus", f"http://127.0.0.1:{front}", *window(), "--include", "metrics", "-y",
            "--prometheus-token-file", private(SECRET), "--prometheus-header", "X-Scope-OrgID: shop",
            "--metrics-label", "instance=10.0.0.1:20180", "--metrics-label", "type=~.*[01]",
            "--metrics-mode", "downsample:1m", "-o", "bundle",
        )  # fmt: skip
    assert ended.code == 0, ended
    head, *metrics = metrics_of(tmp_path / "bundle")
    assert "a value each 60 s" in head["way"]
    assert [row["series"] for row in metrics] == [2] * 6
