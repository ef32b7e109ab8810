"""Which cluster a command is about: listed, chosen, asked for, and never the wrong one in silence."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clinic.bundle.reader import Bundle
from clinic.cli import clusters as module
from clinic.cli.clusters import choose
from clinic.cli.main import run
from clinic.cluster.discover import Where
from clinic.errors import Retryable, UsageError
from clinic.outcome import Reason
from clinic.plan import Selection
from clinic.run.prepare import Steering, prepare
from clinic.window import resolve

Clinic = Callable[..., Any]

META = "user: tidb\ntidb_version: v8.5.3\ntopology:\n  pd_servers: [{host: 127.77.0.1}]\n"
DM = "user: dm\ndm_version: v8.5.0\ntopology:\n  master_servers: [{host: 127.77.0.2}]\n"
SIGNS = tuple(f"tikv runs here as process {number}" for number in range(1, 6))

Deploy = Callable[..., Path]
Listed = Callable[..., tuple[int, str]]


@pytest.fixture
def deploy(home: Path) -> Deploy:
    """Writes a cluster's meta.yaml into the home of the person at the keyboard."""

    def one(name: str, text: str = META, *, sort: str = "cluster") -> Path:
        folder = home / ".tiup" / "storage" / sort / "clusters" / name
        folder.mkdir(parents=True)
        (folder / "meta.yaml").write_text(text)
        return folder / "meta.yaml"

    return one


@pytest.fixture(autouse=True)
def nobody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable names a cluster."""
    monkeypatch.delenv("CLINIC_CLUSTER")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Somebody sits at a terminal and types these lines."""

    def types(lines: str) -> None:
        answers = iter(lines.splitlines())
        monkeypatch.setattr(module, "_somebody", lambda: True)

        def typed(prompt: str) -> str:
            del prompt
            return next(answers)

        monkeypatch.setattr("click.termui.visible_prompt_func", typed)

    return types


@pytest.fixture
def in_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a cluster run on this machine."""
    monkeypatch.setattr(module, "signs", lambda: SIGNS)
    monkeypatch.setattr(module, "pd_in_sight", lambda: ("10.0.0.1:2379", "10.0.0.2:2379"))


@pytest.fixture
def nothing_in_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them does."""
    monkeypatch.setattr(module, "signs", tuple)


