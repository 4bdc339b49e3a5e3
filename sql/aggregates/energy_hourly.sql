-- name: energy_hourly
-- about: Energy per meter and hour. Peak demand is the highest reading; the mean power factor is over readings, not weighted by energy.
-- source: energy_consumption

SELECT equipment_code,
       time_bucket(INTERVAL '1 hour', consumption_time)                   AS bucket,
       count(*)                                                           AS reading_count,
       count(energy_consumption_kwh)                                      AS energy_count,
       sum(energy_consumption_kwh::double precision)                      AS energy_kwh,
       avg(energy_consumption_kwh::double precision)                      AS energy_kwh_avg,
       count(power_consumption_kw)                                        AS power_count,
       sum(power_consumption_kw::double precision)                        AS power_kw_sum,
       avg(power_consumption_kw::double precision)                        AS power_kw_avg,
       min(power_consumption_kw)                                          AS power_kw_min,
       max(power_consumption_kw)                                          AS peak_demand_kw,
       count(power_factor)                                                AS power_factor_count,
       sum(power_factor::double precision)                                AS power_factor_sum,
       avg(power_factor::double precision)                                AS power_factor_avg,
       min(power_factor)                                                  AS power_factor_min
FROM factory_telemetry.energy_consumption
GROUP BY equipment_code, time_bucket(INTERVAL '1 hour', consumption_time);
