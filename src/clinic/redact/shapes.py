"""Rules for secrets that are known by their shape alone, wherever they stand."""

from __future__ import annotations

import base64

from clinic.redact.rule import Rule, Take


def _run(
    name: str, purpose: str, pattern: str, example: str, keeps: tuple[str, ...], goes_on: str = r"[\w\-]"
) -> Rule:
    """A token that goes on as long as its characters come."""
    masks = ((f"x {example} y", "x *** y"), (f'"{example}"', '"***"'))
    return Rule(name, purpose, pattern, Take.RUN, masks, keeps, goes_on=goes_on, shape=True)


def _packed_key_starts() -> str:
    """How the first line of a private key begins in base64."""
    kinds = ("PRIVATE", "RSA PRIVATE", "EC PRIVATE", "DSA PRIVATE", "OPENSSH PRIVATE", "ENCRYPTED PRIVATE")
    heads = (f"-----BEGIN {kind}".encode() for kind in kinds)
    # Whole groups only: the last one depends on what comes after.
    return "|".join(base64.b64encode(head[: len(head) // 3 * 3]).decode() for head in heads)


_CRYPT = r"[./A-Za-z0-9$=,+*\-]"

SHAPES: tuple[Rule, ...] = (
    Rule(
        "private-key",
        "A private key, the whole block",
        r"-----BEGIN(?:[A-Z0-9 +]|%20){0,40}PRIVATE(?: |%20|\+)KEY(?:(?: |%20|\+)BLOCK)?-----"
        r"|---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----|PuTTY-User-Key-File-\d:",
        Take.BLOCK,
        masks=(
            ("a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nAB==\n-----END RSA PRIVATE KEY-----\nb", "a\n***\nb"),
            ('"-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n"', '"***\\n"'),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----", "***"),
        ),
        keeps=(
            "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----",
            "PRIVATE KEY is missing",
        ),
        shape=True,
    ),
    _run("private-key-packed", "A private key in base64", _packed_key_starts(),
         base64.b64encode(b"-----BEGIN RSA PRIVATE KEY-----\nMIIE").decode(),
         (base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMIID").decode(),), goes_on=r"[A-Za-z0-9+/=]"),
    _run("jwt", "A JSON web token", r"\beyJ[\w\-]{8,1000}\.[\w\-]{8}", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
         ("eyJ.eyJ", "heyJoe.example"), goes_on=r"[\w\-.]"),
    _run("aws-access-key", "The id of an AWS access key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", "AKIAIOSFODNN7EXAMPLE",
         ("AKIA is a prefix", "xAKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLEX"), goes_on=r"[A-Z0-9]"),
    _run("cloud-access-key", "The id of an access key of Aliyun or Tencent", r"\b(?:LTAI[A-Za-z0-9]{12}|AKID[A-Za-z0-9]{32})",
         "LTAI5tFakeFakeFakeFake12", ("LTAI", "AKIDS"), goes_on=r"[A-Za-z0-9]"),
    _run("google-key", "A key or token of Google", r"\b(?:AIza[\w\-]{35}|ya29\.[\w\-]{20})",
         "AIzaSyD-fakefakefakefakefakefakefakefak", ("AIzawa",), goes_on=r"[\w\-.]"),
    _run("github-token", "A token of GitHub", r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})",
         "ghp_0123456789abcdefghijklmnopqrstuvwxyz", ("ghp_short", "github_pattern"), goes_on=r"\w"),
    _run("gitlab-token", "A token of GitLab", r"\bgl(?:pat|ptt|rt|dt|soat)-[\w\-]{20}", "glpat-0123456789abcdefghij",
         ("glpat-short",)),
    _run("slack-token", "A token of Slack", r"\bxox[abeoprs]-[\w\-]{10}", "xoxb-1234567890-abcdef", ("xoxo-love",)),
    _run("vault-token", "A token of Vault", r"\bhv[sbr]\.[\w\-]{24}", "hvs.0123456789abcdefghijklmn", ("hvs.short",)),
    _run("grafana-token", "A token of a Grafana service account", r"\bgl(?:sa|c)_[A-Za-z0-9_+/=]{32}",
         "glsa_0123456789abcdefghijklmnopqrstuv_01234567", ("glsa_x",), goes_on=r"[\w+/=]"),
    _run("grafana-key", "A Grafana API key", r"\beyJrIjoi[A-Za-z0-9+/=]{20}", "eyJrIjoiT0tTcG1pUlY2RnVKZTFVaDFsNFZXdE9ZWmNrMkZYbk",
         ("eyJrIj",), goes_on=r"[A-Za-z0-9+/=]"),
    _run("service-token", "A token of npm, PyPI, Docker Hub, SendGrid, Stripe, OpenAI or DigitalOcean",
         r"\b(?:npm_[A-Za-z0-9]{36}|pypi-AgE[\w\-]{40}|dckr_pat_[\w\-]{20}|SG\.[\w\-]{22}\.[\w\-]{20}|[sr]k_live_[A-Za-z0-9]{20}"
         r"|sk-(?:proj-)?[A-Za-z0-9_\-]{40}|dop_v1_[0-9a-f]{32})",
         "dckr_pat_0123456789abcdefghij", ("npm_config_registry", "sk-short", "SG.x")),
    _run("age-key", "A secret key of age", r"\bAGE-SECRET-KEY-1[A-Z0-9]{20}",
         "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQ", ("AGE-SECRET-KEY",), goes_on="[A-Z0-9]"),
    Rule(
        "webhook",
        "The part of a chat webhook that lets anyone post",
        r"(?i:discord(?:app)?\.com/api/webhooks/\d{1,32}/|open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/"
        r"|qyapi\.weixin\.qq\.com/cgi-bin/webhook/send\?key=|api\.telegram\.org/bot)(?P<secret>[\w\-])",
        Take.RUN,
        masks=(
            ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0a-1b", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=***"),
            ("api.telegram.org/bot123:AA-b/sendMessage", "api.telegram.org/bot***/sendMessage"),
        ),
        keeps=("https://discord.com/api/webhooks", "https://api.telegram.org/"),
        goes_on=r"[\w\-:]",
        shape=True,
    ),
    Rule(
        "webhook-path",
        "The same where several parts of the path make it up",
        r"(?i:hooks\.slack\.com/(?:services|workflows|triggers)/|webhook\.office\.com/webhookb2/)(?P<secret>[\w\-])",
        Take.RUN,
        masks=(("https://hooks.slack.com/services/T0/B0/x1 a", "https://hooks.slack.com/services/*** a"),),
        keeps=("https://hooks.slack.com/",),
        goes_on=r"[\w\-@/]",
        shape=True,
    ),
    Rule(
        "mysql-hash",
        "The stored form of a MySQL password, which can be tried offline or used as it is",
        r"\*[0-9A-F]{40}\b|\$A\$\d{3}\$|\b0x2441243030[0-9A-F]{10}",
        Take.RUN,
        masks=(
            ("'*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B'", "'***'"),
            ("AS '$A$005$abc+d/e'", "AS '***'"),
        ),
        keeps=("*81F5E21E", "2 *81F5E21E35407D884A6CD4A731AEBFB6AF209E1BFF"),
        goes_on=r"[^\s\"'|,\\]",
        shape=True,
    ),
    _run("password-hash", "The stored form of a password of crypt, bcrypt, argon2 or PBKDF2",
         r"\$(?:1|5|6|y|7|2[abxy]|apr1|argon2\w{1,2}|pbkdf2[\w\-]{0,20}|scrypt)\$[./A-Za-z0-9$=,+*\-]{20}",
         "$6$saltsalt$0123456789abcdefghijABCDEFGHIJ", ("$1$2$3", "$6$"), goes_on=_CRYPT),
    _run("ceph-key", "A key of Ceph", r"\bAQ[A-Za-z0-9+/]{36}==", "AQD9Example0Example0Example0Example0Ab==",
         ("AQD9exampl==", "xAQD9Example0Example0Example0Example0Ab=="), goes_on="="),
    Rule(
        "key-numbers",
        "The numbers of a private key as openssl prints them",
        r"(?:\b|\\n)(?:privateExponent|prime[12]|exponent[12]|coefficient|priv):(?:\s|\\{1,7}[nr]){1,24}(?P<secret>[0-9a-f]{2}(?::|\s|\\{1,7}[nr]))",
        Take.RUN,
        masks=(("privateExponent:\n    00:ab:\n    11:22\nprime1:\n    00:ff\nx", "privateExponent:\n    ***\nprime1:\n    ***\nx"),),
        keeps=("publicExponent: 65537 (0x10001)", "modulus:\n    00:ab:\n", "priv: none"),
        goes_on=r"(?:\s|\\{1,7}[nr]){0,24}[0-9a-f]{2}(?::|\b)",
        shape=True,
    ),
    _run("scram-hash", "The stored form of a SCRAM password", r"\bSCRAM-SHA-(?:1|256)\$\d{1,9}:",
         "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy", ("SCRAM-SHA-1", "SCRAM-SHA-256"), goes_on=r"[A-Za-z0-9+/=:$]"),
    _run("ldap-hash", "The stored form of a password in LDAP", r"\{(?:S?SHA(?:256|384|512)?|S?MD5|CRYPT)\}[A-Za-z0-9+/=$.]{12}",
         "{SSHA}0123456789abcdefABCDEF==", ("{SHA}", "{MD5}x"), goes_on=_CRYPT),
)  # fmt: skip
"""In the order in which they are tried."""
