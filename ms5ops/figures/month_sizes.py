"""The drawing of what was stored month by month: places and sizes of its bars, for a report without scripts."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 210
"""Pixels of the whole drawing."""
TOP, BOTTOM = 24, 24
"""Pixels above the bars for their values, and below them for the months."""
WIDEST = 84
"""Pixels of a bar at most: of two months there would be walls."""


@dataclass(frozen=True)
class Bar:
    """One month: ``x`` of its middle, the width and top of the bar of what was stored (``stored_y``), and the top of
    its frame, which is what that would have taken uncompressed (``raw_y``); all in pixels from the upper left."""

    x: float
    width: float
    stored_y: float
    raw_y: float

    @property
    def is_apart(self) -> bool:
        """Whether the frame stands so far above the bar that both have room for their values."""
        return self.stored_y - self.raw_y >= TOP


def size_bars(sizes: Sequence[tuple[float, float]]) -> tuple[Bar, ...]:
    """A bar for each pair of stored and uncompressed bytes, from left to right; their base is at HEIGHT - BOTTOM."""
    largest = max((max(pair) for pair in sizes), default=0) or 1
    step = WIDTH / max(len(sizes), 1)
    scale = (HEIGHT - TOP - BOTTOM) / largest
    base = HEIGHT - BOTTOM
    return tuple(
        Bar(
            x=round(step * (place + 0.5), 1),
            width=round(min(WIDEST, step * 0.6), 1),
            stored_y=round(base - stored * scale, 1),
            raw_y=round(base - raw * scale, 1),
        )
        for place, (stored, raw) in enumerate(sizes)
    )
