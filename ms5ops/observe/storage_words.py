"""The storage page's sentences: how it stands, what a forecast says, and what it assumes."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import pandas as pd

from ms5ops.observe.forecast import WINDOW_DAYS, Lifecycle, Reach, whole_weeks
from ms5ops.observe.growth import Outlook, TableGrowth
from ms5ops.observe.storage import Measured, measured, shown_name
from ms5ops.observe.totals import Totals
from ms5ops.units import bytes_text, duration_text, instant_text, percent_text

LEVEL_CHANGE = 0.01
"""A forecast that changes by less over its last year has levelled off (own choice)."""

YEAR = 365


def day_text(day: date) -> str:
    """``23 Feb 2027``."""
    return f"{day.day} {day:%b %Y}"


def verdict(found: Totals, growths: Sequence[TableGrowth], ahead: Outlook, *, policies_known: bool = True) -> str:
    """How storage stands, in two or three sentences for a manager."""
    size = bytes_text(found.stored_bytes)
    compressing = any(one.lifecycle.compress_after_days is not None for one in growths)
    expiring = any(one.lifecycle.retain_days is not None for one in growths)
    month = ahead.next_month_bytes
    if month is None:
        text = f"The data take {size}; too few days are known to say how fast they grow."
    elif month < 0:
        text = f"The data take {size} and are expected to shrink by about {bytes_text(-month)} in the next month."
    else:
        text = f"The data take {size} and are expected to grow by about {bytes_text(month)} in the next month."
    if not policies_known:
        return f"{text} What the policies will do about that is not known, so that no policy is counted in."
    if not compressing and not expiring:
        return f"{text} Nothing is compressed and nothing expires{': it grows without end' if month else ''}."
    if found.compressed_chunks and found.saved_share is not None and found.saved_share >= 0.005:
        text += (
            f" Without compression they would take {bytes_text(found.uncompressed_bytes)}"
            f" ({percent_text(found.saved_share)} saved)."
        )
    elif found.compressed_chunks:
        text += " Compression saves next to nothing so far."
    return f"{text} {_end(growths, ahead, compressing=compressing, expiring=expiring)}".strip()


def level(ahead: pd.DataFrame) -> float | None:
    """Where a forecast of two years or more levels off, None where it goes on growing."""
    if len(ahead) < 2 * YEAR:
        return None
    before, last = float(ahead["expected_bytes"].iloc[-1 - YEAR]), float(ahead["expected_bytes"].iloc[-1])
    return last if last and abs(last - before) < LEVEL_CHANGE * last else None


def at_date(ahead: Outlook, day: date, confidence: str = "90\u00a0%") -> str:
    """``On 23 Feb 2027 it will hold 1.2 GB, between 1.1 GB and 1.3 GB (90 %).``"""
    row = ahead.on(day)
    if row is None:
        return ""
    expected, low, high = (bytes_text(row[name]) for name in ("expected_bytes", "low_bytes", "high_bytes"))
    between = f"between {low} and {high}" if low != high else "with an interval narrower than this rounding"
    return f"On {day_text(day)} it will hold {expected}, {between} ({confidence})."


def at_size(found: Reach, ahead: Outlook, limit_bytes: float) -> str:
    """When a size is passed: ``It passes 2 GB between 1 Mar 2027 and 9 Mar 2027 (90 %), most likely on ...``"""
    limit, last = bytes_text(limit_bytes), ahead.frame["day"].iloc[-1]
    if ahead.stored_bytes >= limit_bytes:
        return f"It holds more than {limit} already."
    if found.earliest is None:
        ceiling = level(ahead.frame)
        levels = f": it levels off near {bytes_text(ceiling)}" if ceiling is not None else ""
        return f"It stays below {limit} until {day_text(last)} at least{levels}."
    if found.expected is None:
        return f"It may pass {limit} from {day_text(found.earliest)} on, but is expected to stay below."
    until = f"and {day_text(found.latest)}" if found.latest else "and some day not foreseen"
    if found.latest == found.earliest:
        return f"It passes {limit} on {day_text(found.earliest)}."
    return (
        f"It passes {limit} between {day_text(found.earliest)} {until} (90\u00a0%), most likely on"
        f" {day_text(found.expected)}."
    )


def basis(growths: Sequence[TableGrowth], ahead: Outlook) -> str:
    """What the forecast takes for granted, in sentences."""
    dated = [one for one in growths if one not in ahead.unchanged]
    if not dated:
        return ""
    days = min(whole_weeks(len(one.arrivals)) for one in dated)
    per_day = sum(one.bytes_per_day or 0 for one in dated)
    bound = any(one.lifecycle != Lifecycle() for one in dated)
    policies = " before compression, and the policies in force run on schedule" if bound else "; no policy is in force"
    text = (
        f"Each coming day is expected to bring what the last {days} complete days brought on average,"
        f" {bytes_text(per_day)}{policies}. The interval holds the scatter from day to day; it knows nothing of more"
        " devices or changed policies."
    )
    if days < WINDOW_DAYS:
        text += f" With {WINDOW_DAYS} days it would be firmer."
    if ahead.unchanged:
        names, size = len(ahead.unchanged), sum(one.stored_bytes for one in ahead.unchanged)
        text += (
            f" {names} {'table has' if names == 1 else 'tables have'} too few complete days and"
            f" {'counts' if names == 1 else 'count'} unchanged with {bytes_text(size)}."
        )
    if any(one.is_estimate for one in dated):
        text += " Days of plain tables are estimated from the planner's statistics."
    return text


def assumptions(growths: Sequence[TableGrowth], schema: str) -> pd.DataFrame:
    """What the forecast takes for each table: table, bytes_per_day, days, compressed, kept (texts), share."""
    return pd.DataFrame(
        [
            (
                shown_name(one.table, schema),
                one.bytes_per_day,
                whole_weeks(len(one.arrivals)),
                _after(one.lifecycle.compress_after_days, "never"),
                one.lifecycle.compressed_share,
                _after(one.lifecycle.retain_days, "never"),
            )
            for one in growths
        ],
        columns=["table", "bytes_per_day", "days", "compressed", "share", "dropped"],
    )


def forecast_table(ahead: pd.DataFrame, until: date) -> pd.DataFrame:
    """A forecast up to and with ``until``, its days as text (``2027-02-23``)."""
    shown = ahead[ahead["day"] <= until]
    return shown.assign(day=[day.isoformat() for day in shown["day"]])


def measured_text(found: Measured | None) -> str:
    """What the snapshots say: ``From ... to ... (3 days 4 h) it grew by 3.1 MB.``"""
    if found is None:
        return "The snapshots do not yet span an hour."
    span = duration_text((found.until - found.since).total_seconds())
    change = (
        "did not change"
        if found.change_bytes == 0
        else f"{'grew' if found.change_bytes > 0 else 'shrank'} by {bytes_text(abs(found.change_bytes))}"
    )
    return f"From {instant_text(found.since)} to {instant_text(found.until)} ({span}) it {change}."


def measured_texts(sizes: Mapping[str, pd.DataFrame]) -> str:
    """``measured_text`` of each origin (``storage.sizes_by_origin``), which is named where there are several or the
    months were replayed."""
    is_named = len(sizes) > 1 or "replayed" in sizes
    texts = [(origin, measured_text(measured(part))) for origin, part in sizes.items()]
    return " ".join(f"{origin.capitalize()} data: {text}" if is_named else text for origin, text in texts)


def nice_size(stored_bytes: float) -> float:
    """A round size (1, 2 or 5 times a power of ten) well above what is stored, to ask about first."""
    target, step = max(2 * stored_bytes, 1e6), 1e6
    while True:
        for factor in (1, 2, 5):
            if step * factor >= target:
                return step * factor
        step *= 10


def _end(growths: Sequence[TableGrowth], ahead: Outlook, *, compressing: bool, expiring: bool) -> str:
    ceiling = level(ahead.frame)
    if ceiling is not None:
        return f"With the policies in force it levels off near {bytes_text(ceiling)}."
    if not expiring:
        return "Nothing expires, so that it grows without end."
    kept = [one for one in growths if one.lifecycle.retain_days is None and one.bytes_per_day]
    if not compressing:
        return "Nothing is compressed."
    share = sum(one.bytes_per_day or 0 for one in kept) / (sum(one.bytes_per_day or 0 for one in growths) or 1)
    if kept and share >= 0.005:
        return f"Old data expire, except in {len(kept)} tables and aggregates ({percent_text(share)} of what arrives)."
    return ""


def _after(days: float | None, otherwise: str) -> str:
    return otherwise if days is None else f"after {duration_text(timedelta(days=days).total_seconds())}"
