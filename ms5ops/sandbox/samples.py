"""What the sensors of the imaginary packing hall (``plant``) send: the rows of metric_hist, day by day."""

import json
from datetime import date, timedelta

import numpy as np
import pandas as pd

from ms5ops.sandbox import plant
from ms5ops.sandbox.plant import LINES, METRICS, MINUTES, Metric

MISSING_SHARE, _GAP_A_DAY, _LATE = 0.003, 0.12, 0.004
KEPT_SHARE = 0.9930  # what MISSING_SHARE and the gaps leave


def _since_shift_start(before: plant.Floats, today: plant.Floats) -> plant.Ints:
    """Whole parts since the shift began at each of the 1,440 minutes (at its end), from parts per minute."""
    total = np.cumsum(np.concatenate([before[-120:], today]))  # from 22:00 the evening before
    base = np.zeros(MINUTES)
    for hour in (6, 14, 22):
        base[hour * 60 :] = total[120 + hour * 60 - 1]
    return np.floor(total[120:] - base + 1e-9).astype(np.int64)


def _steps(metric: Metric, seed: int, day: date) -> plant.Values:
    """The value in each of the 1,440 minutes of a series that holds it until it changes."""
    index, station = plant.whereabouts(metric.equipment)
    today = plant.line_day(seed, index, day)
    held: plant.Values
    match metric.key:
        case "running":
            held = today.running
        case "fault":
            held = today.fault_at == station
        case "fault_code":
            held = np.where(today.fault_at == station, today.fault_code, 0)
        case "product":
            held = plant.product(seed, index, day)
        case "settings":
            products = plant.product(seed, index, day)
            offset = plant.stream(seed, "settings", day - timedelta(days=day.weekday())).integers(-3, 4)
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
            held = _since_shift_start(plant.line_day(seed, index, plant.day_before(day)).parts, today.parts)
        case "reject_count":
            held = _since_shift_start(plant.line_day(seed, index, plant.day_before(day)).rejects, today.rejects)
        case _:
            raise KeyError(metric.key)
    return held


def _measured(metric: Metric, seed: int, day: date, seconds: plant.Floats) -> plant.Floats:
    """What the sensor shows at those seconds of the day, at its resolution."""
    index, _ = plant.whereabouts(metric.equipment)
    today = plant.line_day(seed, index, day)
    minute = np.minimum((seconds // 60).astype(np.int64), MINUTES - 1)
    marks = np.arange(MINUTES + 1)
    walk = np.interp(seconds / 60, marks, plant.walk(seed, f"{metric.equipment} {metric.key}", day))
    noise = plant.stream(seed, f"{metric.equipment} {metric.key} noise {len(seconds)}", day).standard_normal(
        len(seconds)
    )
    runs, pace = today.running[minute], today.performance[minute]

    def warm(tau_min: int) -> plant.Floats:
        return np.interp(seconds / 60, marks, plant.warmth(seed, index, day, tau_min))

    ambient = 21 + 2.5 * np.sin(2 * np.pi * (seconds / 86_400 - 0.375))
    match metric.key:
        case "speed":
            value, digits = np.where(runs, LINES[index].target_speed * pace + 0.15 * noise, 0.0), 1
        case "power":
            value, digits = np.interp(seconds / 60, marks, plant.power_kw(seed, index, day)) + 0.12 * noise, 2
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
    shown: plant.Floats = np.round(np.asarray(value, dtype=np.float64).clip(min=0.0), digits)
    return shown


def _sample_seconds(metric: Metric, density: float, rng: np.random.Generator) -> plant.Floats:
    count = max(1, round(86_400 / metric.interval_s * density))
    places = (np.arange(count) + 0.5 + rng.uniform(-0.35, 0.35, count)) / count
    return np.round(places * 86_400, 3)


def _series(metric: Metric, seed: int, density: float, day: date) -> tuple[plant.Floats, plant.Values]:
    """Seconds of the day and values of one series, without what was lost."""
    rng = plant.stream(seed, f"{metric.equipment} {metric.key} samples", day)
    seconds = _sample_seconds(metric, density, rng)
    if metric.value_type == "REAL":
        values: plant.Values = _measured(metric, seed, day, seconds)
    else:
        held = _steps(metric, seed, day)
        if metric.value_type != "INT" or metric.key == "fault_code":  # counters are polled, states also sent on change
            before = _steps(metric, seed, plant.day_before(day))[-1:]
            changes = np.flatnonzero(held != np.concatenate([before, held[:-1]]))
            seconds = np.sort(
                np.concatenate([seconds, np.round(changes * 60 + rng.uniform(0.05, 0.9, len(changes)), 3)])
            )
        values = held[np.minimum((seconds // 60).astype(np.int64), MINUTES - 1)]
    kept = rng.random(len(seconds)) >= MISSING_SHARE
    if rng.random() < _GAP_A_DAY:  # the sensor is offline for a while
        begins = rng.uniform(0, 80_000)
        kept &= (seconds < begins) | (seconds > begins + 60 * rng.uniform(5, 90))
    return seconds[kept], values[kept]


def of_day(day: date, seed: int, density: float) -> pd.DataFrame:
    """The rows of one day in the order of their arrival; ``density`` is a multiple of the intervals in ``METRICS``.

    Columns are metric_hist's without ``id``: ts as datetime64[us, UTC], absent values as missing, JSON as text.
    """
    found = [_series(metric, seed, density, day) for metric in METRICS]
    counts = [len(seconds) for seconds, _ in found]
    total = sum(counts)
    columns: dict[str, plant.Values] = {
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
            "ts": plant.instants(day, np.concatenate([seconds for seconds, _ in found])),
            "value_bool": pd.array(columns["BOOL"], dtype="boolean"),
            "value_int": pd.array(columns["INT"], dtype="Int64"),
            "value_real": columns["REAL"],
            "value_text": columns["TEXT"],
            "value_json": columns["JSON"],
        }
    )
    rng = plant.stream(seed, "arrival", day)
    delay = np.where(rng.random(total) < _LATE, rng.exponential(1200, total), 0.0)
    arrival = np.concatenate([seconds for seconds, _ in found]) + delay
    return frame.iloc[np.argsort(arrival, kind="stable")].reset_index(drop=True)
