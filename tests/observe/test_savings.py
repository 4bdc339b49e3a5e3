"""What compression saves and what waits, as the page tells it."""

import pandas as pd
import pytest

from ms5ops.observe.compression import poor_chunks
from ms5ops.observe.compression_backlog import chunk_states, next_runs, oldest_wait, state_totals, waiting_chunks
from ms5ops.observe.compression_settings import plan_differences, segment_rows, settings_beside_plan
from ms5ops.observe.savings import (
    REMEDIES,
    cause_totals,
    compressed_tables,
    live_sizes,
    poor_chunk_frame,
    ratios_over_time,
    saved_text,
    savings,
    table_savings,
    verdict,
)
from ms5ops.observe.tables import expected_tables
from ms5ops.policy.document import default_policy
from tests.observe.examples import DAY, HOUR, NOW, chunk, chunks, compressed, compression, job, table

SCHEMA = "factory_telemetry"
VERSION = (2, 28, 3)
PLAIN = table(kind="plain table", chunks=0, compressed_chunks=0, size_bytes=3_000_000)
OFF = compression(enabled=False, job_id=None, compress_after=None, before_bytes=0, after_bytes=0, compressed_chunks=0)


def test_sums_are_of_all_and_counts_of_hypertables() -> None:
    view = compression(table="x.view", kind="continuous aggregate", before_bytes=1_000_000, after_bytes=600_000)
    found = savings([compression(), view])
    assert (found.tables, found.enabled, found.with_policy, found.compressed_chunks) == (1, 1, 1, 14)
    assert found.saved_share == pytest.approx(0.8)
    assert found.ratio == pytest.approx(5.0)
    assert found.below_criterion == 1


def test_nothing_compressed_has_no_share() -> None:
    assert (savings([OFF]).saved_share, savings([]).ratio) == (None, None)


@pytest.mark.parametrize(
    ("tables", "records", "severity", "says"),
    [
        ([], [], "info", "none of the policy set"),
        ([PLAIN], [], "warning", "3.0 MB lie at full size in 1 plain table"),
        ([table()], [OFF], "warning", "switched on for none of the 1 table"),
        ([table()], [compression(before_bytes=0, after_bytes=0)], "info", "No chunk is overdue"),
        ([table()], [compression()], "ok", "takes 90 % less, over the criterion of 70 %"),
        ([table()], [compression(late_chunks=3, backlog_bytes=5_000_000)], "warning", "3 chunks should be compressed"),
        ([table()], [compression(after_bytes=5_000_000)], "warning", "takes 25 % more"),
        (
            [table()],
            [compression(after_bytes=2_000_000, rows_per_segment=5)],
            "warning",
            "5 per segment on metric_hist",
        ),
        (
            [table()],
            [compression(after_bytes=1_202_000)],
            "warning",
            "takes 69.95 % less; over 70 % saved is asked for",
        ),
    ],
)
def test_verdict(tables: list, records: list, severity: str, says: str) -> None:  # type: ignore[type-arg]
    found = verdict(tables, records)
    assert (found.severity, says in found.text) == (severity, True), found.text


def test_one_table_below_the_criterion_spoils_the_verdict() -> None:
    small = compression(table="factory_telemetry.energy_consumption", before_bytes=100_000, after_bytes=90_000)
    found = verdict([table()], [compression(), small])
    assert found.severity == "warning"
    assert "1 table saves less" in found.text


def test_a_share_close_to_the_criterion_shows_on_which_side_it_is() -> None:
    assert [saved_text(share) for share in (0.699, 0.701, 0.75, -0.5, None)] == [
        "69.9 %",
        "70.1 %",
        "75 %",
        "-50 %",
        "–",
    ]


