// The background jobs. The engine has no background workers, so what TimescaleDB's scheduler does on a
// server is done here, and recorded in the same catalog tables: bgw_job_stat before and after each run, and
// bgw_job_stat_history. The rules (src/bgw/job_stat.c and scheduler.c of TimescaleDB 2.23):
//
// - a job without a statistics row runs at once; add_job(initial_start => ...) makes such a row;
// - a started run counts as a crash until its end is marked, so that a killed process shows as one;
// - after success the next start is finish + schedule_interval, or with fixed_schedule the next slot of
//   initial_start + n * schedule_interval; a job that has set its own next start keeps it;
// - after the n-th failure in a row it is finish + n * retry_period (n at most 20, at most 5 intervals, +-13%),
//   and with fixed_schedule not after the next slot; max_retries failures in a row unschedule the job;
// - after a crash it waits at least 5 minutes, so that an operator can disable it.

import { EngineLost, QueryFailed } from './engine.mjs';
import { literal } from './sqltext.mjs';

const DUE = `
  SELECT j.id, j.owner, extract(epoch FROM j.max_runtime) * 1000, s.total_runs,
         coalesce(s.consecutive_crashes, 0), coalesce(s.flags, 0)
  FROM _timescaledb_config.bgw_job j
  LEFT JOIN _timescaledb_internal.bgw_job_stat s ON s.job_id = j.id
  WHERE j.scheduled AND j.proc_name <> 'policy_telemetry'
    AND (s.job_id IS NULL OR s.next_start <= now() OR s.consecutive_crashes > 0)
  ORDER BY s.next_start NULLS FIRST, j.id`;

const START = (id) => `
  INSERT INTO _timescaledb_internal.bgw_job_stat AS s (job_id, last_start, last_finish, next_start,
    last_successful_finish, last_run_success, total_runs, total_duration, total_duration_failures,
    total_successes, total_failures, total_crashes, consecutive_failures, consecutive_crashes, flags)
  VALUES (${id}, clock_timestamp(), '-infinity', '-infinity', '-infinity', false, 1, '0', '0', 0, 0, 1, 0, 1, 0)
  ON CONFLICT (job_id) DO UPDATE SET
    last_start = excluded.last_start, last_finish = '-infinity', next_start = '-infinity',
    last_run_success = false, total_runs = s.total_runs + 1, total_crashes = s.total_crashes + 1,
    consecutive_crashes = s.consecutive_crashes + 1, flags = s.flags & ~1`;

const JOB = `
  jsonb_build_object('schedule_interval', j.schedule_interval, 'max_runtime', j.max_runtime,
    'max_retries', j.max_retries, 'retry_period', j.retry_period, 'proc_schema', j.proc_schema,
    'proc_name', j.proc_name, 'owner', j.owner::text, 'scheduled', j.scheduled, 'fixed_schedule', j.fixed_schedule)
  || CASE WHEN j.initial_start IS NULL THEN '{}' ELSE jsonb_build_object('initial_start', j.initial_start) END
  || CASE WHEN j.hypertable_id IS NULL THEN '{}' ELSE jsonb_build_object('hypertable_id', j.hypertable_id) END
  || CASE WHEN j.config IS NULL THEN '{}' ELSE jsonb_build_object('config', j.config) END
  || CASE WHEN j.check_name IS NULL THEN '{}'
     ELSE jsonb_build_object('check_schema', j.check_schema, 'check_name', j.check_name) END
  || CASE WHEN j.timezone IS NULL THEN '{}' ELSE jsonb_build_object('timezone', j.timezone) END`;

/**
 * The row of a run that has begun (it has neither pid nor finish yet). Every run is recorded, as on a server with
 * timescaledb.enable_job_execution_logging on; the option itself cannot be set here.
 */
const HISTORY_START = (id) => `
  INSERT INTO _timescaledb_internal.bgw_job_stat_history (job_id, execution_start, data)
  SELECT j.id, s.last_start, jsonb_build_object('job', ${JOB})
  FROM _timescaledb_config.bgw_job j JOIN _timescaledb_internal.bgw_job_stat s ON s.job_id = j.id
  WHERE j.id = ${id}
  RETURNING id`;

