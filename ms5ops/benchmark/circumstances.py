"""The circumstances a run is taken in, read from the server and from this machine."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from ms5ops import __version__
from ms5ops.benchmark.records import Surroundings
from ms5ops.benchmark.scratch import FOLDER
from ms5ops.database import Database
from ms5ops.environments import Connected
from ms5ops.errors import PrivilegeMissing
from ms5ops.observe.chunks import read_chunks
from ms5ops.observe.compression import TableCompression, read_compression
from ms5ops.observe.jobs import read_jobs
from ms5ops.observe.overview import reading
from ms5ops.observe.server import connect_server
from ms5ops.observe.tables import Table, read_database_size, read_tables
from ms5ops.policy.document import PolicySet
from ms5ops.queries import ANY_VERSION, query, version_text
from ms5ops.rollout import journal
from ms5ops.units import bytes_text

SETTINGS = (
    "shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem", "random_page_cost",
    "seq_page_cost", "effective_io_concurrency", "jit", "jit_above_cost", "max_parallel_workers",
    "max_parallel_workers_per_gather", "max_worker_processes", "max_connections", "synchronous_commit", "fsync",
    "full_page_writes", "wal_level", "checkpoint_timeout", "max_wal_size", "autovacuum", "track_io_timing",
    "plan_cache_mode", "enable_partitionwise_aggregate", "timescaledb.max_background_workers",
    "timescaledb.enable_chunk_append", "timescaledb.enable_vectorized_aggregation",
)  # fmt: skip
"""Settings that change how long a query or an insert takes."""
PROTOCOL = "simple query protocol, values in the text"


def read_surroundings(connected: Connected, policy: PolicySet) -> Surroundings:
    """What is in force now; rows are those of the policy set's tables, or of all hypertables of the schema where none
    of these is there.

    Raises ServerError where the server cannot be reached; what cannot be read is None.
    """
    server = connect_server(connected.database, connected.schema, policy)
    chunks = reading(lambda: read_chunks(server))
    tables = reading(lambda: read_tables(server, chunks.value))
    jobs = reading(lambda: read_jobs(server, tables.get()))
    compression = reading(
        lambda: read_compression(server, tables.get(), chunks.get(), jobs.get(), server.read_at)
    ).found(())
    size = reading(lambda: read_database_size(server)).value
    telemetry = telemetry_tables(tables.found(()), connected.schema)
    deployment = _deployment(connected.database)
    return Surroundings(
        postgres_version=".".join(map(str, server.postgres_version)),
        timescaledb_version=version_text(server.version),
        edition=server.edition,
        settings=read_settings(connected.database),
        hardware=hardware(connected),
        database_bytes=size.size_bytes if size else None,
        rows=sum(table.rows or 0 for table in telemetry) if telemetry else None,
        compressed_share=compressed_share(telemetry, compression) if tables.value is not None else None,
        policy_hash=deployment.policy_hash if deployment else None,
        deployment_id=str(deployment.id) if deployment else None,
        tool_version=__version__,
        protocol=f"{PROTOCOL}, {'socket' if connected.database.target.host.startswith('/') else 'TCP'}",
    )


def telemetry_tables(tables: Sequence[Table], schema: str) -> list[Table]:
    """The tables whose rows and compression are a run's circumstances."""
    expected = [table for table in tables if table.is_expected and table.kind != "missing"]
    return expected or [table for table in tables if table.kind == "hypertable" and table.schema == schema]


def read_settings(database: Database) -> dict[str, str]:
    """The settings that measured sessions have, as SHOW gives them; those that the server lacks are left out."""
    found = query(FOLDER, "settings", ANY_VERSION)
    with database.timed_session(10_000) as session:  # the readings' own sessions have another jit
        rows = session.time(session.statement(found.sql, {"names": list(SETTINGS)})).rows
    return {name: value for name, value in rows if value is not None}


def compressed_share(tables: list[Table], compression: tuple[TableCompression, ...]) -> float | None:
    """Of the bytes that the telemetry tables would take uncompressed, the share that is in compressed chunks."""
    whole = sum(table.uncompressed_bytes or 0 for table in tables)
    names = {table.qualified for table in tables}
    held = sum(one.before_bytes for one in compression if one.table in names)
    return min(1.0, held / whole) if whole else None


def hardware(connected: Connected) -> dict[str, str]:
    """What can be told of the machines, in words by topic. SQL does not tell the server's own."""
    host = connected.database.target.host
    local = host in ("localhost", "127.0.0.1", "::1") or host.startswith("/")
    found = {
        "client processor": processor(_text(Path("/proc/cpuinfo"))),
        "client cores": str(os.cpu_count() or "not told"),
        "client memory": memory(_text(Path("/proc/meminfo"))),
    }
    if connected.origin == "simulated":
        found["server"] = "embedded engine (WebAssembly, one session) on the client's machine"
    elif local:
        found["server"] = "on the client's machine"
    return found


def processor(cpuinfo: str) -> str:
    """The model named in /proc/cpuinfo, or what the platform calls itself."""
    names = [line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def memory(meminfo: str) -> str:
    """The whole memory named in /proc/meminfo."""
    sizes = [line.split()[1] for line in meminfo.splitlines() if line.startswith("MemTotal:")]
    return bytes_text(int(sizes[0]) * 1024) if sizes else "not told"


def _deployment(database: Database) -> journal.Deployment | None:
    try:
        found = journal.deployments(database)
    except PrivilegeMissing:  # the role may not see the journal: then it is not known what is in force
        return None
    return next((one for one in found if one.status == "done" and one.direction == "apply"), None)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return ""