def test_table_savings_name_every_state() -> None:
    tables = [
        table(),
        table(name="oee_calculations", storage_name="oee_calculations"),
        table(name="energy_consumption", kind="plain table"),
        table(name="production_kpis", kind="missing", size_bytes=None),
        table(schema="other", name="readings", expected=None),
        table(name="view", kind="continuous aggregate", expected=None),
    ]
    records = [
        compression(),
        compression(table="factory_telemetry.oee_calculations", after_bytes=4_400_000),
        compression(table="other.readings", before_bytes=0, after_bytes=0, compressed_chunks=0),
        compression(table="factory_telemetry.view", kind="continuous aggregate", enabled=False),
    ]
    frame = table_savings(tables, records, SCHEMA)
    assert dict(zip(frame["table"], frame["verdict"], strict=True)) == {
        "metric_hist": "over 70 %",
        "oee_calculations": "takes more than before",
        "energy_consumption": "plain table: cannot be compressed",
        "production_kpis": "does not exist",
        "other.readings": "nothing compressed yet",
    }
    assert frame["before_bytes"].isna().tolist() == [False, False, True, True, True]
    assert table_savings([], [], SCHEMA).empty


def test_chunks_over_time_are_put_together_by_day_when_there_are_many() -> None:
    rows = [
        compressed(chunk=f"c{hour}", range_start=NOW - (300 - hour) * HOUR, range_end=NOW - (299 - hour) * HOUR)
        for hour in range(48)
    ]
    frame = chunks(*rows)
    single, daily, weekly = (ratios_over_time(frame, at_most=most) for most in (48, 5, 1))
    assert (len(single), single["span"][0]) == (48, "chunk")
    assert (len(daily), daily["span"][0], daily["chunks"].sum()) == (2, "day", 48)
    assert weekly["span"][0] == "week"
    assert daily["saved_share"].tolist() == pytest.approx([0.9] * 2)
    assert daily["rows_per_batch"].tolist() == pytest.approx([500.0] * 2)


def test_integer_time_and_no_chunks_have_no_place_in_time() -> None:
    assert ratios_over_time(chunks(compressed(range_start=None, range_end=None))).empty
    assert ratios_over_time(chunks()).empty


def test_chunk_states_follow_the_policy() -> None:
    frame = chunks(
        compressed(chunk="done"),
        chunk(chunk="young"),
        chunk(chunk="waiting", range_start=NOW - 8 * DAY, range_end=NOW - 7 * DAY - HOUR),
        chunk(chunk="late", range_start=NOW - 9 * DAY, range_end=NOW - 8 * DAY),
        compressed(chunk="partial", is_partial=True, range_start=NOW - 9 * DAY, range_end=NOW - 8 * DAY),
        compressed(chunk="partial but young", is_partial=True, range_start=NOW - HOUR, range_end=NOW),
    )
    states = chunk_states(frame, [table()], [job()], NOW, SCHEMA)
    assert dict(zip(states["chunk"], states["state"], strict=True)) == {
        "done": "compressed",
        "young": "not yet due",
        "waiting": "waiting",
        "late": "late",
        "partial": "late",
        "partial but young": "compressed",
    }
    waiting = waiting_chunks(states)
    assert waiting["chunk"].tolist()[-1] == "waiting"
    assert waiting["is_late"].tolist() == [True, True, False]
    assert oldest_wait(states, NOW) == DAY
    totals = state_totals(states)
    assert totals["chunks"].sum() == 6
    assert totals["share"].sum() == pytest.approx(1.0)


def test_without_a_policy_nothing_waits() -> None:
    states = chunk_states(chunks(chunk(), compressed()), [table()], [], NOW, SCHEMA)
    assert states["state"].tolist() == ["no policy", "compressed"]
    assert oldest_wait(states, NOW) is None


def test_no_chunks_at_all() -> None:
    for tables in ([], [PLAIN], [table()]):
        states = chunk_states(chunks(), tables, [job()], NOW, SCHEMA)
        assert state_totals(states).empty
        assert waiting_chunks(states).empty
        assert oldest_wait(states, NOW) is None


def test_integer_time_is_never_due() -> None:
    states = chunk_states(chunks(chunk(range_start=None, range_end=None)), [table()], [job()], NOW, SCHEMA)
    assert states["state"].tolist() == ["not yet due"]


