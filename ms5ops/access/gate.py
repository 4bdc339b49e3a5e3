"""A gate in front of costly work: so many at once, and those who wait are taken in turn from each lane.

A password check costs 19 MiB and 30 ms of a core. Without a gate a thousand of them at once would take the memory and
the time of everybody; with one queue they would all stand before the one who knows the password.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ms5ops.errors import AccountError


class LaneFull(AccountError):
    """More wait in one lane than it holds."""


class Gate:
    """``at_once`` may be inside; each lane (an address, a browser) holds ``waiting`` more, and the lanes take turns.

    For one event loop. A caller that is cancelled while it waits gives its place up.
    """

    def __init__(self, at_once: int = 2, waiting: int = 20) -> None:
        self._free = at_once
        self._waiting = waiting
        self._lanes: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, lane: str) -> AsyncIterator[None]:
        """Wait for one's turn, and hold the gate inside the block; LaneFull where too many wait already."""
        await self._enter(lane)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, lane: str) -> None:
        if self._free and not self._lanes:
            self._free -= 1
            return
        queue = self._lanes.setdefault(lane, deque())
        if len(queue) >= self._waiting:
            raise LaneFull("Too many sign-ins from there are waiting.", "Try again in a few seconds.")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._drop(lane, place)
            else:  # its turn had come at the same moment
                self._leave()
            raise

    def _leave(self) -> None:
        while self._lanes:
            lane, queue = next(iter(self._lanes.items()))
            place = queue.popleft()
            del self._lanes[lane]
            if queue:
                self._lanes[lane] = queue  # to the end: the next turn is another lane's
            if not place.done():
                place.set_result(None)
                return
        self._free += 1

    def _drop(self, lane: str, place: "asyncio.Future[None]") -> None:
        queue = self._lanes.get(lane)
        if queue and place in queue:
            queue.remove(place)
            if not queue:
                del self._lanes[lane]
