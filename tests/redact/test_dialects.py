"""Configuration still parses after redaction, with the same keys, types and other values."""

from __future__ import annotations

import configparser
import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import yaml

from clinic.kinds import Content
from clinic.redact import Redactor
from clinic.secret import SecretRegister

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Redact = Callable[..., bytes]

TOML = """
host = "0.0.0.0"
token-limit = 1000   # not a secret
[security]
ssl-key = "/tls/key.pem"
password = "a # b"   # the secret
'pass' = 'it''s'
secret_access_key = "x\\"y"
numbers = [1, 2, 3]
passwords = [ "one", 'two',
  "three" ] # over lines
inline = { user = "root", password = "p1", port = 4000 }
long_password = \"\"\"
several
lines\"\"\"
empty_password = ""
started = 1979-05-27T07:32:00Z
pin_password = 12345
""".replace("'it''s'", "'its \\ raw'")

YAML = """
global:
  user: tidb
  ssh_port: 22
grafana_servers:
  - host: 127.0.9.1
    username: admin
    password: gr4f4n4   # change me
  - {host: h2, password: flow, port: 3000}
secrets: [a, "b"]
tls:
  key_file: /etc/key.pem
block:
  password: |
    line one

    line two
  folded_secret: >-
    folded
    text
  next: 1
plain:
  token: a plain value
    over two lines
  port: 4000
list_of:
  passwords:
  - one
  - two
  names:
  - a
anchored:
  password: &anchor "S3cr3t"
  other: *anchor
tagged: {password: !!str 123}
number:
  password: 0123456
none:
  password:
  secret: ~
  token: null
unquoted_jwt: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl
"""

JSON = {
    "host": "127.0.4.1",
    "password": 'a "quoted" \\ and ünïcode',
    "nested": {"secret_access_key": "x/y+z", "port": 4000, "list": [1, None, True, {"api_key": "k1"}]},
    "passwords": ["one", "two"],
    "token": 17,
    "empty": {"password": "", "token": None, "enabled": False},
    "secureJsonData": {"a": "s1", "b": {"c": "s2"}, "n": 7},
    "env": [{"name": "DB_PASSWORD", "value": "e1"}, {"name": "DB_HOST", "value": "db1"}],
    "big": 18446744073709551615,
    "text": '{"password": "inner", "port": 1}',
}

INI = """[client]
user = root
password = with # no comment
host=127.0.0.1
[mysqld]
; password = old
datadir = /data
admin_password = "quoted one"
max_connections = 100
"""


def _leaves(value: Any, path: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], object]]:
    if isinstance(value, dict):
        for key, inner in cast("dict[object, object]", value).items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(cast("list[object]", value)):
            yield from _leaves(inner, (*path, index))
    else:
        yield path, value


def _changed(before: object, after: object) -> dict[str, object]:
    old, new = dict(_leaves(before)), dict(_leaves(after))
    return {
        ".".join(map(str, path)): new.get(path) for path in [*old, *new] if old.get(path) != new.get(path)
    }


def test_toml_parses_with_only_its_secrets_changed(redact: Redact) -> None:
    after = tomllib.loads(redact(TOML.encode(), Content.TOML).decode())
    changed = _changed(tomllib.loads(TOML), after)
    assert set(changed) == {
        "security.password", "security.pass", "security.secret_access_key", "security.passwords.0",
        "security.passwords.1", "security.passwords.2", "security.inline.password", "security.long_password",
        "security.pin_password",
    }  # fmt: skip
    assert set(changed.values()) == {"***"}


def test_toml_keeps_every_byte_but_the_secrets(redact: Redact) -> None:
    out = redact(TOML.encode(), Content.TOML).decode()
    assert 'password = "***"   # the secret\n' in out
    assert 'passwords = [ "***", \'***\',\n  "***" ] # over lines\n' in out
    assert 'long_password = """***"""\n' in out


def test_yaml_parses_with_only_its_secrets_changed(redact: Redact) -> None:
    after = yaml.safe_load(redact(YAML.encode(), Content.YAML))
    before = yaml.safe_load(YAML)
    changed = _changed(before, after)
    gone = {"secrets.1", "list_of.passwords.1"}
    assert set(changed) == {
        "grafana_servers.0.password", "grafana_servers.1.password", "secrets.0", "block.password",
        "block.folded_secret", "plain.token", "list_of.passwords.0", "anchored.password", "anchored.other",
        "tagged.password", "number.password", "unquoted_jwt",
    } | gone  # fmt: skip
    assert {str(value).strip() for name, value in changed.items() if name not in gone} == {"***"}
    assert list(after) == list(before)


