import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileGlob, compileGlobs } from '../../src/encoding/glob.js';

/** The obvious definition, exponential in the worst case. */
function matchesSlowly(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern.startsWith('*')) {
    const rest = pattern.slice(1);
    return matchesSlowly(rest, text) || (text !== '' && matchesSlowly(pattern, text.slice(1)));
  }
  return text !== '' && pattern[0] === text[0] && matchesSlowly(pattern.slice(1), text.slice(1));
}

describe('globs', () => {
  it.each([
    ['*', '', true],
    ['a*', 'a', true],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['*#cosign', 'docker.io/library/hello#cosign', true],
    ['*#cosign', 'docker.io/library/hello#cosign2', false],
    ['docker.io/*#cosign', 'docker.io/a/b#cosign', true],
    ['a.c', 'abc', false],
    ['a?c', 'abc', false],
    ['*ab*bc*', 'abc', false],
  ])('%s on %s: %s', (pattern, text, expected) => {
    expect(compileGlob(pattern)(text)).toBe(expected);
  });

  it('match exactly what their definition says', () => {
    const short = (alphabet: string): fc.Arbitrary<string> =>
      fc.array(fc.constantFrom(...alphabet.split('')), { maxLength: 7 }).map((units) => units.join(''));
    fc.assert(
      fc.property(short('ab*'), short('ab'), (pattern, text) => {
        expect(compileGlob(pattern)(text)).toBe(matchesSlowly(pattern, text));
      }),
      { numRuns: 3000 },
    );
  });

  it('as a list match when one does, and never when empty', () => {
    expect(compileGlobs(['x', 'a*'])('ab')).toBe(true);
    expect(compileGlobs(['x', 'a*'])('x')).toBe(true);
    expect(compileGlobs(['x', 'a*'])('b')).toBe(false);
    expect(compileGlobs([])('')).toBe(false);
  });
});
