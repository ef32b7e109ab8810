"""Secrets that are known by value are masked wherever they occur, in every encoding."""

from __future__ import annotations

import base64
import html
import json
import shlex
from urllib.parse import quote, quote_plus

import pytest

from clinic.kinds import Content
from clinic.redact import Redactor, rewrite_learned
from clinic.redact.learned import Matcher, encodings
from clinic.secret import SecretRegister

SECRET = "S3cr3t@p/w \"x'&<é+\\z"


def _door(*secrets: str | bytes) -> Redactor:
    register = SecretRegister()
    for secret in secrets:
        assert register.learn(secret)
    return Redactor(register)


def _through(redactor: Redactor, data: bytes, content: Content = Content.TEXT, learn: bool = False) -> bytes:
    stream = redactor.stream(content, learn=learn)
    return stream.feed(data) + stream.finish()


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower().replace("s3cr3t", "S3cr3t"),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(SECRET))[3:-3],
        json.dumps(SECRET, ensure_ascii=False)[1:-1].replace("&", "\\u0026").replace("<", "\\u003c"),
        html.escape(SECRET),
        SECRET.replace("'", "''"),
        SECRET.replace("'", "\\'"),
    ],
)
def test_a_learned_secret_is_masked_in_every_encoding(form: str) -> None:
    assert _through(_door(SECRET), f"see {form} there".encode()) == b"see *** there"


def test_what_a_shell_quotes_is_found_too() -> None:
    assert _through(_door("p@ss wörd'1"), shlex.quote("p@ss wörd'1").encode()) == b"'***'"


