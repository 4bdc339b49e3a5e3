"""A policy set written for what a database has: it plans nothing, and from there on any table can be rolled out."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ms5ops.cli import app
from ms5ops.control import policy_sets
from ms5ops.database import Database, Target
from ms5ops.errors import RolloutError
from ms5ops.observe.server import Server, connect_server
from ms5ops.policy.document import PolicySet, load_policy
from ms5ops.rollout import latency
from ms5ops.rollout.adoption import Adopted, adopt
from ms5ops.rollout.executor import apply
from ms5ops.rollout.plan import make_plan
from ms5ops.rollout.postcheck import postchecks
from ms5ops.rollout.state import read_state
from ms5ops.sandbox import process
from tests.conftest import Sandboxes
from tests.native import native_database
from tests.rollout.apply.handmade import VERSIONS, conditions
from tests.rollout.installed import installed
from tests.rollout.planning import POLICY, Planned

SHOP = """
CREATE SCHEMA shop;
CREATE TABLE shop.devices (id integer PRIMARY KEY, site text NOT NULL);
INSERT INTO shop.devices SELECT i, 'site ' || i % 2 FROM generate_series(1, 4) i;
CREATE TABLE shop.conditions (
    "time" timestamptz NOT NULL, device_id integer NOT NULL REFERENCES shop.devices, temperature double precision,
    "Raw Text" text
);
SELECT create_hypertable('shop.conditions', 'time', chunk_time_interval => interval '1 day');
INSERT INTO shop.conditions
SELECT t, d, 20, NULL FROM generate_series(now() - interval '20 days', now(), interval '30 minutes') t,
    generate_series(1, 4) d;
ALTER TABLE shop.conditions SET (timescaledb.compress, timescaledb.compress_segmentby = 'device_id',
    timescaledb.compress_orderby = '"time" DESC');
CREATE TABLE shop.events (id bigserial PRIMARY KEY, at timestamptz NOT NULL, kind text);
INSERT INTO shop.events (at, kind) SELECT now() - i * interval '1 hour', 'start' FROM generate_series(1, 300) i;
CREATE TABLE shop.counters (at bigint NOT NULL, value real);
SELECT create_hypertable('shop.counters', 'at', chunk_time_interval => 1000);
CREATE TABLE shop.orders (at timestamptz NOT NULL, value real);
SELECT create_hypertable('shop.orders', 'at');
CREATE TABLE shop."Odd; Name" (at timestamptz NOT NULL, value real);
SELECT create_hypertable('shop."Odd; Name"', 'at');
CREATE TABLE shop.oddly (at timestamptz NOT NULL, "Device Id" text, value real);
SELECT create_hypertable('shop.oddly', 'at');
ALTER TABLE shop.oddly SET (timescaledb.compress, timescaledb.compress_segmentby = '"Device Id"',
    timescaledb.compress_orderby = 'at');
CREATE TABLE shop.paused (at timestamptz(3) NOT NULL, value real);
SELECT create_hypertable('shop.paused', 'at');
CREATE TABLE shop.chosen (at timestamptz NOT NULL, value real);
SELECT create_hypertable('shop.chosen', 'at');
ALTER TABLE shop.chosen SET (timescaledb.compress);
"""
HOURLY = """
CREATE MATERIALIZED VIEW shop.conditions_hourly WITH (timescaledb.continuous) AS
SELECT time_bucket('1 hour', c."time") AS bucket, d.site, c.device_id, avg(c.temperature) AS temperature
FROM shop.conditions c JOIN shop.devices d ON d.id = c.device_id GROUP BY 1, 2, 3 WITH NO DATA
"""
REFRESH = "CALL refresh_continuous_aggregate('shop.conditions_hourly', NULL, NULL)"
DAILY = """
CREATE MATERIALIZED VIEW shop.conditions_daily WITH (timescaledb.continuous) AS
SELECT time_bucket('1 day', bucket) AS bucket, device_id, max(temperature) AS temperature
FROM shop.conditions_hourly GROUP BY 1, 2 WITH NO DATA
"""
# Last: on a server their jobs begin at once.
POLICIES = """
SELECT add_compression_policy('shop.conditions', interval '7 days');
SELECT add_retention_policy('shop.conditions', interval '60 days', initial_start => '2026-01-01 03:30:00+00');
SELECT add_retention_policy('shop.orders', interval '3 months');
SELECT alter_job(add_retention_policy('shop.paused', interval '30 days'), scheduled => false);
SELECT add_continuous_aggregate_policy('shop.conditions_hourly', start_offset => interval '3 days',
    end_offset => interval '1 hour', schedule_interval => interval '30 minutes');
