// The sandbox's process: `node main.mjs --data FOLDER --state FILE [--port N] [--no-scheduler]
// [--idle-in-transaction-ms N] [--recycle-above-mib N] [--crash-wait-ms N]`. The password comes on standard input,
// so that it is in no argument list and no environment. Standard output is the log. process.py starts and stops it.

import fs from 'node:fs';
import net from 'node:net';
import { parseArgs } from 'node:util';

import { Engine } from './engine.mjs';
import { Hub } from './hub.mjs';
import * as wire from './protocol.mjs';
import { Scheduler } from './scheduler.mjs';
import { Session } from './session.mjs';

const HOST = '127.0.0.1';
const MAX_CLIENTS = 200;
const STOP_PATIENCE_MS = 5000;

const { values: flags } = parseArgs({
  options: {
    data: { type: 'string' },
    state: { type: 'string' },
    port: { type: 'string', default: '0' },
    'no-scheduler': { type: 'boolean', default: false },
    'idle-in-transaction-ms': { type: 'string', default: '60000' },
    'recycle-above-mib': { type: 'string', default: '1024' },
    'crash-wait-ms': { type: 'string', default: '300000' },
  },
});

const log = (text) => process.stdout.write(`${new Date().toISOString()} ${text}\n`);

/** Written whole beside its place and moved there, so that a reader never sees half of it. */
function writeState(state) {
  const draft = `${flags.state}.${process.pid}`;
  fs.writeFileSync(draft, `${JSON.stringify(state)}\n`, { mode: 0o600 });
  fs.renameSync(draft, flags.state);
}

async function listen(server, port) {
  const attempt = (number) =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(number, HOST, () => {
        server.off('error', reject);
        resolve(server.address().port);
      });
    });
  try {
    return await attempt(port);
  } catch (error) {
    if (port === 0 || !['EADDRINUSE', 'EACCES'].includes(error.code)) throw error;
    log(`port ${port} is taken, using another`);
    return attempt(0);
  }
}

async function main() {
  const secret = fs.readFileSync(0, 'utf8').trim();
  const engine = new Engine({ dataFolder: flags.data }, log);
  const options = {
    secret,
    idleLimitMs: Number(flags['idle-in-transaction-ms']),
    recycleBytes: Number(flags['recycle-above-mib']) * 2 ** 20,
  };
  const hub = new Hub(engine, options, log);
  let nextPid = 1;
  const server = net.createServer((socket) => {
    if (hub.sessions.size >= MAX_CLIENTS) {
      socket.on('error', () => socket.destroy());
      socket.end(wire.errorResponse({ severity: 'FATAL', code: '53300', message: 'sorry, too many clients already' }));
      return;
    }
    const pid = nextPid++;
    hub.sessions.set(pid, new Session(socket, hub, pid));
  });
  engine.onDead = (error) => {
    log(`the engine cannot be started again: ${error.message}`);
    process.exit(1);
  };

  await engine.start();
  const port = await listen(server, Number(flags.port));
  server.on('error', (error) => log(`listener: ${error.message}`));
  const scheduler = flags['no-scheduler']
    ? null
    : new Scheduler(hub, { crashWaitMs: Number(flags['crash-wait-ms']) });
  scheduler?.start();
  hub.onClock = () => scheduler?.hurry();
  hub.watch();
  const state = { pid: process.pid, port, secret, started_at: new Date().toISOString() };
  writeState({ ...state, state: 'ready' });
  log(`listening on ${HOST}:${port}${scheduler ? '' : ', without scheduler'}`);

  let stopping = false;
  const stop = async (signal) => {
    if (stopping) return;
    stopping = true;
    hub.stopping = true;
    log(`stopping (${signal})`);
    writeState({ ...state, state: 'stopping' });
    server.close();
    hub.unwatch();
    const patience = setTimeout(() => engine.kill('stop', 'it did not finish in time'), STOP_PATIENCE_MS);
    const owner = { isClient: false };
    const schedulerDone = scheduler?.stop();
    for (const session of hub.sessions.values()) session.shutDown();
    await schedulerDone;
    await hub.lock.acquire(owner);
    clearTimeout(patience);
    await engine.stop();
    log('stopped');
    process.exit(0);
  };
  const onSignal = (signal) =>
    stop(signal).catch((error) => {
      log(`stopping failed: ${error.stack}`);
      process.exit(1);
    });
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

process.on('uncaughtException', (error) => {
  log(`fatal: ${error.stack}`);
  process.exit(1);
});

main().catch((error) => {
  log(`fatal: ${error.stack}`);
  process.exit(1);
});
