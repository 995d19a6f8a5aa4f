/**
 * Globs over kinds and key names: `*` stands for any run of characters, the empty one included, and nothing else is
 * special. Matching takes no more than length of pattern times length of text and never backtracks.
 */

export type GlobMatcher = (text: string) => boolean;

/** True when a pattern holds a wildcard. */
export function isGlob(pattern: string): boolean {
  return pattern.includes('*');
}

/** Compiles one pattern; the matcher covers the whole text. */
export function compileGlob(pattern: string): GlobMatcher {
  const parts = pattern.split('*');
  const head = parts[0] ?? '';
  if (parts.length === 1) return (text) => text === pattern;
  const tail = parts[parts.length - 1] ?? '';
  const middle = parts.slice(1, -1).filter((part) => part !== '');
  const shortest = head.length + tail.length;
  return (text) => {
    if (text.length < shortest || !text.startsWith(head) || !text.endsWith(tail)) return false;
    return holdsInOrder(text, middle, head.length, text.length - tail.length);
  };
}

/** Compiles a list; the matcher is true when any pattern matches, and false for an empty list. */
export function compileGlobs(patterns: readonly string[]): GlobMatcher {
  const exact = new Set(patterns.filter((pattern) => !isGlob(pattern)));
  const globs = patterns.filter(isGlob).map(compileGlob);
  return (text) => exact.has(text) || globs.some((matches) => matches(text));
}

// Taking the leftmost place for each part is enough: it leaves the most room for the parts after it.
function holdsInOrder(text: string, parts: readonly string[], start: number, end: number): boolean {
  let from = start;
  for (const part of parts) {
    const at = text.indexOf(part, from);
    if (at === -1 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}
