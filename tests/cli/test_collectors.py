"""`clinic collectors` from the outside: what can be collected, and what each item reads, before anything runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinic import registry
from clinic.cli.main import run

Collectors = Callable[..., tuple[int, str, str]]


@pytest.fixture
def collectors(capfd: pytest.CaptureFixture[str]) -> Collectors:
    """Run `clinic collectors` in this process: exit code, output, errors."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        code = run(["collectors", *map(str, words)])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def test_every_built_in_collector_is_listed_with_its_items(collectors: Collectors) -> None:
    code, out, err = collectors()
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line for line in out.splitlines() if line}
    for found in registry.builtin():
        assert found.collector.summary in rows[found.collector.name]


@pytest.mark.parametrize("name", ["storage", "storage.df", "storage.d?"])
def test_an_item_says_what_it_runs_where_it_goes_and_how_it_is_treated(
    collectors: Collectors, name: str
) -> None:
    code, out, _ = collectors(name)
    assert code == 0
    described = out.partition("storage.df\n")[2].partition("\n\n")[0]
    assert "reads       df -P" in described
    assert "/storage/df.txt" in described
    for trait in (
        "sensitivity internal",
        "volatility  seconds",
        "collected   by default",
        "needs       no privilege",
        "cap ",
    ):
        assert trait in described


def test_a_category_is_a_name_too(collectors: Collectors) -> None:
    _, out, _ = collectors("system")
    assert "storage.df\n" in out
    assert "system.os\n" in out


def test_a_name_that_nothing_has_is_a_usage_error(collectors: Collectors) -> None:
    code, out, err = collectors("nosuch")
    assert (code, out) == (2, "")
    assert "'nosuch'" in err


def test_a_third_partys_file_can_be_looked_at_before_it_is_run(
    collectors: Collectors, declared: Callable[..., Path], tmp_path: Path
) -> None:
    touched = tmp_path / "touched"
    path = declared(
        [{"path": "mine.txt", "command": ["touch", str(touched)], "sensitivity": "user-data"}], name="mine"
    )
    code, out, _ = collectors("mine", "--collector", path)
    assert code == 0
    assert f"reads       touch {touched}" in out
    assert "third party" in out
    assert "sensitivity user-data" in out
    assert not touched.exists()
    assert "mine" in collectors("--collector", path)[1]


def test_a_third_partys_collector_that_is_only_installed_is_named_and_not_loaded(
    collectors: Collectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "foreign_names", lambda: [("acme", "acme-collectors")])
    _, out, _ = collectors()
    assert "acme: installed by acme-collectors; run only when named with --collector acme" in out
    assert json.loads(collectors("--json")[1])["not_loaded"] == [
        {"name": "acme", "distribution": "acme-collectors"}
    ]


def test_json_has_each_item_with_its_traits(collectors: Collectors) -> None:
    code, out, _ = collectors("storage.df", "--json")
    found: Any = json.loads(out)
    assert code == 0
    (item,) = [item for collector in found["collectors"] for item in collector["items"]]
    assert item.keys() == {
        "id", "path", "folder", "host", "instance", "what", "sensitivity", "content", "volatility", "stage",
        "privilege", "default", "required", "cap",
    }  # fmt: skip
    assert (item["id"], item["default"], item["volatility"]) == ("storage.df", True, "seconds")