@pytest.mark.parametrize(
    ("changed", "differences"),
    [
        ({}, []),
        ({"enabled": False}, ["compression is switched off"]),
        ({"segment_by": ()}, ["other segment by"]),
        ({"segment_by": ("metric_def_id", "id")}, ["other segment by"]),
        ({"order_by": ("id", "ts DESC")}, ["other order by"]),
        ({"order_by": ("ts DESC NULLS LAST", "id")}, []),
        ({"compress_after": DAY}, ["other age"]),
        ({"job_id": None, "compress_after": None}, ["no policy"]),
        ({"scheduled": False}, ["policy is paused"]),
    ],
)
def test_differences_from_the_plan(changed: dict, differences: list) -> None:  # type: ignore[type-arg]
    assert plan_differences(compression(**changed), expected_tables(default_policy())[0], VERSION) == differences


def test_older_servers_need_more_columns_in_segment_by() -> None:
    more = compression(segment_by=("metric_def_id", "changed_by"))
    assert plan_differences(more, expected_tables(default_policy())[0], (2, 11, 2)) == []


def test_settings_stand_beside_the_plan() -> None:
    other = compression(table="other.readings", segment_by=(), job_id=None)
    view = compression(table="factory_telemetry.view", kind="continuous aggregate", enabled=False)
    frame = settings_beside_plan([table()], [compression(), other, view], SCHEMA, VERSION)
    assert frame["table"].tolist() == ["metric_hist", "other.readings"]
    assert frame["verdict"].tolist() == ["as planned", "not in the policy set"]
    assert frame["segment_by"].tolist() == ["metric_def_id", "none"]
    assert frame["compress_after"].tolist() == ["7 days", "no policy"]


def test_segments_are_judged() -> None:
    records = [compression(rows_per_segment=rows) for rows in (5.0, 50.0, 500.0, None)]
    frame = segment_rows(records, SCHEMA)
    assert frame["verdict"].tolist() == ["too few", "few", "enough", "not known"]
    assert frame["how"].tolist() == ["estimated", "estimated", "estimated", "–"]


def test_causes_are_counted_and_each_has_a_remedy() -> None:
    poor = poor_chunks(
        chunks(
            compressed(chunk="tiny", before_bytes=50_000, after_bytes=60_000),
            compressed(chunk="both", before_bytes=50_000, after_bytes=40_000, is_partial=True),
            compressed(chunk="few", after_bytes=1_000_000, batches=5_000),
            compressed(chunk="bad", after_bytes=1_000_000),
            compressed(chunk="good"),
        ),
        compression(),
    )
    totals = cause_totals(poor)
    assert dict(zip(totals["cause"], totals["chunks"], strict=True)) == {
        "tiny chunk": 2,
        "rows added since": 1,
        "few rows per segment": 1,
        "values compress badly": 1,
    }
    assert totals["remedy"].notna().all()
    frame = poor_chunk_frame(poor)
    assert set(", ".join(frame["causes"]).split(", ")) <= set(REMEDIES)
    assert "Takes 20 % more than before" in frame.set_index("chunk")["reasons"]["tiny"]
    assert cause_totals([]).empty
    assert poor_chunk_frame([]).empty


def test_live_sizes_say_whether_the_stored_ones_hold() -> None:
    frame = pd.DataFrame(
        {
            "chunk": ["new", "old"],
            "range_start": pd.to_datetime([NOW, NOW - DAY], utc=True),
            "stored_bytes": [100_000, 0],
            "live_bytes": [101_000, 0],
        }
    )
    same = live_sizes(frame)
    assert same.frame["chunk"].tolist() == ["old", "new"]
    assert (same.changed, same.stored_bytes, same.live_bytes) == (0, 100_000, 101_000)
    assert "still hold" in same.text
    grown = live_sizes(frame.assign(live_bytes=[200_000, 0]))
    assert grown.changed == 1
    assert "no longer hold" in grown.text


def test_tables_to_pick_and_their_runs() -> None:
    other = table(name="oee_calculations")
    records = [compression(compressed_chunks=1), compression(table=other.qualified, compressed_chunks=5)]
    assert [one.name for one in compressed_tables([table(), other], records)] == [
        "oee_calculations",
        "metric_hist",
    ]
    runs = next_runs(records, [job(scheduled=False)], SCHEMA)
    assert runs["table"].tolist() == ["metric_hist"]
    assert runs["schedule"].tolist() == ["paused"]
    assert runs["next_start"].isna().all()