def test_yaml_keeps_what_is_beside_a_secret(redact: Redact) -> None:
    out = redact(YAML.encode(), Content.YAML).decode()
    assert '    password: "***"   # change me\n' in out
    assert '  - {host: h2, password: "***", port: 3000}\n' in out
    assert '  password: &anchor "***"\n' in out
    assert "  password: |\n    ***\n  folded_secret: >-\n    ***\n  next: 1\n" in out


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("separators", [None, (",", ":"), (" , ", " : ")])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_parses_with_only_its_secrets_changed(
    indent: int | None, separators: tuple[str, str] | None, ascii_only: bool, redact: Redact
) -> None:
    raw = json.dumps(JSON, indent=indent, separators=separators, ensure_ascii=ascii_only)
    after = json.loads(redact(raw.encode(), Content.JSON))
    changed = _changed(JSON, after)
    inner = changed.pop("text")
    assert json.loads(str(inner)) == {"password": "***", "port": 1}
    assert set(changed) == {
        "password", "nested.secret_access_key", "nested.list.3.api_key", "passwords.0", "passwords.1",
        "secureJsonData.a", "secureJsonData.b.c", "env.0.value",
    }  # fmt: skip
    assert set(changed.values()) == {"***"}


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_json_inside_json_is_read_to_any_depth(depth: int, redact: Redact) -> None:
    inner: object = {"user": "root", "password": 'se"cr\\et', "port": 4000}
    for _ in range(depth):
        inner = {"inner": json.dumps(inner)}
    out = json.loads(redact(json.dumps(inner).encode(), Content.JSON))
    for _ in range(depth):
        out = json.loads(out["inner"])
    assert out == {"user": "root", "password": "***", "port": 4000}


def test_an_object_under_a_password_is_looked_into_and_not_masked(redact: Redact) -> None:
    raw = b'{"password":{"valueFrom":{"secretKeyRef":{"name":"db","key":"pw"}}}}'
    assert redact(raw, Content.JSON) == raw


def test_ini_parses_with_only_its_secrets_changed(redact: Redact) -> None:
    def parsed(text: str) -> dict[str, dict[str, str]]:
        parser = configparser.ConfigParser()
        parser.read_string(text)
        return {name: dict(parser[name]) for name in parser.sections()}

    out = redact(INI.encode(), Content.INI).decode()
    assert _changed(parsed(INI), parsed(out)) == {
        "client.password": "*** # no comment", "mysqld.admin_password": '"***"',
    }  # fmt: skip
    assert "; password = ***\n" in out


def test_unit_files_go_on_over_lines(redact: Redact) -> None:
    raw = b'[Service]\nEnvironment="A=1" \\\n  "DB_PASSWORD=x 1" \\\n  "B=2"\n'
    raw += b"ExecStart=/x --password=y1 \\\n  --port=1\n"
    out = raw.replace(b"x 1", b"***").replace(b"=y1", b"=***")
    assert redact(raw, Content.INI) == out


def test_quotes_in_environment_files_may_go_over_lines(redact: Redact) -> None:
    raw = b'A=1\nPRIVATE_SECRET="first\nsecond"\nB=2\n'
    assert redact(raw, Content.ENV) == b'A=1\nPRIVATE_SECRET="***"\nB=2\n'


def test_a_table_keeps_its_rows_and_columns(redact: Redact) -> None:
    rows = [
        ["Host", "User", "authentication_string", "plugin", "Password_expired"],
        ["%", "root", "*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B", "mysql_native_password", "N"],
        ["h", 'a,"b"\nc', 'x,"y"\nz', "caching_sha2_password", "N"],
        ["h", "none", "", "", "Y"],
    ]
    for dialect in ("excel", "excel-tab", "unix"):
        written = io.StringIO()
        csv.writer(written, dialect).writerows(rows)
        out = redact(written.getvalue().encode(), Content.CSV).decode()
        after = list(csv.reader(io.StringIO(out, newline=""), dialect))
        assert after == [
            [cell if index != 2 or row is rows[0] or not cell else "***" for index, cell in enumerate(row)]
            for row in rows
        ]


def test_a_record_of_a_secret_table_that_is_too_long_is_withheld(redactor: Redactor) -> None:
    stream = redactor.stream(Content.CSV)
    record = b'%,root,"' + b"x" * (2 << 20) + b'"'
    out = stream.feed(b"Host,User,Password\n" + record + b"\nh,u,secret1\n") + stream.finish()
    assert (
        out
        == b"Host,User,Password\n[clinic: %d bytes withheld, a record that is too long]\nh,u,***\n"
        % len(record)
    )
    assert stream.counts["failed_closed"] == 1


def test_a_table_that_is_cut_by_a_gap_loses_the_cut_record(redactor: Redactor) -> None:
    stream = redactor.stream(Content.CSV)
    out = stream.feed(b"Host,User,Password\nh,u,sec") + stream.gap(5)
    out += stream.feed(b"ret\nh,v,secret2\n") + stream.finish()
    assert b"sec" not in out.replace(b"secret2", b"")
    assert out.endswith(b"\nh,v,***\n")


def test_headings_are_not_masked_and_a_table_without_them_is_read(redact: Redact) -> None:
    assert redact(b"User,Password\nroot,x1\n", Content.CSV) == b"User,Password\nroot,***\n"
    assert redact(b"bind_root_pwd,x1\nport,1\n", Content.CSV) == b"bind_root_pwd,***\nport,1\n"
    assert (
        redact(b"TABLE,COLUMN\nt,password\nu,token\n", Content.CSV) == b"TABLE,COLUMN\nt,password\nu,token\n"
    )


def test_plain_content_is_the_same_for_every_format() -> None:
    redactor = Redactor(SecretRegister())
    data = "ünïcode, 127.0.0.1:4000 and \0 and \x1b[0m\r\n".encode() * 40
    for content in set(Content) - {Content.FRAMES}:
        stream = redactor.stream(content)
        assert stream.feed(data) + stream.finish() == data, content
