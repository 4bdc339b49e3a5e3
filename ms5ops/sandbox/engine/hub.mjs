// What the clients share: the one engine, the lock that gives it to one of them at a time, and the
// knowledge of whose settings and prepared statements are in the engine's single session.

import { EngineLost } from './engine.mjs';
import * as wire from './protocol.mjs';
import { literal } from './sqltext.mjs';

const WATCH_MS = 250;
const CHECKPOINT_WAL_BYTES = 32 * 1024 * 1024;
const CHECKPOINT_EVERY_MS = 30_000;

// What every session starts with. The package starts PostgreSQL with switches of its own (enable_seqscan = off,
// search_path = pg_catalog, ...) and does not read postgresql.conf, so a server's defaults are put back here.
export const BASE = {
  TimeZone: 'UTC',
  search_path: '"$user", public',
  enable_seqscan: 'on',
  allow_system_table_mods: 'off',
  exit_on_error: 'off',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
};

/** First come, first served. An owner may leave the queue; `acquire` then resolves to its reason. */
export class Lock {
  holder = null;
  #queue = [];

  acquire(owner) {
    if (this.holder === null) {
      this.holder = owner;
      return Promise.resolve('held');
    }
    return new Promise((resolve) => this.#queue.push({ owner, resolve }));
  }

  abandon(owner, reason) {
    const index = this.#queue.findIndex((waiting) => waiting.owner === owner);
    if (index < 0) return false;
    this.#queue.splice(index, 1)[0].resolve(reason);
    return true;
  }

  release(owner) {
    if (this.holder !== owner) throw new Error('the lock was released by someone who does not hold it');
    const next = this.#queue.shift();
    this.holder = next ? next.owner : null;
    next?.resolve('held');
  }

  get clientsWaiting() {
    return this.#queue.filter(({ owner }) => owner.isClient).length;
  }
}

const SETTINGS = `
  SELECT name, setting FROM pg_settings
  WHERE source = 'session'
    AND name NOT IN ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable')
  UNION ALL SELECT 'role', current_setting('role') WHERE current_setting('role') <> 'none'
  UNION ALL SELECT 'session_authorization', session_user WHERE session_user <> 'postgres'`;

// ALTER DATABASE ... SET reaches new connections on a server; here a connection is no new backend.
const DATABASE_SETTINGS = `
  SELECT unnest(setconfig) FROM pg_db_role_setting
  WHERE setrole = 0 AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  ORDER BY setdatabase`;

export class Hub {
  lock = new Lock();
  sessions = new Map();
  /** Names of prepared statements that exist in the engine now. */
  live = new Set();
  /** The pid of the session whose unnamed statement the engine holds. */
  unnamedOwner = null;
  /** Prepared statements of clients that are gone. */
  garbage = [];
  stopping = false;
  /** Called when the calendar was moved: jobs may be due. */
  onClock = () => {};

  #clockOwner = null;
  #generation = 0;
  #applied = null;
  #timer = null;
  #lastCheckpoint = Date.now();

  constructor(engine, options, log) {
    this.engine = engine;
    this.options = options;
    this.log = log;
  }

  /** Whether what the holder of the lock left in the engine's session is still there. */
  get intact() {
    return this.#generation === this.engine.generation;
  }

