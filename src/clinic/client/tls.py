"""TLS with a server: what is trusted, who we are, and what its errors mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clinic.errors import Failed, ItemError, Skip
from clinic.outcome import Reason

if TYPE_CHECKING:
    import ssl

# X509_V_ERR_* of OpenSSL's x509_vfy.h.
_EXPIRED, _NOT_YET = 10, 9
_WRONG_NAMES = (62, 64)
_UNKNOWN_CA = (2, 18, 19, 20, 21)


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of one cluster. Frozen and free of I/O until a context is made."""

    ca: Path | None = None
    """Certificates of the CAs that are trusted, and no others: a file, or a directory as OpenSSL reads one.
    The system's when None."""

    cert: Path | None = None
    """Our certificate, where servers demand one."""

    key: Path | None = None
    """Its private key; it may be in the same file."""

    def context(self, *, verify: bool = True) -> ssl.SSLContext:
        """For one door. Raises `Failed` or `Skip` naming the file that can't be used.

        Without `verify` any certificate will do; that is for protocols where it is the custom, and is said.
        """
        import ssl

        try:
            directory = self.ca is not None and self.ca.is_dir()
            made = ssl.create_default_context(
                cafile=None if directory else self.ca, capath=self.ca if directory else None
            )
        except (OSError, ValueError) as error:
            raise _unusable(self.ca, "CA certificates", error) from error
        # From 3.13 Python is stricter than OpenSSL about old fields of a CA; the same file must do everywhere.
        made.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        if not verify:
            made.check_hostname = False
            made.verify_mode = ssl.CERT_NONE
        if self.cert is not None:
            self._identify(made, self.cert)
        return made

    def _identify(self, made: ssl.SSLContext, cert: Path) -> None:
        def refuse() -> str:
            # Called only for a key with a passphrase, for which OpenSSL would ask on the terminal.
            raise Failed(
                Reason.SECRET_FILE,
                f"the key {self.key or cert} has a passphrase",
                fix="give a copy without one, readable by you alone",
            )

        try:
            made.load_cert_chain(cert, self.key, password=refuse)
        except (OSError, ValueError) as error:
            raise _unusable(cert if self.key is None else self.key, "certificate and key", error) from error


def _unusable(path: Path | None, what: str, error: Exception) -> ItemError:
    if isinstance(error, PermissionError):
        text = f"{path} may not be read"
        return Skip(Reason.NOT_PERMITTED, text, fix="run Clinic as an account that may read it")
    why = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
    return Failed(
        Reason.READ_ERROR, f"no {what} can be had from {path}: {why}", fix="check the file; it must be PEM"
    )


def explain(error: ssl.SSLError, where: str, tls: Tls) -> ItemError:
    """What went wrong in TLS with `where`, and what to do."""
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrusted(error, where, tls)
    said = error.reason or str(error)
    words = said.upper()
    if "WRONG_VERSION_NUMBER" in words or "HTTP_REQUEST" in words or "RECORD_LAYER_FAILURE" in words:
        text = f"{where} was asked in TLS and does not speak it"
        return Failed(Reason.BAD_ANSWER, text, fix="ask it without TLS, or check the port")
    if "CERTIFICATE_REQUIRED" in words or ("HANDSHAKE_FAILURE" in words and tls.cert is None):
        return Failed(
            Reason.NOT_PERMITTED,
            f"{where} demands a client certificate"
            if tls.cert is None
            else f"{where} refuses our certificate",
            fix="give the cluster's client certificate and key (--cert, --key)",
        )
    if "ALERT" in words and ("CERTIFICATE" in words or "UNKNOWN_CA" in words) and tls.cert is not None:
        text = f"{where} refuses our certificate ({said})"
        return Failed(
            Reason.NOT_PERMITTED, text, fix="give one that the cluster's CA has signed (--cert, --key)"
        )
    return Failed(
        Reason.BAD_ANSWER, f"TLS with {where} failed: {said}", fix="check the port and its TLS settings"
    )


def _distrusted(error: ssl.SSLCertVerificationError, where: str, tls: Tls) -> Failed:
    code = error.verify_code
    by = f"the CA in {tls.ca}" if tls.ca is not None else "any CA that this system trusts"
    if code in (_EXPIRED, _NOT_YET):
        text = f"the certificate of {where} has {'expired' if code == _EXPIRED else 'not begun'}"
        return Failed(Reason.UNSAFE, text, fix="renew it, or set this machine's clock")
    if code in _WRONG_NAMES:
        text = f"the certificate of {where} is for another name"
        return Failed(
            Reason.UNSAFE, text, fix="name the server as its certificate does, or issue one with its address"
        )
    if code in _UNKNOWN_CA:
        text = f"the certificate of {where} is not signed by {by}"
        return Failed(Reason.UNSAFE, text, fix="give the cluster's CA certificate (--ca)")
    return Failed(Reason.UNSAFE, f"the certificate of {where} can't be trusted: {error.verify_message}")
