"""How much a table will store: daily arrivals carried forward through compression and retention.

The model is the table's own life cycle, not a line through its size. A day's data weighs its full bytes until
it is compressed, then the measured compressed share of them, and nothing once retention has dropped it.
Future days arrive at the mean of the past ones. Policies therefore bend the curve where they will bend
the disk's.

Uncertainty is that of the arrivals. For n past days with standard deviation s, the sum of future days with
weights w has the prediction variance s² (Σw² + (Σw)² / n): the days' own scatter, and that of the mean they
are expected at. Quantiles are Student's t with n - 1 degrees of freedom. Where days are only known as shares of
longer blocks (chunks of a week), the blocks are what was observed: s is taken from their means, and n is their number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
import scipy  # its parts are loaded when they are first used: stats takes a second

MIN_DAYS = 7
"""Fewer complete days than a week give no forecast: the weekly pattern would be taken for a trend."""
WINDOW_DAYS = 28
"""How many past days the expected arrivals are taken from: whole weeks, so that each weekday counts alike."""

DAYS_PER_MONTH = 365.25 / 12
COLUMNS = ("day", "expected_bytes", "low_bytes", "high_bytes", "uncompressed_bytes")


@dataclass(frozen=True)
class Lifecycle:
    """What happens to a table's data as it ages; None where there is no such policy.

    ``compressed_share`` is compressed over uncompressed bytes, as measured (0.1: a tenth is left).
    """

    compress_after_days: float | None = None
    compressed_share: float | None = None
    retain_days: float | None = None

    @property
    def packs(self) -> float | None:
        """From which age (days) on data are compressed, None where never or to what is not known."""
        return None if self.compressed_share is None else self.compress_after_days

    def weights(self, ages_days: np.ndarray) -> np.ndarray:
        """The share of its uncompressed bytes that data of each age (days) still takes."""
        weights = np.ones(len(ages_days))
        if self.packs is not None and self.compressed_share is not None:
            weights[ages_days >= self.packs] = self.compressed_share
        if self.retain_days is not None:
            weights[ages_days >= self.retain_days] = 0.0
        return weights


@dataclass(frozen=True)
class Reach:
    """When a size will be passed: expected, and the ends of the interval; None where not within the horizon."""

    earliest: date | None
    expected: date | None
    latest: date | None


def forecast(
    arrivals: pd.Series,
    stored_bytes: float,
    lifecycle: Lifecycle,
    *,
    horizon_days: int,
    confidence: float = 0.9,
    past: pd.Series | None = None,
    past_stored: pd.Series | None = None,
    as_of: date | None = None,
    block_days: float = 1.0,
) -> pd.DataFrame:
    """Stored bytes on each of the ``horizon_days`` days after ``as_of`` (default: the last day of ``past``).

    ``arrivals``: uncompressed bytes that arrived per complete day, indexed by ``datetime.date``, no gaps, oldest
    first; coming days are expected to bring their mean. ``past`` (default: the same): all days whose data still lie
    there, incomplete ones too; these age. ``past_stored``: what each of these days takes now (default: as the policies
    would have it); days that policies should have compressed or dropped are taken to be so the day after ``as_of``.
    ``stored_bytes``: what lies on disk at the end of ``as_of``; what the days do not explain of it (bloat, statistics
    that lag) is carried along unchanged. ``block_days``: over
    how many days an observation was spread evenly (the chunk interval).

    Returns columns ``day`` (date), ``expected_bytes``, ``low_bytes``, ``high_bytes`` (the central ``confidence``
    prediction interval) and ``uncompressed_bytes`` (without compression, with retention); no rows where there are
    fewer than ``MIN_DAYS`` days or two blocks.
    """
    if len(arrivals) < max(MIN_DAYS, 2 * block_days):
        return no_forecast()
    recent = arrivals.to_numpy(dtype=float)[-whole_weeks(len(arrivals)) :]
    mean, count = float(recent.mean()), len(recent)
    blocks = max(2.0, count / block_days)
    deviation = float(recent.std()) * float(np.sqrt(block_days * blocks / (blocks - 1)))
    quantile = float(scipy.stats.t.ppf((1 + confidence) / 2, blocks - 1))

    past = arrivals if past is None else past
    values, last_day = past.to_numpy(dtype=float), past.index[-1]
    as_of = last_day if as_of is None else as_of
    offset, days = (as_of - last_day).days, len(values)
    ages = np.arange(offset + days + horizon_days, dtype=float)
    kept, weights = Lifecycle(retain_days=lifecycle.retain_days).weights(ages), lifecycle.weights(ages)
    packed = np.zeros(len(ages)) if lifecycle.packs is None else (ages >= lifecycle.packs).astype(float)

    newest_first = values[::-1]
    modelled = newest_first * weights[offset : offset + days]
    now = modelled if past_stored is None else past_stored.to_numpy(dtype=float)[::-1]
    share = 1.0 if lifecycle.compressed_share is None else lifecycle.compressed_share
    # A day that takes less than its raw bytes is compressed already, and stays as it is.
    once_packed = np.where(now == newest_first, newest_first * share, now)
    expected = (
        stored_bytes
        - float(now.sum())
        + _aged(now, kept * (1 - packed), offset, horizon_days)
        + _aged(once_packed, kept * packed, offset, horizon_days)
    )
    sums, squares = weights[:horizon_days].cumsum(), (weights[:horizon_days] ** 2).cumsum()
    expected = expected + mean * sums
    spread = quantile * deviation * np.sqrt(squares + sums**2 / count)
    uncompressed = _aged(newest_first, kept, offset, horizon_days) + mean * kept[:horizon_days].cumsum()
    return pd.DataFrame(
        {
            "day": [as_of + timedelta(days=ahead) for ahead in range(1, horizon_days + 1)],
            "expected_bytes": expected.clip(min=0),
            "low_bytes": (expected - spread).clip(min=0),
            "high_bytes": (expected + spread).clip(min=0),
            "uncompressed_bytes": uncompressed,
        },
        columns=list(COLUMNS),
    )


def no_forecast() -> pd.DataFrame:
    """What ``forecast`` returns where too little is known."""
    return pd.DataFrame(columns=list(COLUMNS))


def _aged(newest_first: np.ndarray, weights: np.ndarray, offset: int, horizon_days: int) -> np.ndarray:
    """On each coming day the sum over past days of their bytes times the weight at their age."""
    window = weights[offset + 1 : offset + len(newest_first) + horizon_days]
    return np.correlate(window, newest_first, "valid") if horizon_days else np.zeros(0)


def whole_weeks(days: int) -> int:
    """The most days, in whole weeks, up to ``WINDOW_DAYS`` that ``days`` days of history allow."""
    return min(WINDOW_DAYS, days // 7 * 7)


def total(forecasts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The forecasts of several tables over the same days as one.

    Interval half-widths add, which assumes that the tables rise and fall together: production drives them
    all, and treating them as independent would make the interval too narrow.
    """
    present = [frame for frame in forecasts if not frame.empty]
    if not present:
        return no_forecast()
    return pd.concat(present).groupby("day", as_index=False, sort=True).sum()


def reach(frame: pd.DataFrame, limit_bytes: float) -> Reach:
    """The days on which a ``forecast`` first passes ``limit_bytes``."""

    def first(column: str) -> date | None:
        over = frame.loc[frame[column] >= limit_bytes, "day"]
        return None if over.empty else over.iloc[0]

    return Reach(earliest=first("high_bytes"), expected=first("expected_bytes"), latest=first("low_bytes"))


def bytes_per_month(arrivals: pd.Series) -> float | None:
    """Mean arrivals of the last whole weeks as bytes per 30.44 days (a twelfth of a year); None under a week."""
    if len(arrivals) < MIN_DAYS:
        return None
    return float(arrivals.to_numpy(dtype=float)[-whole_weeks(len(arrivals)) :].mean()) * DAYS_PER_MONTH


def weekly_change(arrivals: pd.Series) -> float | None:
    """The last seven days' arrivals over those of the seven before, minus one; None under two weeks."""
    values = arrivals.to_numpy(dtype=float)
    if len(values) < 14 or values[-14:-7].sum() == 0:
        return None
    return float(values[-7:].sum() / values[-14:-7].sum()) - 1
