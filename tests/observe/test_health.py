import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from ms5ops.database import Database, Target
from ms5ops.errors import ConfigError, FeatureMissing, Ms5opsError, PrivilegeMissing, ReadTimeout, SectionDefect
from ms5ops.observe import data_checks
from ms5ops.observe.activity import Activity, Transactions, activity_from
from ms5ops.observe.data_checks import poor_reason
from ms5ops.observe.diagnoses import diagnoses
from ms5ops.observe.finding import counted, short
from ms5ops.observe.health import findings, problems, worst
from ms5ops.observe.indexes import IndexReading
from ms5ops.observe.locks import LockBudget, TableLocks
from ms5ops.observe.overview import Overview, Reading, as_plain, reading
from ms5ops.observe.routine import routine
from ms5ops.observe.server import Server
from ms5ops.observe.settings import settings_from
from ms5ops.observe.tables import DatabaseSize
from ms5ops.observe.totals import totals
from ms5ops.policy.document import default_policy
from tests.observe.examples import (
    DAY,
    EXPECTED,
    HOUR,
    METRICS,
    MINUTE,
    NOW,
    aggregate,
    chunks,
    compression,
    failed_run,
    index,
    job,
    retention,
    retention_job,
    runs,
    table,
)
from tests.observe.test_indexes_locks_settings_activity import session

NO_ACTIVITY = Activity((), 0, 0, 0, 0)


def server(**changed: Any) -> Server:
    values: dict[str, Any] = {
        "database": Database(Target("localhost", 1, "factory_telemetry", "reader")), "schema": "factory_telemetry",
        "policy": default_policy(), "version": (2, 28, 3), "postgres_version": (15, 18), "edition": "community",
        "statements_version": "1.10",
        "statements_schema": "public", "in_recovery": False, "started_at": NOW - 100 * DAY, "read_at": NOW,
        "role": "reader", "database_name": "factory_telemetry", "is_superuser": False,
        "may_read_all_statistics": True, "may_read_all_settings": True, "owns_database": False,
    }  # fmt: skip
    return Server(**{**values, **changed})


def value(anything: Any) -> Reading[Any]:
    return Reading(anything, None, NOW, 0.01)


def overview(**changed: Any) -> Overview:
    """A server on which all is well; changes are values, readings or errors by section."""
    tables = tuple(table(name=one.name, chunk_interval=one.chunk_interval) for one in EXPECTED.values())
    qualified = [one.qualified for one in tables]
    values: dict[str, Any] = {
        "settings": settings_from([], "factory_telemetry"),
        "chunks": chunks(),
        "tables": tables,
        "database_size": DatabaseSize(1_000, True, 10),
        "growth": pd.DataFrame(),
        "jobs": (job(), retention_job()),
        "job_runs": runs(),
        "compression": tuple(compression(table=name) for name in qualified),
        "planned_segments": {},
        "retention": tuple(retention(table=name) for name in qualified),
        "aggregates": tuple(
            aggregate(aggregate=f"factory_telemetry.{name}") for one in EXPECTED.values() for name in one.aggregates
        ),
        "indexes": IndexReading((index(),), NOW - 30 * DAY),
        "activity": NO_ACTIVITY,
        "locks": LockBudget(10_000, (TableLocks(METRICS, 10, 0, 1, 20),)),
        "transactions": Transactions(NOW - 30 * DAY, 1_000, 10, 0, 0, 0),
    }  # fmt: skip
    there = changed.pop("server", server())
    sections = {
        name: Reading(None, one, NOW, 0.0) if isinstance(one, Ms5opsError) else value(one)
        for name, one in {**values, **changed}.items()
    }
    return Overview(server=there, now=NOW, **sections)


def keys(**changed: Any) -> dict[str, str]:
    return {one.key: one.severity for one in findings(overview(**changed)) if one.severity not in ("nothing", "ok")}


