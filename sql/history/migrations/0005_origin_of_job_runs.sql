-- A job run says, as everything else here, whether it was measured, simulated or replayed. Rows from before this column
-- stay as they are: the query job_runs tells theirs from the snapshots.

ALTER TABLE job_run ADD COLUMN origin TEXT;