// Where the job's slots are: initial_start + n * schedule_interval, in the job's time zone if it has one.
// time_bucket cannot take an origin with months; those are counted from initial_start instead.
const NEXT_SLOT = `(
  SELECT min(slot) FROM (
    SELECT CASE WHEN months > 0 THEN origin + make_interval(months => step * months)
                WHEN j.timezone IS NULL THEN time_bucket(j.schedule_interval, finish, origin)
                     + step * j.schedule_interval
                ELSE time_bucket(j.schedule_interval, finish, j.timezone, origin)
                     + step * j.schedule_interval END AS slot
    FROM (SELECT coalesce(j.initial_start, '2000-01-01 00:00:00+00') AS origin,
                 (extract(year FROM j.schedule_interval) * 12 + extract(month FROM j.schedule_interval))::int AS months
         ) base,
         LATERAL (SELECT CASE WHEN months > 0
                         THEN greatest(0, floor(extract(epoch FROM finish - origin) / 86400 / 31 / months)::int)
                         ELSE 0 END AS first) f,
         LATERAL generate_series(first, first + CASE WHEN months > 0 THEN greatest(3, first / 20 + 3) ELSE 3 END) step
  ) slots WHERE slot > finish)`;

const END = (id, succeeded) => {
  const duration = '(r.finish - s.last_start)';
  const success = `CASE WHEN j.fixed_schedule THEN ${NEXT_SLOT} ELSE finish + j.schedule_interval END`;
  const failure = `
    CASE WHEN j.fixed_schedule THEN least(retry, ${NEXT_SLOT}) ELSE retry END`;
  return `
  UPDATE _timescaledb_internal.bgw_job_stat s SET
    last_finish = r.finish, last_run_success = ${succeeded},
    total_crashes = s.total_crashes - 1, consecutive_crashes = 0, flags = s.flags & ~1,
    ${
      succeeded
        ? `total_successes = s.total_successes + 1, consecutive_failures = 0, last_successful_finish = r.finish,
           total_duration = s.total_duration + ${duration},`
        : `total_failures = s.total_failures + 1, consecutive_failures = s.consecutive_failures + 1,
           total_duration_failures = s.total_duration_failures + ${duration},`
    }
    next_start = CASE WHEN s.next_start <> '-infinity' THEN s.next_start ELSE r.next END
  FROM (
    SELECT finish, ${succeeded ? success : failure} AS next
    FROM _timescaledb_config.bgw_job j, _timescaledb_internal.bgw_job_stat t,
         LATERAL (SELECT clock_timestamp() AS finish) now_,
         LATERAL (SELECT finish + least(j.retry_period * least(t.consecutive_failures + 1, 20), j.schedule_interval * 5)
                         * (1 + (16 - floor(random() * 32)) / 128) AS retry) later
    WHERE j.id = ${id} AND t.job_id = ${id}
  ) r
  WHERE s.job_id = ${id}`;
};

const ERROR_FIELDS = {
  C: 'sqlerrcode', M: 'message', D: 'detail', H: 'hint', F: 'filename', L: 'lineno', R: 'funcname',
  W: 'context', s: 'schema_name', t: 'table_name', c: 'column_name', d: 'datatype_name', n: 'constraint_name',
  q: 'internalquery',
};

/** A failure in the shape in which TimescaleDB stores it (ts_errdata_to_jsonb). */
export function errorData(fields) {
  const data = {};
  for (const [letter, name] of Object.entries(ERROR_FIELDS)) {
    if (fields[letter] !== undefined) data[name] = letter === 'L' ? Number(fields[letter]) : fields[letter];
  }
  return data;
}

export class Scheduler {
  #hub;
  #timer = null;
  #stopped = false;
  #atWork = false;
  #hurried = false;
  #quiet = Promise.resolve();
  #crashedUntil = new Map(); // job id -> when it may run again, ms since the epoch
  #options;

  constructor(hub, { tickMs = 1000, crashWaitMs = 5 * 60 * 1000 } = {}) {
    this.#hub = hub;
    this.#options = { tickMs, crashWaitMs };
  }

  start(waitMs = this.#options.tickMs) {
    this.#timer = setTimeout(() => {
      this.#atWork = true;
      this.#hurried = false;
      this.#quiet = this.#tick()
        .catch((error) => this.#hub.log(`scheduler: ${error.message}`))
        .then(() => {
          this.#atWork = false;
          if (!this.#stopped) this.start(this.#hurried ? 0 : undefined);
        });
    }, waitMs);
  }

