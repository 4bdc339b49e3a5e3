-- name: energy_days_of_month
-- about: Energy and peak demand of every meter day by day over the last four weeks, from the raw readings.
-- group: long-term
-- target_p95_ms: 5000
-- stands_for: The energy account of the month, before there are aggregates.
-- twin: energy_days_of_month_aggregate
-- params: month_before_day, this_day
-- columns: equipment_code text; bucket timestamptz; energy_kwh kWh; power_kw_avg kW; peak_demand_kw kW; power_factor_avg share
-- budget_ms: 5000
SELECT equipment_code,
       time_bucket(INTERVAL '1 day', consumption_time)         AS bucket,
       sum(energy_consumption_kwh::double precision)           AS energy_kwh,
       avg(power_consumption_kw::double precision)             AS power_kw_avg,
       max(power_consumption_kw)                               AS peak_demand_kw,
       avg(power_factor::double precision)                     AS power_factor_avg
FROM {schema}.energy_consumption
WHERE consumption_time >= :month_before_day AND consumption_time < :this_day
GROUP BY 1, 2
ORDER BY 1, 2
