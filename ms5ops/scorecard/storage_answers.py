"""What snapshots of the storage say: its growth before and after Phase 4, and what is saved in money."""

from collections.abc import Callable, Sequence
from datetime import datetime

import pandas as pd

from ms5ops.benchmark.sides import GROWTH_OVER, MONTH
from ms5ops.config import Costs
from ms5ops.observe.finding import counted
from ms5ops.observe.storage import snapshot_sizes
from ms5ops.scorecard import months
from ms5ops.scorecard.before_after import NO_SNAPSHOTS
from ms5ops.scorecard.material import Epoch, Material
from ms5ops.scorecard.records import Answer, Evidence, judged, unmeasured
from ms5ops.units import bytes_text, duration_text, instant_text, percent_beside, percent_text

GROWTH_WANTED = 0.7
"""Spec: storage growth rate down by more than 70 %."""
BYTES_PER_GB = 1e9
HOW_TO_PRICE = (
    'Set the price in ms5ops.toml: a section [costs] with, for example, price_per_gb_month = 0.10 and currency = "EUR".'
)


def growth_down(found: Material) -> Answer:
    """Whether storage grows by less than three tenths of what it did."""
    epoch = found.epoch
    if epoch is None:
        return unmeasured(found.why_no_epoch)
    before, after = before_sizes(found.storage, epoch), settled_sizes(found.storage, epoch)
    was, is_now = bytes_per_month(before), bytes_per_month(after)
    if was is None:
        return unmeasured(f"Snapshots from before the first deployment cover less than a week. {NO_SNAPSHOTS}")
    if is_now is None:
        waiting = " in which compression has caught up" if len(after) < 2 else ""
        return unmeasured(
            f"Snapshots from after the first deployment cover less than a week{waiting}.",
            details=(NO_SNAPSHOTS, f"Before: {_growth_text(was)}."),
        )
    if was <= 0:
        return unmeasured(f"Storage did not grow before the first deployment ({_growth_text(was)}).")
    down = 1 - is_now / was
    newest: datetime = after["taken_at"].iloc[-1].to_pydatetime()
    change = f"{percent_beside(down, GROWTH_WANTED)} less" if 0 <= down <= 1 else f"{percent_text(-down)} more"
    sides = (("Before", before, was), ("After", after, is_now))
    return judged(
        down > GROWTH_WANTED,
        down,
        f"{bytes_text(was)} → {bytes_text(is_now)} a month ({'it shrinks' if is_now < 0 else change})",
        f"Storage grew by {bytes_text(was)} a month before the first deployment and "
        + (f"shrinks by {bytes_text(-is_now)}" if is_now < 0 else f"grows by {bytes_text(is_now)}")
        + " a month since.",
        measured_at=newest,
        origin=found.origin,
        evidence=tuple(_snapshot_evidence(side) for _, side, _ in reversed(sides)),
        details=tuple(_growth_line(name, side) for name, side, _ in sides),
        trend=months.trend(
            [*monthly_growth(before), *monthly_growth(after)], "Growth in the month", "bytes", more_is_better=False
        ),
    )


def _growth_line(name: str, side: pd.DataFrame) -> str:
    took = (side["taken_at"].iloc[-1] - side["taken_at"].iloc[0]).total_seconds()
    first, last = side["size_bytes"].iloc[0], side["size_bytes"].iloc[-1]
    return (
        f"{name}: {bytes_text(first)} to {bytes_text(last)} in {duration_text(took)}, "
        f"{_growth_text(bytes_per_month(side))}; "
        f"uncompressed, {_growth_text(bytes_per_month(side, 'uncompressed_bytes'))}"
    )


def before_sizes(storage: pd.DataFrame, epoch: Epoch) -> pd.DataFrame:
    """``storage.snapshot_sizes`` of the time before Phase 4."""
    return snapshot_sizes(_lying(storage, epoch.is_before))


def settled_sizes(storage: pd.DataFrame, epoch: Epoch) -> pd.DataFrame:
    """``storage.snapshot_sizes`` after Phase 4, from the first snapshot in which no chunk waits for compression."""
    after = _lying(storage, epoch.is_after)
    waiting = after.groupby("taken_at")["backlog_chunks"].sum()
    settled = waiting[waiting == 0]
    return snapshot_sizes(after[after["taken_at"] >= settled.index.min()] if len(settled) else after.iloc[0:0])


def _lying(storage: pd.DataFrame, lies: Callable[[datetime, datetime], bool]) -> pd.DataFrame:
    kept = [lies(at.to_pydatetime(), at.to_pydatetime()) for at in storage["taken_at"]]
    return storage[pd.Series(kept, index=storage.index, dtype=bool)]


def bytes_per_month(sizes: pd.DataFrame, column: str = "size_bytes") -> float | None:
    """The last size less the first, as bytes a month; None where less than a week lies between them."""
    if len(sizes) < 2:
        return None
    span = sizes["taken_at"].iloc[-1] - sizes["taken_at"].iloc[0]
    if span < GROWTH_OVER:
        return None
    return float(sizes[column].iloc[-1] - sizes[column].iloc[0]) * float(MONTH / span)


