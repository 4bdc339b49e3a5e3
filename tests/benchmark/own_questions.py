"""The folder of questions that docs/benchmarks.md shows whole, and a database for it."""

import re
from pathlib import Path

from ms5ops import paths
from ms5ops.database import Database

DOCUMENT = paths.PROJECT / "docs" / "benchmarks.md"
_FILE = re.compile(r"^`questions/([\w./]+)`\n\n```(?:sql)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONDITIONS = (
    "CREATE TABLE public.conditions (time timestamptz NOT NULL, device_id int NOT NULL, temperature double precision)",
    "SELECT create_hypertable('public.conditions', 'time', chunk_time_interval => INTERVAL '1 day')",
    "INSERT INTO public.conditions SELECT at, device, 20 + device + sin(extract(epoch FROM at))"
    " FROM generate_series(TIMESTAMPTZ '2026-03-01 00:00+00', '2026-03-10 12:34+00', INTERVAL '10 minutes') AS at,"
    " generate_series(1, 3) AS device",
    # Device 2 is the busiest.
    "INSERT INTO public.conditions SELECT at, 2, 22 + sin(extract(epoch FROM at))"
    " FROM generate_series(TIMESTAMPTZ '2026-03-10 11:45+00', '2026-03-10 12:30+00', INTERVAL '1 minute') AS at",
    "ANALYZE public.conditions",
)
HOURLY = (
    "CREATE MATERIALIZED VIEW public.conditions_hourly WITH (timescaledb.continuous) AS SELECT device_id,"
    " time_bucket(INTERVAL '1 hour', time) AS bucket, avg(temperature) AS temperature_avg FROM public.conditions"
    " GROUP BY 1, 2 WITH NO DATA",
    "CALL refresh_continuous_aggregate('public.conditions_hourly', NULL, NULL)",
)
NO_HOURLY = "DROP MATERIALIZED VIEW IF EXISTS public.conditions_hourly"


def write_questions(folder: Path) -> Path:
    """Write the documented files below ``folder``, and return it."""
    found = _FILE.findall(DOCUMENT.read_text(encoding="utf-8"))
    assert len(found) >= 8
    for name, text in found:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def make_conditions(database: Database) -> None:
    """The hypertable with ten days of rows, without its aggregate."""
    for statement in CONDITIONS:
        database.execute(statement)