def test_all_is_well() -> None:
    found = findings(overview())
    assert {one.severity for one in found} == {"ok"}
    assert (problems(found), worst(found)) == ([], "ok")
    assert len(found) == 10


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"server": server(edition="apache")}, {"server.edition": "critical"}),
        ({"server": server(in_recovery=True)}, {"server.recovery": "info"}),
        ({"server": server(statements_version=None)}, {"server.statements": "info"}),
        ({"tables": (table(chunk_interval=7 * DAY),)}, {"tables.chunk_interval": "info"}),
        ({"jobs": (job(last_succeeded=False),)}, {"jobs.failing.1000": "warning"}),
        ({"jobs": (job(last_succeeded=False, consecutive_failures=3),)}, {"jobs.failing.1000": "critical"}),
        ({"jobs": (job(last_succeeded=False, consecutive_failures=None),)}, {"jobs.failing.1000": "warning"}),
        ({"jobs": (job(last_succeeded=False, kind="system"),)}, {"jobs.failing.1000": "info"}),
        ({"jobs": (job(next_start=NOW - HOUR),)}, {"jobs.overdue.1000": "warning"}),
        ({"jobs": (job(next_start=NOW - HOUR, total_runs=0, last_succeeded=None),)}, {"jobs.overdue.1000": "critical"}),
        ({"jobs": (job(scheduled=False),)}, {"jobs.paused.1000": "warning"}),
        ({"jobs": (job(scheduled=False, kind="user"),)}, {}),
        ({"jobs": ()}, {}),
        ({"compression": (compression(late_chunks=2),), "tables": ()}, {f"compression.backlog.{METRICS}": "warning"}),
        (
            {"compression": (compression(after_bytes=2_000_000),), "tables": ()},
            {"compression.poor": "warning"},
        ),
        (
            {"compression": (compression(rows_per_segment=23.0),), "tables": ()},
            {f"compression.segments.{METRICS}": "info"},
        ),
        ({"retention": (retention(late_chunks=2),), "tables": ()}, {f"retention.late.{METRICS}": "warning"}),
        (
            {"aggregates": (aggregate(start_offset=None),), "tables": ()},
            {"aggregates.retention.factory_telemetry.metric_hist_1hour": "critical"},
        ),
        (
            {"aggregates": (aggregate(job_id=None),), "tables": ()},
            {"aggregates.policy.factory_telemetry.metric_hist_1hour": "warning"},
        ),
        (
            {"aggregates": (aggregate(watermark=NOW - DAY),), "tables": ()},
            {"aggregates.lag.factory_telemetry.metric_hist_1hour": "warning"},
        ),
        (
            {"indexes": IndexReading((index(invalid_chunks=1),), None)},
            {"indexes.broken.factory_telemetry.idx_metric_hist_metric_ts_desc": "critical"},
        ),
        ({"indexes": IndexReading((index(scans=0),), NOW - DAY)}, {"indexes.unused": "info"}),
        ({"indexes": IndexReading((index(scans=0),), NOW - 30 * DAY)}, {"indexes.unused": "warning"}),
        ({"indexes": IndexReading((index(scans=0),), None)}, {}),
        ({"indexes": IndexReading((index(expected_bytes=1),), NOW)}, {"indexes.bloat": "info"}),
        (
            {"indexes": IndexReading((index(), index(name="twin")), NOW)},
            {"indexes.duplicate.factory_telemetry.idx_metric_hist_metric_ts_desc": "warning"},
        ),
        ({"locks": LockBudget(100, (TableLocks(METRICS, 50, 0, 1, 101),))}, {"locks.budget": "critical"}),
        ({"locks": LockBudget(500, (TableLocks(METRICS, 50, 0, 1, 101),))}, {"locks.budget": "warning"}),
        ({"locks": LockBudget(None, ())}, {}),
        (
            {"activity": activity_from([session(1, transaction_started_at=NOW - HOUR)])},
            {"activity.long_transactions": "warning"},
        ),
        ({"activity": activity_from([session(1, blocked_by=[2])])}, {"activity.lock_waits": "warning"}),
        (
            {"activity": activity_from([session(1, blocked_by=[2], query_started_at=NOW - 6 * MINUTE)])},
            {"activity.lock_waits": "critical"},
        ),
    ],
)
def test_what_is_found(changed: dict[str, Any], expected: dict[str, str]) -> None:
    assert keys(**changed) == expected


