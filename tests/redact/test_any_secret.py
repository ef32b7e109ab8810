"""Any secret, written by the usual writers of each format, is masked whole, and the rest stays."""

from __future__ import annotations

import csv
import io
import json
import sys
from urllib.parse import quote

import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from clinic.kinds import Content
from clinic.redact import Redactor
from clinic.redact.keys import Kind, Where, is_secret
from clinic.secret import SecretRegister

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REDACTOR = Redactor(SecretRegister())

secrets = st.text(
    st.characters(min_codepoint=0x20, exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=2, max_size=30
)
secrets |= st.lists(
    st.sampled_from(list("ab1 \"'\\{}[]()<>,;:=@/#?&%$*|`~!-_.\t")), min_size=2, max_size=16
).map("".join)
secrets = secrets.filter(lambda secret: is_secret(Kind.PASSWORD, secret.encode(), Where.STRUCTURE))
any_secret = settings(deadline=None, max_examples=25)


def _out(text: str, content: Content) -> str:
    stream = REDACTOR.stream(content)
    return (stream.feed(text.encode()) + stream.finish()).decode()


@any_secret
@given(secret=secrets, ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
def test_in_json(secret: str, ascii_only: bool, indent: int | None) -> None:
    raw = json.dumps({"user": "root", "password": secret, "port": 1}, ensure_ascii=ascii_only, indent=indent)
    assert json.loads(_out(raw, Content.JSON)) == {"user": "root", "password": "***", "port": 1}


@any_secret
@given(secret=secrets)
def test_in_json_inside_json(secret: str) -> None:
    inner = json.dumps({"user": "root", "password": secret, "port": 1})
    out = json.loads(_out(json.dumps({"config": inner}), Content.JSON))
    assert json.loads(out["config"]) == {"user": "root", "password": "***", "port": 1}


@any_secret
@given(secret=secrets)
def test_in_a_field_of_a_log(secret: str) -> None:
    inner = json.dumps({"password": secret, "port": 1}, ensure_ascii=False)
    head = '[2026/11/24 10:41:07.513 +08:00] [INFO] [x.go:1] ["load"] [config='
    assert _out(f"{head}{json.dumps(inner, ensure_ascii=False)}]\n", Content.LOG) == (
        head + json.dumps('{"password": "***", "port": 1}') + "]\n"
    )


@any_secret
@given(
    secret=secrets,
    style=st.sampled_from([None, '"', "'", "|", ">"]),
    flow=st.booleans(),
    width=st.integers(8, 90),
)
def test_in_yaml(secret: str, style: str | None, flow: bool, width: int) -> None:
    document = {"db": {"host": "h", "password": secret, "port": 1}, "end": True}
    raw = yaml.safe_dump(
        document, default_style=style, default_flow_style=flow, width=width, allow_unicode=True
    )
    after = yaml.safe_load(_out(raw, Content.YAML))
    assert after["db"].pop("password").strip() == "***"
    assert after == {"db": {"host": "h", "port": 1}, "end": True}


@any_secret
@given(secret=secrets)
def test_in_toml(secret: str) -> None:
    quoted = json.dumps(secret, ensure_ascii=False).replace("\x7f", "\\u007f")
    forms = [quoted, f"'{secret}'" if "'" not in secret and "\t" not in secret else quoted]
    for form in forms:
        raw = f'[db]\nhost = "h"\npassword = {form} # x\nport = 1\n'
        assert tomllib.loads(raw)["db"]["password"] == secret
        assert tomllib.loads(_out(raw, Content.TOML)) == {"db": {"host": "h", "password": "***", "port": 1}}


@any_secret
@given(secret=secrets, dialect=st.sampled_from(["excel", "excel-tab", "unix"]))
def test_in_a_table(secret: str, dialect: str) -> None:
    for rows in (
        [["Host", "User", "Password", "x"], ["%", "root", secret, "y"]],
        [["Variable_name", "Value"], ["a", "b"], ["bind_password", secret]],
    ):
        written = io.StringIO()
        csv.writer(written, dialect).writerows(rows)
        after = list(csv.reader(io.StringIO(_out(written.getvalue(), Content.CSV), newline=""), dialect))
        assert after == [*rows[:-1], [cell if cell is not secret else "***" for cell in rows[-1]]]


@any_secret
@given(secret=secrets)
def test_in_an_environment_and_in_arguments(secret: str) -> None:
    assume("\0" not in secret)
    assert _out(f"A=b\0DB_PASSWORD={secret}\0C=d\0", Content.ENV) == "A=b\0DB_PASSWORD=***\0C=d\0"
    assert REDACTOR.argv(["mysqld", f"--password={secret}", "-x"]) == ("mysqld", "--password=***", "-x")
    assert REDACTOR.argv(["mysql", "-uroot", f"-p{secret}", "db"]) == ("mysql", "-uroot", "-p***", "db")
    if not secret.startswith("-"):
        assert REDACTOR.argv(["mysqld", "--password", secret, "-x"]) == ("mysqld", "--password", "***", "-x")


@any_secret
@given(secret=secrets)
def test_in_an_address(secret: str) -> None:
    raw = f"dial mysql://root:{quote(secret, safe='')}@h:4000/db: refused"
    assert REDACTOR.text(raw) == "dial mysql://root:***@h:4000/db: refused"
    raw = f"open s3://b/p?x=1&sasl-password={quote(secret, safe='')}&y=2 failed"
    assert REDACTOR.text(raw) == "open s3://b/p?x=1&sasl-password=***&y=2 failed"


@any_secret
@given(secret=secrets)
def test_in_a_statement(secret: str) -> None:
    literal = secret.replace("\\", "\\\\").replace("'", "''")
    raw = f"create user u identified by '{literal}' require ssl;"
    assert _out(raw, Content.SQL) == "create user u identified by '***' require ssl;"


@any_secret
@given(secret=secrets)
def test_in_an_option_file(secret: str) -> None:
    secret = secret.strip()
    assume(not secret.startswith(("#", ";", '"', "'")) and " #" not in secret and " ;" not in secret)
    assume("\t#" not in secret and "\t;" not in secret and not secret.endswith("\\"))
    raw = f"[client]\nuser = root\npassword = {secret}\nhost = h\n"
    assert _out(raw, Content.INI) == "[client]\nuser = root\npassword = ***\nhost = h\n"
