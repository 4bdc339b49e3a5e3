"""Whole evaluations: of the embedded engine, of servers that are not there, by the command line; and the metrics."""

import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from starlette.responses import Response
from typer.testing import CliRunner

from ms5ops.access.store import Store
from ms5ops.alerts import exposition
from ms5ops.alerts.candidate import RULES
from ms5ops.alerts.store import alert_store, evaluations
from ms5ops.alerts.watching import WatchTaken, alone, evaluate
from ms5ops.cli import app
from ms5ops.config import load_settings
from ms5ops.errors import ConfigError
from ms5ops.ui import http, metrics_route
from tests.alerts.conftest import Clock, Receiver
from tests.alerts.test_state import LATE, Plant
from tests.conftest import Sandboxes
from tests.finished import finished

NOWHERE = '[environments.plant]\nhost = "127.0.0.1"\nport = 1\nread = { user = "r" }\n'
CHANNEL = '[alerts.channels.oncall]\nenv = "ONCALL_URL"\n'


def configure(kept: Store, text: str) -> None:
    (kept.file.parent / "ms5ops.toml").write_text(text)


@pytest.fixture
def on_engine(sandboxes: Sandboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The engine with Phase 4 in place, and a store of alerts, a history and settings of our own."""
    for name in ("DB_HOST", "MS5OPS_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MS5OPS_STATE", str(sandboxes.folder("optimised")))
    monkeypatch.setenv("MS5OPS_HISTORY", str(tmp_path / "history.duckdb"))
    monkeypatch.setenv("MS5OPS_CONFIG", str(tmp_path / "ms5ops.toml"))
    store = Store(tmp_path / "alerts.sqlite", "alerts")
    for module in ("ms5ops.alerts.watching", "ms5ops.cli.alerts", "ms5ops.alerts.actions"):
        monkeypatch.setattr(f"{module}.alert_store", lambda: store)
    return store


def test_watching_the_engine_fires_and_clears(on_engine: Store, receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "ms5ops.toml").write_text(f"[alerts.storage]\nlimit_gb = 0.001\n{CHANNEL}")
    done = CliRunner().invoke(app, ["watch", "--once", "--json"])
    assert done.exit_code == 1, done.output
    told = json.loads(done.stdout)
    assert (told["environment"], told["origin"], told["is_critical"]) == ("sandbox", "simulated", True)
    open_keys = {one["key"] for one in told["alerts"]}
    assert {"storage.limit", "collector.silent"} <= open_keys
    assert told["judged"] + len(told["not_judged"]) == len(RULES)
    assert set(told["not_judged"]) == {"errors", "regression", "drift"}, (
        "a single day knows nothing that is usual, nothing was measured, and no deployment was verified"
    )
    assert all("(simulated data)" in title for title in receiver.titles)

    (tmp_path / "ms5ops.toml").write_text(f"[alerts]\nclear_after = 1\n[alerts.storage]\nlimit_gb = 9000\n{CHANNEL}")
    metrics = tmp_path / "ms5ops.prom"
    done = CliRunner().invoke(app, ["watch", "--once", "--collect", "--prometheus", str(metrics)])
    assert "cleared: storage.limit" in done.stdout
    assert "cleared: collector.silent" in done.stdout
    assert "Over: [critical] sandbox (simulated data): Database size" in receiver.titles
    families = {one.name: one for one in text_string_to_metric_families(metrics.read_text())}
    assert families["ms5ops_database_size_bytes"].samples[0].value > 1_000_000
    assert families["ms5ops_aggregate_lag_seconds"].samples
    assert {one.labels["state"] for one in families["ms5ops_job_state"].samples} <= {"ok", "running", "new", "overdue",
        "never ran", "failing", "paused"}  # fmt: skip
    assert families["ms5ops_collected_timestamp_seconds"].samples
    (about,) = families["ms5ops_environment_info"].samples
    assert about.labels == {"environment": "sandbox", "origin": "simulated"}


def test_a_server_that_is_not_there_is_an_alert_and_the_other_rules_wait(kept: Store) -> None:
    configure(kept, NOWHERE)
    done = evaluate(load_settings(), "plant")
    assert [(one.key, one.severity, one.status) for one in done.alerts] == [
        ("collector.silent", "warning", "open"),
        ("server.unreachable", "critical", "open"),
    ]
    assert done.is_critical
    assert {"jobs", "lag", "backlog", "drift"} <= set(done.not_judged)
    configure(kept, NOWHERE.replace("user =", 'user = "r", password_env = "NOT_SET_ANYWHERE", x ='))
    with pytest.raises(ConfigError):
        evaluate(load_settings(), "plant")


def test_a_defect_of_one_rule_silences_no_other(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(kept, NOWHERE)
    monkeypatch.setattr("ms5ops.alerts.history_rules.collector", lambda *_: 1 / 0)
    done = evaluate(load_settings(), "plant")
    assert "has a defect here (ZeroDivisionError)" in done.not_judged["collector"]
    assert [one.key for one in done.alerts] == ["server.unreachable"]


def test_only_one_watcher_evaluates_at_a_time(kept: Store) -> None:
    told: list[str] = []
    with alone("plant", 0, told.append):
        with (
            pytest.raises(WatchTaken, match="has been evaluating the alerts of plant"),
            alone("plant", 0.2, told.append),
        ):
            pass
        with alone("other", 0, told.append):
            pass
    with alone("plant", 0, told.append):
        pass
    assert told == ["Waiting for another process that evaluates the alerts of plant now."]


def test_the_command_line_lists_acknowledges_mutes_and_tests(
    kept: Store, clock: Clock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(kept, f"{NOWHERE}{CHANNEL}")
    assert "never evaluated" in CliRunner().invoke(app, ["alerts", "list", "-e", "plant"]).stdout
    Plant(kept, clock, load_settings().alerts).finds(LATE)
    listed = CliRunner().invoke(app, ["alerts", "list", "-e", "plant"]).stdout
    assert "lag.f.a" in listed
    done = CliRunner().invoke(app, ["alerts", "mute", "lag.f.a", "-e", "plant", "--reason", "tonight", "--hours", "2"])
    assert "Muted until 2026-11-23 14:05 UTC." in done.stdout
    done = CliRunner().invoke(app, ["alerts", "acknowledge", "lag.f.a", "-e", "plant", "--reason", "known"])
    assert "Acknowledged: a." in done.stdout
    told = json.loads(CliRunner().invoke(app, ["alerts", "list", "-e", "plant", "--json"]).stdout)
    assert [(one["status"], one["muted"], one["reason"]) for one in told["alerts"]] == [("acknowledged", True, "known")]
    history = json.loads(CliRunner().invoke(app, ["alerts", "list", "-e", "plant", "--history", "--json"]).stdout)
    assert [one["kind"] for one in history] == ["acknowledged", "muted", "opened"]
    assert CliRunner().invoke(app, ["alerts", "test"]).exit_code == 0
    assert receiver.titles == ["Test of the alerts of ms5ops"]
    receiver.status = 500
    assert CliRunner().invoke(app, ["alerts", "test", "oncall"]).exit_code == 1


def test_labels_are_escaped_and_a_muted_alert_is_told_as_muted(kept: Store, clock: Clock) -> None:
    from dataclasses import replace

    plant = Plant(kept, clock, load_settings().alerts)
    plant.finds(replace(LATE, subject='a "quoted"\nname\\'))
    (sample,) = next(
        one for one in text_string_to_metric_families(exposition.text(kept)) if one.name == "ms5ops_alert"
    ).samples
    assert (sample.labels["subject"], sample.labels["status"], sample.value) == ('a "quoted"\nname\\', "open", 1.0)


def asked(authorization: str | None = None) -> Response:
    """The answer to a scrape with that header."""
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    return finished(metrics_route.metrics(Request({"type": "http", "headers": headers})))


def test_the_metrics_route_is_off_and_then_for_the_token_only(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked("Bearer right").status_code == 404
    configure(kept, '[alerts.prometheus]\nenabled = true\ntoken = { env = "METRICS_TOKEN" }\n')
    assert asked("Bearer right").status_code == 503, "the token is not there"
    monkeypatch.setenv("METRICS_TOKEN", "right")
    for wrong in (None, "Bearer wrong", "Basic right", "Bearer", "Bearer "):
        assert asked(wrong).status_code == 401
    answer = asked("Bearer right")
    assert (answer.status_code, answer.headers["content-type"]) == (200, exposition.CONTENT_TYPE)
    assert b"ms5ops_alert" in bytes(answer.body)
    configure(kept, "[alerts.prometheus]\nenabled = true\n")
    assert asked("Bearer right").status_code == 503, "a route without a token is a mistake in the settings"
    assert metrics_route.PATH in {route.path for route in http.ROUTES}


def test_the_console_evaluates_unless_it_shall_not(kept: Store) -> None:
    configure(kept, f"{NOWHERE}[alerts]\nin_console = false\n")
    http._watch()
    assert evaluations(alert_store()) == {}
    configure(kept, NOWHERE)
    http._watch()
    assert set(evaluations(alert_store())) == {"plant"}
    with alone("plant", 0, print):
        http._watch()  # another process is at it: nothing to wait for, and no error
    assert evaluations(alert_store())["plant"].evaluations == 1
