"""What the pages show, read once for all sessions and kept for half a minute.

One overview per environment serves every page and every session, so that twenty open browsers cost the server
what one does, and all pages speak of the same instant. Readings are shared: nothing here or in a page changes them.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import pandas as pd
import streamlit as st

from ms5ops.config import SANDBOX, load_settings
from ms5ops.control.policy_sets import server_of
from ms5ops.environments import Connected, connect, source_id
from ms5ops.history import History
from ms5ops.observe.health import Finding, findings
from ms5ops.observe.overview import Overview, Reading, read_all
from ms5ops.observe.server import Server
from ms5ops.sandbox import replaying
from ms5ops.ui.messages import show_error

T = TypeVar("T")
READ_TTL_S = 30
"""How old a reading may get before the next page load reads again."""
LOCK_WAIT_S = 2.0
_forgotten: Counter[str] = Counter()


@dataclass(frozen=True)
class Readings:
    """One environment as last read: the connection, the server, all sections, and the judgement of them.

    ``source`` names the database in the history (``environments.source_id``).
    """

    connected: Connected
    server: Server
    overview: Overview
    findings: tuple[Finding, ...]
    source: str

    @property
    def read_at(self) -> datetime:
        """The server's clock when it was read (UTC)."""
        return self.overview.now


def open_environment(name: str | None) -> Readings:
    """The readings of an environment (None: the default one); raises Ms5opsError where it cannot be read.

    While months are replayed in the sandbox, each month is read anew: the half minute for which readings are kept is
    longer than a month takes, and beside the newer history they would tell of another time.
    """
    connected = connect(load_settings(), name)
    return _read(_key(connected), _replayed_month(connected), connected)


def forget(found: Readings) -> None:
    """Let the next page load read this environment afresh, and all that is derived from its readings."""
    _read.clear(_key(found.connected), _replayed_month(found.connected), found.connected)
    _forgotten[found.source] += 1


def times_forgotten(source: str) -> int:
    """How often a person asked for fresh readings of a database: part of the key of what is derived from them."""
    return _forgotten[source]


def section(reading: Reading[T], what: str) -> T | None:
    """The section's value; where it could not be read, its error stands on the page and None is returned.

    ``what`` is the noun phrase of the error: "the jobs".
    """
    if reading.error is not None:
        show_error(reading.error, what)
        return None
    return reading.value


def _key(connected: Connected) -> str:
    """One per environment as it is configured now: what was corrected in ms5ops.toml (a password, a schema), or a
    sandbox that was started anew, is read anew."""
    target = connected.database.target
    settings = hash((target, connected.schema, connected.protected, connected.maintenance_window))
    return f"{connected.name} {target.address} {settings}"


def _replayed_month(connected: Connected) -> int | None:
    under_way = replaying.status() if connected.name == SANDBOX else None
    return under_way.month if under_way else None


@st.cache_data(ttl=READ_TTL_S, show_spinner="Reading the history", max_entries=64)
def stored(name: str, source: str, since: datetime | None = None) -> pd.DataFrame:
    """The rows of the history's query ``name`` about one database (``Readings.source``); HistoryError as it comes.

    ``since`` is for the queries that take it. Round it, or every call is a new one to the cache.
    """
    parameters = {"source": source} if since is None else {"source": source, "since": since}
    return history().read(name, parameters)


def history() -> History:
    """The history for a page, which does not wait as long as cron does where another process holds the file."""
    return History(lock_wait_s=LOCK_WAIT_S)


# In the background, so that no page waits for it: a reading of up to twice its age is shown meanwhile.
@st.cache_resource(ttl=READ_TTL_S, refresh_mode="background", show_spinner="Reading the server", max_entries=16)
def _read(key: str, month: int | None, _connected: Connected) -> Readings:
    pooled = _pooled(key, _connected)
    overview = read_all(server_of(pooled))
    return Readings(pooled, overview.server, overview, tuple(findings(overview)), source_id(pooled))


@st.cache_resource(max_entries=16, on_release=lambda connected: connected.database.close(), show_spinner=False)
def _pooled(key: str, _connected: Connected) -> Connected:  # the cache tells entries apart by it
    return _connected