def monthly_growth(sizes: pd.DataFrame) -> list[tuple[datetime, float]]:
    """Bytes a month by month: from the last snapshot of the month before, or the first of the month, to its last."""
    found = []
    names = sizes["taken_at"].map(lambda at: months.month_of(at.to_pydatetime()))
    for month in dict.fromkeys(names):
        earlier = sizes[names < month].tail(1)
        within = pd.concat([earlier, sizes[names == month]])
        rate = bytes_per_month(within)
        if rate is not None:
            found.append((within["taken_at"].iloc[-1].to_pydatetime(), rate))
    return found


def cost(found: Material) -> Answer:
    """What compression saves in money, now and so far."""
    sizes = snapshot_sizes(found.storage)
    live = found.live.totals if found.live is not None else None
    if found.live is not None and live is not None and live.stored_bytes is not None:
        now = {
            "taken_at": found.live.at,
            "size_bytes": live.stored_bytes,
            "uncompressed_bytes": live.uncompressed_bytes,
        }
        latest = pd.DataFrame([now]).astype({"size_bytes": "float64", "uncompressed_bytes": "float64"})
        sizes = pd.concat([sizes, latest]).sort_values("taken_at", ignore_index=True) if len(sizes) else latest
    if sizes.empty or not sizes["uncompressed_bytes"].iloc[-1]:
        return unmeasured(f"No data is stored, or its size was never read. {NO_SNAPSHOTS}")
    if found.costs is None:
        saved = sizes["uncompressed_bytes"].iloc[-1] - sizes["size_bytes"].iloc[-1]
        return unmeasured(f"No price is set. {HOW_TO_PRICE}", details=(f"Compression saves {bytes_text(saved)} now.",))
    return _priced(found, sizes, found.costs)


def _priced(found: Material, sizes: pd.DataFrame, costs: Costs) -> Answer:
    saved_gb = (sizes["uncompressed_bytes"] - sizes["size_bytes"]) / BYTES_PER_GB
    newest: datetime = sizes["taken_at"].iloc[-1].to_pydatetime()
    stored, raw = (float(sizes[name].iloc[-1]) for name in ("size_bytes", "uncompressed_bytes"))
    per_month = float(saved_gb.iloc[-1]) * costs.price_per_gb_month
    so_far = gb_months(list(sizes["taken_at"]), list(saved_gb)) * costs.price_per_gb_month
    since: datetime = sizes["taken_at"].iloc[0].to_pydatetime()
    bill, would_be = (_money(size / BYTES_PER_GB * costs.price_per_gb_month, costs) for size in (stored, raw))
    month = sizes[sizes["taken_at"] >= sizes["taken_at"].iloc[-1] - MONTH]
    growth = [bytes_per_month(month, name) for name in ("uncompressed_bytes", "size_bytes")]
    details = [
        f"Stored: {bytes_text(stored)}; uncompressed it would be {bytes_text(raw)}.",
        f"{costs.price_per_gb_month:g} {costs.currency} per GB and month, from the settings.",
    ]
    if growth[0] is not None and growth[1] is not None:
        prices = [_money(one / BYTES_PER_GB * costs.price_per_gb_month, costs) for one in growth if one is not None]
        details.append(
            f"The last month's growth adds {prices[1]} a month; uncompressed it would have added {prices[0]}."
        )
    if len(sizes) > 1:
        snapshots = counted(len(sizes) - 1, "snapshot", "snapshots")
        details.append(f"Saved so far: {_money(so_far, costs)} since {instant_text(since)} (over {snapshots} and now).")
    return judged(
        per_month > 0,
        per_month,
        f"{_money(per_month, costs)} saved a month",
        f"Storage costs {bill} a month; uncompressed it would be {would_be}."
        + (f" Saved so far: {_money(so_far, costs)}." if len(sizes) > 1 else ""),
        measured_at=newest,
        origin=found.origin,
        evidence=(_snapshot_evidence(sizes),),
        details=tuple(details),
        trend=months.trend(
            [
                (at.to_pydatetime(), float(one) * costs.price_per_gb_month)
                for at, one in zip(sizes["taken_at"], saved_gb, strict=True)
            ],
            "Saved a month",
            costs.currency,
            more_is_better=True,
        ),
    )


def gb_months(at: Sequence[datetime], gigabytes: Sequence[float]) -> float:
    """GB times months between instants, each span by the mean of its ends (trapezoidal rule)."""
    spans = zip(at[:-1], at[1:], gigabytes[:-1], gigabytes[1:], strict=True)
    return sum((until - since) / MONTH * (first + last) / 2 for since, until, first, last in spans)


def _money(amount: float, costs: Costs) -> str:
    """An amount with its currency; cents only where they count."""
    return f"{amount:,.{0 if abs(amount) >= 1000 else 2 if abs(amount) >= 0.1 or amount == 0 else 6}f} {costs.currency}"


def _growth_text(rate: float | None) -> str:
    return f"{bytes_text(rate)} a month"


def _snapshot_evidence(sizes: pd.DataFrame) -> Evidence:
    first, last = (sizes["taken_at"].iloc[place].to_pydatetime() for place in (0, -1))
    title = f"Sizes from {instant_text(first)} to {instant_text(last)}" if first < last else "Reading of the server"
    return Evidence(title, None, last, "python -m ms5ops status", "storage")
