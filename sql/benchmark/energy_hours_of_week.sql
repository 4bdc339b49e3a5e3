-- name: energy_hours_of_week
-- about: Energy and peak demand of every meter hour by hour over the last week, from the raw readings.
-- group: historical
-- target_p95_ms: 2000
-- stands_for: The load profile of the week, before there are aggregates.
-- twin: energy_hours_of_week_aggregate
-- params: week_before_hour, this_hour
-- columns: equipment_code text; bucket timestamptz; energy_kwh kWh; power_kw_avg kW; peak_demand_kw kW; power_factor_avg share
-- budget_ms: 2000
SELECT equipment_code,
       time_bucket(INTERVAL '1 hour', consumption_time)         AS bucket,
       sum(energy_consumption_kwh::double precision)           AS energy_kwh,
       avg(power_consumption_kw::double precision)             AS power_kw_avg,
       max(power_consumption_kw)                               AS peak_demand_kw,
       avg(power_factor::double precision)                     AS power_factor_avg
FROM {schema}.energy_consumption
WHERE consumption_time >= :week_before_hour AND consumption_time < :this_hour
GROUP BY 1, 2
ORDER BY 1, 2
