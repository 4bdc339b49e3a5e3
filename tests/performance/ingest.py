"""A writer at 1,000 rows/s during an apply and a rollback: its worst pause. Needs MS5OPS_NATIVE_DSN."""

import threading
import time
from dataclasses import replace
from uuid import uuid4

from ms5ops.database import Database, Target
from ms5ops.observe.server import connect_server
from ms5ops.policy.document import load_policy
from ms5ops.rollout import journal
from ms5ops.rollout.conditions import Conditions
from ms5ops.rollout.executor import apply
from ms5ops.rollout.journal import Who
from ms5ops.rollout.plan import make_plan
from ms5ops.rollout.rollback import rollback
from ms5ops.rollout.running import Progress
from ms5ops.rollout.state import read_state
from ms5ops.sandbox import fill
from tests.conftest import NATIVE, native_targets

ROWS_A_SECOND, ROWS_AT_ONCE = 1_000, 20
VOLUME = fill.Volume(rows=300_000, days=10)
_INSERT = (
    "INSERT INTO factory_telemetry.metric_hist (metric_def_id, ts, value_real) SELECT id, now(), random()"
    f" FROM factory_telemetry.metric_def, generate_series(1, 50) LIMIT {ROWS_AT_ONCE}"
)


class Writer:
    """Inserts at a steady rate; remembers each pause with what the run was at."""

    def __init__(self, database: Database) -> None:
        self.pauses: list[tuple[float, str]] = []
        self.at = "before"
        self._database = database
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        with self._database.session() as session:
            due = time.perf_counter()
            while not self._ended.is_set():
                at, began = self.at, time.perf_counter()
                session.run(_INSERT)
                self.pauses.append((time.perf_counter() - began, at))
                due += ROWS_AT_ONCE / ROWS_A_SECOND
                time.sleep(max(0.0, due - time.perf_counter()))

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()


def main() -> None:
    """A writer at 1,000 rows/s during an apply and a rollback: its worst pause."""
    if not native_targets():
        print(f"{NATIVE} names no TimescaleDB server; nothing was measured.")
    for target in native_targets():
        _measure(target)


def _measure(target: Target) -> None:
    admin = Database(target, "write")
    version = admin.row("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")["extversion"]
    name = f"ms5ops_ingest_{uuid4().hex[:8]}"
    admin.execute(f"CREATE DATABASE {name}")
    database = Database(replace(target, database=name), "write")
    try:
        database.execute(f"CREATE EXTENSION timescaledb VERSION '{version}'")
        database.close()
        for state in ("legacy", "hypertables"):
            fill.fill(database, state, VOLUME, lambda _progress: None)
            _run(database, version, state)
            database.execute("DROP SCHEMA ms5ops CASCADE")
    finally:
        database.close()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        admin.close()


def _run(database: Database, version: str, state: str) -> None:
    policy = load_policy()
    plan = make_plan(read_state(connect_server(Database(database.target)), policy), policy)
    writer = Writer(database)

    def report(progress: Progress) -> None:
        writer.at = progress.key

    conditions = Conditions(Who.here("benchmark"), "benchmark", embedded=False, report=report)
    try:
        for what in ("apply", "rollback"):
            writer.pauses.clear()
            began = time.perf_counter()
            if what == "apply":
                outcome = apply(database, plan, conditions, server_versions={}, before_state=plan.to_json()["state"])
            else:
                outcome = rollback(database, journal.deployment(database), conditions, accept_loss=True)
            took = time.perf_counter() - began
            ordered = sorted(writer.pauses, reverse=True)
            middle = ordered[len(ordered) // 2][0]
            print(
                f"{version} {state} {what}: {outcome.status} in {took:.1f} s, {len(ordered) * ROWS_AT_ONCE / took:.0f} "
                f"rows/s; pause median {middle * 1000:.1f} ms, worst "
                + ", ".join(f"{pause * 1000:.0f} ms ({at})" for pause, at in ordered[:3]),
                flush=True,
            )
            if outcome.status not in ("done", "rolled back"):
                print(outcome.reason)
                return
    finally:
        writer.stop()
