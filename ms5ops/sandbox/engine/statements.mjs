// One client's prepared statements, and the messages that run for it: names are replaced by ones that no other
// client uses, statements that the engine has lost are prepared again unseen, and what would harm it is refused.

import * as wire from './protocol.mjs';
import { clockSetting, deallocatedName, effects, identifier } from './sqltext.mjs';

// Raised by the engine itself, so that the transaction fails exactly as it would on a server.
const refusal = ({ message, hint }) => `DO $ms5ops$ BEGIN RAISE EXCEPTION USING ERRCODE = '0A000',
  MESSAGE = '${message}', HINT = '${hint}'; END $ms5ops$`;

export class Statements {
  #hub;
  #pid;
  #named = new Map(); // client's name -> {alias, parse, effects}
  #unnamed = null;
  #nextAlias = 1;

  constructor(hub, pid) {
    this.#hub = hub;
    this.#pid = pid;
  }

  /** DEALLOCATE ALL or DISCARD ALL was run: nobody's statements are in the engine now. */
  onDropped() {
    this.#hub.live.clear();
    this.#hub.unnamedOwner = null;
    this.#named.clear();
  }

  /** The client is gone; what it leaves is removed when the engine is next used. */
  abandon() {
    for (const { alias } of this.#named.values()) if (this.#hub.live.delete(alias)) this.#hub.garbage.push(alias);
    this.#named.clear();
  }

  /** The messages to run: the client's own with names replaced, and hidden ones that they need. */
  plan(batch) {
    const steps = [];
    const fresh = { aliases: new Set(), records: new Map() }; // what this batch itself prepares
    for (const { type, raw, body } of batch) {
      if (type === 'Q') steps.push(this.#planQuery(raw, body));
      else if (type === 'P') steps.push(this.#planParse(body, fresh));
      else if (type === 'B') this.#planBind(body, fresh, steps);
      else if (type === 'D' || type === 'C') this.#planNamed(type, raw, body, fresh, steps);
      else steps.push({ raw });
    }
    return steps;
  }

  #planQuery(raw, body) {
    this.#unnamed = null;
    this.#hub.unnamedOwner = null;
    const sql = wire.readCstring(body).text;
    const found = effects(sql);
    if (found.refused) return { raw: wire.query(refusal(found.refused)) };
    const clock = found.settings ? clockSetting(sql) : undefined;
    return { raw: this.#renamedDeallocate(sql, (text) => wire.query(text)) ?? raw, effects: found, clock };
  }

  /** `DEALLOCATE name` as drivers send it means a statement of the protocol, which has another name here. */
  #renamedDeallocate(sql, build) {
    const name = deallocatedName(sql);
    const known = name === null ? undefined : this.#named.get(name);
    if (!known) return null;
    this.#named.delete(name);
    if (!this.#hub.live.delete(known.alias)) return build('SELECT 1 WHERE false');
    return build(`DEALLOCATE ${identifier(known.alias)}`);
  }

  #planParse(body, fresh) {
    const name = wire.readCstring(body);
    const sql = wire.readCstring(body, name.next);
    const found = effects(sql.text);
    const alias = name.text === '' ? '' : (this.#named.get(name.text)?.alias ?? this.#alias());
    const text = found.refused
      ? wire.cstring(refusal(found.refused))
      : (this.#renamedDeallocate(sql.text, wire.cstring) ?? Buffer.from(`${sql.text}\0`, 'latin1'));
    const parse = wire.message('P', wire.cstring(alias), text, body.subarray(sql.next));
    const record = { alias, parse, effects: found.refused ? null : found };
    fresh.aliases.add(alias);
    if (alias === '') this.#unnamed = record;
    else fresh.records.set(name.text, record);
    const parsed = () => {
      if (alias === '') this.#hub.unnamedOwner = this.#pid;
      else {
        this.#named.set(name.text, record);
        this.#hub.live.add(alias);
      }
    };
    return { raw: parse, parsed };
  }

  #alias() {
    return `ms5_${this.#pid}_${this.#nextAlias++}`;
  }

  #lookup(name, fresh) {
    if (name === '') return this.#unnamed;
    return fresh.records.get(name) ?? this.#named.get(name);
  }

  /** A hidden Parse where the engine no longer (or never) has this client's statement. */
  #revive(record, fresh, steps) {
    if (fresh.aliases.has(record.alias)) return;
    const present = record.alias === '' ? this.#hub.unnamedOwner === this.#pid : this.#hub.live.has(record.alias);
    if (present) return;
    fresh.aliases.add(record.alias);
    const parsed = () => {
      if (record.alias === '') this.#hub.unnamedOwner = this.#pid;
      else this.#hub.live.add(record.alias);
    };
    steps.push({ raw: record.parse, hidden: true, parsed });
  }

  #planBind(body, fresh, steps) {
    const portal = wire.readCstring(body);
    const name = wire.readCstring(body, portal.next);
    const record = this.#lookup(name.text, fresh);
    if (record) this.#revive(record, fresh, steps);
    const alias = record ? record.alias : Buffer.from(name.text, 'latin1').toString();
    const head = Buffer.concat([body.subarray(0, portal.next), wire.cstring(alias)]);
    steps.push({ raw: wire.message('B', head, body.subarray(name.next)), effects: record?.effects });
  }

  #planNamed(type, raw, body, fresh, steps) {
    const name = wire.readCstring(body, 1).text;
    const record = body[0] === 0x53 ? this.#lookup(name, fresh) : null; // 'S': a statement, not a portal
    if (!record) {
      steps.push({ raw });
      return;
    }
    if (type === 'D') this.#revive(record, fresh, steps);
    steps.push({ raw: wire.message(type, Buffer.from('S'), wire.cstring(record.alias)) });
    if (type !== 'C') return;
    fresh.aliases.delete(record.alias);
    fresh.records.delete(name);
    if (record.alias === '') {
      this.#unnamed = null;
      return;
    }
    this.#named.delete(name);
    this.#hub.live.delete(record.alias);
  }
}
