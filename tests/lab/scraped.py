"""When Prometheus has looked at all of a lab, and what it found has reached Alertmanager."""

from __future__ import annotations

import json
import time

from tests.lab.monitoring import http_ok
from tests.lab.state import Lab, LabError, Server

DATA_SECONDS = 30
"""Prometheus looks for targets and Alertmanagers every five seconds, the first time after five."""

ALERTS = {"LabAlwaysFiring", "LabTargetDown"}


def await_data(lab: Lab) -> None:
    """Return once every target was scraped and both alerts have arrived; raises `LabError` when they do not."""
    prometheus, alertmanager = lab.prometheus, lab.alertmanager
    deadline = time.monotonic() + DATA_SECONDS
    while _firing(alertmanager) != ALERTS or _unscraped(prometheus):
        if time.monotonic() > deadline:
            raise LabError(f"no data after {DATA_SECONDS} s; see {prometheus.log} and {alertmanager.log}")
        time.sleep(0.2)


def _firing(alertmanager: Server) -> set[str]:
    alerts = json.loads(http_ok(f"{alertmanager.url}/api/v2/alerts"))
    return {alert["labels"]["alertname"] for alert in alerts}


def _unscraped(prometheus: Server) -> bool:
    targets = json.loads(http_ok(f"{prometheus.url}/api/v1/targets"))["data"]["activeTargets"]
    return not targets or any(target["health"] == "unknown" for target in targets)
