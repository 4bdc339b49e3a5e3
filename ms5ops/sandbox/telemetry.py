"""Telemetry of the imaginary packing hall (``plant``), as rows of MS5.0's tables (``sql/schema/ms5_tables.sql``).

Everything is a function of (seed, density, series, day): a day has the same rows whichever window it is asked for in,
so later months can be appended one by one.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from ms5ops.sandbox import plant, samples
from ms5ops.sandbox.plant import FAULT, LINES, METRICS, MINUTES, PLANNED_STOP, RUNNING, SHIFTS, USERS

TABLES = (
    "metric_hist",
    "oee_calculations",
    "energy_consumption",
    "production_kpis",
    "production_context_history",
)
TIME_COLUMN: Mapping[str, str] = {
    "metric_hist": "ts",
    "oee_calculations": "calculation_time",
    "energy_consumption": "consumption_time",
    "production_kpis": "created_at",
    "production_context_history": "changed_at",
}

# Rows a day at full density, averaged over a week (tests/sandbox/test_telemetry.py holds them to it).
_OEE_A_DAY, _ENERGY_A_DAY, _KPIS_A_DAY, _CONTEXT_A_DAY, _CHANGES_A_DAY = 1354, 430, 12, 79, 117
_FULL_DENSITY_A_DAY = 500_000 / 28


def _now() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


@dataclass(frozen=True)
class Volume:
    """How much data: about ``rows`` rows over all tables in the ``days`` days before ``end`` (aware).

    Rows per day set the density of the series. Down from the default, all series thin out; up from it, only
    metric_hist grows, as the others have their natural pace.
    """

    rows: int = 500_000
    days: int = 28
    end: datetime = field(default_factory=_now)
    seed: int = 5

    @property
    def start(self) -> datetime:
        """The beginning of the window, ``days`` days before its end."""
        return self.end - timedelta(days=self.days)

    @property
    def side_density(self) -> float:
        """The pace of all tables but metric_hist, as a part of their natural pace (0 to 1)."""
        return min(1.0, self.rows / self.days / _FULL_DENSITY_A_DAY)

    @property
    def metric_density(self) -> float:
        """The pace of metric_hist's samples as a multiple of the intervals in ``METRICS``."""
        side = self.side_density * (_OEE_A_DAY + _ENERGY_A_DAY + _CONTEXT_A_DAY) + _KPIS_A_DAY + _CHANGES_A_DAY
        natural = sum(86_400 / metric.interval_s for metric in METRICS)
        return max(self.rows / self.days - side, 100.0) / (natural * samples.KEPT_SHARE)


def rows(table: str, start: datetime, end: datetime, volume: Volume) -> pd.DataFrame:
    """The rows of one telemetry table with start <= time < end (aware), in the order of their arrival.

    Columns are the table's without ``id``: times as datetime64[us, UTC], absent values as missing, JSON as text.
    Of ``volume`` only the density and the seed count: the window may lie before, across or after its own.
    A few samples of metric_hist arrive up to hours late, so their times are not in order.
    """
    day_of = _DAYS[table]
    days = [day_of(day, volume) for day in _days(start, end)]
    frame = pd.concat(days, ignore_index=True) if days else day_of(start.astimezone(UTC).date(), volume).iloc[:0]
    times = frame[TIME_COLUMN[table]]
    return frame[(times >= pd.Timestamp(start)) & (times < pd.Timestamp(end))].reset_index(drop=True)


def _days(start: datetime, end: datetime) -> Iterator[date]:
    day = start.astimezone(UTC).date()
    while day < end.astimezone(UTC).date() or (
        day == end.astimezone(UTC).date() and end.astimezone(UTC).time() != datetime.min.time()
    ):
        yield day
        day += timedelta(days=1)


def _metric_day(day: date, volume: Volume) -> pd.DataFrame:
    return samples.of_day(day, volume.seed, volume.metric_density)


# The tables beside metric_hist ----------------------------------------------------------------------------


def _windows(natural_min: int, density: float) -> plant.Ints:
    """The edges, in minutes, of windows that fill the day; the last may be shorter."""
    width = max(natural_min, min(round(natural_min / density), 360))
    return np.unique(np.append(np.arange(0, MINUTES, width), MINUTES))


def _over(values: plant.Values, edges: plant.Ints) -> plant.Floats:
    """Sums per window."""
    sums: plant.Floats = np.add.reduceat(values.astype(float), edges[:-1])
    return sums


def _whole_parts(per_minute: plant.Floats, edges: plant.Ints) -> plant.Ints:
    total = np.floor(np.concatenate([[0.0], np.cumsum(per_minute)]) + 1e-9)
    return np.diff(total[edges]).astype(np.int64)


def _ratio(part: plant.Floats, whole: plant.Floats) -> plant.Floats:
    """part / whole, missing where the whole is nothing."""
    ratio: plant.Floats = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return ratio


