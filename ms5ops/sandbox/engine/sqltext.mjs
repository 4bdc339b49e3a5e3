// What the front must know about SQL text: whether it copies from the client (which would kill the
// engine), changes session settings, or drops prepared statements. It reads words outside of literals,
// quoted names, comments and dollar quotes; it is not a parser.

const SKIPPED = new RegExp(
  [
    /--[^\n]*/,
    /(?<![\w$\x80-\xff])[eE]'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)/,
    /'(?:[^']|'')*(?:'|$)/,
    /"(?:[^"]|"")*(?:"|$)/,
    /(?<![\w$\x80-\xff])\$(?<tag>(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?)\$[\s\S]*?(?:\$\k<tag>\$|$(?![\s\S]))/,
    /\/\*/,
  ]
    .map((part) => part.source)
    .join('|'),
  'g',
);

/**
 * The statements of a text with what is not code taken out: literals become '', quoted names "",
 * dollar quotes $$, comments a space. Empty statements are left out. Bytes over 127 may be latin1.
 */
export function statements(sql) {
  let bare = '';
  let position = 0;
  SKIPPED.lastIndex = 0;
  for (let match; (match = SKIPPED.exec(sql)); position = SKIPPED.lastIndex) {
    bare += sql.slice(position, match.index);
    const opening = match[0];
    if (opening === '/*') {
      SKIPPED.lastIndex = endOfComment(sql, match.index + 2);
      bare += ' ';
    } else if (opening.startsWith('--')) bare += ' ';
    else if (opening.startsWith('"')) bare += '""';
    else if (opening.startsWith('$')) bare += '$$';
    else bare += "''";
  }
  bare += sql.slice(position);
  return bare
    .split(';')
    .map((statement) => statement.trim())
    .filter(Boolean);
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
const INTERESTING = /\b(?:copy|set|reset|discard|deallocate|set_config|rollback|abort|do|call)\b/i;

/**
 * What a text does that concerns the front:
 * copiesIn (COPY ... FROM STDIN), settings (may change session settings), resets (may return them to
 * their start values), drops (DEALLOCATE ALL or DISCARD ALL: prepared statements of everyone are gone).
 */
export function effects(sql) {
  const found = { copiesIn: false, settings: false, resets: false, drops: false };
  if (!INTERESTING.test(sql)) return found;
  for (const statement of statements(sql)) {
    const first = /^\w+/.exec(statement)?.[0].toLowerCase();
    if (first === 'copy' && /\bfrom\s+stdin\b/i.test(statement)) found.copiesIn = true;
    if (first === 'set' || first === 'reset' || first === 'discard') found.settings = true;
    if (first === 'reset' || first === 'discard') found.resets = true;
    if ((first === 'deallocate' && /\ball\b/i.test(statement)) || first === 'discard') found.drops = true;
    if (/\bset_config\b/i.test(statement)) found.settings = true;
    // The body of a DO block is a literal: what it does can only be guessed from the whole text.
    if ((first === 'do' || first === 'call') && /\b(?:set|reset|set_config)\b/i.test(sql)) found.settings = true;
  }
  return found;
}

/** The name in a lone `DEALLOCATE name`, as a driver sends it, or null. */
export function deallocatedName(sql) {
  const match = /^\s*deallocate\s+(?:prepare\s+)?(?:"((?:[^"]|"")+)"|([A-Za-z_][\w$]*))\s*;?\s*$/i.exec(sql);
  if (!match || (match[2] && match[2].toLowerCase() === 'all')) return null;
  return match[1] ? match[1].replaceAll('""', '"') : match[2].toLowerCase();
}

export const literal = (text) =>
  text.includes('\\') ? ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'` : `'${text.replaceAll("'", "''")}'`;

export const identifier = (text) => `"${text.replaceAll('"', '""')}"`;
