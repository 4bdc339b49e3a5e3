// One client. It holds the hub's lock from the first whole request (a query, or an extended-protocol
// sequence up to Sync or Flush) until the engine is out of the transaction.
//
// What is kept apart between clients: session settings (saved and restored when the lock changes hands),
// prepared statements of the protocol (renamed; prepared again when the engine has lost them), and
// transactions. What is NOT kept apart, because there is one backend: temporary tables, session advisory
// locks, statements made by the SQL command PREPARE, LISTEN, cursors WITH HOLD, customised options
// ("myapp.user"), and settings changed inside a function without the word set_config in the client's text.
// Portals need no renaming: they end with the transaction, and so with the lock.
//
// `SET ms5ops.clock = '2026-05-01T00:00:00Z'`, alone and in a simple query, moves the calendar of the whole engine until
// the session ends or says RESET ms5ops.clock: so months of a factory's life are replayed in minutes.

import { randomInt, timingSafeEqual } from 'node:crypto';

import { EngineLost, QueryFailed } from './engine.mjs';
import { BASE, milliseconds, startupSettings } from './hub.mjs';
import * as wire from './protocol.mjs';
import { Statements } from './statements.mjs';

const STARTUP_LIMIT_MS = 30_000;
const STALL_LIMIT_MS = 60_000;
const MAX_BATCH_BYTES = 8 * 1024 * 1024;
const MAX_INBOX_BYTES = 64 * 1024 * 1024;

const REPORTED = [
  'application_name', 'client_encoding', 'DateStyle', 'default_transaction_read_only', 'IntervalStyle',
  'standard_conforming_strings', 'TimeZone',
];

const LOST = {
  cancel: { code: '57014', message: 'canceling statement due to user request' },
  timeout: { code: '57014', message: 'canceling statement due to statement timeout' },
  crash: {
    code: 'XX000',
    message: 'the embedded engine crashed while running this statement and was started again',
    detail: 'Committed data is safe; the current transaction was rolled back.',
    hint: 'The statement may need more memory or stack than the sandbox has.',
  },
  stop: { severity: 'FATAL', code: '57P01', message: 'terminating connection: the sandbox is stopping' },
};

export class Session {
  isClient = true;
  running = false;

  #hub;
  #socket;
  #reader = new wire.MessageReader();
  #inbox = [];
  #inboxBytes = 0;
  #pumping = false;
  #closed = false;
  #startupTimer;
  #status = 'I';
  #unsynced = false; // an extended-protocol sequence has begun whose Sync has not come
  #skipping = false; // after an error of our own: everything up to Sync is to be ignored
  #startup = null; // settings of the startup packet, until the first use of the engine
  #base = {};
  #settings = {};
  #dirty = false;
  #resets = false;
  #reported = {};
  #timeoutMs = 0;
  #statements;
  #idleSince = null;
  #unsent = 0;
  #lastWish = false; // to be ended after the running statement
  #lastProgress = 0;

