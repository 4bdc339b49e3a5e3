"""An imaginary packing hall: its lines, what is measured on them, and what they do minute by minute.

Everything is a function of (seed, series, day): a day is the same whichever window it is asked for in, and values join
up at midnight. Random walks are Brownian bridges between one anchor per midnight; what depends on the past (warmth)
looks back at most one day. Times are UTC; shifts are early 06-14, late 14-22 and night 22-06; production runs from
Sunday 22:00 to Saturday 14:00.
"""

import uuid
import zlib
from dataclasses import dataclass
from datetime import date, timedelta
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
        return uuid_of("line", self.code)


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
        return uuid_of("metric", f"{self.equipment}/{self.key}")


def uuid_of(kind: str, name: str) -> str:
    """The key of a thing of that kind: the same in every sandbox."""
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


def master_data() -> dict[str, pd.DataFrame]:
    """The rows of users, production_lines and metric_def; the same in every sandbox."""
    return {
        "users": pd.DataFrame({"id": [uuid_of("user", name) for name in USERS], "username": USERS}),
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


def whereabouts(equipment: str) -> tuple[int, int]:
    """The index of its line in ``LINES``, and of the station on the line; KeyError for a stranger."""
    for index, line in enumerate(LINES):
        if equipment in line.equipment:
            return index, line.equipment.index(equipment)
    raise KeyError(equipment)


# The plant, minute by minute --------------------------------------------------------------------------------


def stream(seed: int, series: str, day: date) -> np.random.Generator:
    """The random numbers of one series on one day."""
    return np.random.default_rng([seed, zlib.crc32(series.encode()), (day - _EPOCH).days])


def walk(seed: int, series: str, day: date, spread: float = 0.6) -> Floats:
    """A walk of about unit size at the 1,441 minute marks of a day; the last is the next day's first."""
    anchors = [stream(seed, f"{series} anchor", when).standard_normal() for when in (day, day + timedelta(days=1))]
    steps = stream(seed, f"{series} walk", day).standard_normal(MINUTES) / np.sqrt(MINUTES)
    free = np.concatenate([[0.0], np.cumsum(steps)])
    place = np.arange(MINUTES + 1) / MINUTES
    bridge = free - place * free[-1]
    line: Floats = anchors[0] * 0.7 * (1 - place) + anchors[1] * 0.7 * place + spread * bridge
    return line


@dataclass(frozen=True)
class LineDay:
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
        """Whether it produces, in each of the 1,440 minutes."""
        return np.equal(self.state, RUNNING)


def planned_minutes(day: date) -> Flags:
    """Whether production is planned in each of the 1,440 minutes."""
    minutes = np.arange(MINUTES)
    return {5: minutes < 14 * 60, 6: minutes >= 22 * 60}.get(day.weekday(), np.full(MINUTES, True))


@lru_cache(maxsize=256)
def line_day(seed: int, index: int, day: date) -> LineDay:
    """The day of the line with that index in ``LINES``."""
    line = LINES[index]
    rng = stream(seed, f"{line.code} state", day)
    state = np.where(planned_minutes(day), RUNNING, NOT_PLANNED).astype(np.int64)
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
    performance = np.clip(0.94 + 0.035 * walk(seed, f"{line.code} performance", day)[:-1], 0.70, 0.995)
    parts = np.where(state == RUNNING, line.target_speed * performance, 0.0)
    rejects = parts * np.clip(0.012 + 0.006 * walk(seed, f"{line.code} rejects", day)[:-1], 0.001, 0.08)
    return LineDay(state, fault_at, fault_code, changeover & (state == PLANNED_STOP), performance, parts, rejects)


def day_before(day: date) -> date:
    """The day before."""
    return day - timedelta(days=1)


@lru_cache(maxsize=256)
def warmth(seed: int, index: int, day: date, tau_min: int) -> Floats:
    """How warm the line has run, 0 to 1 at the 1,441 minute marks: a lag of first order, looking back 6 hours."""
    back = 360
    runs = np.concatenate([line_day(seed, index, day_before(day)).running[-back:], line_day(seed, index, day).running])
    kernel = np.exp(-np.arange(back) / tau_min)
    warmth: Floats = np.convolve(runs.astype(float), kernel / kernel.sum(), mode="valid")
    return warmth


def power_kw(seed: int, index: int, day: date) -> Floats:
    """Power of the line in kW at the 1,441 minute marks."""
    line = LINES[index]
    compressor = 1.2 * np.sin(2 * np.pi * np.arange(MINUTES + 1) / 18)
    load = warmth(seed, index, day, 2) * (line.load_kw + 2.6 * walk(seed, f"{line.code} power", day) + compressor)
    return np.maximum(line.idle_kw + 0.3 * walk(seed, f"{line.code} idle", day) + load, 0.2)


def product(seed: int, index: int, day: date) -> npt.NDArray[np.object_]:
    """The product of each of the 1,440 minutes: it changes at the end of the shift's changeover."""
    line, today = LINES[index], line_day(seed, index, day)

    def chosen(on: date, count: int) -> str:
        return line.products[int(stream(seed, f"{line.code} product {count}", on).integers(0, len(line.products)))]

    names = [chosen(day_before(day), 2), *(chosen(day, count) for count in range(3))]
    runs = np.zeros(MINUTES, dtype=np.int64)
    for count, (begins, ends) in enumerate(((60, 270), (360, 570), (840, 1050)), start=1):
        over = np.flatnonzero(today.changeover[begins:ends])
        runs[begins + (int(over[-1]) if len(over) else 0) :] = count
    return np.array(names, dtype=object)[runs]


def instants(day: date, seconds: Floats) -> pd.DatetimeIndex:
    """Those seconds of the day as instants, to the millisecond."""
    micros = (day - _EPOCH).days * 86_400_000_000 + np.round(seconds * 1000).astype(np.int64) * 1000
    return pd.DatetimeIndex(micros.astype("datetime64[us]")).tz_localize("UTC")
