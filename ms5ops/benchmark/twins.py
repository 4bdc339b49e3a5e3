"""Whether two answers to one question are the same: raw data and aggregate must not disagree."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

RELATIVE_TOLERANCE = 1e-6
"""Own choice: sums in another order differ by some 1e-12; a row more or less in a month's mean by more than 1e-6."""
ABSOLUTE_TOLERANCE = 1e-9
KEY_KINDS = ("uuid", "text", "timestamptz", "id")
BUCKET = "bucket"
"""The column that says of which span of time a row is; its kind has to be timestamptz."""
_NOTHING = object()
Key = tuple[object, ...]


@dataclass(frozen=True)
class Comparison:
    """``rows`` were compared; ``left_out`` are of buckets that the aggregate has not (yet) or raw data no longer have.

    ``difference`` is None where the answers agree, else one sentence with the first difference.
    """

    rows: int
    left_out: int
    difference: str | None


def compare(
    raw: Sequence[tuple[Any, ...]], aggregate: Sequence[tuple[Any, ...]], columns: Mapping[str, str]
) -> Comparison:
    """Compare two answers with the same ``columns`` (name: kind). Columns of ``KEY_KINDS`` identify a row.

    Only buckets between the oldest raw one and the newest aggregated one count: an aggregate without live data ends
    earlier, and retention may have dropped raw data.
    """
    names, kinds = list(columns), list(columns.values())
    places = [place for place, kind in enumerate(kinds) if kind in KEY_KINDS]
    left, right = ({_key(row, places): row for row in rows} for rows in (raw, aggregate))
    if len(left) < len(raw) or len(right) < len(aggregate):
        told = ", ".join(names[place] for place in places) or "no column"
        return _not_compared(raw, aggregate, f"Rows cannot be told apart by {told}: several have the same.")
    kept = [left, right]
    if BUCKET in names and left and right:
        at = places.index(names.index(BUCKET))
        wrong = next((key[at] for side in kept for key in side if not _is_instant(key[at])), _NOTHING)
        if wrong is not _NOTHING:
            return _not_compared(raw, aggregate, f"A {BUCKET} is {wrong}, and has to be an instant with a time zone.")
        first, last = min(_instant(key[at]) for key in left), max(_instant(key[at]) for key in right)
        kept = [{key: row for key, row in side.items() if first <= _instant(key[at]) <= last} for side in (left, right)]
        if not any(kept):
            spans = f"raw data {_span(left, at)}, the aggregate {_span(right, at)}"
            return _not_compared(raw, aggregate, f"The answers have no bucket in common: {spans}.")
    left_out = len(left) + len(right) - len(kept[0]) - len(kept[1])
    return Comparison(len(kept[0]), left_out, _difference(kept[0], kept[1], names, places))


def _difference(
    raw: Mapping[Key, Sequence[Any]],
    aggregate: Mapping[Key, Sequence[Any]],
    names: Sequence[str],
    places: Sequence[int],
) -> str | None:
    lacking, surplus = raw.keys() - aggregate.keys(), aggregate.keys() - raw.keys()
    if lacking or surplus:
        first = _words(min(lacking or surplus, key=str))
        where = "raw data but not in the aggregate" if lacking else "the aggregate but not in raw data"
        return f"{len(lacking) + len(surplus)} of {len(raw)} rows are on one side only, the first ({first}) in {where}."
    wrong = [
        (key, name, row[place], aggregate[key][place])
        for key, row in raw.items()
        for place, name in enumerate(names)
        if place not in places and not _same(row[place], aggregate[key][place])
    ]
    if not wrong:
        return None
    key, name, one, other = wrong[0]
    return (
        f"{len(wrong)} values of {len(raw)} rows differ, the first in {name} of {_words(key)}:"
        f" {one} from raw data, {other} from the aggregate."
    )


def _same(one: object, other: object) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one == other
    if isinstance(one, int | float | Decimal) and isinstance(other, int | float | Decimal):
        return math.isclose(float(one), float(other), rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)
    return one == other


def _key(row: Sequence[Any], places: Sequence[int]) -> Key:
    # What the driver gives as a list or a mapping (an array, a json) identifies a row by its text.
    return tuple(str(row[place]) if isinstance(row[place], list | dict) else row[place] for place in places)


def _not_compared(raw: Sequence[object], aggregate: Sequence[object], why: str) -> Comparison:
    return Comparison(0, len(raw) + len(aggregate), why)


def _is_instant(value: object) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None


def _instant(value: object) -> datetime:
    assert isinstance(value, datetime)  # noqa: S101  # compare has looked
    return value


def _span(side: Mapping[Key, Sequence[Any]], at: int) -> str:
    buckets = sorted(_instant(key[at]) for key in side)
    return f"{buckets[0].isoformat()} to {buckets[-1].isoformat()}"


def _words(key: Key) -> str:
    return ", ".join(part.isoformat() if isinstance(part, datetime) else str(part) for part in key)
