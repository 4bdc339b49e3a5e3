"""How numbers are written for people: bytes, durations, counts, ratios, instants.

Every function takes the plain SI or byte value that a record holds and returns text; ``None``
(not measured, not applicable) is always an en dash, never a zero.
"""

from datetime import UTC, datetime, timedelta

MISSING = "–"
BYTE_STEPS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def bytes_text(size_bytes: float | None) -> str:
    """Bytes in steps of 1,000 (SI, as disks and storage prices are counted): ``1.2 GB``."""
    if size_bytes is None:
        return MISSING
    value, step = float(size_bytes), 0
    while abs(value) >= 999.5 and step < len(BYTE_STEPS) - 1:
        value, step = value / 1000, step + 1
    if step == 0:
        return f"{value:.0f} bytes"
    return f"{value:.{0 if abs(value) >= 99.5 else 1}f} {BYTE_STEPS[step]}"


def count_text(count: float | None) -> str:
    """A count with thousands separators: ``482,113``."""
    return MISSING if count is None else f"{count:,.0f}"


def short_count_text(count: float | None) -> str:
    """A count rounded for a headline: ``482 k``, ``1.3 M``."""
    if count is None:
        return MISSING
    for size, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(count) >= size * 0.9995:  # from here on it is rounded to a thousand of the smaller one
            return f"{count / size:.{0 if abs(count) >= 99.95 * size else 1}f}{suffix}"
    return f"{count:.0f}"


def percent_text(share: float | None, digits: int = 0) -> str:
    """A share (1.0 is all of it) as per cent: ``87 %``."""
    return MISSING if share is None else f"{share * 100:.{digits}f} %"


def percent_beside(share: float | None, target: float) -> str:
    """``percent_text`` with the decimals (at most 3) that show on which side of a target it lies; one right on it."""
    digits = 0
    while share is not None and digits < 3 and round(share * 100, digits) == round(target * 100, digits):
        digits += 1
        if abs(share - target) < 1e-9:
            break
    return percent_text(share, digits)


def change_text(change: float | None) -> str:
    """A relative change (0.1: a tenth more) with its sign: ``+10 %``; ``no change`` under half a per cent."""
    if change is None:
        return MISSING
    return "no change" if abs(change) < 0.005 else f"{change * 100:+.0f} %"


def ratio_text(ratio: float | None) -> str:
    """A ratio as a multiple: ``4.2x``."""
    return MISSING if ratio is None else f"{ratio:.1f}x"


def duration_text(seconds: float | None) -> str:
    """Seconds as the two largest units that matter: ``350 ms``, ``12 s``, ``3 min 20 s``, ``7 days``."""
    if seconds is None:
        return MISSING
    sign, left = ("-" if seconds < 0 else ""), abs(float(seconds))
    if left < 0.9995:
        return f"{sign}{left * 1000:.0f} ms"
    if left < 59.5:
        return f"{sign}{left:.1f} s" if left < 9.95 else f"{sign}{left:.0f} s"
    whole = round(left)
    parts = []
    for size, one, many in ((86400, "day", "days"), (3600, "h", "h"), (60, "min", "min"), (1, "s", "s")):
        number, whole = divmod(whole, size)
        if number:
            parts.append(f"{number} {one if number == 1 else many}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return sign + " ".join(parts)


def milliseconds_text(milliseconds: float | None) -> str:
    """A measured time with three figures: ``0.35 ms``, ``12.4 ms``, ``350 ms``, ``1.24 s``; from a minute on as
    ``duration_text``."""
    if milliseconds is None:
        return MISSING
    value, unit = (milliseconds, "ms") if abs(milliseconds) < 999.5 else (milliseconds / 1000, "s")
    if unit == "s" and abs(value) >= 59.95:
        return duration_text(value)
    digits = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    return f"{value:.{digits}f} {unit}"


def interval_text(interval: timedelta | None) -> str:
    """A time span in words, as ``duration_text``."""
    return MISSING if interval is None else duration_text(interval.total_seconds())


def instant_text(instant: datetime | None) -> str:
    """An instant in UTC to the minute: ``2026-11-23 05:49 UTC``."""
    return MISSING if instant is None else instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def ago_text(instant: datetime | None, now: datetime) -> str:
    """How long ago, or in how long: ``12 min ago``, ``in 3 h``."""
    if instant is None:
        return MISSING
    seconds = (now - instant).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    text = duration_text(round(abs(seconds)))
    first = " ".join(text.split(" ")[:2])
    return f"{first} ago" if seconds > 0 else f"in {first}"
