"""Telemetry of an imaginary packing hall, for the tables of MS5.0 (``sql/schema/ms5_tables.sql``).

Everything is a function of (seed, density, series, day): a day has the same rows whichever window it is asked
for in, and values join up at midnight, so later months can be appended one by one. Random walks are
Brownian bridges between one anchor per midnight; what depends on the past (warmth, shift counters) looks back
at most one day. Times are UTC; shifts are early 06-14, late 14-22 and night 22-06; production runs from Sunday
22:00 to Saturday 14:00.
"""

import json
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Values = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
ValueType = Literal["BOOL", "INT", "REAL", "TEXT", "JSON"]

MINUTES = 1440
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "sandbox.ms5ops")
_EPOCH = date(1970, 1, 1)

# States of a line, minute by minute.
NOT_PLANNED, RUNNING, PLANNED_STOP, FAULT = 0, 1, 2, 3

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
        return max(self.rows / self.days - side, 100.0) / (natural * _KEPT)


@dataclass(frozen=True)
class Line:
    """A production line: its stations in the order of flow, and target speed in parts per minute."""

    code: str
    name: str
    description: str
    equipment: tuple[str, ...]
    target_speed: float
    idle_kw: float
    load_kw: float
    products: tuple[str, ...]

    @property
    def id(self) -> str:
        """The key in production_lines (a UUID, the same in every sandbox)."""
        return _uuid("line", self.code)


@dataclass(frozen=True)
class Metric:
    """A series of metric_hist; ``interval_s`` is its sample interval at density 1."""

    equipment: str
    key: str
    value_type: ValueType
    unit: str | None
    description: str
    interval_s: float

    @property
    def id(self) -> str:
        """The key in metric_def (a UUID, the same in every sandbox)."""
        return _uuid("metric", f"{self.equipment}/{self.key}")