def _readable(out: bytes) -> bytes:
    """All that can still be decoded from pieces of base64, whatever place they begin at."""
    pieces = (piece for piece in out.replace(b"-", b"+").replace(b"_", b"/").split(b"***"))
    shifted = (b"A" * ahead + piece for piece in pieces for ahead in range(4))
    return b"|".join(base64.b64decode(one[: len(one) // 4 * 4]) for one in shifted)


@pytest.mark.parametrize("before", ["", "r", "ro", "root:", "user="])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_learned_secret_is_found_in_base64_wherever_it_begins(before: str, encode: type) -> None:
    secret = "hunter2>?~"
    packed = bytes(encode(f"{before}{secret};and more".encode()))
    out = _through(_door(secret), b"Zm9v " + packed + b" YmFy")
    assert out.startswith(b"Zm9v ")
    assert out.endswith(b" YmFy")
    assert b"unter2" in _readable(packed)
    assert b"unt" not in _readable(out.split()[1])
    assert b"er2" not in _readable(out.split()[1])


def test_the_longest_of_several_wins_and_a_part_is_never_left() -> None:
    assert _through(_door("hunter2", "hunter2-extra"), b"a hunter2-extra b hunter2 c") == b"a *** b *** c"


def test_a_short_word_counts_only_where_it_stands_alone() -> None:
    assert _through(_door("orange"), b"orange, oranges, -orange- storange") == b"***, oranges, -***- storange"
    assert _through(_door("202611"), b"20261124 202611 1202611") == b"20261124 *** 1202611"
    assert _through(_door("hunter2"), b"roothunter2x") == b"root***x"


def test_secrets_are_found_across_any_cut() -> None:
    redactor = _door("S3cr3t@pw", "x" * 500 + "end")
    data = b"a S3cr3t@pw b " + b"x" * 500 + b"end c"
    for size in (1, 2, 3, 7, 100):
        stream = rewrite_learned(redactor.register, 0)
        out = (
            b"".join(stream.feed(data[at : at + size]) for at in range(0, len(data), size)) + stream.finish()
        )
        assert out == b"a *** b *** c"


def test_bytes_that_are_no_text_are_learned_and_masked() -> None:
    assert _through(_door(b"\xff\xfe\x80key"), b"\x00\xff\xfe\x80key\xff") == b"\x00***\xff"


@pytest.mark.parametrize(
    ("content", "before", "after"),
    [
        (Content.YAML, "a: S3cr3t@pw\nb: x", 'a: "***"\nb: x'),
        (Content.YAML, "a: [S3cr3t@pw, b]", 'a: ["***", b]'),
        (Content.YAML, 'a: "x S3cr3t@pw"', 'a: "x ***"'),
        (Content.JSON, '{"a":12345678,"b":"S3cr3t@pw"}', '{"a":0,"b":"***"}'),
        (Content.JSON, '["x 12345678, y"]', '["x 0, y"]'),
        (Content.TOML, "a = 12345678\n", "a = 0\n"),
        (Content.OPAQUE, "\0S3cr3t@pw\0", "\0*********\0"),
    ],
)
def test_content_still_parses_where_a_learned_secret_stood(content: Content, before: str, after: str) -> None:
    assert _through(_door("S3cr3t@pw", "12345678"), before.encode(), content).decode() == after


def test_what_is_learned_while_a_stream_runs_is_masked_from_then_on() -> None:
    redactor = _door("first-one")
    stream = redactor.stream(Content.TEXT)
    stream.feed(b"second-one ")
    redactor.register.learn("second-one")
    assert stream.feed(b"first-one second-one") + stream.finish() == b"*** *** ***"


def test_a_learning_stream_teaches_what_its_keys_say() -> None:
    redactor = _door("something-else")
    config = b'[client]\nuser = "app"\npassword = "S3cr3t\\"pw"\nuri = "mysql://u:p%40ss-1@h"\n'
    _through(redactor, config, Content.TOML, learn=True)
    assert redactor.text('login S3cr3t"pw and p@ss-1 as app') == "login *** and *** as app"


def test_lists_and_blocks_teach_each_of_their_secrets() -> None:
    redactor = _door("something-else")
    _through(
        redactor,
        b'{"passwords":["first-one","sec\\"ond"],"credentials":{"a":"third-one"}}',
        Content.JSON,
        learn=True,
    )
    _through(
        redactor,
        b"passwords:\n  - fourth-one\n  - 'fifth-one'\nblock_secret: |\n  sixth-one\n",
        Content.YAML,
        learn=True,
    )
    text = 'first-one sec"ond third-one fourth-one fifth-one sixth-one'
    assert redactor.text(text) == "*** *** *** *** *** ***"
    assert redactor.text("credentials, a") == "credentials, a"


def test_a_stream_that_does_not_learn_teaches_nothing() -> None:
    redactor = _door("something-else")
    _through(redactor, b'password = "hunter2"\n', Content.TOML)
    assert redactor.register.version == 1


def test_what_a_file_teaches_is_masked_all_over_that_file() -> None:
    config = b'# the password is hunter2-x\npassword = "hunter2-x"\n'
    assert _through(_door("other-one"), config, Content.TOML, learn=True).count(b"hunter2-x") == 0


def test_environments_and_tables_teach_too() -> None:
    redactor = _door("something-else")
    _through(redactor, b"A=b\0DB_PASSWORD=from-env\0", Content.ENV, learn=True)
    _through(redactor, b"Variable_name,Value\nbind_pwd,from-table\n", Content.CSV, learn=True)
    _through(redactor, b"mysql\0-ufrom\0-pfrom-argv\0", Content.ARGV, learn=True)
    assert redactor.text("from-env from-table from-argv") == "*** *** ***"


def test_common_words_are_masked_at_their_key_and_stay_elsewhere() -> None:
    redactor = _door("something-else")
    out = _through(redactor, b"grafana:\n  password: admin\n", Content.YAML, learn=True)
    assert out == b'grafana:\n  password: "***"\n'
    assert redactor.text("ADMIN CHECK TABLE t; admin") == "ADMIN CHECK TABLE t; admin"


def test_a_rewrite_masks_only_what_came_later() -> None:
    register = SecretRegister()
    register.learn("known-before")
    version = register.version
    register.learn("came-later")
    stream = rewrite_learned(register, version, Content.LOG)
    out = stream.feed(b"known-before came-later password=kept") + stream.finish()
    assert out == b"known-before *** password=kept"
    assert dict(stream.counts) == {"learned": 1}


def test_the_half_of_a_secret_before_a_gap_is_masked() -> None:
    stream = _door("my very secret phrase").stream(Content.LOG)
    assert (
        stream.feed(b"it is my very sec") + stream.gap(10)
        == b"it is [clinic: 3 bytes withheld, cut by a gap]"
    )


def test_nothing_is_found_without_secrets() -> None:
    assert Matcher(()).search(b"anything", 0, 8) is None
    assert Matcher(()).cut_at_end(b"anything") == 0


def test_no_form_is_so_short_that_it_would_hit_words() -> None:
    for secret in ("abcd", "p@ss", "1a2b3c"):
        assert min(len(form) for form in encodings(secret.encode())) >= 4


@pytest.mark.parametrize("shown", [" ", "?", "\\n", "\\012", "#012", "^J"])
def test_a_secret_with_a_line_end_is_found_in_a_table_of_processes(shown: str) -> None:
    register = SecretRegister()
    register.learn("ZqA one\nZqB two")
    assert Redactor(register).text(f"1 ? x ZqA one{shown}ZqB two y") == "1 ? x *** y"
