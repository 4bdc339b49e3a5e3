"""The generator: stateless by day, continuous at midnight, consistent and plausible."""

import itertools
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ms5ops.sandbox import plant, telemetry
from ms5ops.sandbox.plant import LINES, METRICS
from ms5ops.sandbox.telemetry import TABLES, TIME_COLUMN, Volume

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
WEEK = timedelta(days=7)
DAY = timedelta(days=1)
FULL = Volume(end=MONDAY + 4 * WEEK)
THIN = Volume(rows=20_000, days=10, end=MONDAY + timedelta(days=10, hours=7, minutes=23))


def series(
    key: str, start: datetime, end: datetime, volume: Volume = FULL, equipment: str = LINES[0].equipment[0]
) -> pd.DataFrame:
    """One metric's rows in the order of their time."""
    metric = next(metric for metric in METRICS if (metric.equipment, metric.key) == (equipment, key))
    frame = telemetry.rows("metric_hist", start, end, volume)
    return frame[frame.metric_def_id == metric.id].sort_values("ts").reset_index(drop=True)


@pytest.mark.parametrize("table", TABLES)
def test_the_same_seed_gives_the_same_rows_and_another_seed_others(table: str) -> None:
    span = (MONDAY, MONDAY + DAY)
    first = telemetry.rows(table, *span, FULL)
    plant.line_day.cache_clear()
    plant.warmth.cache_clear()
    pd.testing.assert_frame_equal(first, telemetry.rows(table, *span, FULL))
    assert not first.equals(telemetry.rows(table, *span, Volume(end=FULL.end, seed=FULL.seed + 1)))


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("volume", [FULL, THIN], ids=["full", "thin"])
def test_windows_put_together_give_the_rows_of_the_whole(table: str, volume: Volume) -> None:
    cuts = [MONDAY + timedelta(hours=hours) for hours in (3.25, 17, 24, 40.5, 72)]
    whole = telemetry.rows(table, cuts[0], cuts[-1], volume)
    parts = [telemetry.rows(table, *cut, volume) for cut in itertools.pairwise(cuts)]
    order = [TIME_COLUMN[table], *[name for name in whole.columns if name.endswith(("id", "code", "reason"))]]
    put_together = pd.concat(parts).sort_values(order).reset_index(drop=True)
    pd.testing.assert_frame_equal(put_together, whole.sort_values(order).reset_index(drop=True))


@pytest.mark.parametrize("table", TABLES)
def test_a_later_month_continues_whatever_the_volumes_own_window(table: str) -> None:
    later = (FULL.end + 2 * WEEK, FULL.end + 2 * WEEK + DAY)
    moved = Volume(rows=FULL.rows * 2, days=FULL.days * 2, end=later[1])
    pd.testing.assert_frame_equal(telemetry.rows(table, *later, FULL), telemetry.rows(table, *later, moved))


@pytest.mark.parametrize("table", TABLES)
def test_rows_lie_in_the_window_and_an_empty_window_has_none(table: str) -> None:
    start, end = MONDAY + timedelta(hours=1), MONDAY + timedelta(hours=30)
    times = telemetry.rows(table, start, end, FULL)[TIME_COLUMN[table]]
    assert len(times)
    assert times.min() >= pd.Timestamp(start)
    assert times.max() < pd.Timestamp(end)
    assert telemetry.rows(table, start, start, FULL).empty
    assert list(telemetry.rows(table, start, start, FULL)) == list(telemetry.rows(table, start, end, FULL))


def test_walks_join_at_midnight() -> None:
    for offset in range(5):
        today = plant.walk(3, "a series", (MONDAY + offset * DAY).date())
        tomorrow = plant.walk(3, "a series", (MONDAY + (offset + 1) * DAY).date())
        assert today[-1] == pytest.approx(tomorrow[0], abs=1e-12)


def test_measured_values_do_not_jump_at_midnight() -> None:
    for key in ("seal_temperature", "air_pressure"):
        frame = series(key, MONDAY, MONDAY + 5 * DAY)
        steps = frame.value_real.diff().abs()
        over_midnight = frame.ts.dt.date != frame.ts.shift().dt.date
        assert steps[over_midnight].max() <= steps[~over_midnight].quantile(0.999)


