"""The whole way on the real engine: from either found state and from random drift to the policy, and back."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from ms5ops.database import Database, Target
from ms5ops.observe.server import connect_server
from ms5ops.policy.document import PolicySet, load_policy
from ms5ops.rollout import executor, journal
from ms5ops.rollout import rollback as undoing
from ms5ops.rollout.conditions import Conditions
from ms5ops.rollout.dry_run import dry_run
from ms5ops.rollout.journal import Who
from ms5ops.rollout.plan import Plan, make_plan
from ms5ops.rollout.records import State
from ms5ops.rollout.restored import comparison
from ms5ops.rollout.state import differences, read_state, state_hash
from ms5ops.sandbox import fill, process
from tests.conftest import Sandboxes

pytestmark = pytest.mark.xdist_group("whole")

VOLUME = fill.Volume(rows=3_000, days=8)
TABLES = ("metric_hist", "oee_calculations", "energy_consumption", "production_kpis", "production_context_history")
SCHEMA = "factory_telemetry"
SEEDS = range(20)


@dataclass
class Bench:
    """One engine, and what is done with it."""

    target: Target
    policy: PolicySet

    def __post_init__(self) -> None:
        self.write = Database(self.target, "write")
        self.read = Database(self.target)
        self.conditions = Conditions(who=Who.here(), environment="sandbox", embedded=True)

    def state(self) -> State:
        return read_state(connect_server(self.read), self.policy)

    def plan(self) -> Plan:
        return make_plan(self.state(), self.policy)

    def apply(self, plan: Plan | None = None) -> None:
        """The plan given, or that of now; nothing is left to plan then."""
        plan = plan or self.plan()
        if plan.is_empty:
            return
        outcome = executor.apply(
            self.write, plan, self.conditions, server_versions={}, before_state=plan.to_json()["state"]
        )
        assert outcome.status == "done", outcome.reason
        left = self.plan()
        assert left.is_empty, [one.key for one in left.operations]

    def roll_back(self, *, conversions: bool = False) -> State:
        """Take the last deployment back; the state that was read, and compared, when all was undone."""
        read: list[State] = []

        def state() -> State:
            read.append(self.state())
            return read[-1]

        outcome = undoing.rollback(
            self.write,
            journal.deployment(self.write),
            self.conditions,
            conversions=conversions,
            accept_loss=True,
            compare=comparison(state),
        )
        assert outcome.status == "rolled back", outcome.reason
        return read[-1]

    def contents(self) -> dict[str, tuple[int, str]]:
        """Rows and a checksum over all columns of each table, whatever the order."""
        found = {}
        for table in TABLES:
            row = self.read.row(
                f"SELECT count(*) AS rows, coalesce(sum(hashtext(t::text)::bigint), 0)::text AS checksum"
                f" FROM {SCHEMA}.{table} t"
            )
            found[table] = (row["rows"], row["checksum"])
        return found


@pytest.fixture(scope="module")
def engine(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("whole") / "sandbox"
    running = sandboxes.start(folder)
    yield running.target
    process.stop(folder)


@pytest.fixture
def bench(engine: Target) -> Iterator[Bench]:
    found = Bench(engine, load_policy())
    yield found
    found.write.close()
    found.read.close()


def filled(bench: Bench, state: fill.State) -> None:
    bench.write.execute("DROP SCHEMA IF EXISTS ms5ops CASCADE")
    fill.fill(bench.write, state, VOLUME, lambda _progress: None)


@pytest.mark.parametrize("found_state", ["hypertables", "legacy"])
def test_from_a_found_state_to_the_policy_and_back(bench: Bench, found_state: fill.State) -> None:
    filled(bench, found_state)
    plan, rows = bench.plan(), bench.contents()
    assert not plan.is_empty
    trial = dry_run(bench.write, plan.operations, embedded=True)
    assert [(one.operation.key, one.reason) for one in trial.failed] == []
    assert state_hash(bench.state()) == plan.state_hash
    bench.apply(plan)
    assert bench.contents() == rows
    after = bench.roll_back(conversions=found_state == "legacy")
    assert differences(plan.state, after) == []
    assert state_hash(after) == plan.state_hash
    assert bench.contents() == rows


def drift(bench: Bench, name: str) -> None:
    bench.write.execute([part.format(s=SCHEMA) for part in DRIFT[name].split(";")])


DRIFT = {
    "an index is gone": "DROP INDEX IF EXISTS {s}.idx_oee_equipment_time_desc",
    "an index is another": "DROP INDEX IF EXISTS {s}.idx_metric_hist_ts_brin;"
    " CREATE INDEX idx_metric_hist_ts_brin ON {s}.metric_hist (ts)",
    "the index view is gone": "DROP VIEW IF EXISTS {s}.v_index_usage",
    "the retention view is another": "DROP VIEW IF EXISTS {s}.v_retention_status;"
    " CREATE VIEW {s}.v_retention_status AS SELECT 1 AS one",
    "compression has no policy": "SELECT remove_compression_policy('{s}.oee_calculations', if_exists => true)",
    "compression waits longer": "SELECT remove_compression_policy('{s}.metric_hist', if_exists => true);"
    " SELECT add_compression_policy('{s}.metric_hist', INTERVAL '30 days')",
    "retention is gone": "SELECT remove_retention_policy('{s}.energy_consumption', if_exists => true)",
    "retention keeps longer": "SELECT remove_retention_policy('{s}.production_kpis', if_exists => true);"
    " SELECT add_retention_policy('{s}.production_kpis', INTERVAL '900 days')",
    "jobs are paused": "SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs"
    " WHERE proc_name = 'policy_retention'",
    "jobs run at another pace": "SELECT alter_job(job_id, schedule_interval => INTERVAL '3 days', max_retries => 7)"
    " FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression'",
    "an aggregate is gone": "DROP MATERIALIZED VIEW IF EXISTS {s}.energy_daily",
    "an aggregate shows no live data": "ALTER MATERIALIZED VIEW {s}.oee_weekly"
    " SET (timescaledb.materialized_only = true)",
    "an aggregate is not refreshed": "SELECT remove_continuous_aggregate_policy('{s}.oee_weekly', if_exists => true)",
    "chunks have another length": "SELECT set_chunk_time_interval('{s}.oee_calculations', INTERVAL '3 days')",
    "autovacuum is as it comes": "ALTER TABLE {s}.metric_hist RESET (autovacuum_vacuum_scale_factor)",
    "a setting is another": "ALTER DATABASE factory_telemetry SET random_page_cost = 3",
    "a setting is gone": "ALTER DATABASE factory_telemetry RESET max_parallel_workers_per_gather",
    "the trim job is gone": "SELECT delete_job(job_id) FROM timescaledb_information.jobs"
    " WHERE proc_name = 'trim_realtime_index'",
    "a stranger's index is there": "CREATE INDEX IF NOT EXISTS somebodys_own ON {s}.production_kpis (shift_id)",
}


@pytest.fixture(scope="module")
def deployed(engine: Target) -> None:
    bench = Bench(engine, load_policy())
    filled(bench, "legacy")
    bench.apply()


@pytest.mark.usefixtures("deployed")
def test_every_drift_is_seen(bench: Bench) -> None:
    bench.apply()
    seen: dict[str, str] = {}
    for name in sorted(set(DRIFT) - {"a stranger's index is there"}):
        drift(bench, name)
        planned = {one.key: one.actual for one in bench.plan().operations}
        assert planned.items() - seen.items(), f"nothing is planned where {name}"
        seen = planned
    drift(bench, "a stranger's index is there")
    assert {one.key for one in bench.plan().operations} == set(seen)  # it is left alone


@pytest.mark.usefixtures("deployed")
def test_a_policy_with_other_values_that_came_after_the_plan_fails_the_operation(bench: Bench) -> None:
    """What IF NOT EXISTS would keep with a mere warning: the verification asks for the values."""
    bench.apply()
    drift(bench, "retention is gone")
    plan = bench.plan()
    bench.write.execute(f"SELECT add_retention_policy('{SCHEMA}.energy_consumption', INTERVAL '900 days')")
    warned = replace(
        plan.operations[0],
        statements=(
            f"SELECT add_retention_policy('{SCHEMA}.energy_consumption', INTERVAL '365 days', if_not_exists => true)",
        ),
    )
    for operations in (plan.operations, (warned,)):
        outcome = executor.apply(
            bench.write, replace(plan, operations=operations), bench.conditions, server_versions={}
        )
        assert (outcome.status, outcome.failed) == ("failed", "03.energy_consumption.retention_policy")
        assert re.search("already exists|was expected", outcome.reason or ""), outcome.reason
        executor.give_up(bench.write, bench.conditions, journal.deployment(bench.write))
    assert bench.plan().operations[0].kind == "alter_job"


@pytest.mark.usefixtures("deployed")
def test_broken_indexes_do_not_come_back_and_that_is_no_difference(bench: Bench) -> None:
    bench.apply()
    bench.write.execute(f"CREATE INDEX idx_oee_below_target__new ON {SCHEMA}.oee_calculations (quality)")
    for broken in ("idx_oee_below_target__new", "idx_kpis_line_date_shift"):
        bench.write.execute(
            "DO $$ DECLARE one regclass; BEGIN SELECT c.oid INTO one FROM pg_class c"
            f" WHERE c.relname LIKE '%{broken}' AND c.relnamespace <> '{SCHEMA}'::regnamespace LIMIT 1;"
            " EXECUTE format('DROP INDEX %s', one); END $$"
        )
    plan = bench.plan()
    before = plan.state
    assert {one.name for one in before.indexes if one.is_broken} == {
        "idx_oee_below_target__new", "idx_kpis_line_date_shift",
    }  # fmt: skip
    bench.apply(plan)
    kinds = {row.operation.kind for row in journal.operations(bench.write, journal.deployment(bench.write).id)}
    assert {"rebuild_index", "drop_index"} <= kinds
    after = bench.roll_back()
    assert [one.name for one in after.indexes if one.is_broken] == []
    left = {one.split(":")[0] for one in differences(before, after)}
    assert left == {"indexes idx_oee_below_target__new", "indexes idx_kpis_line_date_shift is_broken"}


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("seed", SEEDS)
def test_from_random_drift_to_the_policy_and_back(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)
    if chance.random() < 0.5:
        bench.apply()  # else what earlier seeds left is part of this one's state
    for name in chance.sample(sorted(DRIFT), k=chance.randint(1, 6)):
        drift(bench, name)
    plan, rows = bench.plan(), bench.contents()
    bench.apply(plan)
    assert differences(plan.state, bench.roll_back()) == []
    assert bench.contents() == rows
