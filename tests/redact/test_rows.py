"""Values under a secret's column in an INSERT statement, however long and however the input is cut."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clinic.kinds import Content
from clinic.redact import Redactor
from clinic.redact.dialects import DIALECTS
from clinic.redact.rule import Program
from clinic.redact.scanner import Scanner, Tally
from clinic.redact.shipped_rules import SHIPPED
from clinic.secret import SecretRegister

Redact = Callable[..., bytes]

LONG = 100_000
ROWS = [f"({n},'u{n}','Zq,''(){'Q' * (3, 300, 9000)[n % 3]}','n;ote (x)')" for n in range(60)]
INSERT = (
    "INSERT INTO `u` (`id`,`name`,`password`,`n`) VALUES " + ",\n".join(ROWS) + ";\npassword=ab x\n"
).encode()
MASKED = b"INSERT INTO `u` (`id`,`name`,`password`,`n`) VALUES " + b",\n".join(
    b"(%d,'u%d','***','n;ote (x)')" % (n, n) for n in range(60)
) + b";\npassword=*** x\n"  # fmt: skip


@pytest.mark.parametrize("size", [77, 300, 5000, 1 << 20])
def test_every_row_is_masked_and_no_cut_changes_what_comes_out(size: int) -> None:

    scanner = Scanner(Program(SHIPPED), DIALECTS[Content.SQL], Tally())
    out = b"".join(scanner.feed(INSERT[at : at + size]) for at in range(0, len(INSERT), size))
    assert out + scanner.finish() == MASKED


def test_rows_after_a_very_long_value_are_masked(redact: Redact) -> None:
    value = "Zq1" * LONG
    for ahead in ("'x'", f"'{value}'"):
        raw = f"INSERT INTO u (a,password) VALUES ({ahead},'{value}'),('y','Zq2');\n".encode()
        out = redact(raw, Content.SQL)
        assert b"Zq" not in out
        assert out.endswith(b",'***'),('y','***');\n")


def test_a_statement_that_a_log_cuts_ends_with_its_line(redact: Redact) -> None:
    entry = b"[2026/11/24 10:41:07.096 +08:00] [INFO] [x.go:1] [a='b']\n"
    raw = b"insert into u (password) values ('Zq1cut (len:500)\n" + entry
    assert redact(raw, Content.LOG) == b"insert into u (password) values ('***\n" + entry


def test_values_of_other_columns_are_not_learned() -> None:
    """A user's name beside a password is evidence elsewhere."""
    register = SecretRegister()
    stream = Redactor(register).stream(Content.SQL, learn=True)
    out = stream.feed(b"insert into u (name, password) values ('roberta', 'Zq12345');\n") + stream.finish()
    assert b"'roberta', '***'" in out
    assert register.version == 0


@pytest.mark.parametrize(
    "rest",
    [
        "\npassword=hunter2 x\n",
        "\nAuthorization: Bearer hunter2\n",
        "1, mysql -uroot -phunter2 x\n",
        '\ntoken="hunter2"\n',
    ],
)
def test_what_follows_a_statement_that_was_cut_is_read_as_usual(rest: str, redact: Redact) -> None:
    assert b"hunter2" not in redact(f"INSERT INTO u (a, password) VALUES ({rest}".encode())
