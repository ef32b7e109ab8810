"""Which names name secrets, and which values under them are none."""

from __future__ import annotations

import pytest

from clinic.redact.keys import Kind, Where, is_secret, kind_of


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("password", Kind.PASSWORD), ("DB_PASSWORD", Kind.PASSWORD), ("dbPassword", Kind.PASSWORD),
        ("PassWord", Kind.PASSWORD), ("rootpassword", Kind.PASSWORD), ("passwd", Kind.PASSWORD),
        ("passphrase", Kind.PASSWORD), ("db.password.1", Kind.PASSWORD), ("password_hash", Kind.PASSWORD),
        ("authentication_string", Kind.PASSWORD), ("密码", Kind.PASSWORD), ("user password", Kind.PASSWORD),
        ("validate_password", Kind.FLAG), ("disconnect-on-expired-password", Kind.FLAG), ("old_passwords", Kind.FLAG),
        ("secret", Kind.SECRET), ("clientSecret", Kind.SECRET), ("accessKeySecret", Kind.SECRET),
        ("credentials", Kind.SECRET), ("secureJsonData", Kind.SECRET), ("httpHeaderValue1", Kind.SECRET),
        ("token", Kind.TOKEN), ("CLINIC_TOKEN", Kind.TOKEN), ("authToken", Kind.TOKEN), ("sas-token", Kind.TOKEN),
        ("secret-access-key", Kind.KEY), ("secretAccessKey", Kind.KEY), ("access_key_id", Kind.KEY),
        ("AWSAccessKeyId", Kind.KEY), ("apikey", Kind.KEY), ("AccountKey", Kind.KEY), ("encryption-key", Kind.KEY),
        ("service_key", Kind.SOFT_KEY), ("client-key", Kind.SOFT_KEY), ("session-token-signing-key", Kind.SOFT_KEY),
        ("db_pass", Kind.PASS), ("dbpass", Kind.PASS), ("bind_pw", Kind.PASS),
        ("PWD", Kind.PLACE), ("OLDPWD", Kind.PLACE), ("bind_root_pwd", Kind.PLACE),
        ("max_password_errors", None), ("password_lifetime", None), ("key-prefix", None), ("key", None),
        ("primary_key", None), ("start_key", None), ("region-key", None), ("ssl-key", None), ("token-limit", None),
        ("initial-cluster-token", None), ("next_page_token", None), ("tidb_last_plan_replayer_token", None),
        ("password_file", None), ("secretName", None), ("imagePullSecret", None), ("credentials-file", None),
        ("mysql_native_password", None), ("caching_sha2_password", None), ("tidb_auth_token", None),
        ("compass", None), ("bypass", None), ("tokenizer", None), ("monkey", None), ("", None), ("123", None),
    ],
)  # fmt: skip
def test_a_name_is_a_secrets_by_its_last_word(key: str, kind: Kind | None) -> None:
    assert kind_of(key.encode()) is kind


@pytest.mark.parametrize(
    ("kind", "value", "where", "secret"),
    [
        (Kind.PASSWORD, "hunter2", Where.PROSE, True),
        (Kind.PASSWORD, "incorrect", Where.PROSE, False),
        (Kind.PASSWORD, "incorrect", Where.STRUCTURE, True),
        (Kind.PASSWORD, "must be longer", Where.LINE, False),
        (Kind.PASSWORD, "correct horse battery", Where.LINE, True),
        (Kind.PASSWORD, "https://docs.example.org/x", Where.PROSE, False),
        (Kind.PASSWORD, "123456", Where.STRUCTURE, True),
        (Kind.PASSWORD, "1", Where.STRUCTURE, False),
        (Kind.PASSWORD, "/etc/passwd", Where.STRUCTURE, True),
        (Kind.FLAG, "8", Where.STRUCTURE, False),
        (Kind.FLAG, "ON", Where.STRUCTURE, False),
        (Kind.FLAG, "hunter2", Where.STRUCTURE, True),
        (Kind.SECRET, "/vault/path", Where.STRUCTURE, False),
        (Kind.SECRET, "k8s-name", Where.STRUCTURE, True),
        (Kind.TOKEN, "17", Where.STRUCTURE, False),
        (Kind.TOKEN, "24h", Where.STRUCTURE, False),
        (Kind.TOKEN, "<EOF>", Where.PROSE, False),
        (Kind.TOKEN, "identifier", Where.PROSE, False),
        (Kind.TOKEN, "0123456789abcdef", Where.PROSE, True),
        (Kind.TOKEN, "abcdef", Where.ASSIGN, True),
        (Kind.KEY, "/etc/tls/server.key", Where.STRUCTURE, False),
        (Kind.KEY, "/wJalr/UtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY0", Where.STRUCTURE, True),
        (Kind.SOFT_KEY, "orders.created", Where.STRUCTURE, False),
        (Kind.SOFT_KEY, "0123456789abcdef0123456789abcdef", Where.STRUCTURE, True),
        (Kind.PASS, "12", Where.ASSIGN, False),
        (Kind.PASS, "TestPassword", Where.PROSE, False),
        (Kind.PLACE, "/root", Where.STRUCTURE, False),
        (Kind.PLACE, "hunter2", Where.STRUCTURE, True),
    ],
)
def test_a_value_is_a_secret_if_its_key_and_its_place_say_so(
    kind: Kind, value: str, where: Where, secret: bool
) -> None:
    assert is_secret(kind, value.encode(), where) is secret


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    "value",
    ["", "  ", "true", "OFF", "null", "None", "******", "xxxxx", "<secret>", "(hidden)", "[REDACTED]", "${PASSWORD}",
     "{{ password }}", "$(cat x)", "%s", "?", "~"],
)  # fmt: skip
def test_what_hides_nothing_is_no_secret(kind: Kind, value: str) -> None:
    assert not any(is_secret(kind, value.encode(), where) for where in Where)


@pytest.mark.parametrize("kind", list(Kind))
def test_the_mask_itself_is_masked_again_so_that_twice_is_once(kind: Kind) -> None:
    assert all(is_secret(kind, b"***", where) for where in Where)