def _oee_day(day: date, volume: Volume) -> pd.DataFrame:
    edges, frames = _windows(5, volume.side_density), []
    for index, line in enumerate(LINES):
        today = plant.line_day(volume.seed, index, day)
        planned = 60 * _over((today.state == RUNNING) | (today.state == FAULT), edges)
        actual = 60 * _over(today.running, edges)
        for station, equipment in enumerate(line.equipment):
            rng = plant.stream(volume.seed, f"{equipment} oee", day)
            later = 1 - 0.01 * station  # what a downstream station loses
            total = _whole_parts(today.parts * later, edges)
            good = total - np.minimum(_whole_parts(today.rejects * (1 if station == 0 else 0.4), edges), total)
            ideal = 60 / line.target_speed
            availability = _ratio(actual, planned)
            performance = np.minimum(_ratio(total.astype(float) * ideal, actual), 1.0)
            quality = _ratio(good.astype(float), total.astype(float))
            produced = total > 0
            frames.append(
                pd.DataFrame(
                    {
                        "line_id": line.id,
                        "equipment_code": equipment,
                        "calculation_time": plant.instants(day, edges[1:] * 60 - rng.uniform(0.5, 20, len(edges) - 1)),
                        "availability": availability,
                        "performance": performance,
                        "quality": quality,
                        # Nothing made: OEE is 0, though performance or quality have no value.
                        "oee": np.where(produced, availability * performance * quality, 0.0),
                        "planned_production_time": planned.astype(np.int64),
                        "actual_production_time": actual.astype(np.int64),
                        "ideal_cycle_time": ideal,
                        "actual_cycle_time": _ratio(actual, total.astype(float)),
                        "good_parts": good,
                        "total_parts": total,
                    }
                )[planned > 0]
            )
    return _in_order(pd.concat(frames), "calculation_time")


def _energy_day(day: date, volume: Volume) -> pd.DataFrame:
    edges, frames = _windows(10, volume.side_density), []
    middle = (edges[1:] + edges[:-1]) / 2
    hours = np.diff(edges) / 60
    for index, line in enumerate(LINES):
        equipment = line.equipment[0]
        rng = plant.stream(volume.seed, f"{equipment} energy", day)
        count = len(middle)
        power = _over(plant.power_kw(volume.seed, index, day)[:-1], edges) / np.diff(edges)
        runs = _over(plant.line_day(volume.seed, index, day).running, edges) / np.diff(edges)
        voltage = (
            400 + 2.5 * plant.walk(volume.seed, "grid voltage", day)[middle.astype(int)] + rng.normal(0, 0.4, count)
        )
        factor = np.clip(0.68 + 0.22 * runs + rng.normal(0, 0.012, count), 0.5, 0.99)
        ambient = 21 + 2.5 * np.sin(2 * np.pi * (middle / MINUTES - 0.375))
        frame = pd.DataFrame(
            {
                "equipment_code": equipment,
                "consumption_time": plant.instants(day, edges[1:] * 60 - rng.uniform(0.5, 5, count)),
                "power_consumption_kw": np.round(power, 2),
                "energy_consumption_kwh": np.round(power * hours, 3),
                "voltage_v": np.round(voltage, 1),
                "current_a": np.round(1000 * power / (np.sqrt(3) * voltage * factor), 1),
                "power_factor": np.round(factor, 3),
                "temperature_c": np.round(ambient + plant.walk(volume.seed, "hall", day)[middle.astype(int)], 1),
                "humidity_percent": np.round(48 - 1.5 * (ambient - 21) + rng.normal(0, 0.6, count), 1),
            }
        )
        frames.append(frame[rng.random(count) >= samples.MISSING_SHARE])
    return _in_order(pd.concat(frames), "consumption_time")


