"""Databases on native servers in the states that installations are found in, and psql to run scripts on them."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ms5ops import paths
from ms5ops.database import Target
from tests.native import Edition, native_database
from tests.rollout.planning import Planned

ROWS = """
INSERT INTO factory_telemetry.production_lines
    VALUES (gen_random_uuid(), 'L-BAG1', 'Bagger Line 1', NULL, '{BP01}', 60);
INSERT INTO factory_telemetry.metric_def (id, equipment_code, metric_key, value_type)
    SELECT gen_random_uuid(), 'BP01', 'key ' || n, 'REAL' FROM generate_series(1, 5) n;
INSERT INTO factory_telemetry.metric_hist (metric_def_id, ts, value_real)
    SELECT d.id, now() - n * INTERVAL '10 hours', n FROM generate_series(1, 24) n, factory_telemetry.metric_def d;
INSERT INTO factory_telemetry.oee_calculations (line_id, equipment_code, calculation_time, oee)
    SELECT l.id, 'BP01', now() - n * INTERVAL '6 hours', 0.7
    FROM generate_series(1, 60) n, factory_telemetry.production_lines l;
INSERT INTO factory_telemetry.energy_consumption (equipment_code, consumption_time, power_consumption_kw)
    SELECT 'BP01', now() - n * INTERVAL '8 hours', n FROM generate_series(1, 60) n;
INSERT INTO factory_telemetry.production_kpis (line_id, created_at, oee)
    SELECT l.id, now() - n * INTERVAL '8 hours', 0.7
    FROM generate_series(1, 60) n, factory_telemetry.production_lines l;
INSERT INTO factory_telemetry.production_context_history (equipment_code, changed_at)
    SELECT 'BP01', now() - n * INTERVAL '4 days' FROM generate_series(1, 12) n;
ANALYZE;
"""


@contextmanager
def installed(target: Target, kind: str, rows: str = ROWS, edition: Edition | None = None) -> Iterator[Planned]:
    """A database of its own on a server, in one of the states that installations are found in."""
    with native_database(target, edition=edition) as there:
        planned = Planned(there, embedded=False)
        for name in ("ms5_tables", f"ms5_{kind}", "ms5_foreign_keys"):
            planned.writing.execute((paths.SQL / f"schema/{name}.sql").read_text(encoding="utf-8"))
        planned.writing.execute(rows)
        try:
            yield planned
        finally:
            planned.writing.close()


def psql(target: Target, file: Path) -> "subprocess.CompletedProcess[str]":
    """Run a file as a DBA would."""
    binary = shutil.which("psql")
    if binary is None:
        pytest.skip("psql is not on this machine")
    password = target.password.get_secret_value() if target.password else ""
    return subprocess.run(
        [
            *(binary, "--no-psqlrc", "-h", target.host, "-p", str(target.port)),
            *("-U", target.user, "-d", target.database, "-f", str(file)),
        ],
        env={**os.environ, "PGPASSWORD": password},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
