"""Alerts: which fired in the window, by which rules, whom they were sent to, and which targets can't be scraped."""

from __future__ import annotations

from collections.abc import Iterator

from clinic.collector import (
    Category,
    Collector,
    Content,
    Instance,
    Item,
    Role,
    Sensitivity,
    Target,
    Volatility,
)
from clinic.source.http import Get

# The HTTP API of Prometheus ("HTTP API" on prometheus.io), and version 2 of Alertmanager's (api/v2/openapi.yaml).
_PROMETHEUS = (
    ("firing", "firing.json", "/api/v1/alerts"),
    ("rules", "rules.json", "/api/v1/rules"),
    ("targets", "targets.json", "/api/v1/targets"),
)
_ALERTMANAGER = (
    ("alertmanager", "alerts.json", "/api/v2/alerts"),
    ("silences", "silences.json", "/api/v2/silences"),
    ("status", "status.json", "/api/v2/status"),
    ("receivers", "receivers.json", "/api/v2/receivers"),
)


class Alerts(Collector):
    """Alerts as Prometheus made them and as Alertmanager passed them on."""

    name = "alerts"
    category = Category.ALERTS
    summary = "alerts of the window, rules, targets with their last error; Alertmanager's alerts, silences, receivers"

    def items(self, target: Target) -> Iterator[Item]:
        for instance in target.instances(Role.METRICS):
            if instance.component in ("prometheus", "victoria-metrics") and instance.port:
                for name, file, path in _PROMETHEUS:
                    yield _item(instance, name, f"monitor/alerts/{instance.id}/{file}", Get(instance, path))
                yield from _history(instance, target)
        for instance in target.instances(Role.ALERTS):
            if instance.port:
                for name, file, path in _ALERTMANAGER:
                    yield _item(
                        instance, name, f"monitor/alertmanager/{instance.id}/{file}", Get(instance, path)
                    )


def _history(instance: Instance, target: Target) -> Iterator[Item]:
    """When each alert was pending and firing: the samples that Prometheus itself wrote of it."""
    window = target.window
    span, end = f"{max(1, round(window.seconds))}s", f"{window.end.timestamp():.3f}"
    for name, file, metric in (
        ("history", "alerts.json", "ALERTS"),
        ("since", "since.json", "ALERTS_FOR_STATE"),
    ):
        source = Get(instance, "/api/v1/query", query=(("query", f"{metric}[{span}]"), ("time", end)))
        yield _item(instance, name, f"monitor/alerts/{instance.id}/{file}", source)


def _item(instance: Instance, name: str, path: str, source: Get) -> Item:
    return Item(
        path, source, id=f"alerts.{name}", host=instance.host, instance=instance.id, content=Content.JSON,
        sensitivity=Sensitivity.INTERNAL, volatility=Volatility.RESTART, priority=20,
    )  # fmt: skip