def _kpi_row(volume: Volume, index: int, begins: datetime, hours: int, shift: str | None) -> dict[str, object]:
    """The figures of one line over a span of at most a day and a night; ``created_at`` follows its end."""
    line, minutes = LINES[index], hours * 60
    first = begins.hour * 60
    days = [plant.line_day(volume.seed, index, begins.date() + timedelta(days=n)) for n in (0, 1)]
    cut = slice(first, first + minutes)
    state = np.concatenate([day.state for day in days])[cut]
    changeover = int(np.concatenate([day.changeover for day in days])[cut].sum())
    power = np.concatenate(
        [plant.power_kw(volume.seed, index, begins.date() + timedelta(days=n))[:-1] for n in (0, 1)]
    )[cut]
    total = int(np.concatenate([day.parts for day in days])[cut].sum())
    rejects = int(np.concatenate([day.rejects for day in days])[cut].sum())
    rework = rejects // 3
    running, fault, stopped = (int((state == kind).sum()) for kind in (RUNNING, FAULT, PLANNED_STOP))
    availability = running / (running + fault) if running + fault else None
    performance = min(total / (running * line.target_speed), 1.0) if running else None
    quality = (total - rejects) / total if total else None
    measures = (availability, performance, quality)
    rng = plant.stream(volume.seed, f"{line.code} kpi {shift}", begins.date())
    return {
        "line_id": line.id,
        "kpi_date": begins.date(),
        "shift_id": plant.uuid_of("shift", shift) if shift else None,
        "oee": None if None in measures else float(np.prod(np.array(measures, dtype=float))),
        "availability": availability,
        "performance": performance,
        "quality": quality,
        "total_production": total,
        "good_parts": total - rejects,
        "scrap_parts": rejects - rework,
        "rework_parts": rework,
        "total_downtime_minutes": fault + stopped,
        "planned_downtime_minutes": stopped,
        "unplanned_downtime_minutes": fault,
        "changeover_time_minutes": changeover,
        "maintenance_time_minutes": stopped - changeover,
        "energy_consumption_kwh": round(float(power.sum()) / 60, 2),
        "material_waste_percent": round(100 * (rejects - rework) / total, 3) if total else None,
        "first_pass_yield": quality,
        "created_at": begins + timedelta(hours=hours, seconds=float(np.round(rng.uniform(120, 900), 3))),
    }


def _kpi_day(day: date, volume: Volume) -> pd.DataFrame:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    found = []
    for index in range(len(LINES)):
        for shift, hour in SHIFTS:
            begins = midnight + timedelta(hours=hour - (24 if shift == "night" else 0))
            found.append(_kpi_row(volume, index, begins, 8, shift))
        found.append(_kpi_row(volume, index, midnight - timedelta(hours=18), 24, None))
    frame = pd.DataFrame(found)
    frame["created_at"] = pd.DatetimeIndex(frame["created_at"]).as_unit("us")
    return _in_order(frame, "created_at")


def _context_day(day: date, volume: Volume) -> pd.DataFrame:
    """Changes of production context: shift starts, changeovers, faults and their end, settings."""
    found: list[tuple[float, str, str, str | None, dict[str, object]]] = []
    for index, line in enumerate(LINES):
        today, products = plant.line_day(volume.seed, index, day), plant.product(volume.seed, index, day)
        planned = plant.planned_minutes(day)
        rng = plant.stream(volume.seed, f"{line.code} context", day)
        crew = rng.choice(USERS, size=3, replace=False)

        def operator(minute: int, crew: npt.NDArray[np.str_] = crew) -> str:
            return str(crew[((minute - 360) % MINUTES) // 480])

        events = [(hour * 60, "shift_start", 0) for _, hour in SHIFTS if planned[hour * 60]]
        events += [(at, "changeover", 0) for at in _beginnings(today.changeover)]
        events += [(int(at), "setting_changed", 0) for at in rng.integers(0, MINUTES, rng.poisson(6)) if planned[at]]
        for station in range(len(line.equipment)):
            at_fault = today.fault_at == station
            events += [(at, "fault", station) for at in _beginnings(at_fault)]
            events += [(at, "fault_cleared", station) for at in _beginnings(~at_fault) if at]
        for minute, reason, station in events:
            details: dict[str, object] = {
                "line": line.code,
                "product": str(products[minute]),
                "operator": operator(minute),
                "shift": {0: "early", 1: "late", 2: "night"}[((minute - 360) % MINUTES) // 480],
            }
            if reason == "fault":
                details["fault_code"] = int(today.fault_code[minute])
            if reason == "setting_changed":
                details["setting"] = {"target_speed": round(line.target_speed * float(rng.uniform(0.9, 1.0)), 2)}
            who = None if reason == "fault" else operator(minute)
            if rng.random() < max(volume.side_density, 0.2):
                found.append((minute * 60 + float(rng.uniform(1, 55)), line.equipment[station], reason, who, details))
    frame = pd.DataFrame(
        {
            "equipment_code": [equipment for _, equipment, _, _, _ in found],
            "context_data": [json.dumps(details) for _, _, _, _, details in found],
            "change_reason": [reason for _, _, reason, _, _ in found],
            "changed_by": [plant.uuid_of("user", who) if who else None for _, _, _, who, _ in found],
            "changed_at": plant.instants(day, np.array([seconds for seconds, *_ in found], dtype=float)),
        }
    )
    return _in_order(frame, "changed_at")


def _beginnings(flags: plant.Flags) -> list[int]:
    """The minutes at which a condition begins to hold; not those in which it held at midnight already."""
    return [int(at) + 1 for at in np.flatnonzero(flags[1:] & ~flags[:-1])]


def _in_order(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame.sort_values(column, kind="stable").reset_index(drop=True)


_DAYS = {
    "metric_hist": _metric_day,
    "oee_calculations": _oee_day,
    "energy_consumption": _energy_day,
    "production_kpis": _kpi_day,
    "production_context_history": _context_day,
}
