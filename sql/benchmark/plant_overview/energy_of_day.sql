-- name: energy_of_day
-- about: Energy by hour over the last day, from energy_hourly.
-- needs: energy_hourly
-- params: day_before_hour, this_hour
-- columns: equipment_code text; bucket timestamptz; energy_kwh kWh; power_kw_avg kW; peak_demand_kw kW; power_factor_avg share
-- budget_ms: 2000
SELECT equipment_code, bucket, energy_kwh, power_kw_avg, peak_demand_kw, power_factor_avg
FROM {schema}.energy_hourly
WHERE bucket >= :day_before_hour AND bucket < :this_hour
ORDER BY equipment_code, bucket
