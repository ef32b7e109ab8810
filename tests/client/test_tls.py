"""Files for TLS are used or named; nobody is asked for a passphrase."""

from __future__ import annotations

import os
import ssl
import subprocess
from pathlib import Path

import pytest
from tests.client.servers import Certificates

from clinic.client.tls import Tls, explain
from clinic.errors import Failed, ItemError, Skip
from clinic.outcome import Reason


def refusal(tls: Tls) -> ItemError:
    """Why no context can be made of it."""
    with pytest.raises(ItemError) as caught:
        tls.context()
    return caught.value


def test_a_context_trusts_the_ca_that_is_given_and_no_other(certificates: Certificates) -> None:
    context = Tls(certificates.path("ca.pem")).context()
    assert [one["subject"] for one in context.get_ca_certs()] == [((("commonName", "the-cluster"),),)]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    lax = Tls().context(verify=False)
    assert (lax.verify_mode, lax.check_hostname) == (ssl.CERT_NONE, False)


def test_a_key_with_a_passphrase_is_refused_without_asking(
    certificates: Certificates, tmp_path: Path
) -> None:
    command = (
        f"openssl ec -in {certificates.path('client.key')} -aes256 -passout pass:word -out {tmp_path}/k.key"
    )
    subprocess.run(command.split(), check=True, capture_output=True, timeout=30)
    tls = Tls(None, certificates.path("client.pem"), tmp_path / "k.key")
    error = refusal(tls)
    assert (
        isinstance(error, Failed) and "has a passphrase" in error.message and str(tmp_path) in error.message
    )


def test_a_key_that_is_not_the_certificates_is_named(certificates: Certificates) -> None:
    error = refusal(Tls(None, certificates.path("client.pem"), certificates.path("server.key")))
    assert isinstance(error, Failed) and "server.key" in error.message


def test_a_file_that_may_not_be_read_is_no_failure(certificates: Certificates, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(certificates.path("ca.pem").read_bytes())
    path.chmod(0)
    before = os.geteuid()
    os.seteuid(65534 if before == 0 else before)  # root may read everything
    try:
        error = refusal(Tls(path))
    finally:
        os.seteuid(before)
    assert isinstance(error, Skip) and error.reason is Reason.NOT_PERMITTED


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "demands a client certificate"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "demands a client certificate"),
        ("WRONG_VERSION_NUMBER", "does not speak it"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "TLSV1_ALERT_PROTOCOL_VERSION"),
    ],
)
def test_an_error_of_openssl_becomes_words(said: str, words: str) -> None:
    error = ssl.SSLError(1, f"[SSL: {said}]")
    error.reason = said
    assert words in explain(error, "h:1", Tls()).message


def test_an_alert_about_our_own_certificate_is_told_from_one_about_none(certificates: Certificates) -> None:
    error = ssl.SSLError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA]")
    error.reason = "TLSV1_ALERT_UNKNOWN_CA"
    ours = Tls(None, certificates.path("client.pem"), certificates.path("client.key"))
    assert "refuses our certificate" in explain(error, "h:1", ours).message
