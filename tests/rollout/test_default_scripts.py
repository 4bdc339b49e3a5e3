"""The scripts of sql/phase4 are the plan for the default policy, the same for every server; psql reaches it by them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ms5ops import paths
from ms5ops.database import Database, Target
from ms5ops.observe.server import connect_server
from ms5ops.policy.bodies import words
from ms5ops.rollout.default_scripts import FILES, scripts
from ms5ops.rollout.plan import make_plan
from ms5ops.rollout.records import State
from ms5ops.rollout.state import read_state
from ms5ops.sandbox import fill
from ms5ops.sandbox.scripts import parts
from tests.conftest import Sandboxes
from tests.native import native_database
from tests.rollout.installed import ROWS, installed, psql
from tests.rollout.planning import POLICY, SMALL, Planned, keys

FOLDER = paths.SQL / "phase4"
DECIDED_WHEN_RUN = {
    "01.database.effective_cache_size",
    "02.production_context_history.compression_settings",
    "04.idx_metric_hist_realtime.index",
}


@pytest.fixture(scope="module")
def legacy(sandboxes: Sandboxes) -> State:
    database = Database(sandboxes.target("legacy"))
    try:
        return read_state(connect_server(database), POLICY)
    finally:
        database.close()


def test_the_files_are_what_the_plan_gives(legacy: State) -> None:
    made = scripts(legacy, POLICY)
    assert {file.name for file in FOLDER.iterdir()} == {*made}
    for name, text in made.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, f"{name} is out of step: run `make scripts`"


def test_the_text_is_the_same_whatever_the_server(legacy: State) -> None:
    other = replace(
        legacy,
        version=(2, 11, 2),
        reschedules=False,
        tables=tuple(replace(one, rows=7_000_000, size_bytes=10**9) for one in legacy.tables),
        settings=tuple(replace(one, value="1.1", source="configuration file") for one in legacy.settings),
        database_settings={"jit": "off"},
        server_settings=(),
        database_name="another",
        owns_database=False,
        read_at="2030-01-01T12:34:56+00:00",
    )
    assert scripts(other, POLICY) == scripts(legacy, POLICY)


def test_only_one_operation_depends_on_the_version(legacy: State) -> None:
    """As the scripts are made from two versions, and decide by one bound."""

    def of(version: tuple[int, int, int]) -> dict[str, tuple[str, ...]]:
        plan = make_plan(replace(legacy, version=version, reschedules=version >= (2, 15, 0)), POLICY)
        return {one.key: one.statements for one in plan.operations}

    old, new = of((2, 11, 0)), of((2, 29, 2))
    assert [*old] == [*new]
    assert {key for key in new if old[key] != new[key]} == {"02.production_context_history.compression_settings"}
    assert all(of((2, minor, 0)) == (old if minor < 17 else new) for minor in (12, 14, 15, 16, 17, 18, 23))


def test_each_statement_of_the_plan_stands_in_its_script(legacy: State) -> None:
    plan = make_plan(replace(legacy, version=(2, 29, 2), settings=(), database_settings={}), POLICY)
    for phase, file in FILES.items():
        text = (FOLDER / file).read_text(encoding="utf-8")
        titles = [part.title for part in parts(FOLDER / file) if part.title]
        # Only the server knows whether it needs this one.
        assert [title for title in titles if title != "Set effective_cache_size for the database"] == [
            one.title.partition(": ")[0]
            for one in plan.of_phase(phase)
            if one.key != "01.database.effective_cache_size"
        ]
        there = [words(piece) for part in parts(FOLDER / file) for piece in part.statements]
        for one in plan.of_phase(phase):
            assert f"-- {one.key} " in text
            if one.key in DECIDED_WHEN_RUN:
                continue
            expected = [words(";\n".join(one.statements))] if one.transactional else [*map(words, one.statements)]
            assert all(each in there for each in expected), one.key


def test_what_psql_runs_outside_a_transaction_is_not_in_one() -> None:
    for file in FILES.values():
        text = (FOLDER / file).read_text(encoding="utf-8")
        assert len(re.findall("^BEGIN;$", text, re.MULTILINE)) == len(re.findall("^COMMIT;$", text, re.MULTILINE))
        for block in re.findall(r"^BEGIN;$(.*?)^COMMIT;$", text, re.MULTILINE | re.DOTALL):
            assert not re.search("transaction_per_chunk|CALL refresh_continuous_aggregate|compress_chunk", block)
        assert text.index("\\set ON_ERROR_STOP on") < text.index("\\echo")


@pytest.mark.native
@pytest.mark.parametrize("rows", ["", ROWS], ids=["empty", "with rows"])
def test_psql_reaches_the_policy_by_the_five_scripts(native: Target, rows: str) -> None:
    with installed(native, "legacy", rows or "ANALYZE", "community") as found:
        found.sql(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET effective_cache_size = %L', current_database(), '64MB');"
            " END $$"
        )
        count = found.writing.row("SELECT count(*) AS n FROM factory_telemetry.metric_hist")["n"]
        for file in FILES.values():
            _run(found, FOLDER / file)
        plan = found.plan()
        assert keys(plan) == []
        assert [note for note in plan.notes if note.kind != "remark"] == []
        assert found.state().database_settings["effective_cache_size"] != "64MB"
        assert found.writing.row("SELECT count(*) AS n FROM factory_telemetry.metric_hist")["n"] == count
        again = psql(found.target, FOLDER / FILES[1])
        assert again.returncode != 0
        assert "these scripts are for plain tables" in again.stderr
        assert "python -m ms5ops plan --sql" in again.stderr


def _run(found: Planned, file: Path) -> None:
    done = psql(found.target, file)
    assert done.returncode == 0, (file.name, done.stderr[-2000:])


@pytest.mark.native
def test_trimming_the_realtime_index_holds_no_lock_to_its_end(native: Target) -> None:
    """By run_job, while one chunk is in use: what was dropped before it is committed, and the rest goes on."""
    with installed(native, "legacy", edition="community") as found:
        for file in FILES.values():
            _run(found, FOLDER / file)
        held = "SELECT count(*) AS n FROM pg_indexes WHERE indexname LIKE '%_idx_metric_hist_realtime'"
        before = found.writing.row(held)["n"]
        chunks = found.writing.rows(
            "SELECT format('%I.%I', chunk_schema, chunk_name) AS name FROM timescaledb_information.chunks"
            " WHERE hypertable_name = 'metric_hist' AND range_end < now() - INTERVAL '24 hours' ORDER BY range_end"
        )
        job = found.writing.row(
            "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = 'trim_realtime_index'"
        )["job_id"]
        with found.writing.transaction() as reader:
            reader.exec_driver_sql(f"SELECT 1 FROM {chunks[1]['name']} LIMIT 1")
            found.writing.execute(f"CALL run_job({job})")
            assert found.writing.row(held)["n"] == before - len(chunks) + 1
        found.writing.execute(f"CALL run_job({job})")
        assert found.writing.row(held)["n"] == before - len(chunks)
        assert keys(found.plan()) == [], "an index that is away from old chunks is whole"


@pytest.mark.native
def test_a_fill_works_on_a_server_too(native: Target) -> None:
    with native_database(native, edition="community") as there:
        planned = Planned(there, embedded=False)
        fill.fill(planned.writing, "optimised", SMALL, lambda _progress: None)
        assert keys(planned.plan()) == []
        fill.fill(planned.writing, "legacy", SMALL, lambda _progress: None)
        assert planned.state().database_settings == {}, "a fill begins afresh"
        planned.writing.close()
