-- name: energy_daily
-- about: Energy per meter and day (UTC), combined from the hours. Peak demand is the highest reading.
-- source: energy_hourly

SELECT equipment_code,
       time_bucket(INTERVAL '1 day', bucket)                                          AS bucket,
       sum(reading_count)::bigint                                                     AS reading_count,
       sum(energy_count)::bigint                                                      AS energy_count,
       sum(energy_kwh)                                                                AS energy_kwh,
       sum(energy_kwh) / nullif(sum(energy_count), 0)::double precision               AS energy_kwh_avg,
       sum(power_count)::bigint                                                       AS power_count,
       sum(power_kw_sum)                                                              AS power_kw_sum,
       sum(power_kw_sum) / nullif(sum(power_count), 0)::double precision              AS power_kw_avg,
       min(power_kw_min)                                                              AS power_kw_min,
       max(peak_demand_kw)                                                            AS peak_demand_kw,
       sum(power_factor_count)::bigint                                                AS power_factor_count,
       sum(power_factor_sum)                                                          AS power_factor_sum,
       sum(power_factor_sum) / nullif(sum(power_factor_count), 0)::double precision   AS power_factor_avg,
       min(power_factor_min)                                                          AS power_factor_min
FROM factory_telemetry.energy_hourly
GROUP BY equipment_code, time_bucket(INTERVAL '1 day', bucket);