def test_legacy_tables_are_one_finding_and_nothing_about_policies_is_called_fine() -> None:
    plain = tuple(table(name=one.name, kind="plain table") for one in EXPECTED.values())
    found = findings(overview(tables=plain, compression=(), retention=(), aggregates=()))
    assert [one.key for one in problems(found)] == ["tables.plain"]
    assert not {"policies.ok", "compression.ok", "retention.ok", "aggregates.ok"} & {one.key for one in found}


def test_on_an_empty_database_nothing_is_called_fine_that_is_not_there() -> None:
    missing = tuple(table(name=one.name, kind="missing") for one in EXPECTED.values())
    there = overview(
        tables=missing, compression=(), retention=(), aggregates=(), jobs=(job(kind="system"),),
        indexes=IndexReading((), NOW), locks=LockBudget(10_000, ()),
    )  # fmt: skip
    found = findings(there)
    assert [one.key for one in problems(found)] == ["tables.missing"]
    assert {one.key for one in found if one.severity == "ok"} == {"settings.ok", "activity.ok"}
    nothing = {one.key: one for one in found if one.severity == "nothing"}
    assert set(nothing) == {
        f"{name}.nothing" for name in ("policies", "jobs", "compression", "retention", "aggregates", "indexes", "locks")
    }
    assert nothing["jobs.nothing"].title == "Background jobs: nothing to judge yet"
    assert nothing["jobs.nothing"].detail == "There are no background jobs but TimescaleDB's own."
    items = {one.key: one for one in routine(there, found)}
    for key in ("daily.jobs", "weekly.compression", "weekly.indexes", "weekly.retention"):
        assert items[key].status == "unknown"
        assert items[key].detail.startswith("Nothing to judge yet: ")


def test_a_set_that_asks_for_no_policies_finds_none_missing() -> None:
    expected = replace(EXPECTED["metric_hist"], compress_after=None, drop_after=None, aggregates=())
    there = overview(
        tables=(table(expected=expected),), compression=(compression(job_id=None, before_bytes=0, after_bytes=0),),
        retention=(retention(job_id=None),), aggregates=(),
    )  # fmt: skip
    found = findings(there)
    assert not [one.key for one in found if one.key.startswith("policies.") and one.severity != "ok"]
    items = {one.key: one for one in routine(there, found)}
    assert items["weekly.retention"].status == "done"
    assert items["weekly.retention"].detail == "No table has a retention policy, and the policy set asks for none."
    assert items["weekly.compression"].status == "done"


def test_sql_to_copy_names_a_table_of_the_database() -> None:
    expected = replace(EXPECTED["metric_hist"], name="conditions", drop_after=30 * DAY)
    tables = (
        table(name="readings", schema="shop", size_bytes=9, expected=replace(expected, name="readings")),
        table(name="Odd's", schema="shop", size_bytes=10, expected=None),
    )
    sql = {one.key: one.remedy_sql for one in diagnoses(overview(tables=tables))}
    dropping = """drop_chunks('"shop"."readings"', older_than => interval '30 days')"""
    assert dropping in sql["compression.disk_space"]
    assert """show_chunks('"shop"."Odd''s"',""" in sql["indexes.bloat"]
    assert """ALTER TABLE "shop"."Odd's" SET""" in sql["indexes.autovacuum"]
    none = {one.key: one.remedy_sql for one in diagnoses(overview(tables=()))}
    assert "drop_chunks('<schema.table>', older_than => interval '<age>')" in none["compression.disk_space"]


def test_hypertables_without_policies() -> None:
    expected = {"policies.compression": "warning", "policies.retention": "warning", "policies.aggregates": "warning"}
    assert keys(compression=(compression(job_id=None),), retention=(retention(job_id=None),), aggregates=()) == expected


def test_jobs_that_fail_alike_are_one_finding() -> None:
    jobs = tuple(
        job(job_id=number, kind=kind, last_succeeded=False)
        for number, kind in enumerate(["compression", "retention", "refresh"])
    )
    assert keys(jobs=jobs, job_runs=runs(*(failed_run(number, "cannot drop portal") for number in range(3)))) == {
        "jobs.common_failure": "critical"
    }


