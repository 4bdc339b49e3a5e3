"""A small hypertable and a hand-made plan over it: every kind of operation that an executor meets."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ms5ops.database import Database, Target
from ms5ops.environments import Connected
from ms5ops.errors import LeaseTaken
from ms5ops.rollout import journal
from ms5ops.rollout.conditions import Conditions
from ms5ops.rollout.ends import Outcome
from ms5ops.rollout.executor import apply
from ms5ops.rollout.journal import Who
from ms5ops.rollout.limits import Limits
from ms5ops.rollout.operation import Inverse, Lock, Operation, Steps, Verification
from ms5ops.rollout.rollback import rollback
from ms5ops.rollout.running import Progress

QUICK = Limits(
    lock_timeout_ms=200, retry_budget_s=1.5, backoff_s=0.1, backoff_most_s=0.4, heartbeat_s=0.1, stale_after_s=0.6,
    cancel_after_s=0.3,
)  # fmt: skip
VERSIONS = {"timescaledb": "2.23.0", "postgres": "17.5"}

RESET = [
    "DROP SCHEMA IF EXISTS ms5ops CASCADE",
    "DROP SCHEMA IF EXISTS probe CASCADE",
    "CREATE SCHEMA probe",
    "CREATE TABLE probe.metric (ts timestamptz NOT NULL, series int NOT NULL, value float8)",
    "SELECT create_hypertable('probe.metric', 'ts', chunk_time_interval => interval '1 day')",
    "INSERT INTO probe.metric SELECT date_trunc('day', now()) - interval '8 days' + n * interval '5 minutes', n % 5, n"
    " FROM generate_series(1, 8 * 288) n",
]
ONE_OF_THE_SET = [
    "CREATE SCHEMA factory_telemetry",
    "CREATE TABLE factory_telemetry.production_context_history (id bigserial, changed_at timestamptz NOT NULL)",
]
"""One table of the policy set, plain: without any there is nothing to check after a deployment."""


def connected_to(target: Target, **more: Any) -> Connected:
    """An unprotected environment on that database; ``more`` are further fields."""
    values: dict[str, Any] = {
        "name": "test", "database": Database(target), "origin": "measured", "protected": False,
        "maintenance_window": "always", "schema": "factory_telemetry",
    }  # fmt: skip
    return Connected(**{**values, **more})


@dataclass(frozen=True)
class Plan:
    """Operations as a plan."""

    operations: tuple[Operation, ...]
    advice: tuple[Operation, ...] = ()
    state_hash: str = "0" * 64
    policy_hash: str = "1" * 64

    def to_json(self) -> dict[str, Any]:
        return {
            "operations": [one.to_json() for one in self.operations],
            "advice": [one.to_json() for one in self.advice],
        }


def operation(key: str, statements: list[str], sql: str, expected: str, undo: list[str], **more: Any) -> Operation:
    """An operation with what the tests do not care about filled in."""
    values: dict[str, Any] = {
        "key": key,
        "phase": int(key[:2]),
        "kind": "handmade",
        "target": key.partition(".")[2],
        "title": f"Make {key}",
        "actual": "not there",
        "desired": "there",
        "statements": tuple(statements),
        "verification": Verification(sql, expected),
        "lock": Lock("ShareLock", "probe.metric", "a moment"),
        "inverse": Inverse(tuple(undo)),
    }
    return Operation(**{**values, **more})


def index(name: str, column: str, **more: Any) -> Operation:
    return operation(
        f"04.{name}",
        [f"CREATE INDEX {name} ON probe.metric ({column})"],
        f"SELECT count(*) FROM pg_indexes WHERE indexname = '{name}' AND schemaname = 'probe'",
        "1",
        [f"DROP INDEX probe.{name}"],
        **more,
    )


def outside(name: str, column: str) -> Operation:
    """An index built in a transaction per chunk."""
    sql = f"CREATE INDEX IF NOT EXISTS {name} ON probe.metric ({column})"
    return replace(
        index(name, column),
        statements=(f"{sql} WITH (timescaledb.transaction_per_chunk)",),
        embedded_statements=(sql,),
        transactional=False,
        verification=Verification(
            f"SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('probe.{name}') AND indisvalid", "1"
        ),
        inverse=Inverse((f"DROP INDEX IF EXISTS probe.{name}",), transactional=False),
    )


ENABLE = operation(
    "02.enable",
    ["ALTER TABLE probe.metric SET (timescaledb.compress, timescaledb.compress_segmentby = 'series')"],
    "SELECT compression_enabled FROM timescaledb_information.hypertables WHERE hypertable_schema = 'probe'",
    "true",
    ["ALTER TABLE probe.metric SET (timescaledb.compress = false)"],
)
POLICY = operation(
    "02.policy",
    ["SELECT add_compression_policy('probe.metric', interval '3 days')"],
    "SELECT config ->> 'compress_after' FROM timescaledb_information.jobs WHERE hypertable_schema = 'probe'"
    " AND proc_name = 'policy_compression'",
    "3 days",
    ["SELECT remove_compression_policy('probe.metric')"],
    requires=("02.enable",),
)
BACKLOG = operation(
    "02.backlog",
    [],
    "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_schema = 'probe' AND NOT is_compressed"
    " AND range_end <= now() - interval '3 days'",
    "0",
    [],
    steps=Steps("compress", {"hypertable": "probe.metric", "older_than": "3 days"}),
    requires=("02.enable",),
)
AGGREGATE = operation(
    "05.hourly",
    [
        "CREATE MATERIALIZED VIEW probe.hourly WITH (timescaledb.continuous, timescaledb.materialized_only = true) AS"
        " SELECT time_bucket('1 hour', ts) AS bucket, series, count(*) AS n FROM probe.metric GROUP BY 1, 2"
        " WITH NO DATA"
    ],
    "SELECT count(*) FROM timescaledb_information.continuous_aggregates WHERE view_schema = 'probe'",
    "1",
    ["DROP MATERIALIZED VIEW probe.hourly"],
)
REFRESH = operation(
    "05.refresh",
    [],
    "SELECT sum(n) FROM probe.hourly WHERE bucket < date_trunc('day', now())",
    "2303",
    [],
    steps=Steps("refresh", {"aggregate": "probe.hourly", "window": "1 day", "not_before": None}),
    requires=("05.hourly",),
)
ADVICE = operation("01.workers", ["must never run"], "SELECT 1", "2", [], advice=True)
DESTROY = operation(
    "03.drop",
    ["SELECT drop_chunks('probe.metric', older_than => now() - interval '6 days')"],
    "SELECT count(*) > 0 FROM timescaledb_information.chunks WHERE hypertable_schema = 'probe'",
    "t",
    [],
    destroys="rows older than 6 days",
    inverse=Inverse(impossible="dropped chunks do not come back"),
)
WHOLE = Plan(
    (
        index("idx_a", "series, ts DESC"), ENABLE, POLICY, BACKLOG, outside("idx_b", "value"), AGGREGATE,
        REFRESH,
    ),
    (ADVICE,),
)  # fmt: skip
WRONG = operation("04.wrong", ["CREATE TABLE probe.half ()", "SELECT 1/0"], "SELECT 1", "1", [])

_CATALOGUE = """
SELECT string_agg(line, E'\\n' ORDER BY line) AS text FROM (
    SELECT 'index ' || indexdef AS line FROM pg_indexes WHERE schemaname = 'probe'
    UNION ALL SELECT 'relation ' || relname || relkind::text FROM pg_class WHERE relnamespace = 'probe'::regnamespace
    UNION ALL SELECT 'hypertable ' || hypertable_name || compression_enabled
        FROM timescaledb_information.hypertables WHERE hypertable_schema = 'probe'
    UNION ALL SELECT 'chunk ' || range_start || is_compressed
        FROM timescaledb_information.chunks WHERE hypertable_schema = 'probe'
    UNION ALL SELECT 'job ' || proc_name || schedule_interval || config - 'hypertable_id' - 'mat_hypertable_id'
        FROM timescaledb_information.jobs WHERE hypertable_schema = 'probe'
    UNION ALL SELECT 'aggregate ' || view_name
        FROM timescaledb_information.continuous_aggregates WHERE view_schema = 'probe'
    UNION ALL SELECT 'rows ' || count(*) || sum(value) FROM probe.metric
) lines
"""


def catalogue(database: Database) -> str:
    """All that an operation of the plan can change, as text."""
    return str(database.row(_CATALOGUE)["text"])


def conditions(**more: Any) -> Conditions:
    values: dict[str, Any] = {
        "who": Who.here("tester"),
        "environment": "test",
        "embedded": True,
        "limits": QUICK,
    }
    return Conditions(**{**values, **more})


def when_stale(work: Callable[[], Outcome]) -> Outcome:
    """``work``, as soon as a dead holder's lease may be taken over."""
    deadline = time.monotonic() + 20 * QUICK.stale_after_s
    while True:
        try:
            return work()
        except LeaseTaken:
            assert time.monotonic() < deadline
            time.sleep(QUICK.stale_after_s / 4)


