import { describe, expect, it } from 'vitest';
import { pae } from '../../src/encoding/dsse-pae.js';
import { describe as describeBytes, kindOf } from '../../src/formats/describe.js';
import { prefixMatches } from '../../src/formats/prefixes.js';
import { signableBytes } from '../support/signable-bytes.js';
import { thrownBy } from '../support/error-code.js';

const EXAMPLES = signableBytes();

describe('describe', () => {
  it.each(EXAMPLES)('recognises %s and nothing else in its bytes', (kind, bytes) => {
    expect(describeBytes(kind, bytes).kind).toBe(kind);
    expect(kindOf(bytes)).toBe(kind);
    for (const [other] of EXAMPLES) {
      if (other === kind) continue;
      expect(thrownBy(() => describeBytes(other, bytes)).code).toBe('statement.unrecognised');
    }
  });

  it.each(EXAMPLES)('shows %s in at most two printable lines of 120 characters', (kind, bytes) => {
    const { summary } = describeBytes(kind, bytes);
    expect(summary.length).toBeGreaterThan(0);
    expect(summary.length).toBeLessThanOrEqual(2);
    for (const line of summary) expect(line).toMatch(/^[\x20-\x7e]{1,120}$/);
  });

  it('marks only digests as blind', () => {
    expect(
      EXAMPLES.filter(([kind, bytes]) => describeBytes(kind, bytes).blind).map(([kind]) => kind),
    ).toEqual(['digest']);
  });

  it('takes digests of 32, 48 and 64 bytes', () => {
    for (const length of [32, 48, 64]) {
      expect(describeBytes('digest', Buffer.alloc(length, 1)).blind).toBe(true);
      expect(prefixMatches('digest', Buffer.alloc(length, 1))).toBe(true);
    }
    for (const length of [0, 20, 31, 33, 65]) {
      expect(thrownBy(() => describeBytes('digest', Buffer.alloc(length, 1))).code).toBe(
        'statement.unrecognised',
      );
      expect(prefixMatches('digest', Buffer.alloc(length, 1))).toBe(false);
    }
  });

  it('refuses a digest that begins like a typed kind', () => {
    const lookalike = pae('a/b', Buffer.alloc(16, 0x41));
    expect(lookalike).toHaveLength(32);
    expect(thrownBy(() => describeBytes('digest', lookalike)).code).toBe('statement.unrecognised');
    for (const start of ['SSHSIG', '{"critical":{', 'DSSEv1 ']) {
      const bytes = Buffer.alloc(32, 0x20);
      bytes.write(start, 'latin1');
      expect(thrownBy(() => describeBytes('digest', bytes)).code).toBe('statement.unrecognised');
      expect(prefixMatches('digest', bytes)).toBe(false);
    }
  });

  it('names the kinds it knows when asked for another, without repeating control characters', () => {
    const error = thrownBy(() => describeBytes('x\u001b[31m', Buffer.alloc(32)));
    expect(error.code).toBe('statement.unrecognised');
    expect(error.message).toContain('oci.simple-signing');
    const mismatch = thrownBy(() => describeBytes('sshsig:\u001b[31m', EXAMPLES[4]?.[1] ?? Buffer.alloc(0)));
    // eslint-disable-next-line no-control-regex -- an escape character is what must not be there
    for (const { message } of [error, mismatch]) expect(message).not.toMatch(/[\x00-\x1f]/);
  });
});

describe('prefixMatches', () => {
  it.each(EXAMPLES)('agrees on %s', (kind, bytes) => {
    expect(prefixMatches(kind, bytes)).toBe(true);
    for (const [other] of EXAMPLES) if (other !== kind) expect(prefixMatches(other, bytes)).toBe(false);
  });

  it('covers the namespace and the type, not only the family', () => {
    const git = EXAMPLES.find(([kind]) => kind === 'sshsig:git')?.[1] ?? Buffer.alloc(0);
    expect(prefixMatches('sshsig:gi', git)).toBe(false);
    expect(prefixMatches('sshsig:git2', git)).toBe(false);
    expect(prefixMatches('dsse:text/plai', pae('text/plain', Buffer.alloc(1)))).toBe(false);
  });

  it.each(['', 'dsse:', 'sshsig:', 'Digest', `sshsig:${'a'.repeat(300)}`])(
    'is false for kind "%s"',
    (kind) => {
      for (const [, bytes] of EXAMPLES) expect(prefixMatches(kind, bytes)).toBe(false);
      expect(prefixMatches(kind, Buffer.alloc(0))).toBe(false);
    },
  );

  it('keeps answering right after more kinds than it remembers', () => {
    for (let index = 0; index < 600; index += 1) {
      const type = `t/${index}`;
      expect(prefixMatches(`dsse:${type}`, pae(type, Buffer.alloc(3)))).toBe(true);
      expect(prefixMatches(`dsse:${type}`, pae(`${type}x`, Buffer.alloc(3)))).toBe(false);
    }
  });
});