def test_a_section_that_could_not_be_read_is_said_and_not_judged() -> None:
    found = findings(overview(jobs=PrivilegeMissing("No.", "Grant it."), indexes=ReadTimeout("Late.", "Reload.")))
    assert {one.key for one in problems(found)} == {"unread.jobs", "unread.indexes"}
    assert not {"jobs.ok", "indexes.ok"} & {one.key for one in found}


def test_the_apache_edition_is_said_once() -> None:
    missing = FeatureMissing("Needs the Community edition.", "Ask.")
    found = findings(
        overview(server=server(edition="apache"), compression=missing, retention=missing, aggregates=missing)
    )
    assert [one.key for one in problems(found)] == ["server.edition"]


def test_worst_first() -> None:
    found = findings(overview(jobs=(job(last_succeeded=False),), server=server(edition="apache", in_recovery=True)))
    assert [one.severity for one in found][:3] == ["critical", "warning", "info"]
    assert worst(found) == "critical"
    assert worst([]) == "ok"


def test_every_finding_has_a_next_step() -> None:
    legacy = tuple(table(name=one.name, kind="plain table") for one in EXPECTED.values())
    for one in problems(findings(overview(tables=legacy, jobs=(job(last_succeeded=False),)))):
        assert one.remedy
        assert one.evidence
        assert one.detail


# Diagnoses --------------------------------------------------------------------------------------------------


def found(key: str, **changed: Any) -> bool | None:
    return next(one.found for one in diagnoses(overview(**changed)) if one.key == key)


@pytest.mark.parametrize(
    ("key", "changed", "expected"),
    [
        ("compression.active_queries", {}, False),
        ("compression.active_queries", {"activity": activity_from([session(1, blocked_by=[2])])}, True),
        ("compression.active_queries", {"activity": ReadTimeout("Late.", "Reload.")}, None),
        ("compression.max_runtime", {}, False),
        ("compression.max_runtime", {"jobs": (job(last_duration=4 * HOUR),)}, True),
        ("compression.max_runtime", {"jobs": (job(max_runtime=0 * HOUR),)}, False),
        ("compression.max_runtime", {"jobs": ()}, None),
        (
            "compression.max_runtime",
            {"job_runs": runs(failed_run(1000, "canceling statement due to user request"))},
            True,
        ),
        ("compression.disk_space", {}, None),
        (
            "compression.disk_space",
            {"job_runs": runs(failed_run(1000, 'could not extend file "x": No space left on device'))},
            True,
        ),
        ("aggregates.workers", {}, None),
        ("aggregates.overlap", {}, None),
        (
            "aggregates.overlap",
            {"jobs": (job(kind="refresh", schedule_interval=MINUTE, last_duration=2 * MINUTE),)},
            True,
        ),
        ("aggregates.overlap", {"jobs": (job(kind="refresh", last_duration=MINUTE),)}, False),
        ("aggregates.lag", {}, False),
        ("aggregates.lag", {"aggregates": (aggregate(watermark=NOW - DAY),)}, True),
        ("aggregates.lag", {"aggregates": ()}, None),
        ("indexes.bloat", {}, False),
        ("indexes.bloat", {"indexes": IndexReading((index(expected_bytes=1),), None)}, True),
        ("indexes.unused", {}, False),
        ("indexes.unused", {"indexes": IndexReading((index(scans=0),), NOW - 30 * DAY)}, True),
        ("indexes.unused", {"indexes": IndexReading((index(scans=0),), NOW - MINUTE)}, None),
        ("indexes.unused", {"indexes": IndexReading((index(scans=0),), None)}, None),
        ("indexes.autovacuum", {}, None),
    ],
)
def test_diagnoses(key: str, changed: dict[str, Any], expected: bool | None) -> None:
    assert found(key, **changed) is expected