SELECT add_retention_policy('shop.conditions_hourly', interval '400 days');
"""
MADE = (SHOP, HOURLY, REFRESH, DAILY, POLICIES)
NEXT = """SELECT next_start - now() AS waits FROM timescaledb_information.jobs
WHERE proc_name = 'policy_retention' AND hypertable_name = 'events'"""
LEFT_OUT = {"counters", "orders", "Odd; Name", "oddly", "paused", "chosen", "conditions_daily"}
INDEX = """
[indexes.idx_conditions_device]
table = "conditions"
columns = ["device_id", "time DESC"]
purpose = "The newest of one device."
"""


@pytest.fixture(scope="module")
def shop(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planned]:
    """An engine with tables of its own: what a policy set can name, and what it cannot."""
    folder = tmp_path_factory.mktemp("shop") / "sandbox"
    planned = Planned(sandboxes.start(folder).target, embedded=True)
    planned.sql(
        SHOP, HOURLY, "CALL refresh_continuous_aggregate('shop.conditions_hourly', NULL, NULL)", DAILY, POLICIES
    )
    yield planned
    process.stop(folder)


@pytest.fixture(scope="module")
def server(shop: Planned) -> Server:
    return replace(connect_server(Database(shop.target)), schema="shop")


@pytest.fixture(scope="module")
def adopted(server: Server) -> Adopted:
    return adopt(server, {"events": "at"})


def edited(text: str, **changes: object) -> PolicySet:
    """The set with other values at keys whose parts are joined by two underscores."""
    keys = {tuple(key.split("__")): value for key, value in changes.items()}
    return policy_sets.parse(policy_sets.adjusted(text, keys))


def test_it_asks_for_what_is_there(server: Server, adopted: Adopted) -> None:
    policy = policy_sets.parse(adopted.text)
    assert make_plan(read_state(server, policy), policy).is_empty
    assert adopted.tables == ("conditions", "events")
    assert adopted.remaining == ()
    assert adopted.aggregates == ("conditions_hourly",)
    found = policy.tables["conditions"]
    assert dict(found.columns) == {"time": "timestamptz", "device_id": "integer", "temperature": "double precision"}
    assert (found.segment_by, [str(one) for one in found.order_by]) == (("device_id",), ["time DESC"])
    assert policy_sets.form_rows(policy, "tables")[0] == {
        "name": "conditions", "enabled": True, "chunk_interval": "1 day", "compress_after": "7 days",
        "drop_after": "60 days",
    }  # fmt: skip
    assert f"{policy.retention_schedule(found).initial_start}" == "03:30:00"
    assert not policy.tables["events"].enabled
    assert policy.aggregates["conditions_hourly"].body.reads == ("shop.conditions",)
    assert "site" in policy.aggregates["conditions_hourly"].body.sql


def test_what_it_has_no_words_for_is_left_out_with_the_reason(adopted: Adopted) -> None:
    said = dict(one.split(": ", 1) for one in adopted.left_out)
    assert set(said) == LEFT_OUT
    assert "is paused, and by a policy set it would run" in said["paused"]
    assert "lower-case letters, digits and _ only" in said["Odd; Name"]
    assert "'Device Id' is not a name" in said["oddly"]
    assert "is bigint" in said["counters"]
    assert "its drop_after is 3 mons, which has no fixed length" in said["orders"]
    assert "no refresh policy" in said["conditions_daily"]
    assert all(one in adopted.text for one in adopted.left_out)


def test_what_a_plan_by_it_would_still_change_is_told(shop: Planned, server: Server) -> None:
    jobs = "timescaledb_information.jobs WHERE proc_name = 'policy_retention'"
    job = f"SELECT alter_job(job_id, max_retries => {{}}) FROM {jobs}"
    shop.sql("CREATE TABLE shop.later (at timestamptz NOT NULL)", "SELECT create_hypertable('shop.later', 'at')")
    shop.sql("SELECT add_retention_policy('shop.later', interval '9 days', schedule_interval => interval '2 hours')")
    try:
        adopted = adopt(server)
        assert len(adopted.remaining) == 1
        assert "schedule_interval" in adopted.remaining[0]
        assert f"#   {adopted.remaining[0]}" in adopted.text
        shop.sql(job.format(2000))
        told = adopt(server)
        assert any("the schedule of retention: schedules.retention.max_retries" in one for one in told.left_out)
        assert "later" in told.tables
        policy_sets.parse(told.text)
    finally:
        shop.sql("DROP TABLE shop.later", job.format(-1))


def test_a_change_of_it_is_rolled_out_checked_and_planned_no_more(
    shop: Planned, server: Server, adopted: Adopted
) -> None:
    policy = edited(
        adopted.text + INDEX, tables__events__enabled=True, tables__events__drop_after="90 days",
        tables__conditions__chunk_interval="7 days", aggregates__conditions_hourly__end_offset="2 hours",
    )  # fmt: skip
    plan = make_plan(read_state(server, policy), policy)
    assert {one.key for one in plan.operations} == {
        "01.events.convert", "01.conditions.chunk_interval", "03.events.retention_policy",
        "04.idx_conditions_device.index", "05.conditions_hourly.refresh_policy",
    }  # fmt: skip
    assert apply(Database(shop.target, "write"), plan, conditions(), server_versions=VERSIONS).status == "done"
    assert make_plan(read_state(server, policy), policy).is_empty
    checks = {one.name: one for one in postchecks(replace(server, policy=policy), policy)}
    assert [one.name for one in checks.values() if one.verdict == "failed"] == []
    assert checks["recent_query"].verdict == checks["aggregate_query"].verdict == "passed"
    assert checks["recent_query"].evidence[1].startswith("shop.conditions: device_id ")
    assert checks["aggregate_query"].evidence[1].startswith("shop.conditions_hourly: device_id ")
    assert checks["indexes"].expected == "at least 1, all whole"
    assert "retention_policies" in checks
    waits = Database(shop.target).row(NEXT)["waits"]
    assert waits > timedelta(days=1), "what drops for the first time leaves a time of grace"


def test_a_query_that_can_find_nothing_is_no_latency(shop: Planned, server: Server, adopted: Adopted) -> None:
    shop.sql("CREATE TABLE shop.nobodys (at timestamptz, device_id integer)", "INSERT INTO shop.nobodys VALUES (now())")
    source = policy_sets.parse(adopted.text).tables["conditions"]
    nobodys = source.model_copy(update={"name": "nobodys", "time_column": "at"})
    assert latency.measure(server, latency.Asked(nobodys, "shop.nobodys", "at", "1 hour"), 100) is None
    shop.sql("INSERT INTO shop.nobodys VALUES (now(), 7)")
    found = latency.measure(server, latency.Asked(nobodys, "shop.nobodys", "at", "1 hour"), 100)
    assert found is not None
    assert (found.rows, len(found.samples)) == (1, latency.RUNS)


def test_a_schema_without_hypertables_says_where_they_are(server: Server) -> None:
    with pytest.raises(RolloutError, match=r"holds no hypertable; hypertables are in shop \(\d\)") as caught:
        adopt(replace(server, schema="public"))
    assert "DB_SCHEMA" in caught.value.next_step
    with pytest.raises(RolloutError, match=r"There is no table shop\.nothing"):
        adopt(server, {"nothing": "at"})
    for odd in (replace(server, schema='Plant"; --'), server):
        with pytest.raises(RolloutError, match=r"No policy set can be written: .* is not a name"):
            adopt(odd, {"Odd; Name": "at"} if odd is server else {"events": "at"})


def test_the_command_writes_a_file_and_never_over_one(
    sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MS5OPS_STATE", str(sandboxes.folder("optimised")))
    file = tmp_path / "policy.toml"
    command = ["policy", "adopt", "-e", "sandbox", "--out", str(file)]
    assert CliRunner().invoke(app, command).exit_code == 0
    policy = policy_sets.parse(file.read_text())
    assert set(policy.tables) == set(load_policy().tables)
    assert set(policy.aggregates) == set(load_policy().aggregates)
    planned: Any = CliRunner().invoke(app, ["plan", "-e", "sandbox", "--policy", str(file)])
    assert planned.exit_code == 0, planned.stdout
    file.write_text("mine")
    assert CliRunner().invoke(app, command).exit_code != 0
    assert file.read_text() == "mine"
    assert CliRunner().invoke(app, ["policy", "adopt", "--table", "events"]).exit_code == 2


@pytest.mark.native
def test_on_native_servers_it_asks_for_what_is_there(native: Target) -> None:
    with native_database(native, edition="community") as there:
        planned = Planned(there, embedded=False)
        planned.sql(*MADE)
        server = replace(connect_server(Database(there)), schema="shop")
        adopted = adopt(server, {"events": "at"})
        policy = policy_sets.parse(adopted.text)
        assert make_plan(read_state(server, policy), policy).is_empty
        assert {"conditions", "events"} <= set(adopted.tables)
        assert (adopted.aggregates, adopted.remaining) == (("conditions_hourly",), ())
        left_out = {one.partition(":")[0] for one in adopted.left_out}
        assert left_out - {"chosen"} == LEFT_OUT - {"chosen"}
        server.database.close()
        planned.writing.close()


@pytest.mark.native
def test_on_native_servers_a_deployed_set_is_found_again(native: Target) -> None:
    with installed(native, "hypertables", edition="community") as planned:
        planned.execute(planned.plan().operations)
        server = connect_server(Database(planned.target))
        adopted = adopt(server)
        policy = policy_sets.parse(adopted.text)
        assert make_plan(read_state(server, policy), policy).is_empty
        assert (adopted.left_out, set(adopted.aggregates)) == ((), set(POLICY.aggregates))
        server.database.close()