def test_a_shift_counter_grows_through_midnight_and_restarts_with_the_shift() -> None:
    frame = series("bag_count", MONDAY, MONDAY + 3 * DAY)
    falls = frame[frame.value_int.diff() < 0]
    assert set(falls.ts.dt.hour) == {6, 14, 22}
    assert frame.value_int.min() >= 0
    midnight = pd.Timestamp(MONDAY + DAY)
    assert frame[frame.ts >= midnight].value_int.iloc[0] >= frame[frame.ts < midnight].value_int.iloc[-1] > 0


@pytest.mark.parametrize("volume", [FULL, THIN, Volume(rows=1_500_000, end=FULL.end)], ids=["full", "thin", "dense"])
def test_the_volume_is_about_what_was_asked_for(volume: Volume) -> None:
    counts = {table: len(telemetry.rows(table, volume.start, volume.end, volume)) for table in TABLES}
    assert sum(counts.values()) == pytest.approx(volume.rows, rel=0.05)
    assert counts["metric_hist"] > 0.8 * volume.rows


def test_days_have_the_rows_that_ms5_has() -> None:
    expected = {
        "oee_calculations": (500, 2_000),
        "energy_consumption": (100, 500),
        "production_kpis": (10, 50),
        "production_context_history": (50, 200),
    }
    for table, (least, most) in expected.items():
        times = telemetry.rows(table, MONDAY, MONDAY + WEEK, FULL)[TIME_COLUMN[table]]
        a_day = times.dt.date.value_counts().sort_index()
        assert len(a_day) == 7
        assert a_day.iloc[:5].between(least, most).all(), (table, a_day.to_dict())


def test_every_value_is_in_the_column_of_its_type() -> None:
    frame = telemetry.rows("metric_hist", MONDAY, MONDAY + 2 * DAY, FULL)
    columns = {
        "BOOL": "value_bool",
        "INT": "value_int",
        "REAL": "value_real",
        "TEXT": "value_text",
        "JSON": "value_json",
    }
    assert {metric.value_type for metric in METRICS} == set(columns)
    assert 18 <= len(METRICS) <= 24
    assert (frame[list(columns.values())].notna().sum(axis=1) == 1).all()
    for metric in METRICS:
        own = frame[frame.metric_def_id == metric.id]
        assert own[columns[metric.value_type]].notna().all(), metric
        assert len(own) > 10, metric
    assert all(json.loads(value)["seal_ms"] for value in frame.value_json.dropna())


@pytest.mark.parametrize(
    ("equipment", "key", "least", "most", "resolution"),
    [
        (LINES[0].equipment[0], "speed", 0, 27, 0.1),
        (LINES[0].equipment[0], "power", 0, 45, 0.01),
        (LINES[0].equipment[0], "seal_temperature", 15, 190, 0.1),
        (LINES[0].equipment[0], "air_pressure", 5.5, 7, 0.01),
        (LINES[0].equipment[1], "vibration", 0, 6, 0.01),
    ],
)
def test_sensors_stay_in_their_range_at_their_resolution(
    equipment: str, key: str, least: float, most: float, resolution: float
) -> None:
    values = series(key, MONDAY, MONDAY + WEEK, equipment=equipment).value_real.to_numpy(dtype=float)
    assert values.min() >= least
    assert values.max() <= most
    assert values.std() > 0.05
    np.testing.assert_allclose(values / resolution, np.round(values / resolution), atol=1e-6)


def test_states_change_rarely() -> None:
    running = series("running", MONDAY, MONDAY + DAY).value_bool
    assert 5 <= int((running != running.shift()).iloc[1:].sum()) <= 80
    assert len(running) > 90
    fault = series("fault", MONDAY, MONDAY + WEEK).value_bool
    assert 0 < fault.mean() < 0.5


def test_some_samples_are_missing_late_or_lost_with_the_sensor() -> None:
    frame = telemetry.rows("metric_hist", MONDAY, MONDAY + WEEK, FULL)
    out_of_order = (frame.ts < frame.ts.cummax()).mean()
    assert 0.001 < out_of_order < 0.02
    pauses = series("speed", MONDAY, MONDAY + 2 * WEEK).ts.diff().dt.total_seconds()
    assert pauses.median() < 15
    assert pauses.max() > 300  # the sensor was offline


