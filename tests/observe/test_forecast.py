from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from ms5ops.observe.forecast import Lifecycle, bytes_per_month, forecast, reach, total, weekly_change

FIRST = date(2026, 10, 1)


def arrivals(values: list[float] | np.ndarray) -> pd.Series:
    return pd.Series(values, index=[FIRST + timedelta(days=day) for day in range(len(values))], dtype=float)


def test_without_policies_it_is_a_line() -> None:
    frame = forecast(arrivals([100.0] * 28), 2_800, Lifecycle(), horizon_days=10)
    assert list(frame["expected_bytes"]) == [2_800 + 100 * day for day in range(1, 11)]
    assert frame["day"].iloc[0] == FIRST + timedelta(days=28)
    assert (frame["low_bytes"] == frame["expected_bytes"]).all()  # arrivals that never vary leave no doubt


def test_retention_ends_growth() -> None:
    frame = forecast(arrivals([100.0] * 28), 2_800, Lifecycle(retain_days=30), horizon_days=60)
    assert frame["expected_bytes"].iloc[1] == 3_000
    assert frame["expected_bytes"].iloc[-1] == 3_000


def test_compression_bends_the_curve() -> None:
    lifecycle = Lifecycle(compress_after_days=7, compressed_share=0.1, retain_days=90)
    stored = 7 * 100 + 21 * 10
    frame = forecast(arrivals([100.0] * 28), stored, lifecycle, horizon_days=365)
    assert frame["expected_bytes"].iloc[0] == pytest.approx(stored + 10)
    assert frame["expected_bytes"].iloc[-1] == pytest.approx(7 * 100 + 83 * 10)
    assert frame["uncompressed_bytes"].iloc[-1] == pytest.approx(9_000)


def test_what_the_model_does_not_explain_is_carried_along() -> None:
    frame = forecast(arrivals([100.0] * 14), 1_400 + 555, Lifecycle(), horizon_days=1)
    assert frame["expected_bytes"].iloc[0] == 1_400 + 555 + 100


def test_the_interval_holds_what_it_promises() -> None:
    rng = np.random.default_rng(5)
    trials, inside = 2_000, 0
    for _ in range(trials):
        days = rng.normal(1_000, 200, 28 + 30)
        frame = forecast(arrivals(days[:28]), days[:28].sum(), Lifecycle(), horizon_days=30, confidence=0.9)
        inside += frame["low_bytes"].iloc[-1] <= days.sum() <= frame["high_bytes"].iloc[-1]
    assert inside / trials == pytest.approx(0.9, abs=0.025)  # 3.7 standard errors of a share of 0.9 in 2,000


def test_a_week_is_the_least() -> None:
    assert forecast(arrivals([1.0] * 6), 6, Lifecycle(), horizon_days=5).empty
    assert total([forecast(arrivals([1.0] * 6), 6, Lifecycle(), horizon_days=5)]).empty
    assert bytes_per_month(arrivals([1.0] * 6)) is None


def test_reaching_a_size() -> None:
    rng = np.random.default_rng(1)
    days = arrivals(rng.normal(100, 30, 28))
    frame = forecast(days, float(days.sum()), Lifecycle(), horizon_days=400)
    found = reach(frame, 20_000)
    assert found.earliest is not None
    assert found.expected is not None
    assert found.latest is not None
    assert found.earliest < found.expected < found.latest
    assert reach(frame, 1e12).expected is None


def test_tables_add_up() -> None:
    one = forecast(arrivals([100.0] * 14), 1_400, Lifecycle(), horizon_days=3)
    both = total([one, one])
    assert list(both["expected_bytes"]) == [2 * value for value in one["expected_bytes"]]
    assert list(both["day"]) == list(one["day"])


def test_rates() -> None:
    assert bytes_per_month(arrivals([100.0] * 14)) == pytest.approx(3043.75)
    assert weekly_change(arrivals([100.0] * 7 + [110.0] * 7)) == pytest.approx(0.1)
    assert weekly_change(arrivals([100.0] * 13)) is None
    assert weekly_change(arrivals([0.0] * 14)) is None


def test_policies_catch_up_with_what_they_have_left() -> None:
    lifecycle = Lifecycle(compress_after_days=7, compressed_share=0.1, retain_days=21)
    past = arrivals([100.0] * 28)
    frame = forecast(past, 2_800, lifecycle, horizon_days=2, past_stored=past)  # nothing was compressed nor dropped
    assert frame["expected_bytes"].iloc[0] == pytest.approx(7 * 100 + 14 * 10)


def test_what_is_compressed_keeps_its_size() -> None:
    lifecycle = Lifecycle(compress_after_days=7, compressed_share=0.1)
    stored = arrivals([25.0] * 21 + [100.0] * 7)
    frame = forecast(arrivals([100.0] * 28), 21 * 25 + 700, lifecycle, horizon_days=1, past_stored=stored)
    assert frame["expected_bytes"].iloc[0] == pytest.approx(21 * 25 + 10 + 700)


def test_time_that_passed_since_the_last_day_counts_as_age() -> None:
    lifecycle = Lifecycle(retain_days=30)
    days = arrivals([100.0] * 28)
    later = days.index[-1] + timedelta(days=10)
    frame = forecast(days, 2_800, lifecycle, horizon_days=1, as_of=later, past_stored=days)
    assert frame["day"].iloc[0] == days.index[-1] + timedelta(days=11)
    assert frame["expected_bytes"].iloc[0] == 1_900 + 100  # ages 11 to 29 of the past, and one new day


def test_days_that_share_a_chunk_are_one_observation() -> None:
    weeks = np.repeat([90.0, 110.0, 95.0, 105.0], 7)
    daily = forecast(arrivals(weeks), 2_800, Lifecycle(), horizon_days=30)
    weekly = forecast(arrivals(weeks), 2_800, Lifecycle(), horizon_days=30, block_days=7)
    width = [(one["high_bytes"] - one["low_bytes"]).iloc[-1] for one in (daily, weekly)]
    assert width[1] > 2.5 * width[0]
    assert forecast(arrivals(weeks[:13]), 1, Lifecycle(), horizon_days=30, block_days=7).empty


def test_the_interval_of_weekly_chunks_holds_what_it_promises() -> None:
    rng = np.random.default_rng(7)
    trials, inside = 2_000, 0
    for _ in range(trials):
        days = rng.normal(1_000, 200, 28 + 28)
        seen = np.repeat(days[:28].reshape(4, 7).mean(axis=1), 7)
        frame = forecast(arrivals(seen), days[:28].sum(), Lifecycle(), horizon_days=28, block_days=7)
        inside += frame["low_bytes"].iloc[-1] <= days.sum() <= frame["high_bytes"].iloc[-1]
    assert inside / trials == pytest.approx(0.9, abs=0.025)
