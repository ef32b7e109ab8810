"""The clusters that TiUP manages from here: where they are looked for, and whose files count."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic.client.tls import Tls
from clinic.cluster.discovery.tiup import choose, managed, read, tiup_home
from clinic.errors import Refused, UsageError

META = "user: tidb\ntidb_version: v8.5.3\ntopology:\n  pd_servers: [{host: 10.0.0.1}]\n"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root can give files to another account")

Deploy = Callable[..., Path]


@pytest.fixture
def deploy(home: Path) -> Deploy:
    """Writes a cluster's meta.yaml into the home of the person at the keyboard; gives TiUP's folder of it."""

    def one(
        name: str = "prod", text: str = META, *, sort: str = "cluster", where: Path | None = None
    ) -> Path:
        folder = (where or home / ".tiup") / "storage" / sort / "clusters" / name
        folder.mkdir(parents=True)
        (folder / "meta.yaml").write_text(text)
        return folder

    return one


def test_the_usual_place_is_ones_own_home(home: Path, deploy: Deploy) -> None:
    deploy("prod")
    deploy("dm-prod", META.replace("tidb_version", "dm_version"), sort="dm")
    assert tiup_home() == home / ".tiup"
    assert [one.id for one in managed(tiup_home())] == ["cluster/prod", "dm/dm-prod"]
    assert managed(tiup_home())[0].home == home / ".tiup"


def test_tiup_home_counts_more_than_the_usual_place_and_a_named_home_more_than_that(
    tmp_path: Path, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy("usual")
    deploy("other", where=tmp_path / "variable")
    deploy("third", where=tmp_path / "named" / ".tiup")
    monkeypatch.setenv("TIUP_HOME", str(tmp_path / "variable"))
    assert [one.name for one in managed(tiup_home())] == ["other"]
    assert [one.name for one in managed(tiup_home(str(tmp_path / "named")))] == ["third"]
    assert [one.name for one in managed(tiup_home(str(tmp_path / "named" / ".tiup")))] == ["third"]
    with pytest.raises(UsageError, match="is no directory"):
        tiup_home(str(tmp_path / "absent"))


@as_root
def test_under_sudo_it_is_the_home_of_who_called_it(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = pwd.getpwnam("nobody")
    monkeypatch.setenv("SUDO_UID", str(entry.pw_uid))
    monkeypatch.setenv("SUDO_GID", str(entry.pw_gid))
    assert tiup_home() == Path(entry.pw_dir) / ".tiup"


def test_where_there_is_nothing_there_is_no_cluster(home: Path) -> None:
    assert managed(home / ".tiup") == ()
    (home / ".tiup" / "storage").mkdir(parents=True)
    (home / ".tiup" / "storage" / "cluster").write_text("a file")
    assert managed(home / ".tiup") == ()


def test_folders_that_are_no_cluster_are_passed_over(home: Path, deploy: Deploy) -> None:
    folder = deploy("prod")
    (folder.parent / "half-made").mkdir()
    deploy("not a name")
    assert [one.name for one in managed(home / ".tiup")] == ["prod"]


def test_a_place_where_one_may_not_look_is_said(
    open_folder: Path, deploy: Deploy, without_rights: Callable[..., dict[str, object]]
) -> None:
    deploy("prod", where=open_folder)
    (open_folder / "storage" / "cluster").chmod(0o700)

    def look() -> dict[str, object]:
        try:
            managed(open_folder)
        except UsageError as error:
            return {"message": error.message}
        return {}

    assert "can't look for TiUP's clusters" in str(without_rights(look).get("message"))


def test_a_name_means_one_cluster_or_is_an_error_that_names_them(home: Path, deploy: Deploy) -> None:
    deploy("prod")
    deploy("test")
    deploy("test", META.replace("tidb_version", "dm_version"), sort="dm")
    found = managed(home / ".tiup")
    assert choose(found, "prod").id == choose(found, "cluster/prod").id == "cluster/prod"
    assert choose(found, "dm/test").id == "dm/test"
    with pytest.raises(UsageError, match="two clusters are called 'test'") as two:
        choose(found, "test")
    assert two.value.hint == "say which: cluster/test or dm/test"
    with pytest.raises(UsageError, match=r"no cluster is called '\.\./prod'") as none:
        choose(found, "../prod")
    assert none.value.hint == "there are: prod, test, test"
    with pytest.raises(UsageError) as nothing:
        choose((), "prod")
    assert "clinic clusters" in nothing.value.hint


def test_a_cluster_is_read_with_its_key_and_certificates(deploy: Deploy, home: Path) -> None:
    text = META.replace("topology:\n", "topology:\n  global: {enable_tls: true}\n")
    folder = deploy("prod", text)
    for name in ("ssh/id_rsa", "tls/ca.crt", "tls/ca.pem", "tls/client.crt", "tls/client.pem"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("")
    (folder / "tls" / "ca.pem").chmod(0)
    cluster = read(managed(home / ".tiup")[0])
    assert (cluster.name, cluster.deployed, cluster.version, cluster.unknown) == (
        "prod",
        "tiup",
        "v8.5.3",
        (),
    )
    assert cluster.machines[0].login["key"] == str(folder / "ssh" / "id_rsa")
    tls = folder / "tls"
    assert cluster.tls == Tls(tls / "ca.crt", tls / "client.crt", tls / "client.pem")
    assert "ca.pem" not in repr(cluster)


def test_what_is_not_there_is_said(deploy: Deploy, home: Path) -> None:
    folder = deploy("prod", META.replace("topology:\n", "topology:\n  global: {enable_tls: true}\n"))
    (folder / ".scale-out.yaml").write_text("")
    cluster = read(managed(home / ".tiup")[0])
    assert "key" not in cluster.machines[0].login
    assert [text.split(":")[0] for text in cluster.unknown] == [
        f"TLS is on, and TiUP's {folder}/tls/ca.crt, {folder}/tls/client.crt, {folder}/tls/client.pem can't be found",
        "a scale-out was begun and not ended",
    ]


def test_without_tls_there_is_no_material(deploy: Deploy, home: Path) -> None:
    deploy("prod")
    assert read(managed(home / ".tiup")[0]).tls == Tls()


def test_a_file_that_others_can_write_is_refused(deploy: Deploy, home: Path) -> None:
    folder = deploy("prod")
    (folder / "meta.yaml").chmod(0o666)
    with pytest.raises(Refused, match="others can write"):
        read(managed(home / ".tiup")[0])


@as_root
def test_root_believes_its_own_files_and_under_sudo_those_of_the_caller(
    deploy: Deploy, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = deploy("prod")
    os.chown(folder / "meta.yaml", 65534, 65534)
    found = managed(home / ".tiup")[0]
    with pytest.raises(Refused, match="belongs to user 65534"):
        read(found)
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    assert read(found).name == "prod"


def test_reading_writes_nothing(deploy: Deploy, home: Path) -> None:
    folder = deploy("prod")
    before = {path: path.stat().st_mtime_ns for path in (home / ".tiup").rglob("*")}
    read(managed(home / ".tiup")[0])
    assert {path: path.stat().st_mtime_ns for path in (home / ".tiup").rglob("*")} == before
    assert folder.is_dir()


@pytest.mark.parametrize(
    ("said", "native", "client", "executor", "used"),
    [
        ("builtin", "", "/opt/ssh", "builtin", ""),
        ("builtin", "Enable", "/opt/ssh", "system", "/opt/ssh"),
        ("none", "true", "", "system", ""),
        ("none", "no", "/opt/ssh", "none", ""),
        ("system", "", "/opt/ssh", "system", "/opt/ssh"),
    ],
)
def test_tiups_variables_count_for_more_than_its_file(
    deploy: Deploy,
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
    said: str,
    native: str,
    client: str,
    executor: str,
    used: str,
) -> None:
    deploy("prod", META.replace("topology:\n", f"topology:\n  global: {{ssh_type: {said}}}\n"))
    monkeypatch.setenv("TIUP_NATIVE_SSH", native)
    monkeypatch.setenv("TIUP_SSH_PATH", client)
    login = read(managed(home / ".tiup")[0]).machines[0].login
    assert (login["executor"], login.get("client", "")) == (executor, used)
