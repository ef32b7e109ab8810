"""The files of an instance are those it was told and those it uses by habit, where they exist."""

from __future__ import annotations

from pathlib import Path

from clinic.cluster.discovery.describe import Traits
from clinic.cluster.discovery.files import Files, files
from clinic.cluster.discovery.reach import Account

ROOT = Account(0, frozenset({0}))
OTHER = Account(54321, frozenset({54321}))


def looked(traits: Traits, *open_logs: str, deploy_dir: str = "", account: Account = ROOT) -> Files:
    return files(traits, open_logs, deploy_dir, account)


def test_usual_files_count_where_they_exist(tmp_path: Path) -> None:
    here, folder, gone = tmp_path / "my.cnf", tmp_path / "folder", tmp_path / "gone"
    here.touch()
    folder.mkdir()
    found = looked(Traits(usual_configs=(str(gone), str(folder), str(here))))
    assert found.config_files == (str(here),)


def test_the_first_usual_directory_that_exists_has_the_data(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    usual = (str(tmp_path / "gone"), str(first), str(second))
    assert looked(Traits(usual_data=usual)).data_dirs == (str(first),)
    assert looked(Traits(usual_data=usual, data_dirs=("/told",))).data_dirs == ("/told",)
    assert looked(Traits(usual_data=usual[:1])).data_dirs == ()


def test_logs_are_where_it_was_told_else_where_they_are_seen_else_where_tiup_has_them(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    deploy = str(tmp_path)
    told = Traits(log_dir="/told", log_files=("/a/tidb.log",))
    assert looked(told, "/b/x.log", deploy_dir=deploy).log_dir == "/told"
    assert looked(Traits(log_files=("/a/tidb.log",)), "/b/x.log", deploy_dir=deploy).log_dir == "/a"
    assert looked(Traits(), "/b/x.log", deploy_dir=deploy).log_dir == "/b"
    assert looked(Traits(), deploy_dir=deploy).log_dir == f"{deploy}/log"
    assert looked(Traits(), deploy_dir=f"{deploy}/log").log_dir == ""
    assert looked(Traits()).log_dir == ""


def test_a_log_that_was_told_and_is_open_counts_once() -> None:
    assert looked(Traits(log_files=("/a/1.log",)), "/a/1.log", "/a/2.log").log_files == (
        "/a/1.log",
        "/a/2.log",
    )


def test_what_the_account_cannot_read_is_refused_by_name(open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    mine = open_folder / "mine.toml"
    mine.touch()
    mine.chmod(0o644)
    traits = Traits(
        config_files=(str(closed / "x.toml"), str(mine)), data_dirs=(str(closed),), log_dir=str(closed)
    )
    (closed / "x.toml").touch()
    found = looked(traits, account=OTHER)
    assert found == Files((), (str(mine),), (), "", (str(closed), str(closed / "x.toml")))
