"""Alerts and the figures behind them for Prometheus: as text for a scrape, or as a file for node-exporter.

Everything comes from the last evaluations: a scrape asks nothing of any server. No address of a channel is in it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest, write_to_textfile
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ms5ops.access.store import Store
from ms5ops.alerts.delivery import delivered_at
from ms5ops.alerts.store import AlertError, Evaluation, evaluations, is_muted, mutes, read_alerts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(store: Store) -> str:
    """The exposition (Prometheus text format 0.0.4)."""
    return generate_latest(_registry(store)).decode()


def write(store: Store, file: Path) -> None:
    """Replace the file whole, for node-exporter's textfile collector; AlertError where it cannot be written."""
    try:
        write_to_textfile(str(file), _registry(store))
    except OSError as error:
        raise AlertError(f"{file} cannot be written ({error.strerror}).", "Name another file, or make room.") from error


def _registry(store: Store) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Kept(store))
    return registry


class _Kept(Collector):
    """What the store holds, as metrics."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from self._alerts()
        found = evaluations(self.store)
        at = _gauge("ms5ops_evaluated_timestamp_seconds", "When the alert rules were last evaluated.", ["environment"])
        origin = _gauge(
            "ms5ops_environment_info", "1; origin says whether its figures are measured or simulated.",
            ["environment", "origin"],
        )  # fmt: skip
        judged = _gauge(
            "ms5ops_rule_judged", "0 for rules that the last evaluation could not judge.", ["environment", "rule"]
        )
        for one in found.values():
            at.add_metric([one.environment], one.at.timestamp())
            origin.add_metric([one.environment, one.origin], 1)
            for rule in one.not_judged:
                judged.add_metric([one.environment, rule], 0)
        yield at
        yield origin
        yield judged
        yield from _figures(list(found.values()))
        delivered = _gauge("ms5ops_delivered_timestamp_seconds", "When a message was last delivered.", ["channel"])
        for channel, instant in delivered_at(self.store).items():
            delivered.add_metric([channel], instant.timestamp())
        yield delivered

    def _alerts(self) -> Iterator[GaugeMetricFamily]:
        standing = mutes(self.store, None, self.store.now())
        labels = ["environment", "alert", "rule", "subject", "severity", "status"]
        gauge = _gauge("ms5ops_alert", "1 for each alert that stands; status is open, acknowledged or muted.", labels)
        since = _gauge("ms5ops_alert_since_timestamp_seconds", "Since when an alert is open.", ["environment", "alert"])
        for one in read_alerts(self.store):
            if one.status != "pending":
                status = "muted" if is_muted(standing, one.environment, one.key) else one.status
                gauge.add_metric([one.environment, one.key, one.rule, one.subject, one.severity, status], 1)
                since.add_metric([one.environment, one.key], one.since.timestamp())
        yield gauge
        yield since


def _figures(found: list[Evaluation]) -> Iterator[GaugeMetricFamily]:
    collected = _gauge("ms5ops_collected_timestamp_seconds", "When a snapshot was last stored.", ["environment"])
    database = _gauge("ms5ops_database_size_bytes", "Size of the database.", ["environment"])
    tables = _gauge("ms5ops_table_size_bytes", "Size of a table with its indexes.", ["environment", "table"])
    lag = _gauge(
        "ms5ops_aggregate_lag_seconds", "How far an aggregate is behind its data.", ["environment", "aggregate"]
    )
    jobs = _gauge(
        "ms5ops_job_state", "1 for the state that a background job is in.", ["environment", "job_id", "job", "state"]
    )
    for one in found:
        read: dict[str, Any] = dict(one.figures)
        for gauge, name in ((collected, "collected_at"), (database, "database_bytes")):
            if name in read:
                gauge.add_metric([one.environment], float(read[name]))
        for gauge, name in ((tables, "table_bytes"), (lag, "lag_seconds")):
            for subject, value in read.get(name, {}).items():
                gauge.add_metric([one.environment, subject], float(value))
        for job in read.get("jobs", ()):
            jobs.add_metric([one.environment, str(job["id"]), str(job["name"]), str(job["state"])], 1)
    yield from (collected, database, tables, lag, jobs)


def _gauge(name: str, about: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, labels=labels)