def _uuid(kind: str, name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{kind}/{name}"))


_BAG1, _BL, _BAG2 = "BP01.PACK.BAG1", "BP01.PACK.BAG1.BL", "BP01.PACK.BAG2"
_BL2, _PAL1, _WRAP = "BP01.PACK.BAG2.BL", "BP01.PACK.PAL1", "BP01.PACK.PAL1.WR"

LINES = (
    Line("L-BAG1", "Bagger Line 1", "25 kg bags, form-fill-seal", (_BAG1, _BL), 24.0, 3.5, 24.0, ("CEM-25", "LIME-25")),
    Line("L-BAG2", "Bagger Line 2", "10 kg bags", (_BAG2, _BL2), 32.0, 3.0, 18.0, ("GROUT-10", "LIME-10", "CEM-10")),
    Line(
        "L-PAL1", "Palletiser Line 1", "Palletiser and stretch wrapper", (_PAL1, _WRAP), 0.8, 4.0, 21.0, ("EUR", "IND")
    ),
)

METRICS = (
    Metric(_BAG1, "running", "BOOL", None, "Bagger is producing", 900),
    Metric(_BAG1, "fault", "BOOL", None, "Bagger is stopped by a fault of its own", 900),
    Metric(_BAG1, "speed", "REAL", "bags/min", "Bags per minute", 10),
    Metric(_BAG1, "power", "REAL", "kW", "Electrical power of the line", 20),
    Metric(_BAG1, "seal_temperature", "REAL", "degC", "Temperature of the sealing bar", 300),
    Metric(_BAG1, "air_pressure", "REAL", "bar", "Compressed air at the inlet", 300),
    Metric(_BAG1, "bag_count", "INT", "bags", "Bags since the start of the shift", 300),
    Metric(_BAG1, "reject_count", "INT", "bags", "Rejected bags since the start of the shift", 600),
    Metric(_BAG1, "fault_code", "INT", None, "Code of the present fault, 0 for none", 900),
    Metric(_BAG1, "product", "TEXT", None, "Product being packed", 3600),
    Metric(_BAG1, "settings", "JSON", None, "Sealing time, dwell time and set temperature", 1800),
    Metric(_BL, "running", "BOOL", None, "Belt is moving product", 900),
    Metric(_BL, "vibration", "REAL", "mm/s", "Vibration velocity of the belt drive, RMS", 120),
    Metric(_BL, "motor_temperature", "REAL", "degC", "Winding temperature of the belt drive", 300),
    Metric(_BL, "belt_speed", "REAL", "m/s", "Speed of the belt", 300),
    Metric(_BAG2, "running", "BOOL", None, "Bagger is producing", 900),
    Metric(_BAG2, "speed", "REAL", "bags/min", "Bags per minute", 120),
    Metric(_BAG2, "bag_count", "INT", "bags", "Bags since the start of the shift", 600),
    Metric(_BAG2, "seal_temperature", "REAL", "degC", "Temperature of the sealing bar", 600),
    Metric(_PAL1, "running", "BOOL", None, "Palletiser is producing", 900),
    Metric(_PAL1, "pallet_count", "INT", "pallets", "Pallets since the start of the shift", 600),
    Metric(_PAL1, "vibration", "REAL", "mm/s", "Vibration velocity of the lift drive, RMS", 300),
    Metric(_PAL1, "power", "REAL", "kW", "Electrical power of the line", 300),
    Metric(_WRAP, "film_tension", "REAL", "N", "Tension of the stretch film", 600),
)

SHIFTS = (("night", 22), ("early", 6), ("late", 14))  # in the order in which they end on a day
USERS = ("a.berg", "d.costa", "j.novak", "m.keller", "p.singh", "s.lind")

_MISSING, _GAP_A_DAY, _LATE = 0.003, 0.12, 0.004
_KEPT = 0.9930  # what _MISSING and the gaps leave


def master_data() -> dict[str, pd.DataFrame]:
    """The rows of users, production_lines and metric_def; the same in every sandbox."""
    return {
        "users": pd.DataFrame({"id": [_uuid("user", name) for name in USERS], "username": USERS}),
        "production_lines": pd.DataFrame(
            {
                "id": [line.id for line in LINES],
                "line_code": [line.code for line in LINES],
                "name": [line.name for line in LINES],
                "description": [line.description for line in LINES],
                "equipment_codes": ["{" + ",".join(line.equipment) + "}" for line in LINES],
                "target_speed": [line.target_speed for line in LINES],
                "enabled": [True for _ in LINES],
            }
        ),
        "metric_def": pd.DataFrame(
            {
                "id": [metric.id for metric in METRICS],
                "equipment_code": [metric.equipment for metric in METRICS],
                "metric_key": [metric.key for metric in METRICS],
                "value_type": [metric.value_type for metric in METRICS],
                "unit": [metric.unit for metric in METRICS],
                "description": [metric.description for metric in METRICS],
            }
        ),
    }


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


# The plant, minute by minute --------------------------------------------------------------------------------


def _rng(seed: int, series: str, day: date) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(series.encode()), (day - _EPOCH).days])


def _walk(seed: int, series: str, day: date, spread: float = 0.6) -> Floats:
    """A walk of about unit size at the 1,441 minute marks of a day; the last is the next day's first."""
    anchors = [_rng(seed, f"{series} anchor", when).standard_normal() for when in (day, day + timedelta(days=1))]
    steps = _rng(seed, f"{series} walk", day).standard_normal(MINUTES) / np.sqrt(MINUTES)
    free = np.concatenate([[0.0], np.cumsum(steps)])
    place = np.arange(MINUTES + 1) / MINUTES
    bridge = free - place * free[-1]
    line: Floats = anchors[0] * 0.7 * (1 - place) + anchors[1] * 0.7 * place + spread * bridge
    return line


@dataclass(frozen=True)
class _LineDay:
    """A line's day: arrays of 1,440 minutes. ``parts`` and ``rejects`` are parts per minute, as fractions."""

    state: Ints
    fault_at: Ints  # index of the station that has the fault, -1 for none
    fault_code: Ints
    changeover: Flags
    performance: Floats
    parts: Floats
    rejects: Floats

    @property
    def running(self) -> Flags:
        return np.equal(self.state, RUNNING)


def _planned(day: date) -> Flags:
    minutes = np.arange(MINUTES)
    return {5: minutes < 14 * 60, 6: minutes >= 22 * 60}.get(day.weekday(), np.full(MINUTES, True))


