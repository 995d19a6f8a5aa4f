/** Path patterns of delegations: `*` and `?` within one part of a path. Only what every client reads in the same way is written. */
import { printable } from '../../encoding/utf8.js';
import { AgentError } from '../../errors/agent-error.js';

/** Braces, groups, negations and `**` mean something else to each client. */
const PORTABLE = /^[A-Za-z0-9_*?-][A-Za-z0-9._*?-]*(?:\/[A-Za-z0-9_*?-][A-Za-z0-9._*?-]*)*$/;
const MAX_LENGTH = 512;

/** @throws AgentError `usage.invalid` for a pattern that clients understand differently */
export function checkPathPattern(pattern: string): string {
  if (PORTABLE.test(pattern) && pattern.length <= MAX_LENGTH && !pattern.includes('**')) return pattern;
  throw new AgentError('usage.invalid', {
    message: `the path pattern "${printable(pattern, 120)}": parts of A-Z a-z 0-9 . _ - with * and ? are needed, not beginning with a point`,
    hint: 'write for example "releases/*" or "releases/*/*.tar.gz"; a star does not cross a slash',
  });
}

/** Whether a pattern covers a path: part by part, as the specification has it. */
export function pathMatches(pattern: string, path: string): boolean {
  const patterns = pattern.split('/');
  const parts = path.split('/');
  return patterns.length === parts.length && patterns.every((one, at) => partMatches(one, parts[at] ?? ''));
}

/** Goes back to the last star only, so the work is at most length of pattern times length of text. */
function partMatches(pattern: string, text: string): boolean {
  let [at, from, star, mark] = [0, 0, -1, 0];
  while (from < text.length) {
    const unit = pattern[at];
    if (unit === '*') {
      star = at;
      at += 1;
      mark = from;
    } else if (unit !== undefined && (unit === '?' || unit === text[from])) {
      at += 1;
      from += 1;
    } else if (star >= 0) {
      at = star + 1;
      mark += 1;
      from = mark;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}