  constructor(socket, hub, pid) {
    this.pid = pid;
    this.secret = randomInt(-(2 ** 31), 2 ** 31);
    this.#hub = hub;
    this.#statements = new Statements(hub, pid);
    this.#socket = socket;
    socket.setNoDelay(true);
    this.#startupTimer = setTimeout(() => socket.destroy(), STARTUP_LIMIT_MS);
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('error', () => socket.destroy()); // a reset connection is an ordinary goodbye
    socket.on('close', () => this.#onClose());
  }

  // ---- what comes in

  #onData(chunk) {
    if (this.#closed) return;
    this.#reader.push(chunk);
    try {
      for (let next; !this.#closed && (next = this.#reader.next()); ) this.#onMessage(next);
    } catch (error) {
      this.#onBadMessage(error);
    }
    if (this.#inboxBytes > MAX_INBOX_BYTES) this.#socket.pause();
    this.#pump();
  }

  #onBadMessage(error) {
    if (!(error instanceof wire.ProtocolError)) throw error;
    this.fatal({ code: error.code, message: error.message });
  }

  #onMessage(received) {
    if (this.#reader.phase === 'startup') this.#onStartup(received.body);
    else if (this.#reader.phase === 'password') this.#onPassword(received.body);
    else {
      this.#inbox.push(received);
      this.#inboxBytes += received.raw.length;
    }
  }

  #onStartup(body) {
    const version = body.readInt32BE(0);
    if (version === wire.SSL_REQUEST || version === wire.GSS_REQUEST) {
      this.#socket.write('N');
      return;
    }
    if (version === wire.CANCEL_REQUEST) {
      if (body.length >= 12) this.#hub.cancel(body.readInt32BE(4), body.readInt32BE(8));
      this.#socket.end();
      return;
    }
    if (version >>> 16 !== 3) {
      throw new wire.ProtocolError(
        `unsupported frontend protocol ${version >>> 16}.${version & 0xffff}: server supports 3.0 to 3.0`,
        '0A000',
      );
    }
    const parameters = wire.startupParameters(body);
    const extensions = Object.keys(parameters).filter((name) => name.startsWith('_pq_.'));
    if (version !== wire.PROTOCOL_3 || extensions.length > 0) this.#send(wire.negotiateVersion(extensions));
    if (parameters.replication && !/^(?:false|off|no|0|f|n)$/i.test(parameters.replication)) {
      throw new wire.ProtocolError('replication connections are not supported by the sandbox', '0A000');
    }
    if (!parameters.user) throw new wire.ProtocolError('no PostgreSQL user name specified in startup packet', '28000');
    this.#startup = startupSettings(parameters);
    this.user = parameters.user;
    this.#reader.phase = 'password';
    this.#send(wire.authenticationCleartext());
  }

  #onPassword(body) {
    const given = Buffer.from(wire.readCstring(body).text, 'latin1');
    const wanted = Buffer.from(this.#hub.options.secret);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      const user = this.user.replaceAll('"', '');
      throw new wire.ProtocolError(`password authentication failed for user "${user}"`, '28P01');
    }
    if (this.#hub.stopping) throw new wire.ProtocolError('the sandbox is stopping', '57P03');
    clearTimeout(this.#startupTimer);
    this.#reader.phase = 'query';
    this.#inbox.push({ type: 'welcome', raw: Buffer.alloc(0) });
  }

  // ---- one request after the other

  async #pump() {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let batch; !this.#closed && (batch = this.#nextBatch()); ) {
        if (batch[0].type === 'welcome') await this.#welcome();
        else await this.#runBatch(batch);
        if (this.#inboxBytes <= MAX_INBOX_BYTES && this.#socket.isPaused()) this.#socket.resume();
      }
    } catch (error) {
      if (error instanceof wire.ProtocolError) this.#onBadMessage(error);
      else {
        this.#hub.log(`client ${this.pid}: ${error.stack}`);
        this.fatal({ code: 'XX000', message: 'internal error of the sandbox, see its log' });
      }
    } finally {
      if (this.#closed) await this.#leave();
      this.#pumping = false;
    }
  }

  /** The messages up to one that asks for an answer, or null while there is none. */
  #nextBatch() {
    let bytes = 0;
    for (let index = 0; index < this.#inbox.length; index += 1) {
      const { type, raw } = this.#inbox[index];
      bytes += raw.length;
      if ('PBDEC'.includes(type) && bytes < MAX_BATCH_BYTES) continue;
      const batch = this.#inbox.splice(0, index + 1);
      this.#inboxBytes -= bytes;
      if (type === 'X') {
        this.#socket.end();
        this.#closed = true;
        return null;
      }
      return batch;
    }
    return null;
  }

  /** Answers the password. Settings are tried at once if the engine is free, or else before the first query. */
  async #welcome() {
    const hub = this.#hub;
    if (hub.lock.holder === null && (await hub.lock.acquire(this)) === 'held') {
      const ready = await this.#guarded(() => this.#begin());
      hub.lock.release(this);
      if (!ready) return;
    } else {
      this.#timeoutMs = milliseconds(this.#startup.statement_timeout); // its first wait for the lock has this limit too
      this.#send(wire.authenticationOk());
      this.#report({ ...hub.engine.defaults, ...BASE, ...this.#startup });
    }
    const { server_version: version, server_encoding: encoding, integer_datetimes: integers } = hub.engine.defaults;
    this.#send(
      wire.parameterStatus('server_version', version),
      wire.parameterStatus('server_encoding', encoding),
      wire.parameterStatus('integer_datetimes', integers),
      wire.parameterStatus('is_superuser', 'on'),
      wire.parameterStatus('session_authorization', 'postgres'),
      wire.backendKeyData(this.pid, this.secret),
      wire.readyForQuery('I'),
    );
  }

  /** Puts this client's settings into the engine; the first time, from its startup packet. */
  async #begin() {
    const hub = this.#hub;
    if (this.#startup === null) {
      await hub.prepare(this.#settings);
      return;
    }
    await hub.prepare({});
    this.#base = { ...BASE, ...(await hub.databaseSettings()), ...this.#startup };
    await hub.prepare(this.#base);
    this.#settings = await hub.settings();
    this.#startup = null;
    if (Object.keys(this.#reported).length === 0) this.#send(wire.authenticationOk());
    this.#adopt(this.#settings);
  }

  /** Takes note of settings that the front itself must follow. */
  #adopt(settings) {
    this.#timeoutMs = Number(settings.statement_timeout ?? 0);
    this.#report({ ...this.#hub.engine.defaults, ...settings });
  }

  #report(settings) {
    const byName = Object.fromEntries(Object.entries(settings).map(([name, value]) => [name.toLowerCase(), value]));
    for (const name of REPORTED) {
      const value = byName[name.toLowerCase()] ?? '';
      if (this.#reported[name] === value) continue;
      this.#reported[name] = value;
      this.#send(wire.parameterStatus(name, value));
    }
  }

  /** Runs work that needs the lock; a failure is told to the client, who is then disconnected. */
  async #guarded(work) {
    try {
      await work();
      return true;
    } catch (error) {
      if (error instanceof QueryFailed) this.fatal({ code: error.fields.C, message: error.fields.M });
      else if (error instanceof EngineLost) this.fatal({ ...LOST[error.reason], severity: 'FATAL' });
      else throw error;
      return false;
    }
  }

  async #runBatch(batch) {
    const last = batch.at(-1).type;
    if ('dcfp'.includes(last)) return; // copy data that nobody asked for is ignored, as a server does
    if (this.#skipping) {
      if (last === 'S') {
        this.#skipping = false;
        this.#send(wire.readyForQuery(this.#status));
        this.#settle();
      }
      return;
    }
    const hub = this.#hub;
    this.#idleSince = null;
    if (hub.lock.holder !== this) {
      if (!(await this.#queue(last))) return;
      let refused = null;
      const begun = await this.#guarded(() =>
        this.#begin().catch((error) => {
          // Drivers show the last thing they are told, which after FATAL is that the connection has ended.
          if (this.#startup === null || !(error instanceof QueryFailed)) throw error;
          refused = { code: error.fields.C, message: error.fields.M };
        }),
      );
      if (!begun || refused) {
        hub.lock.release(this);
        if (refused) this.#refuse(refused, last);
        return;
      }
    } else if (!hub.intact) {
      this.fatal({ ...LOST.crash, code: '57P02' });
      return;
    }
    await this.#execute(batch, last);
    this.#settle();
  }

  /** Waits for the lock, no longer than the client's statement_timeout. */
  async #queue(last) {
    const hub = this.#hub;
    let timer = null;
    const arm = () => {
      // The engine's own restart is not the client's fault and soon over.
      timer = setTimeout(() => (hub.engine.up ? hub.lock.abandon(this, 'timeout') : arm()), this.#timeoutMs);
    };
    if (this.#timeoutMs > 0) arm();
    const outcome = await hub.lock.acquire(this);
    clearTimeout(timer);
    if (outcome === 'held') {
      if (!this.#closed) return true;
      hub.lock.release(this);
      return false;
    }
    if (this.#closed) return false;
    this.#refuse({ ...LOST[outcome], detail: 'The sandbox runs one transaction at a time; others were before.' }, last);
    return false;
  }

  /** An error of the front's own in place of an answer. */
  #refuse(fields, last) {
    this.#send(wire.errorResponse(fields));
    if (fields.severity === 'FATAL') this.#close();
    else if ('QSF'.includes(last)) this.#send(wire.readyForQuery(this.#status));
    else this.#skipping = true;
  }

  async #execute(batch, last) {
    const hub = this.#hub;
    const steps = this.#statements.plan(batch);
    const before = this.#status;
    let out = [];
    let ready = null;
    let fatal = false;
    const onMessage = (index, type, raw) => {
      const step = steps[index];
      if (type === '1') step.parsed?.();
      if (type === 'Z') {
        ready = String.fromCharCode(raw[5]);
        return;
      }
      if (type === 'E') fatal ||= wire.errorFields(raw).V === 'FATAL';
      else if (step.hidden || (type === 'N' && /^# \d+: /.test(wire.errorFields(raw).M))) return; // build's own noise
      out.push(raw);
    };
    const onChunkEnd = (taken) => {
      const bytes = out;
      out = [];
      this.#sendCounted(bytes, taken);
    };
    const timer = this.#timeoutMs > 0 ? setTimeout(() => this.cancel('timeout'), this.#timeoutMs) : null;
    this.running = true;
    this.#lastProgress = Date.now();
    this.#unsynced = !'QSF'.includes(last);
    try {
      await hub.engine.run(steps.map((step) => step.raw), onMessage, onChunkEnd);
      clearTimeout(timer);
      this.running = false;
      if (fatal || (ready === null && !this.#unsynced)) {
        hub.engine.kill('crash', 'the engine gave up its session');
        throw new EngineLost('crash');
      }
      if (ready !== null) await this.#finish(ready, steps);
    } catch (error) {
      clearTimeout(timer);
      this.running = false;
      if (!(error instanceof EngineLost)) throw error;
      await this.#onLost(error, before, last, fatal);
    }
  }

  /** After ReadyForQuery: take over changed settings, then pass it on. */
  async #finish(ready, steps) {
    const hub = this.#hub;
    const touched = steps.filter((step) => step.effects);
    this.#status = ready;
    const clock = steps.at(-1).clock;
    if (clock !== undefined && ready !== 'E') hub.setClock(this, clock);
    if (touched.some((step) => step.effects.drops)) this.#statements.onDropped();
    const changed = touched.some((step) => step.effects.settings);
    this.#dirty ||= changed;
    this.#resets ||= touched.some((step) => step.effects.resets);
    if (this.#dirty && (ready === 'I' || (ready === 'T' && changed))) {
      let settings = await hub.settings();
      if (ready === 'I') {
        if (this.#resets) settings = await this.#restoreBase(settings);
        this.#settings = settings;
        this.#dirty = this.#resets = false;
      }
      this.#adopt(settings);
    }
    this.#send(wire.readyForQuery(ready));
  }

  /** RESET returns to the values of the connection's start, not of the engine's. */
  async #restoreBase(settings) {
    const missing = Object.entries(this.#base).filter(
      ([name]) => !Object.keys(settings).some((other) => other.toLowerCase() === name.toLowerCase()),
    );
    if (missing.length === 0) return settings;
    await this.#hub.prepare({ ...settings, ...Object.fromEntries(missing) });
    return this.#hub.settings();
  }

  async #onLost(error, before, last, fatal) {
    const fields = LOST[error.reason];
    if (fatal || this.#closed) {
      this.#status = 'I';
      this.#close();
      return;
    }
    this.#status = 'I';
    this.#unsynced = false;
    if (before !== 'I' && fields.severity !== 'FATAL') {
      // The block that the client believes to be in must fail as a whole, not silently end.
      const entered = await this.#guarded(async () => {
        await this.#begin();
        await this.#hub.rows('BEGIN');
        this.#status = 'E';
        await this.#hub.rows(`DO $$ BEGIN RAISE EXCEPTION 'lost'; END $$`).catch(() => {});
      });
      if (!entered) return;
    }
    this.#refuse(fields, last);
  }

  /** Releases the lock when the transaction is over, or starts the clock of idleness. */
  #settle() {
    const hub = this.#hub;
    if (hub.lock.holder !== this || this.#closed) return;
    if (this.#lastWish) {
      this.fatal({ code: '57P01', message: 'terminating connection: the sandbox is stopping' });
      return;
    }
    if (this.#status === 'I' && !this.#unsynced) hub.lock.release(this);
    else this.#idleSince = Date.now();
  }

  // ---- what goes out

  #send(...messages) {
    if (!this.#socket.destroyed && this.#socket.writable) this.#socket.write(Buffer.concat(messages));
  }

  #sendCounted(messages, taken) {
    if (messages.length === 0 || this.#socket.destroyed || !this.#socket.writable) {
      taken();
      return;
    }
    this.#unsent += 1;
    this.#socket.write(Buffer.concat(messages), () => {
      this.#unsent -= 1;
      this.#lastProgress = Date.now();
      taken();
    });
  }

  /** Tell the client why, and disconnect. */
  fatal(fields) {
    this.#send(wire.errorResponse({ severity: 'FATAL', ...fields }));
    this.#close();
  }

  #close() {
    this.#closed = true;
    this.#socket.end();
    // A client that does not read its last message must not keep the socket for ever.
    setTimeout(() => this.#socket.destroy(), 2000).unref();
  }

  // ---- ends

  /** A cancel request or an exceeded statement_timeout, for whatever this client is doing now. */
  cancel(reason) {
    if (this.running) {
      this.running = false;
      this.#hub.engine.kill(reason);
    } else this.#hub.lock.abandon(this, reason);
  }

  /** The process is stopping: what runs may finish, everything else ends now. */
  shutDown() {
    this.#hub.lock.abandon(this, 'stop');
    if (this.running) {
      this.#inbox = [];
      this.#lastWish = true;
    } else {
      this.fatal({ code: '57P01', message: 'terminating connection: the sandbox is stopping' });
      this.#pump();
    }
  }

  /** Ends a client that has the lock and does nothing with it while others wait. */
  checkPatience(othersWait, limitMs) {
    const now = Date.now();
    if (!othersWait) return;
    if (this.#idleSince !== null && now - this.#idleSince > limitMs) {
      this.#idleSince = null;
      this.#hub.log(`client ${this.pid} was idle in its transaction for over ${limitMs} ms, ended`);
      this.fatal({ code: '25P03', message: 'terminating connection due to idle-in-transaction timeout' });
      this.#pump(); // leaves, unless it is at work already
    } else if (this.running && this.#unsent > 0 && now - this.#lastProgress > STALL_LIMIT_MS) {
      this.#hub.log(`client ${this.pid} did not take its result for over ${STALL_LIMIT_MS} ms, ended`);
      this.#closed = true;
      this.#socket.destroy();
      this.#hub.engine.kill('cancel', 'the client did not take its result');
    }
  }

  #onClose() {
    clearTimeout(this.#startupTimer);
    this.#closed = true;
    this.#hub.sessions.delete(this.pid);
    this.#hub.leaveClock(this);
    this.#hub.lock.abandon(this, 'closed');
    this.#pump(); // leaves, unless it is at work already
  }

  /** Roll back what is open, give up the lock and the statements. Runs once the client is gone. */
  async #leave() {
    const hub = this.#hub;
    this.#statements.abandon();
    if (hub.lock.holder !== this) return;
    try {
      if (hub.intact && (this.#status !== 'I' || this.#unsynced)) {
        hub.forget();
        await hub.engine.run([wire.sync(), wire.query('ROLLBACK')], () => {});
      }
    } catch (error) {
      if (!(error instanceof EngineLost)) hub.log(`client ${this.pid}, rolling back: ${error.stack}`);
    } finally {
      // Its settings are in the engine still; the next holder's differ and replace them.
      hub.lock.release(this);
    }
  }
}
