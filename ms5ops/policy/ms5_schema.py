"""The five tables of MS5.0 as data: columns, foreign keys, and what every installation already has.

The same facts as sql/schema/*.sql, which makes sandboxes; a test keeps the two in step.
"""

from collections.abc import Mapping
from types import MappingProxyType

COLUMNS: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "metric_hist": {
        "id": "bigserial", "metric_def_id": "uuid", "ts": "timestamptz", "value_bool": "boolean",
        "value_int": "bigint", "value_real": "double precision", "value_text": "text", "value_json": "jsonb",
    },
    "oee_calculations": {
        "id": "bigserial", "line_id": "uuid", "equipment_code": "text", "calculation_time": "timestamptz",
        "availability": "real", "performance": "real", "quality": "real", "oee": "real",
        "planned_production_time": "integer", "actual_production_time": "integer", "ideal_cycle_time": "real",
        "actual_cycle_time": "real", "good_parts": "integer", "total_parts": "integer",
    },
    "energy_consumption": {
        "id": "bigserial", "equipment_code": "text", "consumption_time": "timestamptz",
        "power_consumption_kw": "real", "energy_consumption_kwh": "real", "voltage_v": "real", "current_a": "real",
        "power_factor": "real", "temperature_c": "real", "humidity_percent": "real",
    },
    "production_kpis": {
        "id": "bigserial", "line_id": "uuid", "kpi_date": "date", "shift_id": "uuid", "oee": "real",
        "availability": "real", "performance": "real", "quality": "real", "total_production": "integer",
        "good_parts": "integer", "scrap_parts": "integer", "rework_parts": "integer",
        "total_downtime_minutes": "integer", "planned_downtime_minutes": "integer",
        "unplanned_downtime_minutes": "integer", "changeover_time_minutes": "integer",
        "maintenance_time_minutes": "integer", "energy_consumption_kwh": "real", "material_waste_percent": "real",
        "first_pass_yield": "real", "created_at": "timestamptz",
    },
    "production_context_history": {
        "id": "bigserial", "equipment_code": "text", "context_data": "jsonb", "change_reason": "text",
        "changed_by": "uuid", "changed_at": "timestamptz",
    },
})  # fmt: skip
"""Column -> type of the five tables that Phase 4 touches, in the order of the table."""

FOREIGN_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "metric_hist": ("metric_def_id",),
    "oee_calculations": ("line_id",),
    "energy_consumption": (),
    "production_kpis": (),
    "production_context_history": ("changed_by",),
})  # fmt: skip
"""Columns with a foreign key to a plain table."""

INDEXES: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "metric_hist": {"ix_metric_hist_def_ts": ("metric_def_id", "ts DESC")},
    "oee_calculations": {},
    "energy_consumption": {},
    "production_kpis": {},
    "production_context_history": {},
})  # fmt: skip
"""Indexes that MS5.0 came with, beside the primary key (id, time column) of each hypertable."""

OTHER_RELATIONS = ("users", "production_lines", "metric_def")
"""Tables of the schema that Phase 4 leaves alone; their names are taken."""