@lru_cache(maxsize=256)
def _line_day(seed: int, index: int, day: date) -> _LineDay:
    line = LINES[index]
    rng = _rng(seed, f"{line.code} state", day)
    state = np.where(_planned(day), RUNNING, NOT_PLANNED).astype(np.int64)
    changeover = np.full(MINUTES, False)
    for begins in (60, 6 * 60, 14 * 60):  # one changeover a shift, within its first hours
        at = begins + int(rng.integers(10, 180))
        changeover[at : at + int(rng.integers(12, 30))] = True
    maintenance = np.full(MINUTES, False)
    if day.weekday() == (1, 2, 3)[index]:
        maintenance[9 * 60 : 10 * 60 + 30] = True
    state[(changeover | maintenance) & (state == RUNNING)] = PLANNED_STOP
    fault_at, fault_code = np.full(MINUTES, -1), np.zeros(MINUTES, dtype=np.int64)
    for _ in range(int(rng.poisson(9))):
        at, lasts = int(rng.integers(0, MINUTES - 60)), 1 + int(rng.exponential(7))
        station, code = int(rng.integers(0, len(line.equipment))), int(rng.choice([101, 104, 212, 305, 411]))
        hit = np.arange(at, at + min(lasts, 59))
        hit = hit[state[hit] == RUNNING]
        state[hit], fault_at[hit], fault_code[hit] = FAULT, station, code
    performance = np.clip(0.94 + 0.035 * _walk(seed, f"{line.code} performance", day)[:-1], 0.70, 0.995)
    parts = np.where(state == RUNNING, line.target_speed * performance, 0.0)
    rejects = parts * np.clip(0.012 + 0.006 * _walk(seed, f"{line.code} rejects", day)[:-1], 0.001, 0.08)
    return _LineDay(state, fault_at, fault_code, changeover & (state == PLANNED_STOP), performance, parts, rejects)


def _day_before(day: date) -> date:
    return day - timedelta(days=1)


@lru_cache(maxsize=256)
def _warmth(seed: int, index: int, day: date, tau_min: int) -> Floats:
    """How warm the line has run, 0 to 1 at the 1,441 minute marks: a lag of first order, looking back 6 hours."""
    back = 360
    runs = np.concatenate(
        [_line_day(seed, index, _day_before(day)).running[-back:], _line_day(seed, index, day).running]
    )
    kernel = np.exp(-np.arange(back) / tau_min)
    warmth: Floats = np.convolve(runs.astype(float), kernel / kernel.sum(), mode="valid")
    return warmth


def _power(seed: int, index: int, day: date) -> Floats:
    """Power of the line in kW at the 1,441 minute marks."""
    line = LINES[index]
    compressor = 1.2 * np.sin(2 * np.pi * np.arange(MINUTES + 1) / 18)
    load = _warmth(seed, index, day, 2) * (line.load_kw + 2.6 * _walk(seed, f"{line.code} power", day) + compressor)
    return np.maximum(line.idle_kw + 0.3 * _walk(seed, f"{line.code} idle", day) + load, 0.2)


def _since_shift_start(before: Floats, today: Floats) -> Ints:
    """Whole parts since the shift began at each of the 1,440 minutes (at its end), from parts per minute."""
    total = np.cumsum(np.concatenate([before[-120:], today]))  # from 22:00 the evening before
    base = np.zeros(MINUTES)
    for hour in (6, 14, 22):
        base[hour * 60 :] = total[120 + hour * 60 - 1]
    return np.floor(total[120:] - base + 1e-9).astype(np.int64)


def _product(seed: int, index: int, day: date) -> npt.NDArray[np.object_]:
    """The product of each of the 1,440 minutes: it changes at the end of the shift's changeover."""
    line, today = LINES[index], _line_day(seed, index, day)

    def chosen(on: date, count: int) -> str:
        return line.products[int(_rng(seed, f"{line.code} product {count}", on).integers(0, len(line.products)))]

    names = [chosen(_day_before(day), 2), *(chosen(day, count) for count in range(3))]
    runs = np.zeros(MINUTES, dtype=np.int64)
    for count, (begins, ends) in enumerate(((60, 270), (360, 570), (840, 1050)), start=1):
        over = np.flatnonzero(today.changeover[begins:ends])
        runs[begins + (int(over[-1]) if len(over) else 0) :] = count
    return np.array(names, dtype=object)[runs]


