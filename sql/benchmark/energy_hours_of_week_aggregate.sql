-- name: energy_hours_of_week_aggregate
-- about: Energy and peak demand of every meter hour by hour over the last week, from energy_hourly.
-- group: aggregate
-- target_p95_ms: 50
-- stands_for: The load profile of the week, from the aggregate.
-- twin: energy_hours_of_week
-- needs: energy_hourly
-- params: week_before_hour, this_hour
-- columns: equipment_code text; bucket timestamptz; energy_kwh kWh; power_kw_avg kW; peak_demand_kw kW; power_factor_avg share
-- budget_ms: 50
SELECT equipment_code, bucket, energy_kwh, power_kw_avg, peak_demand_kw, power_factor_avg
FROM {schema}.energy_hourly
WHERE bucket >= :week_before_hour AND bucket < :this_hour
ORDER BY equipment_code, bucket
