"""Rows into facts: which snapshots a month is measured between, what counters and events say."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from ms5ops.alerts.store import Event
from ms5ops.figures.month_sizes import HEIGHT, WIDTH, size_bars
from ms5ops.reports.month import Month, ReportError, last_whole_month, month_named, month_spans
from ms5ops.reports.month_facts import alert_lines, chosen, job_facts, span_of, storage_facts
from ms5ops.reports.month_reading import runs_of
from ms5ops.reports.monthly import file_name, signed_bytes
from tests.benchmark.example_runs import example_run

OCTOBER = Month("2026-10")
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def at(month: int, day: int) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC)


def instants(*taken: datetime) -> pd.Series:
    return pd.Series(pd.to_datetime(list(taken), utc=True))


def test_a_month_is_a_calendar_month_in_utc() -> None:
    assert (OCTOBER.begins, OCTOBER.ends) == (at(10, 1), at(11, 1))
    assert Month("2025-12").ends == datetime(2026, 1, 1, tzinfo=UTC)
    assert Month("2026-01").before == Month("2025-12")
    assert last_whole_month(NOW) == OCTOBER
    assert last_whole_month(datetime(2026, 1, 1, tzinfo=UTC)) == Month("2025-12")
    assert OCTOBER.holds(at(10, 31))
    assert not OCTOBER.holds(at(11, 1))


@pytest.mark.parametrize(
    "text", ["2026-13", "October", "2026-1", "../2026-10", "2026-10\n2026-11", "0000-05", "٢٠٢٦-10"]
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ReportError, match="is not a month"):
        month_named(text, NOW)


def test_a_month_to_come_is_refused_and_this_one_is_not() -> None:
    assert month_named(" 2026-11 ", NOW) == Month("2026-11")
    with pytest.raises(ReportError, match="December 2026 has not begun"):
        month_named("2026-12", NOW)


def test_months_are_listed_as_a_person_does() -> None:
    assert month_spans(["2025-11", "2025-12", "2026-01", "2026-03"]) == "2025-11 to 2026-01, 2026-03"
    assert month_spans([]) == ""


def test_a_label_that_reads_like_a_month_makes_no_run_one_of_it() -> None:
    september, october = (example_run("x", started_at=at(month, 3), seed=month).header for month in (9, 10))
    mislabelled = replace(september, label="2026-10")
    assert [one.run_id for one in runs_of([mislabelled, october], OCTOBER)] == [october.run_id]


def test_a_month_is_measured_from_the_last_snapshot_of_the_one_before() -> None:
    taken = instants(at(8, 31), at(9, 1), at(9, 30), at(10, 5), at(10, 30), at(11, 2))
    assert span_of(taken, OCTOBER) == (at(9, 30), at(10, 30))
    # An older month is too far away to say what happened in this one.
    assert span_of(instants(at(8, 31), at(10, 5), at(10, 30)), OCTOBER) == (at(10, 5), at(10, 30))
    assert span_of(instants(at(8, 31), at(10, 5)), OCTOBER) == (None, at(10, 5))
    assert span_of(instants(at(9, 30), at(11, 1)), OCTOBER) is None


def sizes(*rows: tuple[Any, ...]) -> pd.DataFrame:
    columns = ["taken_at", "table_name", "kind", "chunks", "compressed_chunks", "size_bytes", "uncompressed_bytes",
               "backlog_chunks"]  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(taken_at=pd.to_datetime(frame["taken_at"], utc=True))


def test_sizes_count_what_came_and_what_went() -> None:
    found = storage_facts(
        sizes(
            (at(9, 30), "s.old", "plain table", 0, 0, 50, 50, None),
            (at(9, 30), "s.metric", "hypertable", 4, 0, 100, 100, 0),
            (at(10, 31), "s.metric", "hypertable", 4, 3, 40, 160, 1),
            (at(10, 31), "s.new", "hypertable", 1, 0, 7, 7, 0),
            (at(10, 31), "s.unread", "missing", 0, 0, None, None, None),
        ),
        OCTOBER,
    )
    assert found is not None
    assert (found.size_bytes, found.before_bytes, found.change_bytes) == (47, 150, -103)
    metric, new = found.lines
    assert (metric.change_bytes, metric.saved_share) == (-60, 0.75)
    assert (new.change_bytes, new.saved_share) == (None, None)
    assert [(one.month, one.size_bytes, one.uncompressed_bytes) for one in found.months] == [
        ("2026-09", 150, 150), ("2026-10", 47, 167),
    ]  # fmt: skip


def jobs(*rows: tuple[Any, ...]) -> pd.DataFrame:
    columns = ["taken_at", "job_id", "kind", "target", "state", "total_runs", "total_failures"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(taken_at=pd.to_datetime(frame["taken_at"], utc=True))


def test_runs_are_the_difference_of_counters_and_a_reset_says_nothing() -> None:
    none = pd.DataFrame(columns=["job_id", "started_at", "finished_at", "succeeded", "message"])
    found = job_facts(
        jobs(
            (at(9, 30), 1, "compression", "s.a", "ok", 100, 5),
            (at(9, 30), 2, "retention", "s.a", "ok", 50, 0),
            (at(10, 31), 1, "compression", "s.a", "failing", 160, 9),
            (at(10, 31), 2, "retention", "s.a", "ok", 20, 0),
            (at(10, 31), 3, "refresh", None, "ok", 8, 1),
        ),
        none,
        OCTOBER,
    )
    assert found is not None
    assert {one.job_id: (one.runs, one.failures) for one in found.lines} == {1: (60, 4), 2: (None, 0), 3: (8, 1)}
    assert (found.runs, found.failures) == (68, 5)
    assert [one.job_id for one in found.lines] == [1, 3, 2]
    alone = job_facts(jobs((at(10, 31), 1, "compression", "s.a", "ok", 160, 9)), none, OCTOBER)
    assert alone is not None
    assert (alone.since, alone.lines[0].runs) == (None, None)


def event(kind: Any, when: datetime, key: str = "a", **more: Any) -> Event:
    values = {"severity": "warning", "subject": key, "sentence": f"{key} {kind}", "actor": None, "reason": None}
    return Event(
        environment="plant", key=key, kind=kind, at=when, value=1.0, threshold=1.0, unit="", **{**values, **more}
    )


def test_an_alert_that_came_twice_stands_twice() -> None:
    found = alert_lines(
        [
            event("opened", at(9, 1)), event("cleared", at(9, 20)), event("opened", at(10, 2)),
            event("cleared", at(10, 4)), event("opened", at(10, 20)), event("cleared", at(11, 3)),
        ],
        OCTOBER,
    )  # fmt: skip
    assert [(one.opened_at, one.cleared_at) for one in found] == [(at(10, 20), None), (at(10, 2), at(10, 4))]


def test_what_got_worse_after_it_was_accepted_is_not_accepted() -> None:
    accepted = [
        event("opened", at(9, 1)),
        event("acknowledged", at(9, 2), actor="bert", reason="known"),
        event("muted", at(9, 3), actor="anna"),
    ]
    [line] = alert_lines(accepted, OCTOBER)
    assert (line.accepted_by, line.reason, line.sentence) == ("bert", "known", "a acknowledged")
    worse = alert_lines([*accepted, event("worse", at(10, 9), severity="critical")], OCTOBER)
    assert (worse[0].accepted_by, worse[0].severity) == (None, "critical")


def test_the_own_origin_comes_first_and_one_that_tells_the_whole_before_it() -> None:
    made = {"simulated": 1, "replayed": 2}
    assert chosen(("simulated", "replayed"), made.get, lambda value: True).origin == "simulated"
    assert chosen(("simulated", "replayed"), made.get, lambda value: value == 2).origin == "replayed"
    assert chosen(("simulated", "replayed"), made.get, lambda value: False).value == 1
    assert chosen(("measured",), made.get, lambda value: True).value is None


def test_bars_lie_within_the_drawing() -> None:
    bars = size_bars([(1.0, 4.0), (0.0, 0.0), (8.0, 8.0)])
    assert all(one.x >= one.width / 2 and one.x + one.width / 2 <= WIDTH for one in bars)
    assert all(0 < one.raw_y <= one.stored_y < HEIGHT for one in bars)
    assert [one.is_apart for one in bars] == [True, False, False]
    base = bars[1].stored_y
    assert base - bars[2].stored_y == pytest.approx(8 * (base - bars[0].stored_y), rel=0.01)


def test_words_of_changes_and_files() -> None:
    assert [signed_bytes(one) for one in (1.2e9, -3e6, 0, None)] == ["+1.2 GB", "−3.0 MB", "no change", "–"]
    assert file_name("../Plant <1>", "2026-10") == "ms5ops-plant-1-2026-10.html"