# metric_hist ------------------------------------------------------------------------------------------------


def _whereabouts(equipment: str) -> tuple[int, int]:
    for index, line in enumerate(LINES):
        if equipment in line.equipment:
            return index, line.equipment.index(equipment)
    raise KeyError(equipment)


def _steps(metric: Metric, seed: int, day: date) -> Values:
    """The value in each of the 1,440 minutes of a series that holds it until it changes."""
    index, station = _whereabouts(metric.equipment)
    today = _line_day(seed, index, day)
    held: Values
    match metric.key:
        case "running":
            held = today.running
        case "fault":
            held = today.fault_at == station
        case "fault_code":
            held = np.where(today.fault_at == station, today.fault_code, 0)
        case "product":
            held = _product(seed, index, day)
        case "settings":
            products = _product(seed, index, day)
            offset = _rng(seed, "settings", day - timedelta(days=day.weekday())).integers(-3, 4)
            texts = {
                name: json.dumps(
                    {
                        "product": name,
                        "seal_ms": 420 + 40 * number,
                        "dwell_ms": 650 + 25 * number,
                        "set_temperature_c": 178 + 2 * number + int(offset),
                    }
                )
                for number, name in enumerate(LINES[index].products)
            }
            held = np.array([texts[name] for name in products], dtype=object)
        case "bag_count" | "pallet_count":
            held = _since_shift_start(_line_day(seed, index, _day_before(day)).parts, today.parts)
        case "reject_count":
            held = _since_shift_start(_line_day(seed, index, _day_before(day)).rejects, today.rejects)
        case _:
            raise KeyError(metric.key)
    return held


