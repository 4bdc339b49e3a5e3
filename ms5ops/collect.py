"""Take a snapshot of one environment and keep it: for cron, for the running console, for the command line."""

from dataclasses import dataclass
from datetime import datetime

from ms5ops.config import SANDBOX, Settings
from ms5ops.environments import connect, source_id
from ms5ops.errors import Ms5opsError
from ms5ops.history import History
from ms5ops.observe.overview import read_all
from ms5ops.observe.server import connect_server
from ms5ops.sandbox import replaying
from ms5ops.snapshots import job_runs_to_store, snapshot_of, store


@dataclass(frozen=True)
class Collected:
    """A snapshot that was stored, and the sections that could not be read for it.

    ``waiting``: the history was held by others, or a shared one was out of reach; the snapshot is on disk, in this
    folder, and the next writer takes it in. None where it is in the history.
    """

    snapshot_id: str
    environment: str
    taken_at: datetime
    tables: int
    jobs: int
    aggregates: int
    unread: dict[str, Ms5opsError]
    waiting: str | None = None


def collect(settings: Settings, name: str | None = None, history: History | None = None) -> Collected:
    """Read the environment ``name`` (None: the default one) and store a snapshot and its job runs.

    Raises Ms5opsError where the server cannot be reached or the history not be written; a section that cannot
    be read is named in ``unread``, and the rest is stored.
    """
    history = history or History()
    connected = connect(settings, name)
    if connected.name == SANDBOX:
        replaying.refuse_meanwhile()  # the engine's calendar is not today's, and the replay takes its own
    try:
        overview = read_all(connect_server(connected.database, connected.schema))
        source = source_id(connected)
    finally:
        connected.database.close()
    snapshot = snapshot_of(overview)
    stored = store(history, snapshot, source=source, environment=connected.name, origin=connected.origin)
    runs = overview.job_runs.value
    if runs is not None:
        history.append({"job_run": job_runs_to_store(runs, source, connected.origin)})
    return Collected(
        snapshot_id=stored.snapshot_id,
        environment=connected.name,
        taken_at=snapshot.taken_at,
        tables=len(snapshot.tables),
        jobs=len(snapshot.jobs),
        aggregates=len(snapshot.aggregates),
        unread=overview.errors(),
        waiting=None if stored.waiting is None else str(stored.waiting.bundle),
    )
