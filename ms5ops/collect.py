"""Take a snapshot of one environment and keep it: for cron, for the running console, for the command line."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import pandas as pd

from ms5ops.config import SANDBOX, Settings
from ms5ops.control.policy_sets import judged_by
from ms5ops.environments import Connected, connect, source_id
from ms5ops.errors import Ms5opsError
from ms5ops.history import History
from ms5ops.observe.overview import read_all, reading
from ms5ops.observe.server import connect_server
from ms5ops.policy.document import PolicySet
from ms5ops.rollout.fit import checks_after
from ms5ops.sandbox import replaying
from ms5ops.snapshots import CHECK_COLUMNS, job_runs_to_store, snapshot_of, store


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
    connected = connect(settings, name)
    if connected.name == SANDBOX:
        replaying.refuse_meanwhile()  # the engine's calendar is not today's, and the replay takes its own
    try:
        return keep(history or History(), connected, lambda: judged_by(connected.name))
    finally:
        connected.database.close()


def keep(history: History, connected: Connected, policy: Callable[[], PolicySet]) -> Collected:
    """Read a server and store a snapshot, with the checks after a deployment of that policy set, and its job runs."""
    wanted = reading(policy)
    server = connect_server(connected.database, connected.schema, wanted.value)
    overview = read_all(server)
    checks = reading(lambda: checks_after(server, wanted.get(), overview))
    made = None if checks.value is None else pd.DataFrame(map(asdict, checks.value), columns=list(CHECK_COLUMNS))
    snapshot = replace(snapshot_of(overview), checks=made)
    source = source_id(connected)
    stored = store(history, snapshot, source=source, environment=connected.name, origin=connected.origin)
    runs = overview.job_runs.value
    if runs is not None:
        history.append({"job_run": job_runs_to_store(runs, source, connected.origin)})
    return Collected(
        snapshot_id=stored.snapshot_id,
        environment=connected.name,
        taken_at=snapshot.taken_at,
        tables=int((snapshot.tables["kind"] != "missing").sum()),
        jobs=len(snapshot.jobs),
        aggregates=len(snapshot.aggregates),
        unread={**overview.errors(), **({} if checks.error is None else {"checks": checks.error})},
        waiting=None if stored.waiting is None else str(stored.waiting.bundle),
    )