def kill_at_statement(number: int) -> None:
    """End this process with SIGKILL before its session runs statement ``number`` (all that it sends count)."""
    from ms5ops.database import Session

    sent = 0

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Session, *arguments: Any) -> Any:
            nonlocal sent
            sent += 1
            if sent == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(self, *arguments)

        return call

    for name in ("run", "rows", "read"):
        setattr(Session, name, counted(getattr(Session, name)))


def apply_and_die(target: Target, plan: Plan, number: int, embedded: bool) -> None:
    """In a process of its own: apply, and die before the statement of that number."""
    kill_at_statement(number)
    apply(Database(target, "write"), plan, conditions(embedded=embedded), server_versions=VERSIONS)


def apply_and_die_after(target: Target, plan: Plan, key: str, embedded: bool) -> None:
    """In a process of its own: apply, and die when the operation of that key is done."""

    def report(progress: Progress) -> None:
        if progress.key == key and progress.fraction == 1.0:
            os.kill(os.getpid(), signal.SIGKILL)

    apply(Database(target, "write"), plan, conditions(embedded=embedded, report=report), server_versions=VERSIONS)


def rollback_and_die(target: Target, number: int, embedded: bool) -> None:
    """In a process of its own: roll the last deployment back, and die before the statement of that number."""
    database = Database(target, "write")
    found = journal.deployment(database)
    kill_at_statement(number)
    rollback(database, found, conditions(embedded=embedded))
