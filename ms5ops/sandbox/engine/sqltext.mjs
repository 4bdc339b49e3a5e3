// What the front must know about SQL text: whether it would harm the engine, changes session settings, or
// drops prepared statements. It reads words outside of literals,
// quoted names, comments and dollar quotes; it is not a parser.

const OPENING = /['"$]|--|\/\*/g;
const TAG = /\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$/y;
const WORD = /[\w$\x80-\xff]/;

/**
 * The statements of a text with what is not code taken out: literals become '', quoted names "",
 * dollar quotes $$, comments a space. Empty statements are left out. Bytes over 127 may be latin1.
 */
export function statements(sql) {
  const bare = [];
  let position = 0;
  OPENING.lastIndex = 0;
  for (let match; (match = OPENING.exec(sql)); ) {
    const start = match.index;
    const [end, replacement] = skip(sql, start, match[0]);
    if (end === start) continue; // a dollar sign that opens nothing
    bare.push(sql.slice(position, start), replacement);
    position = OPENING.lastIndex = end;
  }
  bare.push(sql.slice(position));
  return bare
    .join('')
    .split(';')
    .map((statement) => statement.trim())
    .filter(Boolean);
}

/** Where what opens at `start` ends, and what stands for it. Searches rather than matches: texts may be large. */
function skip(sql, start, opening) {
  if (opening === "'") return [endOfQuoted(sql, start, "'", hasEscapes(sql, start)), "''"];
  if (opening === '"') return [endOfQuoted(sql, start, '"', false), '""'];
  if (opening === '--') return [endOf(sql, '\n', start), ' '];
  if (opening === '/*') return [endOfComment(sql, start + 2), ' '];
  TAG.lastIndex = start;
  const tag = start > 0 && WORD.test(sql[start - 1]) ? null : TAG.exec(sql);
  return tag ? [endOf(sql, tag[0], start + tag[0].length), '$$'] : [start, ''];
}

function endOf(sql, mark, from) {
  const found = sql.indexOf(mark, from);
  return found < 0 ? sql.length : found + mark.length;
}

/** Whether the literal is of the form E'...'; the E must be a word of its own. */
function hasEscapes(sql, start) {
  return /e/i.test(sql[start - 1] ?? '') && !WORD.test(sql[start - 2] ?? '');
}

function endOfQuoted(sql, start, quote, escapes) {
  const mark = escapes ? /\\|'/g : null;
  for (let from = start + 1; ; ) {
    if (mark) mark.lastIndex = from;
    const found = mark ? (mark.exec(sql)?.index ?? -1) : sql.indexOf(quote, from);
    if (found < 0) return sql.length;
    if (sql[found] === '\\' || sql[found + 1] === quote) from = found + 2;
    else return found + 1;
  }
}

/** Comments nest in PostgreSQL, which a regular expression cannot follow. */
function endOfComment(sql, start) {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = start;
  for (let depth = 1, match; (match = mark.exec(sql)); ) {
    depth += match[0] === '/*' ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  return sql.length;
}

// Texts without any of these words are the great majority and are not looked at further.
const INTERESTING = /\b(?:copy|transaction_per_chunk|set|reset|discard|deallocate|set_config|rollback|abort|do|call)\b/i;

// What the engine cannot take. COPY FROM STDIN waits for bytes that never come, and ends the process. An index built
// in one transaction per chunk fails half-way ("tuple concurrently deleted"), and later statements of the session read
// garbage ("could not access status of transaction").
const COPY_IN = {
  message: 'COPY FROM STDIN is not supported by the sandbox',
  hint: 'Use INSERT with many rows, or INSERT ... SELECT.',
};
const PER_CHUNK = {
  message: 'timescaledb.transaction_per_chunk is not supported by the sandbox',
  hint: 'Create the index without that option.',
};

/**
 * What a text does that concerns the front:
 * refused (why it may not run, or null), settings (may change session settings), resets (may return them to
 * their start values), drops (DEALLOCATE ALL or DISCARD ALL: prepared statements of everyone are gone).
 */
export function effects(sql) {
  const found = { refused: null, settings: false, resets: false, drops: false };
  if (!INTERESTING.test(sql)) return found;
  for (const statement of statements(sql)) {
    const first = /^\w+/.exec(statement)?.[0].toLowerCase();
    if (first === 'copy' && /\bfrom\s+stdin\b/i.test(statement)) found.refused = COPY_IN;
    if (first === 'create' && /\btransaction_per_chunk\b/i.test(statement)) found.refused = PER_CHUNK;
    if (first === 'set' || first === 'reset' || first === 'discard') found.settings = true;
    if (first === 'reset' || first === 'discard') found.resets = true;
    if ((first === 'deallocate' && /\ball\b/i.test(statement)) || first === 'discard') found.drops = true;
    if (/\bset_config\b/i.test(statement)) found.settings = true;
    // The body of a DO block is a literal: what it does can only be guessed from the whole text.
    if ((first === 'do' || first === 'call') && /\b(?:set|reset|set_config)\b/i.test(sql)) found.settings = true;
  }
  return found;
}

/**
 * The instant to which a lone `SET ms5ops.clock = '2026-05-01T00:00:00Z'` moves the calendar, in milliseconds since the
 * epoch; null for `RESET ms5ops.clock`, undefined for anything else (and for what is no instant).
 */
export function clockSetting(sql) {
  const match = /^\s*(?:(reset)\s+ms5ops\.clock|set\s+(?:session\s+)?ms5ops\.clock\s*(?:=|to)\s*'([^']*)')\s*;?\s*$/i.exec(sql);
  if (!match) return undefined;
  if (match[1]) return null;
  const instant = Date.parse(match[2]);
  return Number.isNaN(instant) ? undefined : instant;
}

/** The name in a lone `DEALLOCATE name`, as a driver sends it, or null. */
export function deallocatedName(sql) {
  const match = /^\s*deallocate\s+(?:prepare\s+)?(?:"((?:[^"]|"")+)"|([A-Za-z_][\w$]*))\s*;?\s*$/i.exec(sql);
  if (!match || (match[2] && match[2].toLowerCase() === 'all')) return null;
  return match[1] ? match[1].replaceAll('""', '"') : match[2].toLowerCase();
}

/** A literal; with backslashes in the form that does not depend on standard_conforming_strings. */
export function literal(text) {
  const quoted = text.replaceAll("'", "''");
  return text.includes('\\') ? ` E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`;
}

export const identifier = (text) => `"${text.replaceAll('"', '""')}"`;
