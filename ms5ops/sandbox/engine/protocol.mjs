// The PostgreSQL wire protocol, version 3: cutting a byte stream into messages, and building the
// messages that the front answers by itself. Nothing here knows what the messages mean to a session.

export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const MAX_STARTUP_BYTES = 10_000; // PostgreSQL's own limit (MAX_STARTUP_PACKET_LENGTH)
const MAX_PASSWORD_BYTES = 16_384;

export const PROTOCOL_3 = 196608;
export const CANCEL_REQUEST = 80877102;
export const SSL_REQUEST = 80877103;
export const GSS_REQUEST = 80877104;

/** What a client did wrong on the wire; `code` is the SQLSTATE it is told before it is disconnected. */
export class ProtocolError extends Error {
  constructor(message, code = '08P01') {
    super(message);
    this.code = code;
  }
}

/**
 * Cuts what a client sends into whole messages.
 *
 * Starts with untyped startup packets; `phase` is moved on by the session ('startup' -> 'password' ->
 * 'query'), because only it knows when the startup is over, and each phase has its own length limit: a
 * stranger who has not given the password cannot make the process buffer megabytes.
 */
export class MessageReader {
  phase = 'startup';
  #chunks = [];
  #size = 0;

  push(chunk) {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  /** The next whole message as {type, raw, body}, or null. `type` is '' for a startup packet. */
  next() {
    const typed = this.phase !== 'startup';
    const head = typed ? 5 : 4;
    if (this.#size < head) return null;
    const header = this.#peek(head);
    const length = header.readInt32BE(head - 4);
    const type = typed ? String.fromCharCode(header[0]) : '';
    this.#check(type, length);
    const total = length + (typed ? 1 : 0);
    if (this.#size < total) return null;
    const raw = this.#take(total);
    return { type, raw, body: raw.subarray(head) };
  }

  #check(type, length) {
    if (this.phase === 'startup') {
      if (length < 8 || length > MAX_STARTUP_BYTES) throw new ProtocolError('invalid length of startup packet');
      return;
    }
    if (length < 4) throw new ProtocolError('invalid message length');
    if (this.phase === 'password') {
      if (type !== 'p') throw new ProtocolError('expected a password message', '08P01');
      if (length > MAX_PASSWORD_BYTES) throw new ProtocolError('invalid length of password message');
    }
    if (!'QPBDECSHFXdcfp'.includes(type)) {
      throw new ProtocolError(`invalid frontend message type ${type.charCodeAt(0)}`);
    }
    if (length > MAX_MESSAGE_BYTES) {
      throw new ProtocolError(
        `message of ${length} bytes is larger than the sandbox accepts (${MAX_MESSAGE_BYTES} bytes)`,
        '54000',
      );
    }
  }

  #peek(count) {
    if (this.#chunks[0].length < count) this.#merge();
    return this.#chunks[0].subarray(0, count);
  }

  #take(count) {
    if (this.#chunks[0].length < count) this.#merge();
    const first = this.#chunks[0];
    this.#size -= count;
    if (first.length === count) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(count);
    return first.subarray(0, count);
  }

  #merge() {
    this.#chunks = [Buffer.concat(this.#chunks)];
  }
}

/** Cuts what the engine sends into whole messages, calling `onMessage(type, raw)` for each. */
export class BackendSplitter {
  #rest = null;

  push(chunk, onMessage) {
    let data = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#rest = null;
    let offset = 0;
    while (data.length - offset >= 5) {
      const end = offset + 1 + data.readInt32BE(offset + 1);
      if (end > data.length) break;
      onMessage(String.fromCharCode(data[offset]), data.subarray(offset, end));
      offset = end;
    }
    if (offset < data.length) this.#rest = data.subarray(offset);
  }
}

export function message(type, ...parts) {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

export const cstring = (text) => Buffer.from(`${text}\0`, 'utf8');

export function int32(value) {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

/** The bytes up to the next zero byte from `offset`, as latin1 (which keeps every byte), and what follows. */
export function readCstring(body, offset = 0) {
  const end = body.indexOf(0, offset);
  if (end < 0) throw new ProtocolError('invalid string in message');
  return { text: body.toString('latin1', offset, end), next: end + 1 };
}

export const query = (sql) => message('Q', cstring(sql));
export const sync = () => message('S');
export const authenticationCleartext = () => message('R', int32(3));
export const authenticationOk = () => message('R', int32(0));
export const parameterStatus = (name, value) => message('S', cstring(name), cstring(value));
export const backendKeyData = (pid, secret) => message('K', int32(pid), int32(secret));
export const readyForQuery = (status) => message('Z', Buffer.from(status, 'latin1'));
export const negotiateVersion = (options) => message('v', int32(0), int32(options.length), ...options.map(cstring));

/** An ErrorResponse. `fields`: severity (ERROR or FATAL), code, message, and optionally detail and hint. */
export function errorResponse({ severity = 'ERROR', code, message: text, detail, hint }) {
  const parts = [cstring(`S${severity}`), cstring(`V${severity}`), cstring(`C${code}`), cstring(`M${text}`)];
  if (detail) parts.push(cstring(`D${detail}`));
  if (hint) parts.push(cstring(`H${hint}`));
  return message('E', ...parts, Buffer.from([0]));
}

/** The fields of an ErrorResponse or NoticeResponse by their letters. */
export function errorFields(raw) {
  const fields = {};
  let offset = 5;
  while (offset < raw.length && raw[offset] !== 0) {
    const letter = String.fromCharCode(raw[offset]);
    const end = raw.indexOf(0, offset + 1);
    fields[letter] = raw.toString('utf8', offset + 1, end);
    offset = end + 1;
  }
  return fields;
}

/** The values of a DataRow in text format; null for NULL. */
export function rowValues(raw) {
  const values = [];
  let offset = 7;
  for (let count = raw.readInt16BE(5); count > 0; count -= 1) {
    const length = raw.readInt32BE(offset);
    offset += 4;
    if (length < 0) values.push(null);
    else values.push(raw.toString('utf8', offset, (offset += length)));
  }
  return values;
}

/** The parameters of a startup packet after its version number, as an object. */
export function startupParameters(body) {
  const parameters = {};
  let offset = 4;
  while (offset < body.length && body[offset] !== 0) {
    const name = readCstring(body, offset);
    const value = readCstring(body, name.next);
    parameters[name.text] = Buffer.from(value.text, 'latin1').toString('utf8');
    offset = value.next;
  }
  return parameters;
}