def test_names_in_remedies_are_quoted() -> None:
    there = overview(
        aggregates=(aggregate(aggregate='s.O\'Neil "x"', watermark=NOW - DAY),),
        indexes=IndexReading((index(scans=0, schema="s", name='a"b\nDROP TABLE t'),), None),
    )
    sql = {one.key: one.remedy_sql for one in diagnoses(there)}
    assert 'refresh_continuous_aggregate(\'"s"."O\'\'Neil ""x"""\', now()' in sql["aggregates.lag"]
    assert sql["indexes.unused"].splitlines() == ['-- DROP INDEX "s"."a""b', '-- DROP TABLE t";']


def test_an_index_is_not_called_unused_before_a_week_was_counted() -> None:
    for since in (NOW - MINUTE, None):
        items = routine(overview(indexes=IndexReading((index(scans=0),), since)))
        assert next(one.status for one in items if one.key == "weekly.indexes") == "unknown"


def test_a_job_without_a_time_limit_is_said_to_have_none() -> None:
    there = overview(jobs=(job(max_runtime=timedelta(0)),))
    evidence = next(one.evidence for one in diagnoses(there) if one.key == "compression.max_runtime")
    assert evidence == (f"job 1000 ({METRICS}): last run 1 h, without a limit",)


@pytest.mark.parametrize("now", [64, 256, 1_024])
def test_the_lock_remedy_starts_from_the_setting_in_force(now: int) -> None:
    budget = LockBudget(now * 100, (TableLocks(METRICS, 2_001, 1_832, 4, 13_674),), now)
    remedy = next(one.remedy_sql for one in findings(overview(locks=budget)) if one.key == "locks.budget")
    assert "max_locks_per_transaction = 2048;" in (remedy or "")  # 204,800 slots: ten times 13,674 fit


def test_totals_count_as_fresh_only_what_can_be_judged() -> None:
    found = totals(overview(aggregates=(aggregate(), aggregate(watermark=NOW - DAY), aggregate(job_id=None))))
    assert (found.aggregates, found.aggregates_judged, found.aggregates_on_time) == (3, 2, 1)


def test_too_few_workers() -> None:
    late = (job(next_start=NOW - HOUR),)
    few = settings_from(
        [
            {"name": "timescaledb.max_background_workers", "setting": "4", "unit": None, "vartype": "integer",
             "context": "postmaster", "source": "default", "boot_value": "16", "pending_restart": False}
        ],
        "factory_telemetry",
    )  # fmt: skip
    assert found("aggregates.workers", settings=few, jobs=late) is True
    assert found("aggregates.workers", settings=few) is False


def test_every_diagnosis_has_evidence_and_a_remedy_to_copy() -> None:
    for changed in ({}, {"jobs": ReadTimeout("Late.", "Reload."), "indexes": ReadTimeout("Late.", "Reload.")}):
        for one in diagnoses(overview(**changed)):
            assert one.evidence
            assert one.remedy
            assert one.remedy_sql


# Routine ----------------------------------------------------------------------------------------------------


def statuses(**changed: Any) -> dict[str, str]:
    return {one.key: one.status for one in routine(overview(**changed))}


def test_the_routine_of_a_sound_server() -> None:
    assert statuses() == {
        "daily.health": "done", "daily.jobs": "done", "weekly.compression": "done", "weekly.indexes": "done",
        "weekly.retention": "done", "monthly.benchmark": "by hand", "monthly.size": "by hand",
        "monthly.statements": "by hand", "monthly.policies": "done",
    }  # fmt: skip


def test_the_routine_of_a_server_that_cannot_be_read() -> None:
    error = ReadTimeout("Late.", "Reload.")
    names = ("jobs", "compression", "indexes", "retention", "database_size", "tables")
    found = statuses(**dict.fromkeys(names, error), server=server(statements_version=None))
    assert [found[key] for key in found if key not in ("daily.health", "monthly.benchmark")] == ["unknown"] * 7


@pytest.mark.parametrize(
    ("key", "changed"),
    [
        ("daily.health", {"jobs": (job(last_succeeded=False),)}),
        ("daily.jobs", {"jobs": (job(last_succeeded=False),)}),
        ("weekly.compression", {"compression": (compression(after_bytes=3_000_000),)}),
        ("weekly.compression", {"compression": ()}),
        ("weekly.indexes", {"indexes": IndexReading((index(scans=0),), NOW - 30 * DAY)}),
        ("weekly.indexes", {"indexes": IndexReading((index(is_valid=False),), None)}),
        ("weekly.retention", {"retention": (retention(late_chunks=1),)}),
        ("weekly.retention", {"retention": ()}),
        ("monthly.policies", {"aggregates": (aggregate(watermark=NOW - DAY),)}),
    ],
)
def test_what_needs_attention(key: str, changed: dict[str, Any]) -> None:
    assert statuses(**changed)[key] == "attention"