@pytest.fixture
def listed(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs `clinic clusters` in this process; its exit code and what it printed."""

    def run_it(*words: str | Path) -> tuple[int, str]:
        code = run(["clusters", *map(str, words)])
        return code, capsys.readouterr().out

    return run_it


def chosen(**said: Any) -> Where:
    return choose(replace(Where(""), **said))


def test_clusters_are_listed_with_what_they_are_made_of(listed: Listed, deploy: Deploy) -> None:
    file = deploy("prod")
    deploy("replication", DM, sort="dm")
    code, out = listed()
    assert code == 0
    assert "prod" in out
    assert "v8.5.3" in out
    assert "pd 1, node_exporter 1, blackbox_exporter 1" in out
    assert str(file) in out
    assert "dm-master 1" in out
    found = json.loads(listed("--json")[1])
    assert [(one["name"], one["id"], one["version"]) for one in found] == [
        ("prod", "cluster/prod", "v8.5.3"), ("replication", "dm/replication", "v8.5.0"),
    ]  # fmt: skip
    assert found[0]["hosts"] == ["127.77.0.1"]
    assert found[0]["components"] == {"pd": 1, "node_exporter": 1, "blackbox_exporter": 1}


def test_one_that_can_not_be_read_is_listed_with_the_reason(listed: Listed, deploy: Deploy) -> None:
    deploy("broken", "topology: [")
    deploy("open").chmod(0o666)
    code, out = listed()
    assert code == 0
    assert "is not valid YAML" in out
    assert "others can write" in out
    assert [bool(one["fault"]) for one in json.loads(listed("--json")[1])] == [True, True]


def test_names_that_are_taken_twice_are_listed_as_they_have_to_be_typed(
    listed: Listed, deploy: Deploy
) -> None:
    deploy("prod")
    deploy("prod", DM, sort="dm")
    deploy("local")
    _, out = listed()
    assert {line.split()[0] for line in out.splitlines()[1:]} == {"cluster/prod", "dm/prod", "cluster/local"}


def test_another_home_is_looked_at_when_it_is_named(
    listed: Listed, deploy: Deploy, home: Path, tmp_path: Path
) -> None:
    deploy("prod")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert [one["name"] for one in json.loads(listed("--json", "--home", home)[1])] == ["prod"]
    assert json.loads(listed("--json", "--home", empty)[1]) == []
    assert listed("--home", tmp_path / "absent")[0] == 2


@pytest.mark.usefixtures("nothing_in_sight")
def test_with_none_it_says_where_it_looked(listed: Listed, home: Path) -> None:
    assert listed() == (0, f"TiUP manages no cluster here: there is none in {home}/.tiup.\n")


@pytest.mark.usefixtures("in_sight")
def test_with_none_and_one_in_sight_it_says_how_to_collect_from_it(listed: Listed) -> None:
    _, out = listed()
    assert "tikv runs here as process 1" in out
    assert "clinic collect --pd 10.0.0.1:2379 --pd 10.0.0.2:2379" in out


def test_the_only_cluster_is_meant_where_none_is_named(deploy: Deploy, home: Path) -> None:
    deploy("prod")
    assert chosen() == Where("cluster/prod", str(home / ".tiup"))


def test_several_are_an_error_that_names_them_where_nobody_can_be_asked(deploy: Deploy) -> None:
    deploy("prod")
    deploy("test")
    deploy("test", DM, sort="dm")
    with pytest.raises(UsageError) as caught:
        chosen()
    assert caught.value.message == "TiUP manages 3 clusters here: prod, cluster/test, dm/test"
    assert caught.value.hint == "say which: clinic collect prod; this machine alone: clinic collect local"


def test_several_are_a_choice_at_a_terminal(
    deploy: Deploy, terminal: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    deploy("prod")
    deploy("test")
    terminal("9\n2\n")
    assert chosen().cluster == "cluster/test"
    shown = capsys.readouterr().err
    assert "1  prod" in shown
    assert "3  local (this machine alone)" in shown
    terminal("3")
    assert chosen() == Where("local")


def test_a_named_cluster_is_meant_and_a_variable_names_it_for_jobs(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy("prod")
    deploy("test")
    assert chosen(cluster="test").cluster == "cluster/test"
    with pytest.raises(UsageError, match="no cluster is called 'nosuch'"):
        chosen(cluster="nosuch")
    monkeypatch.setenv("CLINIC_CLUSTER", "test")
    assert chosen().cluster == "cluster/test"
    assert chosen(cluster="prod").cluster == "cluster/prod"
    assert chosen(pd=("a:1",)) == Where("", pd=("a:1",))


def test_local_is_this_machine_whatever_tiup_manages(deploy: Deploy) -> None:
    deploy("local")
    assert chosen(cluster="local") == Where("local")
    assert chosen(cluster="cluster/local").cluster == "cluster/local"
    # The only one there is: never this machine in silence, nor the other way round.
    assert chosen().cluster == "cluster/local"


@pytest.mark.usefixtures("nothing_in_sight")
def test_this_machine_is_the_default_where_there_is_no_cluster() -> None:
    assert chosen() == Where("local")


@pytest.mark.usefixtures("in_sight")
def test_a_cluster_in_sight_is_an_error_with_the_command_where_nobody_can_be_asked(home: Path) -> None:
    with pytest.raises(UsageError) as caught:
        chosen()
    message, hint = caught.value.message, caught.value.hint
    assert message.startswith(
        f"a TiDB cluster is in sight, and TiUP manages none in {home}/.tiup: tikv runs here as "
    )
    assert message.endswith("process 3; and 2 more signs")
    assert "clinic collect --pd 10.0.0.1:2379 --pd 10.0.0.2:2379" in hint
    assert hint.endswith("this machine alone: clinic collect local")
    assert chosen(cluster="local") == Where("local")


@pytest.mark.usefixtures("in_sight")
@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_cluster_in_sight_is_asked_about_at_a_terminal(
    terminal: Callable[[str], None], capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    terminal(f"\n{answer}\n")
    if answer == "y":
        assert chosen() == Where("local")
    else:
        with pytest.raises(UsageError, match="nothing was collected") as caught:
            chosen()
        assert "clinic collect --pd 10.0.0.1:2379" in caught.value.hint
    assert "tikv runs here as process 1" in capsys.readouterr().err


def test_a_named_home_without_clusters_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="TiUP manages no cluster in"):
        chosen(home=str(tmp_path))


@pytest.mark.parametrize(
    "said",
    [
        {"cluster": "prod", "pd": ("a:1",)},
        {"home": "/x", "tidb": ("a:1",)},
        {"topology": "x.yaml", "pd": ("a:1",)},
        {"cluster": "local", "ca": "/x"},
        {"cluster": "local", "home": "/x"},
    ],
)
def test_two_ways_to_say_it_are_one_too_many(said: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        chosen(**said)


def only(collector: Path, *words: str) -> list[str]:
    return [
        "collect",
        "-y",
        "--collector",
        str(collector),
        "--include",
        collector.stem,
        "-o",
        "bundle",
        *words,
    ]


@pytest.fixture
def collector(declared: Callable[..., Path]) -> Path:
    """What asks every host for one thing."""
    return declared([{"path": "ok.txt", "command": ["echo", "fine"]}])


def test_a_bundle_is_of_the_cluster_and_says_what_could_not_be_learned(
    clinic: Clinic, deploy: Deploy, collector: Path, tmp_path: Path
) -> None:
    deploy("prod")
    ended = clinic(*only(collector))
    assert ended.code == 0, ended.err
    made = Bundle.open(tmp_path / "bundle").manifest.run
    assert (made.cluster.name, made.cluster.deployed, made.cluster.version) == ("prod", "tiup", "v8.5.3")
    assert made.cluster.machines == ("127.77.0.1",)
    assert any("PD could not be asked" in text for text in made.cluster.unknown)
    assert made.options["cluster"] == "cluster/prod"
    assert "Cluster prod (tiup, v8.5.3), 1 host" in ended.err
    assert "beware: PD could not be asked" in ended.err
    assert "beware" not in ended.out


def test_a_resumed_run_finds_the_same_cluster(
    clinic: Clinic, deploy: Deploy, declared: Callable[..., Path], tmp_path: Path
) -> None:
    deploy("prod")
    flag = tmp_path / "flag"
    collector = declared([{"path": "x.txt", "command": ["cat", str(flag)]}])
    assert clinic(*only(collector)).code != 0
    flag.write_text("now")
    deploy("test")
    ended = clinic("collect", "--resume", "bundle", "--collector", collector)
    assert ended.code == 0, ended.err
    assert Bundle.open(tmp_path / "bundle").manifest.run.cluster.name == "prod"
    assert clinic("collect", "prod", "--resume", "bundle").code == 2


def test_another_machines_items_end_with_the_way_to_have_them() -> None:
    steering = Steering(Selection(), where=Where("", hosts=("somebody@127.0.0.1:1",)))
    ready = prepare(steering, resolve(None, None), offline=True)
    with pytest.raises(Retryable, match=r"^127\.0\.0\.1 can't be reached over SSH") as caught:
        ready.common.host("127.0.0.1")
    assert caught.value.reason is Reason.UNREACHABLE
    assert "ssh -p 1 somebody@127.0.0.1 true" in caught.value.fix
    assert "clinic collect local" in caught.value.fix
    ready.common.close()


def test_the_dry_run_of_a_described_cluster_offline_contacts_nothing(clinic: Clinic, tmp_path: Path) -> None:
    described = tmp_path / "orders.yaml"
    described.write_text("name: orders\ninstances: [{component: pd, host: 192.0.2.77}]")
    ended = clinic("collect", "--dry-run", "--offline", "--json", "--topology", described)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["cluster"] == "orders"


def test_at_a_real_terminal_the_choice_is_asked_for(deploy: Deploy, tmp_path: Path) -> None:
    deploy("prod")
    deploy("test")
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "clinic", "collect", "--dry-run", "--offline"]
    process = subprocess.Popen(argv, cwd=tmp_path, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    os.write(ours, b"2\n")
    out, _ = process.communicate(timeout=30)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "1  prod" in shown
    assert out.startswith(b"Cluster test (tiup, v8.5.3)")
