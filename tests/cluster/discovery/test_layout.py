"""Where an instance keeps things when only its deploy directory is known."""

from __future__ import annotations

from clinic.cluster.discovery.layout import laid_out
from clinic.cluster.model import Cluster, Instance


def test_a_guess_is_made_as_tiup_would_have_it_and_said() -> None:
    known = Instance("tikv", "a", 20160, deploy_dir="/d/tikv", log_dir="/var/log/tikv")
    guess = Instance("tidb", "b", 4000, deploy_dir="/d/tidb-4000")
    bare = Instance("tidb", "c", 4000)
    other = Instance("mysql", "d", 3306, deploy_dir="/opt/mysql")
    found = laid_out(Cluster("prod", "manual", (), (known, guess, bare, other)))
    assert found.instances[0] == known
    assert found.instances[1].log_dir == "/d/tidb-4000/log"
    assert found.instances[1].log_files[0] == "/d/tidb-4000/log/tidb.log"
    assert found.instances[1].config_files == ("/d/tidb-4000/conf/tidb.toml",)
    assert found.instances[2:] == (bare, other)
    assert found.unknown == (
        "nobody said where the files of 1 instance are: looked for is where TiUP has them",
    )


def test_nothing_is_said_where_nothing_is_guessed() -> None:
    cluster = Cluster("prod", "tiup", (), (Instance("tidb", "c", 4000),))
    assert laid_out(cluster) is cluster