  /** The calendar was moved: look at once what is due. */
  hurry() {
    this.#hurried = true;
    if (this.#atWork || this.#stopped) return;
    clearTimeout(this.#timer);
    this.start(0);
  }

  /** No job is begun after this; resolves when the running one has ended. */
  async stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#quiet;
  }

  /** Runs what is due, giving clients their turn between two jobs. */
  async #tick() {
    const due = await this.#hub.exclusive(() => this.#due());
    for (const job of due) {
      if (this.#stopped) return;
      await this.#hub.exclusive(() => this.#run(job));
    }
  }

  async #due() {
    const found = await this.#hub.rows(DUE);
    const now = Date.now();
    const jobs = [];
    for (const [id, owner, maxRuntime, , crashes] of found) {
      if (Number(crashes) > 0) {
        if (!this.#crashedUntil.has(id)) {
          this.#crashedUntil.set(id, now + this.#options.crashWaitMs);
          this.#hub.log(`job ${id} crashed ${crashes} time(s), waits before it runs again`);
          await this.#hub.rows(
            `UPDATE _timescaledb_internal.bgw_job_stat SET flags = flags | 1 WHERE job_id = ${id} AND flags & 1 = 0`,
          );
        }
        if (this.#crashedUntil.get(id) > now) continue;
      }
      jobs.push({ id, owner, maxRuntimeMs: Number(maxRuntime) });
    }
    return jobs;
  }

  async #run(job) {
    const hub = this.#hub;
    const { id } = job;
    // It may have been deleted, disabled or put off since it was found.
    const still = await hub.rows(`SELECT 1 FROM (${DUE}) due WHERE id = ${id}`);
    if (still.length === 0) return;
    this.#crashedUntil.delete(id);
    await hub.rows(START(id));
    const [[history] = [null]] = await hub.rows(HISTORY_START(id));
    let failure = null;
    try {
      await this.#call(job);
    } catch (error) {
      if (error instanceof QueryFailed) failure = errorData(error.fields);
      else if (error instanceof EngineLost && !this.#stopped) failure = this.#terminated(id);
      else throw error; // the process is ending: the run stays marked as a crash, as on a server
    }
    await this.#end(id, history, failure);
  }

  /** As its owner, as on a server; ended when it exceeds max_runtime. */
  async #call({ id, owner, maxRuntimeMs }) {
    const hub = this.#hub;
    const timer =
      maxRuntimeMs > 0
        ? setTimeout(() => {
            hub.log(`job ${id} exceeds its max_runtime, ended`);
            hub.engine.kill('timeout');
          }, maxRuntimeMs)
        : null;
    hub.forget();
    try {
      // regrole is already quoted where the name needs it.
      await hub.rows(`SET ROLE ${owner}`);
      await hub.rows(`CALL run_job(${id})`);
    } finally {
      clearTimeout(timer);
    }
  }

  #terminated(id) {
    return { sqlerrcode: 'XX000', message: 'failed to execute job', detail: `Job ${id} failed to execute.` };
  }

  async #end(id, history, failure) {
    const hub = this.#hub;
    await hub.prepare({});
    if (hub.engine.status !== 'I') await hub.rows('ROLLBACK');
    const job = await hub.rows(`SELECT 1 FROM _timescaledb_config.bgw_job WHERE id = ${id}`);
    if (job.length === 0) return; // it deleted itself
    const error =
      failure === null ? `'{}'` : `jsonb_build_object('error_data', ${literal(JSON.stringify(failure))}::jsonb)`;
    const pid = process.pid;
    await hub.rows('BEGIN');
    await hub.rows(END(id, failure === null));
    if (history !== null) {
      await hub.rows(`
        UPDATE _timescaledb_internal.bgw_job_stat_history h
        SET execution_finish = s.last_finish, succeeded = ${failure === null}, pid = ${pid},
            data = jsonb_build_object('job', ${JOB}) || ${error}
        FROM _timescaledb_config.bgw_job j JOIN _timescaledb_internal.bgw_job_stat s ON s.job_id = j.id
        WHERE h.id = ${history} AND j.id = ${id}`);
    } else if (failure !== null) {
      await hub.rows(`
        INSERT INTO _timescaledb_internal.bgw_job_stat_history
          (job_id, pid, execution_start, execution_finish, succeeded, data)
        SELECT j.id, ${pid}, s.last_start, s.last_finish, false, jsonb_build_object('job', ${JOB}) || ${error}
        FROM _timescaledb_config.bgw_job j JOIN _timescaledb_internal.bgw_job_stat s ON s.job_id = j.id
        WHERE j.id = ${id}`);
    }
    if (failure !== null) {
      hub.log(`job ${id} failed: ${failure.message}`);
      await hub.rows(`
        UPDATE _timescaledb_config.bgw_job j SET scheduled = false
        FROM _timescaledb_internal.bgw_job_stat s
        WHERE s.job_id = j.id AND j.id = ${id} AND j.max_retries >= 0 AND s.consecutive_failures >= j.max_retries`);
    }
    await hub.rows('COMMIT');
  }
}
