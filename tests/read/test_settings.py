"""Settings are flat names whatever they were written in, and two ways to write a value are one value."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.read import settings


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("16GB", "16GiB"), ("0", "0B"), ("1000M", "1000MB"), ("1KiB", "1024"), ("60s", "1m0s"), ("1h0m0s", "60m"),
        ("1d", "24h"), ("1500ms", "1.5s"), ("0.8", "0.80"), ("ON", "true"), ("off", "FALSE"),
        ("zone,host", '["zone", "host"]'), (" 3 ", "3"), ('"info"', "info"), ("1e3", "1000"),
    ],
)  # fmt: skip
def test_the_same_value_written_otherwise_is_the_same(one: str, other: str) -> None:
    assert settings.same(one, other)
    assert settings.same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("16GB", "16"), ("1m", "1M"), ("60", "60s"), ("info", "INFO"), ("", "0"), ("8.5.3", "8.5.30")],
)
def test_other_values_are_others(one: str, other: str) -> None:
    assert not settings.same(one, other)


def test_a_number_that_would_fill_the_memory_stays_text() -> None:
    assert settings.canonical("1e999999999") == "1E+999999999"
    assert settings.canonical("9" * 5000) == "9" * 5000


@given(st.text(max_size=40))
def test_every_text_has_one_form(text: str) -> None:
    once = settings.canonical(text)
    assert settings.same(text, text)
    assert isinstance(once, str)


def test_toml_and_json_have_the_same_names() -> None:
    toml = b'split-table = true\n[log.file]\nmax-size = 300\n[labels]\nzone = "az-1"\n[[rules]]\nname = "a"\n'
    document = {
        "split-table": True,
        "log": {"file": {"max-size": 300}},
        "labels": {"zone": "az-1"},
        "rules": [{"name": "a"}],
    }
    assert settings.from_toml(toml) == settings.from_json(json.dumps(document).encode())
    assert settings.from_toml(toml)["log.file.max-size"] == "300"


def test_a_list_is_one_value_and_null_is_empty() -> None:
    assert settings.from_json(b'{"a": ["x", 1], "b": null, "c": {}}') == {"a": "x,1", "b": ""}


@pytest.mark.parametrize("data", [b"", b"[1]", b"{", b"null", b"\xff"])
def test_what_is_no_settings_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # the parser's own words, whatever they are
        settings.from_json(data)


def test_option_files_say_what_the_server_says() -> None:
    data = (
        b"[client]\nport=1\n[mysqld]\nmax-connections = 500 \nskip-name-resolve\n"
        b"!includedir /etc/mysql/conf.d/\n[mariadb-10.11]\nlog_bin='x'\n"
    )
    assert settings.from_options(data) == {
        "max_connections": "500",
        "skip_name_resolve": "ON",
        "log_bin": "x",
    }


def test_variables_are_read_with_and_without_quotes() -> None:
    data = b'Variable_name,Value\nsql_mode,"STRICT_TRANS_TABLES,NO_ZERO_DATE"\nversion,8.0.11-TiDB-v8.5.3\n'
    assert settings.from_variables(data) == {
        "sql_mode": "STRICT_TRANS_TABLES,NO_ZERO_DATE", "version": "8.0.11-TiDB-v8.5.3"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("server.addr", "x"), ("log.file.filename", "x"), ("data-dir", "x"), ("security.ca-path", ""), ("port", "4000"),
        ("raft.pd_addr", "10.0.1.1:2379,10.0.1.2:2379"), ("anything", "/tidb-deploy/x"), ("x", "http://a:1"),
        ("server.labels.zone", "az-1"), ("server_id", "3"), ("hostname", "db1"),
    ],
)  # fmt: skip
def test_addresses_paths_and_names_are_places(name: str, value: str) -> None:
    assert settings.is_place(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("log.level", "info"), ("storage.block-cache.capacity", "16GB"), ("performance.max-procs", "0"),
        ("schedule.patrol-region-interval", "10ms"), ("new_collations_enabled_on_first_bootstrap", "true"), ("x", ""),
        ("time_zone", "SYSTEM"),
    ],
)  # fmt: skip
def test_settings_are_no_places(name: str, value: str) -> None:
    assert not settings.is_place(name, value)


def test_the_version_is_found_in_whatever_says_it() -> None:
    assert settings.versions(b'{"connections":0,"version":"8.0.11-TiDB-v8.5.3","git_hash":"ada8"}') == {
        "version": "v8.5.3", "commit": "ada8"
    }  # fmt: skip
    assert settings.versions(b'{"status":"success","data":{"version":"2.49.1","revision":"43e1"}}') == {
        "version": "v2.49.1", "commit": "43e1"
    }  # fmt: skip
    assert settings.versions(b"Release Version:   v8.5.3\nEdition: Community\nGit Commit Hash:   ada8\n") == {
        "version": "v8.5.3", "commit": "ada8"
    }  # fmt: skip
    assert settings.versions(b"garbage") == {}


def test_masked_values_can_not_be_compared() -> None:
    assert settings.is_masked("mysql://u:***@h/", "x")
    assert not settings.is_masked("x", None)