# Overview ---------------------------------------------------------------------------------------------------


def test_a_reading_keeps_its_error() -> None:
    def refuse() -> int:
        raise ReadTimeout("Late.", "Reload.")

    failed = reading(refuse)
    assert failed.found(7) == 7
    with pytest.raises(ReadTimeout):
        failed.get()
    assert reading(lambda: 3).get() == 3


def test_a_reading_that_lacks_its_input_carries_the_inputs_error() -> None:
    broken: Reading[int] = Reading(None, ReadTimeout("Late.", "Reload."), NOW, 0.0)
    assert isinstance(reading(lambda: broken.get() + 1).error, ReadTimeout)


def test_json_has_everything_but_frames_and_secrets() -> None:
    text = json.dumps(as_plain(overview(jobs=ReadTimeout("Late.", "Reload."))))
    parsed = json.loads(text)
    assert parsed["jobs"]["value"] == {"error": "ReadTimeout", "happened": "Late.", "next_step": "Reload."}
    assert parsed["tables"]["value"][0]["chunk_interval"] == 3600
    assert parsed["chunks"]["value"] == {"rows": 0}
    assert parsed["now"] == "2026-11-23T12:00:00+00:00"
    assert "database" not in parsed["server"]


def test_plain_values_of_findings_and_messages() -> None:
    finding = replace(findings(overview())[0], evidence=("a",))
    assert as_plain(finding)["evidence"] == ["a"]
    assert (counted(1, "index", "indexes"), counted(0, "index", "indexes")) == ("1 index", "0 indexes")
    assert short("factory_telemetry.metric_hist") == "metric_hist"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"rows_per_segment": 23.0}, "23 rows per segment and chunk, over 100 compress well"),
        ({"rows_per_segment": 500.0, "before_bytes": 100_000, "compressed_chunks": 10}, "10.0 kB per chunk"),
        ({"rows_per_segment": None, "before_bytes": 10**9, "segment_by": ()}, "no segment-by"),
        ({"rows_per_segment": 500.0, "before_bytes": 10**9}, "its values compress badly"),
    ],
)
def test_why_a_table_saves_too_little(changed: dict[str, Any], reason: str) -> None:
    assert reason in poor_reason(compression(**changed))


def test_a_defect_in_one_section_is_that_sections_error() -> None:
    def broken() -> int:
        raise KeyError("gone")

    found = reading(broken)
    assert found.value is None
    assert isinstance(found.error, SectionDefect)
    assert "KeyError" in found.error.happened


def test_what_the_policy_set_does_not_want_is_not_missed() -> None:
    wanted = EXPECTED["metric_hist"]
    kept_whole = table(expected=replace(wanted, compress_after=None, drop_after=None, aggregates=()))
    assert data_checks.policy_findings([kept_whole], [], [], []) == []
    keys = [one.key for one in data_checks.policy_findings([table(expected=wanted)], [], [], [])]
    assert keys == ["policies.compression", "policies.retention", "policies.aggregates"]
    longer = table(expected=replace(wanted, chunk_interval=2 * wanted.chunk_interval))
    assert [one.key for one in data_checks.table_findings([longer])] == ["tables.chunk_interval"]
    assert data_checks.table_findings([table(expected=None)]) == []


def test_a_policy_set_that_cannot_be_read_is_told_of() -> None:
    doubt = ConfigError("Version 3 of the policy set is damaged.", "Put another one in force.")
    (found,) = (one for one in findings(overview(server=server(policy_doubt=doubt))) if one.key == "server.policy")
    assert found.severity == "warning"
    assert found.detail.endswith("Version 3 of the policy set is damaged.")
    assert "server.policy" not in {one.key for one in findings(overview())}
