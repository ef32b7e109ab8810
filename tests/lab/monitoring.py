"""Prometheus, Alertmanager, node_exporter and VictoriaMetrics, wired together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
import yaml
from tests.lab.program import Launch, NotReady, Place, Program, Tool
from tests.lab.standin.members import RECORDED_HOSTS, component_of
from tests.lab.state import Server

SCRAPED = ("prometheus", "alertmanager", "node_exporter", "etcd", "victoria_metrics", "down")
"""What Prometheus scrapes, as far as it is in the lab; nobody ever listens at `down`."""

CLUSTER_INTERVAL = "5s"
"""PD alone has some ten thousand series."""

RULES = {
    "groups": [
        {
            "name": "lab",
            "rules": [
                {"record": "job:up:sum", "expr": "sum by (job) (up)"},
                {
                    "alert": "LabAlwaysFiring",
                    "expr": "vector(1)",
                    "labels": {"severity": "info"},
                    "annotations": {"summary": "This alert is always on."},
                },
                {
                    "alert": "LabTargetDown",
                    "expr": "up == 0",
                    "labels": {"severity": "critical"},
                    "annotations": {"summary": "{{ $labels.job }} at {{ $labels.instance }} is down."},
                },
            ],
        }
    ]
}


def http_ok(url: str) -> str:
    """The body of a 200 answer of a server on loopback; raises `NotReady` for any other answer."""
    with requests.Session() as session:
        session.trust_env = False  # a proxy of the caller's must not come between
        try:
            answer = session.get(url, timeout=2, allow_redirects=False)
        except requests.RequestException as error:
            raise NotReady(f"no answer from {url} ({type(error).__name__})") from error
    if answer.status_code != 200:
        raise NotReady(f"{url} answered {answer.status_code}: {answer.text[:200]}")
    return answer.text


def scrape_jobs(place: Place, names: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """One scrape job for each of `names` that is in the lab."""
    present = [name for name in names if name in place.addresses]
    return [{"job_name": name, "static_configs": [{"targets": [place.addresses[name]]}]} for name in present]


def cluster_jobs(place: Place) -> list[Mapping[str, Any]]:
    """A job for each component of the stand-in cluster, as TiUP's Prometheus has; none where it speaks TLS."""
    targets: dict[str, list[str]] = {}
    for name, seat in place.seats.items():
        if name in RECORDED_HOSTS and not place.options.tls:
            uses = [use for use in ("status", "metrics") if use in seat.ports] or ["client"]
            found = [f"{seat.host}:{seat.ports[use]}" for use in uses]
            targets.setdefault(component_of(name), []).extend(found)
    return [
        {
            "job_name": component,
            "honor_labels": True,
            "scrape_interval": CLUSTER_INTERVAL,
            "static_configs": [{"targets": found}],
        }
        for component, found in targets.items()
    ]


class Prometheus(Program):
    """Scrapes all of the lab every second, with rules that fire at once."""

    name = "prometheus"
    tools = (Tool("prometheus", ("prometheus",)),)
    account = "prometheus"

    def prepare(self, place: Place) -> Launch:
        rules = place.write("rules.yml", yaml.safe_dump(RULES, sort_keys=False))
        config: dict[str, Any] = {
            "global": {
                "scrape_interval": "1s",
                "evaluation_interval": "1s",
                "external_labels": {"lab": "clinic"},
            },
            "rule_files": [str(rules)],
            "scrape_configs": [*scrape_jobs(place, SCRAPED), *cluster_jobs(place)],
        }
        if "alertmanager" in place.addresses:
            told = {"static_configs": [{"targets": [place.addresses["alertmanager"]]}]}
            config["alerting"] = {"alertmanagers": [told]}
        file = place.write("prometheus.yml", yaml.safe_dump(config, sort_keys=False))
        argv = [
            self.binary(),
            f"--config.file={file}",
            f"--storage.tsdb.path={place.data}",
            f"--web.listen-address={place.address}",
            "--rules.alert.resend-delay=3s",  # an Alertmanager that came up a moment later misses nothing
        ]
        return Launch(argv, f"http://{place.address}", config=file, data=place.data)

    def check(self, server: Server) -> None:
        http_ok(f"{server.url}/-/ready")


class Alertmanager(Program):
    """Keeps the alerts it gets and tells nobody."""

    name = "alertmanager"
    tools = (Tool("prometheus-alertmanager", ("prometheus-alertmanager",)),)
    account = "prometheus"

    def prepare(self, place: Place) -> Launch:
        config = {
            "route": {"receiver": "nobody", "group_by": ["alertname"], "group_wait": "1s"},
            "receivers": [{"name": "nobody"}],
        }
        file = place.write("alertmanager.yml", yaml.safe_dump(config, sort_keys=False))
        argv = [
            self.binary(),
            f"--config.file={file}",
            f"--storage.path={place.data}",
            f"--web.listen-address={place.address}",
            "--cluster.listen-address=",  # no gossip port
        ]
        return Launch(argv, f"http://{place.address}", config=file, data=place.data)

    def check(self, server: Server) -> None:
        http_ok(f"{server.url}/-/ready")


class NodeExporter(Program):
    """The figures of this machine."""

    name = "node_exporter"
    tools = (Tool("prometheus-node-exporter", ("prometheus-node-exporter",)),)
    account = "prometheus"

    def prepare(self, place: Place) -> Launch:
        return Launch([self.binary(), f"--web.listen-address={place.address}"], f"http://{place.address}")

    def check(self, server: Server) -> None:
        if "node_boot_time_seconds" not in http_ok(f"{server.url}/metrics"):
            raise NotReady("its metrics lack node_boot_time_seconds")


class VictoriaMetrics(Program):
    """Speaks the query API of Prometheus, for what must work with either."""

    name = "victoria_metrics"
    tools = (Tool("victoria-metrics", ("victoria-metrics",)),)
    account = "_victoria-metrics"

    def prepare(self, place: Place) -> Launch:
        config = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": scrape_jobs(place, ("victoria_metrics", "node_exporter")),
        }
        file = place.write("scrape.yml", yaml.safe_dump(config, sort_keys=False))
        argv = [
            self.binary(),
            f"-promscrape.config={file}",
            f"-storageDataPath={place.data}",
            f"-httpListenAddr={place.address}",
            "-search.latencyOffset=1s",  # queries see what was scraped a second ago, not half a minute
        ]
        return Launch(argv, f"http://{place.address}", config=file, data=place.data)

    def check(self, server: Server) -> None:
        http_ok(f"{server.url}/health")
