-- name: monthly_energy_report
-- about: Energy and peak demand of every meter and day over four weeks, from energy_daily.
-- group: report
-- target_p95_ms: 10000
-- stands_for: The energy part of the monthly report.
-- needs: energy_daily
-- params: month_before_day, this_day
-- columns: equipment_code text; bucket timestamptz; energy_kwh kWh; power_kw_avg kW; peak_demand_kw kW; power_factor_avg share
-- budget_ms: 10000
SELECT equipment_code, bucket, energy_kwh, power_kw_avg, peak_demand_kw, power_factor_avg
FROM {schema}.energy_daily
WHERE bucket >= :month_before_day AND bucket < :this_day
ORDER BY equipment_code, bucket
