"""Policies that differ from the default in a few keys."""

import shutil
import tomllib
from pathlib import Path
from typing import Any

from ms5ops import paths, strict
from ms5ops.policy.document import DEFAULT_FILE, PolicySet, default_policy

FILE = Path("policy.toml")
REMOVED = object()


def changed(changes: dict[str, Any] | None = None, sql_folder: Path = paths.SQL) -> PolicySet:
    """The default with other values at dotted keys (``REMOVED``: without that key)."""
    document = tomllib.loads(DEFAULT_FILE.read_text())
    for key, value in (changes or {}).items():
        *path, last = key.split(".")
        place = document
        for part in path:
            place = place.setdefault(part, {})
        if value is REMOVED:
            del place[last]
        else:
            place[last] = value
    return strict.validated(PolicySet, document, FILE, {"sql_folder": sql_folder})


def bodies(folder: Path, changes: dict[str, tuple[str, str]]) -> Path:
    """A copy of the project's bodies in which one text stands for another in some files."""
    copy = folder / "sql"
    for kind in ("aggregates", "views", "jobs"):
        shutil.copytree(paths.SQL / kind, copy / kind)
    for file, (old, new) in changes.items():
        text = (copy / file).read_text()
        assert old in text, f"{file} does not hold {old}"
        (copy / file).write_text(text.replace(old, new))
    return copy


def other_tables() -> PolicySet:
    """A set of none of MS5.0's tables: one with two indexes and a summary per minute."""
    minutes = "SELECT time_bucket('1 minute', at) AS bucket, meter, sum(kwh) AS kwh FROM shop.readings GROUP BY 1, 2"
    return PolicySet.model_validate({
        "schema": "shop",
        "schedules": default_policy().schedules,
        "tables": {
            "readings": {
                "columns": {"at": "timestamptz", "meter": "integer", "kwh": "real"}, "time_column": "at",
                "chunk_interval": "7 days", "segment_by": ["meter"], "order_by": ["at DESC"],
                "compress_after": "7 days", "drop_after": "never",
            },
        },
        "aggregates": {
            "readings_1min": {
                "source": "readings", "bucket": "1 minute", "body": minutes, "start_offset": "1 hour",
                "end_offset": "1 minute", "schedule_interval": "5 minutes", "chunk_interval": "7 days",
                "materialized_only": True,
            },
        },
        "indexes": {
            "idx_readings_meter": {"table": "readings", "columns": ["meter", "at DESC"], "purpose": "One meter."},
            "idx_readings_kwh": {"table": "readings", "columns": ["kwh"], "purpose": "The largest."},
        },
    })  # fmt: skip
