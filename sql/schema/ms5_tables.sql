-- MS5.0, the common part: schema, master data and the columns of the five telemetry tables.
--
-- Primary keys and hypertables differ between the two kinds of
-- installation and follow in ms5_legacy.sql or ms5_hypertables.sql; ms5_foreign_keys.sql comes last.
-- Names, types and nullability are facts of the running system: do not tidy them here.

CREATE SCHEMA factory_telemetry;

CREATE TABLE factory_telemetry.users (
    id       uuid PRIMARY KEY,
    username text NOT NULL UNIQUE
);

CREATE TABLE factory_telemetry.production_lines (
    id              uuid PRIMARY KEY,
    line_code       text NOT NULL UNIQUE,
    name            text NOT NULL,
    description     text,
    equipment_codes text[] NOT NULL,
    target_speed    real,                       -- parts per minute
    enabled         boolean NOT NULL DEFAULT true
);

CREATE TABLE factory_telemetry.metric_def (
    id             uuid PRIMARY KEY,
    equipment_code text NOT NULL,
    metric_key     text NOT NULL,
    value_type     text NOT NULL CHECK (value_type IN ('BOOL', 'INT', 'REAL', 'TEXT', 'JSON')),
    unit           text,
    description    text,
    UNIQUE (equipment_code, metric_key)
);

-- One row per sample; the value is in the column of the metric's value_type, the others are NULL.
CREATE TABLE factory_telemetry.metric_hist (
    id            bigserial,
    metric_def_id uuid NOT NULL,
    ts            timestamptz NOT NULL,
    value_bool    boolean,
    value_int     bigint,
    value_real    double precision,
    value_text    text,
    value_json    jsonb
);

-- One row per equipment and calculation interval. Downtime is planned - actual production time.
CREATE TABLE factory_telemetry.oee_calculations (
    id                      bigserial,
    line_id                 uuid NOT NULL,
    equipment_code          text NOT NULL,
    calculation_time        timestamptz NOT NULL,
    availability            real,
    performance             real,
    quality                 real,
    oee                     real,
    planned_production_time integer,            -- seconds
    actual_production_time  integer,            -- seconds
    ideal_cycle_time        real,               -- seconds per part
    actual_cycle_time       real,               -- seconds per part
    good_parts              integer,
    total_parts             integer
);

-- One row per meter and interval; energy_consumption_kwh is the energy of that interval.
CREATE TABLE factory_telemetry.energy_consumption (
    id                     bigserial,
    equipment_code         text NOT NULL,
    consumption_time       timestamptz NOT NULL,
    power_consumption_kw   real,
    energy_consumption_kwh real,
    voltage_v              real,
    current_a              real,
    power_factor           real,
    temperature_c          real,
    humidity_percent       real
);

CREATE TABLE factory_telemetry.production_kpis (
    id                         bigserial,
    line_id                    uuid,
    kpi_date                   date,
    shift_id                   uuid,            -- NULL: the whole day
    oee                        real,
    availability               real,
    performance                real,
    quality                    real,
    total_production           integer,
    good_parts                 integer,
    scrap_parts                integer,
    rework_parts               integer,
    total_downtime_minutes     integer,
    planned_downtime_minutes   integer,
    unplanned_downtime_minutes integer,
    changeover_time_minutes    integer,
    maintenance_time_minutes   integer,
    energy_consumption_kwh     real,
    material_waste_percent     real,
    first_pass_yield           real,
    created_at                 timestamptz DEFAULT now()
);

CREATE TABLE factory_telemetry.production_context_history (
    id             bigserial,
    equipment_code text NOT NULL,
    context_data   jsonb,
    change_reason  text,
    changed_by     uuid,
    changed_at     timestamptz DEFAULT now()
);
