"""A lab of its own in which each source holds secrets that were made up for it: canaries."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.control import CHECKOUT, down
from tests.lab.scraped import await_data
from tests.lab.standin.cluster import Cluster
from tests.lab.state import LabError, load

PLACES = (
    "log-url", "log-sql", "log-json", "log-header", "slow-log", "config-file", "config-run-time", "config-etcd",
    "command-line",
    "sql-processlist", "sql-slow-query", "sql-variable", "metric-label", "alert-annotation", "error-body", "file-name",
    "sink-uri",
)  # fmt: skip
"""Where there is one."""

HOST, ADDRESS = "tikv-1", "10.0.9.21"
"""A host by PD's labels and a client by the list of processes: both also in a log and in labels of metrics."""


@dataclass(frozen=True)
class Planted:
    """A lab with canaries in it."""

    cluster: Cluster
    """Its stand-in cluster."""

    canaries: Mapping[str, str]
    """Place -> the value that must be in no bundle."""

    process: subprocess.Popen[bytes]
    """One whose command line holds a canary."""


def plant(directory: Path) -> Planted:
    """Start a lab below `directory` whose recordings, files and processes hold a canary each. Raises `LabError`."""
    canaries = {place: f"Kq{secrets.token_hex(9)}Z7" for place in PLACES}
    shutil.copytree(CHECKOUT / "tests" / "lab", directory / "tests" / "lab")
    _recordings(directory / "tests" / "lab" / "standin" / "recordings", canaries)
    _rules(directory / "tests" / "lab" / "monitoring.py", canaries)
    command = [
        sys.executable,
        str(directory / "tests" / "lab" / "lab.py"),
        "up",
        "--dir",
        str(directory / "lab"),
    ]
    done = subprocess.run(
        [*command, "--history", "1", "--delay-scale", "0.05"],
        capture_output=True, text=True, errors="replace", timeout=120, check=False,
    )  # fmt: skip
    lab = load(directory / "lab")
    if done.returncode not in (0, 3) or lab is None:
        raise LabError(done.stdout + done.stderr)
    await_data(lab)
    cluster = Cluster(lab)
    _files(cluster, canaries)
    shown = f"loader --password={canaries['command-line']}"
    return Planted(cluster, canaries, subprocess.Popen(["bash", "-c", 'exec -a "$0" sleep 600', shown]))


def unplant(planted: Planted, directory: Path) -> None:
    """End all of it."""
    planted.process.kill()
    planted.process.wait()
    down(directory / "lab")


def _recordings(root: Path, canaries: Mapping[str, str]) -> None:
    _edit(
        root / "tidb" / "config.json",
        lambda data: data.update({"auth-password": canaries["config-run-time"]}),
    )
    _edit(
        root / "pd" / "healthy" / "config.json", lambda data: data.update({"token": canaries["config-etcd"]})
    )
    tables = root / "tidb" / "sql" / "tables.json"
    rows = {
        "information_schema.processlist": ("INFO", f"SET PASSWORD FOR 'app' = '{canaries['sql-processlist']}'"),
        "information_schema.slow_query": (
            "Query", f"CREATE USER 'u' IDENTIFIED BY '{canaries['sql-slow-query']}';"
        ),
    }  # fmt: skip

    def edit(data: Any) -> None:
        for table, (column, text) in rows.items():
            held = data[table]
            index = [name for name, _ in held["columns"]].index(column)
            held["rows"][0][index] = text

    _edit(tables, edit)
    variables = root / "tidb" / "sql" / "show_global_variables.tsv"
    with variables.open("a") as stream:
        stream.write(f"authentication_ldap_simple_bind_root_pwd\t{canaries['sql-variable']}\n")
    with (root / "tikv" / "metrics.txt").open("a") as stream:
        label = f'dsn="mysql://app:{canaries["metric-label"]}@db1:3306/"'
        stream.write(f"# TYPE lab_canary gauge\nlab_canary{{{label}}} 1\n")
        stream.write(f'# TYPE lab_join gauge\nlab_join{{host="{HOST}",peer="{ADDRESS}:20160"}} 1\n')
    for name in ("v2-changefeed-orders-to-mysql.json", "v1-changefeed-orders-to-mysql.json"):
        path = root / "ticdc" / name
        path.write_text(path.read_text().replace("cdc_user:xxxxx@", f"cdc_user:{canaries['sink-uri']}@"))
    (root / "tiflash" / "config.json").write_text(
        f'{{"error": "access denied, password={canaries["error-body"]}"}}'
    )
    _edit(root / "tiflash" / "index.json", lambda data: data["entries"][0].update({"status": 500}))


def _rules(monitoring: Path, canaries: Mapping[str, str]) -> None:
    text = f"see https://ops:{canaries['alert-annotation']}@runbooks.example.com/always"
    monitoring.write_text(monitoring.read_text().replace("This alert is always on.", text))


def _edit(path: Path, change: Callable[[Any], object]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def _files(cluster: Cluster, canaries: Mapping[str, str]) -> None:
    home = cluster.spec.root / cluster.instance("tidb-1").host / "tidb-deploy" / "tidb-4000"
    begin = json.dumps({"user": "root", "password": canaries["log-json"]}).replace('"', '\\"')
    stamp = (home / "log" / "tidb.log").read_text().splitlines()[-1].partition("]")[0]
    with (home / "log" / "tidb.log").open("a") as stream:
        stream.write(
            f'{stamp}] [INFO] [a.go:1] [sink] [sink-uri="kafka://u:{canaries["log-url"]}@10.0.9.21:9092/t"]\n'
        )
        stream.write(
            f"{stamp}] [INFO] [b.go:2] [sql] [sql=\"alter user 'app' identified by '{canaries['log-sql']}'\"]\n"
        )
        stream.write(f'{stamp}] [INFO] [c.go:3] ["load config"] [config="{begin}"]\n')
        stream.write(
            f'{stamp}] [INFO] [d.go:4] [call] [header="Authorization: Bearer {canaries["log-header"]}"]\n'
        )
        stream.write(f'{stamp}] [WARN] [e.go:5] ["peer {HOST} at {ADDRESS} is slow"] [user=alicia]\n')
    slow = home / "log" / "tidb_slow_query.log"
    with slow.open("a") as stream:
        when = stamp.lstrip("[").replace("/", "-", 2).replace(" ", "T", 1).replace(" ", "")
        stream.write(f"# Time: {when}\n# User@Host: app[app] @ 10.0.9.21 [10.0.9.21]\n# Query_time: 1.5\n")
        stream.write(
            f"backup database * to 's3://b/p?access-key=a&secret-access-key={canaries['slow-log']}';\n"
        )
    with (home / "conf" / "tidb.toml").open("a") as stream:
        stream.write(f'\n[canary]\npassword = "{canaries["config-file"]}"\n')
    (home / "conf" / f"old --password={canaries['file-name']} x.toml").write_text("a = 1\n")