def test_weekends_are_low() -> None:
    frame = telemetry.rows("energy_consumption", MONDAY, MONDAY + 2 * WEEK, FULL)
    a_day = frame.groupby(frame.consumption_time.dt.day_of_week).energy_consumption_kwh.sum()
    assert a_day[6] < 0.5 * a_day[:5].mean()
    assert a_day[5] < a_day[:5].mean()
    oee = telemetry.rows("oee_calculations", MONDAY, MONDAY + WEEK, FULL)
    assert (oee.calculation_time.dt.day_of_week == 6).sum() < 0.3 * (oee.calculation_time.dt.day_of_week == 0).sum()


def test_oee_is_consistent() -> None:
    frame = telemetry.rows("oee_calculations", MONDAY, MONDAY + WEEK, FULL)
    assert (frame.good_parts <= frame.total_parts).all()
    assert (frame.actual_production_time <= frame.planned_production_time).all()
    assert (frame.planned_production_time > 0).all()
    made = frame[frame.total_parts > 0]
    np.testing.assert_allclose(made.oee, made.availability * made.performance * made.quality)
    np.testing.assert_allclose(made.quality, made.good_parts / made.total_parts)
    np.testing.assert_allclose(frame.availability, frame.actual_production_time / frame.planned_production_time)
    assert (frame[frame.total_parts == 0].oee == 0).all()
    assert frame.oee.between(0, 1).all()
    assert 0.03 < (frame.oee < 0.80).mean() < 0.40
    assert 0.80 < frame.oee.mean() < 0.95


def test_the_parts_of_a_shift_agree_between_counter_oee_and_kpis() -> None:
    line, shift = LINES[0], (MONDAY + timedelta(hours=30), MONDAY + timedelta(hours=38))  # Tuesday, early
    counter = series("bag_count", *shift).value_int.iloc[-1]
    oee = telemetry.rows("oee_calculations", *shift, FULL)
    kpis = telemetry.rows("production_kpis", shift[1], shift[1] + timedelta(hours=1), FULL)
    total = oee[oee.equipment_code == line.equipment[0]].total_parts.sum()
    row = kpis[(kpis.line_id == line.id) & kpis.shift_id.notna()].iloc[0]
    assert row.total_production == pytest.approx(total, abs=2)
    assert counter == pytest.approx(total, rel=0.02)
    assert row.good_parts + row.scrap_parts + row.rework_parts == row.total_production
    assert row.planned_downtime_minutes + row.unplanned_downtime_minutes == row.total_downtime_minutes
    assert row.changeover_time_minutes + row.maintenance_time_minutes == row.planned_downtime_minutes
    assert row.oee == pytest.approx(row.availability * row.performance * row.quality)


def test_energy_is_power_over_time() -> None:
    frame = telemetry.rows("energy_consumption", MONDAY, MONDAY + WEEK, FULL)
    np.testing.assert_allclose(frame.energy_consumption_kwh, frame.power_consumption_kw / 6, atol=0.002)
    apparent = np.sqrt(3) * frame.voltage_v * frame.current_a * frame.power_factor / 1000
    np.testing.assert_allclose(apparent, frame.power_consumption_kw, rtol=0.03)
    assert frame.power_factor.between(0.5, 1).all()
    assert 0 < (frame.power_consumption_kw > 30).mean() < 0.1


def test_context_tells_who_and_why() -> None:
    frame = telemetry.rows("production_context_history", MONDAY, MONDAY + WEEK, FULL)
    reasons = {"shift_start", "changeover", "setting_changed", "fault", "fault_cleared"}
    assert set(frame.change_reason) == reasons
    assert frame[frame.change_reason == "fault"].changed_by.isna().all()
    assert set(frame.changed_by.dropna()) <= set(plant.master_data()["users"].id)
    assert set(frame.equipment_code) == {equipment for line in LINES for equipment in line.equipment}


def test_master_data_holds_what_the_telemetry_points_to() -> None:
    master = plant.master_data()
    assert master["production_lines"].line_code.iloc[0] == "L-BAG1"
    assert master["production_lines"].equipment_codes.iloc[0] == "{BP01.PACK.BAG1,BP01.PACK.BAG1.BL}"
    assert set(telemetry.rows("metric_hist", MONDAY, MONDAY + DAY, FULL).metric_def_id) == set(master["metric_def"].id)
    assert set(telemetry.rows("oee_calculations", MONDAY, MONDAY + DAY, FULL).line_id) == set(
        master["production_lines"].id
    )