  /** Give the engine's session the wanted settings (an object), for a new holder of the lock. */
  async prepare(own) {
    const wanted = { ...BASE, ...own };
    await this.engine.started();
    if (!this.intact) {
      this.#generation = this.engine.generation;
      this.#applied = null;
      this.live.clear();
      this.unnamedOwner = null;
      this.garbage = [];
    }
    if (this.garbage.length > 0) {
      const names = this.garbage.splice(0);
      await this.rows(names.map((name) => `DEALLOCATE "${name}"`).join('; '));
    }
    if (this.#applied === key(wanted)) return;
    this.#applied = null;
    const pairs = Object.entries(wanted).sort(([a], [b]) => rank(a) - rank(b));
    const calls = pairs.map(([name, value]) => `set_config(${literal(name)}, ${literal(value)}, false)`);
    await this.rows(
      'RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL' + (calls.length ? `; SELECT ${calls.join(', ')}` : ''),
    );
    this.#applied = key(wanted);
  }

  /** The settings that differ from the engine's start, and are now known to be those applied. */
  async settings() {
    const found = Object.fromEntries(await this.rows(SETTINGS));
    this.#applied = this.engine.status === 'I' ? key(found) : null;
    return found;
  }

  /** What the session's settings and its unnamed statement are is no longer known. */
  forget() {
    this.#applied = null;
    this.unnamedOwner = null;
  }

  async databaseSettings() {
    const lines = (await this.rows(DATABASE_SETTINGS)).map(([line]) => line);
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  }

  rows(sql) {
    this.unnamedOwner = null; // every simple query drops the unnamed statement
    return this.engine.rows(sql);
  }

  /** Run `work(hub)` with the lock held and plain settings, as a client of our own. */
  async exclusive(work) {
    const owner = { isClient: false };
    await this.lock.acquire(owner);
    try {
      await this.prepare({});
      return await work(this);
    } finally {
      try {
        if (this.engine.status !== 'I') await this.rows('ROLLBACK');
      } catch (error) {
        if (!(error instanceof EngineLost)) this.log(`rolling back: ${error.message}`);
      }
      this.lock.release(owner);
    }
  }

  /**
   * Move the engine's calendar so that it is `instantMs` now (null: back to the machine's) and goes on from there. It
   * belongs to the session that has moved it, and returns to the machine's when that session ends, however it does.
   */
  setClock(session, instantMs) {
    this.#clockOwner = instantMs === null ? null : session;
    this.engine.aheadMs = instantMs === null ? 0 : instantMs - Date.now();
    this.onClock();
  }

  /** A session is gone. */
  leaveClock(session) {
    if (this.#clockOwner === session) this.setClock(session, null);
  }

  cancel(pid, secret) {
    const session = this.sessions.get(pid);
    if (session && session.secret === secret) session.cancel('cancel');
  }

  /** Look after clients that keep the lock without using it, and after the write-ahead log. */
  watch() {
    this.#timer = setInterval(() => {
      const holder = this.lock.holder;
      if (holder?.isClient) holder.checkPatience(this.lock.clientsWaiting > 0, this.options.idleLimitMs);
      if (holder === null && this.engine.memoryBytes > this.options.recycleBytes && !this.stopping) {
        this.engine.memoryBytes = 0;
        this.exclusive(() => this.engine.recycle()).catch((error) => this.log(`recycling failed: ${error.message}`));
      }
      const due = Date.now() - this.#lastCheckpoint > CHECKPOINT_EVERY_MS;
      if (holder === null && due && !this.stopping) {
        this.#lastCheckpoint = Date.now();
        this.#checkpoint().catch((error) => this.log(`checkpoint failed: ${error.message}`));
      }
    }, WATCH_MS);
  }

  unwatch() {
    clearInterval(this.#timer);
  }

  /** The engine has no checkpointer; without this the log would grow, and a restart take long. */
  async #checkpoint() {
    await this.exclusive(async () => {
      const [[bytes]] = await this.rows(
        'SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::bigint FROM pg_control_checkpoint()',
      );
      if (Number(bytes) > CHECKPOINT_WAL_BYTES) await this.rows('CHECKPOINT');
    });
  }
}

const key = (settings) => JSON.stringify(Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)));
// A role may lack the right to set the rest, so it comes last.
const rank = (name) => ['session_authorization', 'role'].indexOf(name);

/** The settings in a startup packet: its own parameters, and `options` (-c a=b, --a=b). */
export function startupSettings(parameters) {
  const settings = {};
  const words = (parameters.options ?? '').match(/(?:\\.|\S)+/g) ?? [];
  const texts = words.map((word) => word.replace(/\\(.)/g, '$1'));
  for (let index = 0; index < texts.length; index += 1) {
    let text = texts[index];
    if (text === '-c') text = texts[(index += 1)] ?? '';
    else if (text.startsWith('--')) text = text.slice(2);
    else if (text.startsWith('-c')) text = text.slice(2);
    else throw new wire.ProtocolError(`invalid command-line argument for server process: ${text}`, '42601');
    const equals = text.indexOf('=');
    if (equals < 1) throw new wire.ProtocolError(`-c ${text} requires a value`, '42601');
    settings[text.slice(0, equals).replaceAll('-', '_')] = text.slice(equals + 1);
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (!['user', 'database', 'options', 'replication'].includes(name) && !name.startsWith('_pq_.')) {
      settings[name] = value;
    }
  }
  return settings;
}

const MILLISECONDS = { us: 0.001, ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };
const LONGEST_MS = 2 ** 31 - 1;

/** A setting of time in milliseconds ("300", "7s", "0.5 min", "1e3"), or 0 where the engine will refuse it. */
export function milliseconds(text = '0') {
  const parts = /^\s*\+?(0x[\da-f]+|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(us|ms|s|min|h|d)?\s*$/i.exec(text);
  const found = parts === null ? 0 : Math.round(Number(parts[1]) * (MILLISECONDS[parts[2] ?? 'ms'] ?? 0));
  return found > LONGEST_MS ? 0 : found;
}