def _measured(metric: Metric, seed: int, day: date, seconds: Floats) -> Floats:
    """What the sensor shows at those seconds of the day, at its resolution."""
    index, _ = _whereabouts(metric.equipment)
    today = _line_day(seed, index, day)
    minute = np.minimum((seconds // 60).astype(np.int64), MINUTES - 1)
    marks = np.arange(MINUTES + 1)
    walk = np.interp(seconds / 60, marks, _walk(seed, f"{metric.equipment} {metric.key}", day))
    noise = _rng(seed, f"{metric.equipment} {metric.key} noise {len(seconds)}", day).standard_normal(len(seconds))
    runs, pace = today.running[minute], today.performance[minute]

    def warm(tau_min: int) -> Floats:
        return np.interp(seconds / 60, marks, _warmth(seed, index, day, tau_min))

    ambient = 21 + 2.5 * np.sin(2 * np.pi * (seconds / 86_400 - 0.375))
    match metric.key:
        case "speed":
            value, digits = np.where(runs, LINES[index].target_speed * pace + 0.15 * noise, 0.0), 1
        case "power":
            value, digits = np.interp(seconds / 60, marks, _power(seed, index, day)) + 0.12 * noise, 2
        case "seal_temperature":
            value, digits = ambient + 158 * warm(15) + 1.2 * walk + 0.15 * noise, 1
        case "motor_temperature":
            value, digits = ambient + 36 * warm(45) + 1.5 * walk + 0.1 * noise, 1
        case "air_pressure":
            value, digits = 6.4 - 0.25 * warm(2) + 0.08 * walk + 0.01 * noise, 2
        case "vibration":
            value, digits = 0.12 + runs * (2.1 + 0.4 * walk) + 0.05 * noise, 2
        case "belt_speed":
            value, digits = np.where(runs, 0.85 * pace + 0.004 * noise, 0.0), 2
        case "film_tension":
            value, digits = np.where(runs, 180 + 8 * walk + 1.5 * noise, 12.0), 1
        case _:
            raise KeyError(metric.key)
    shown: Floats = np.round(np.asarray(value, dtype=np.float64).clip(min=0.0), digits)
    return shown


def _sample_seconds(metric: Metric, volume: Volume, day: date, rng: np.random.Generator) -> Floats:
    count = max(1, round(86_400 / metric.interval_s * volume.metric_density))
    places = (np.arange(count) + 0.5 + rng.uniform(-0.35, 0.35, count)) / count
    return np.round(places * 86_400, 3)


def _series(metric: Metric, volume: Volume, day: date) -> tuple[Floats, Values]:
    """Seconds of the day and values of one series, without what was lost."""
    rng = _rng(volume.seed, f"{metric.equipment} {metric.key} samples", day)
    seconds = _sample_seconds(metric, volume, day, rng)
    if metric.value_type == "REAL":
        values: Values = _measured(metric, volume.seed, day, seconds)
    else:
        held = _steps(metric, volume.seed, day)
        if metric.value_type != "INT" or metric.key == "fault_code":  # counters are polled, states also sent on change
            before = _steps(metric, volume.seed, _day_before(day))[-1:]
            changes = np.flatnonzero(held != np.concatenate([before, held[:-1]]))
            seconds = np.sort(
                np.concatenate([seconds, np.round(changes * 60 + rng.uniform(0.05, 0.9, len(changes)), 3)])
            )
        values = held[np.minimum((seconds // 60).astype(np.int64), MINUTES - 1)]
    kept = rng.random(len(seconds)) >= _MISSING
    if rng.random() < _GAP_A_DAY:  # the sensor is offline for a while
        begins = rng.uniform(0, 80_000)
        kept &= (seconds < begins) | (seconds > begins + 60 * rng.uniform(5, 90))
    return seconds[kept], values[kept]


def _metric_day(day: date, volume: Volume) -> pd.DataFrame:
    found = [_series(metric, volume, day) for metric in METRICS]
    counts = [len(seconds) for seconds, _ in found]
    total = sum(counts)
    columns: dict[str, Values] = {
        kind: np.full(total, np.nan if kind == "REAL" else None, dtype=float if kind == "REAL" else object)
        for kind in ("BOOL", "INT", "REAL", "TEXT", "JSON")
    }
    begins = 0
    for metric, (seconds, values) in zip(METRICS, found, strict=True):
        columns[metric.value_type][begins : begins + len(seconds)] = values
        begins += len(seconds)
    frame = pd.DataFrame(
        {
            "metric_def_id": np.repeat(np.array([metric.id for metric in METRICS], dtype=object), counts),
            "ts": _stamps(day, np.concatenate([seconds for seconds, _ in found])),
            "value_bool": pd.array(columns["BOOL"], dtype="boolean"),
            "value_int": pd.array(columns["INT"], dtype="Int64"),
            "value_real": columns["REAL"],
            "value_text": columns["TEXT"],
            "value_json": columns["JSON"],
        }
    )
    rng = _rng(volume.seed, "arrival", day)
    delay = np.where(rng.random(total) < _LATE, rng.exponential(1200, total), 0.0)
    arrival = np.concatenate([seconds for seconds, _ in found]) + delay
    return frame.iloc[np.argsort(arrival, kind="stable")].reset_index(drop=True)


def _stamps(day: date, seconds: Floats) -> pd.DatetimeIndex:
    micros = (day - _EPOCH).days * 86_400_000_000 + np.round(seconds * 1000).astype(np.int64) * 1000
    return pd.DatetimeIndex(micros.astype("datetime64[us]")).tz_localize("UTC")


# The other tables -------------------------------------------------------------------------------------------


def _windows(natural_min: int, density: float) -> Ints:
    """The edges, in minutes, of windows that fill the day; the last may be shorter."""
    width = max(natural_min, min(round(natural_min / density), 360))
    return np.unique(np.append(np.arange(0, MINUTES, width), MINUTES))


def _over(values: Values, edges: Ints) -> Floats:
    """Sums per window."""
    sums: Floats = np.add.reduceat(values.astype(float), edges[:-1])
    return sums


def _whole_parts(per_minute: Floats, edges: Ints) -> Ints:
    total = np.floor(np.concatenate([[0.0], np.cumsum(per_minute)]) + 1e-9)
    return np.diff(total[edges]).astype(np.int64)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole, missing where the whole is nothing."""
    ratio: Floats = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return ratio


def _oee_day(day: date, volume: Volume) -> pd.DataFrame:
    edges, frames = _windows(5, volume.side_density), []
    for index, line in enumerate(LINES):
        today = _line_day(volume.seed, index, day)
        planned = 60 * _over((today.state == RUNNING) | (today.state == FAULT), edges)
        actual = 60 * _over(today.running, edges)
        for station, equipment in enumerate(line.equipment):
            rng = _rng(volume.seed, f"{equipment} oee", day)
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
                        "calculation_time": _stamps(day, edges[1:] * 60 - rng.uniform(0.5, 20, len(edges) - 1)),
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
        rng = _rng(volume.seed, f"{equipment} energy", day)
        count = len(middle)
        power = _over(_power(volume.seed, index, day)[:-1], edges) / np.diff(edges)
        runs = _over(_line_day(volume.seed, index, day).running, edges) / np.diff(edges)
        voltage = 400 + 2.5 * _walk(volume.seed, "grid voltage", day)[middle.astype(int)] + rng.normal(0, 0.4, count)
        factor = np.clip(0.68 + 0.22 * runs + rng.normal(0, 0.012, count), 0.5, 0.99)
        ambient = 21 + 2.5 * np.sin(2 * np.pi * (middle / MINUTES - 0.375))
        frame = pd.DataFrame(
            {
                "equipment_code": equipment,
                "consumption_time": _stamps(day, edges[1:] * 60 - rng.uniform(0.5, 5, count)),
                "power_consumption_kw": np.round(power, 2),
                "energy_consumption_kwh": np.round(power * hours, 3),
                "voltage_v": np.round(voltage, 1),
                "current_a": np.round(1000 * power / (np.sqrt(3) * voltage * factor), 1),
                "power_factor": np.round(factor, 3),
                "temperature_c": np.round(ambient + _walk(volume.seed, "hall", day)[middle.astype(int)], 1),
                "humidity_percent": np.round(48 - 1.5 * (ambient - 21) + rng.normal(0, 0.6, count), 1),
            }
        )
        frames.append(frame[rng.random(count) >= _MISSING])
    return _in_order(pd.concat(frames), "consumption_time")


def _kpi_row(volume: Volume, index: int, begins: datetime, hours: int, shift: str | None) -> dict[str, object]:
    """The figures of one line over a span of at most a day and a night; ``created_at`` follows its end."""
    line, minutes = LINES[index], hours * 60
    first = begins.hour * 60
    days = [_line_day(volume.seed, index, begins.date() + timedelta(days=n)) for n in (0, 1)]
    cut = slice(first, first + minutes)
    state = np.concatenate([day.state for day in days])[cut]
    changeover = int(np.concatenate([day.changeover for day in days])[cut].sum())
    power = np.concatenate([_power(volume.seed, index, begins.date() + timedelta(days=n))[:-1] for n in (0, 1)])[cut]
    total = int(np.concatenate([day.parts for day in days])[cut].sum())
    rejects = int(np.concatenate([day.rejects for day in days])[cut].sum())
    rework = rejects // 3
    running, fault, stopped = (int((state == kind).sum()) for kind in (RUNNING, FAULT, PLANNED_STOP))
    availability = running / (running + fault) if running + fault else None
    performance = min(total / (running * line.target_speed), 1.0) if running else None
    quality = (total - rejects) / total if total else None
    measures = (availability, performance, quality)
    rng = _rng(volume.seed, f"{line.code} kpi {shift}", begins.date())
    return {
        "line_id": line.id,
        "kpi_date": begins.date(),
        "shift_id": _uuid("shift", shift) if shift else None,
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
        today, products = _line_day(volume.seed, index, day), _product(volume.seed, index, day)
        planned = _planned(day)
        rng = _rng(volume.seed, f"{line.code} context", day)
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
            "changed_by": [_uuid("user", who) if who else None for _, _, _, who, _ in found],
            "changed_at": _stamps(day, np.array([seconds for seconds, *_ in found], dtype=float)),
        }
    )
    return _in_order(frame, "changed_at")


def _beginnings(flags: Flags) -> list[int]:
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
