"""Loading a page: its panels sent at once over several held connections, timed until the last has answered."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from ms5ops.database import Database, TimedSession

CONNECTIONS = 6
"""What a browser opens to one host (HTTP/1.1, Chrome and Firefox), so as many panels can be under way at once."""


@dataclass(frozen=True)
class Load:
    """One load: milliseconds from the first panel sent to the last answered; each panel's own time, and its rows."""

    took_ms: float
    panels_ms: Mapping[str, float]
    rows: Mapping[str, int]


class PageClient:
    """What one browser does. Threads are enough: the driver waits outside Python's lock, and a page has few rows."""

    def __init__(self, sessions: Sequence[TimedSession], pool: ThreadPoolExecutor) -> None:
        self.sessions = sessions
        self._pool = pool

    def load(self, panels: Mapping[str, bytes]) -> Load:
        """Send all panels, as many at once as there are connections, in their order; a panel's error is raised."""
        waiting: SimpleQueue[tuple[str, bytes]] = SimpleQueue()
        for panel in panels.items():
            waiting.put(panel)
        began = time.perf_counter_ns()
        working = [self._pool.submit(_answer, session, waiting) for session in self.sessions[: len(panels)]]
        wait(working)
        took_ms = (time.perf_counter_ns() - began) / 1e6
        found = [panel for future in working for panel in future.result()]
        return Load(took_ms, {name: ms for name, ms, _ in found}, {name: rows for name, _, rows in found})


@contextmanager
def page_client(database: Database, statement_timeout_ms: int) -> Iterator[PageClient]:
    """A page's connections, held until the block ends."""
    with ExitStack() as held:
        sessions = [held.enter_context(database.timed_session(statement_timeout_ms)) for _ in range(CONNECTIONS)]
        pool = held.enter_context(ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="panel"))
        yield PageClient(sessions, pool)


def _answer(session: TimedSession, waiting: "SimpleQueue[tuple[str, bytes]]") -> list[tuple[str, float, int]]:
    found: list[tuple[str, float, int]] = []
    while True:
        try:
            name, statement = waiting.get_nowait()
        except Empty:
            return found
        answer = session.time(statement)
        found.append((name, answer.execute_ms + answer.fetch_ms, len(answer.rows)))
