"""The account for SQL servers: from options, environment, option file; never an argument, never in a bundle."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinic.bundle.reader import Bundle
from clinic.cli.login import PASSWORD, USER, Login
from clinic.errors import Refused, UsageError
from clinic.secret import SecretRegister

SECRET = "Zq8-sql-Phrase"


def given(login: Login) -> tuple[str, str]:
    """User and password that `login` comes to; empty without an account."""
    register = SecretRegister()
    access = login.given(register)
    if access.sql is None:
        return "", ""
    password = access.sql.password.reveal()
    assert not password or password in {one.value.reveal() for one in register.since(0)}, "it is learned"
    return access.sql.user, password


def option_file(home: Path) -> None:
    path = home / ".my.cnf"
    path.write_text(f"[client]\nuser = fromfile\npassword = {SECRET}\n")
    path.chmod(0o600)


def test_without_anything_there_is_no_account() -> None:
    assert given(Login()) == ("", "")


def test_the_option_file_of_the_users_home_is_read(home: Path) -> None:
    option_file(home)
    assert given(Login()) == ("fromfile", SECRET)


def test_the_environment_wins_over_the_file_and_an_option_over_both(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    option_file(home)
    monkeypatch.setenv(USER, "fromenv")
    monkeypatch.setenv(PASSWORD, "Zq8-env-Phrase")
    assert given(Login()) == ("fromenv", "Zq8-env-Phrase")
    path = tmp_path / "password"
    path.write_text("Zq8-named-Phrase\nnot this\n")
    path.chmod(0o600)
    assert given(Login("named", str(path))) == ("named", "Zq8-named-Phrase")


def test_the_files_password_is_not_tried_for_another_user(home: Path) -> None:
    option_file(home)
    assert given(Login("other")) == ("other", "")


def test_a_password_file_that_others_can_read_is_refused_and_an_absent_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(SECRET)
    path.chmod(0o644)
    with pytest.raises(Refused, match="others can read"):
        given(Login("x", str(path)))
    with pytest.raises(UsageError, match="can't read"):
        given(Login("x", str(tmp_path / "absent")))


@pytest.mark.lab
def test_variables_of_a_real_server_are_collected_and_the_password_is_nowhere(
    clinic: Callable[..., Any], lab: Any, tmp_path: Path
) -> None:
    server = lab.mariadb
    password = server.credentials["root_password"]
    path = tmp_path / "password"
    path.write_text(password)
    path.chmod(0o600)
    topology = tmp_path / "shop.yaml"
    topology.write_text(
        f"name: shop\ninstances:\n  - {{component: mariadb, host: {server.host}, port: {server.port}}}\n"
    )
    words = ["collect", "--topology", topology, "-y", "--include", "variables", "-o", "bundle"]
    without = clinic(*words, "--dry-run", "--json").json
    assert all(item["impossible"] == "not_permitted" for item in without["items"])
    ended = clinic(
        *words, "--user", "root", "--password-file", path, "--sql-ca", server.files["ca"], "--json"
    )
    assert ended.code in (0, 3), ended
    bundle = Bundle.open(tmp_path / "bundle")
    (file,) = [one for one in bundle.manifest.files() if one.name.endswith("global_variables.csv")]
    assert b"max_connections" in b"".join(bundle.member(file.path))
    for member in (tmp_path / "bundle").rglob("*"):
        assert not member.is_file() or password.encode() not in member.read_bytes()
    assert os.environ.get(PASSWORD) is None
