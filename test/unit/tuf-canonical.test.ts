/** Canonical JSON of TUF and key ids, against vectors that another implementation computed. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseCanonicalJson } from '../../src/encoding/canonical-json.js';
import { parseJsonStrict } from '../../src/encoding/json.js';
import { tufCanonical } from '../../src/formats/tuf/canonical.js';
import { spkiOf, tufKeyIdOf, type TufKey } from '../../src/formats/tuf/key.js';
import { codeOf } from '../support/error-code.js';

interface CanonicalVectors {
  readonly valid: readonly {
    readonly note: string;
    readonly value: unknown;
    readonly canonical: string;
    readonly sha256: string;
  }[];
  readonly invalid: readonly { readonly why: string; readonly json: string }[];
  readonly notCanonical: readonly { readonly why: string; readonly text: string }[];
}

interface KeyVectors {
  readonly keys: readonly { readonly note: string; readonly key: TufKey; readonly keyid: string }[];
}

function vector(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../vectors/tuf/${name}`, import.meta.url), 'utf8'));
}

const { valid, invalid, notCanonical } = vector('canonical-json.json') as CanonicalVectors;
const { keys } = vector('key-ids.json') as KeyVectors;

describe('canonical JSON', () => {
  it.each(valid)('$note', ({ value, canonical, sha256 }) => {
    const bytes = tufCanonical(value, 'test');
    expect(bytes.toString('utf8')).toBe(canonical);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
    expect(parseCanonicalJson(bytes, 'test', 'tuf.document')).toEqual(value);
  });

  it.each(invalid)('has no form for $why', ({ json }) => {
    const act = (): Buffer => tufCanonical(parseJsonStrict(json, 'test', 'tuf.document', 'integers'), 'test');
    expect(codeOf(act)).toBe('tuf.document');
  });

  it.each(notCanonical)('is not read from $why', ({ text }) => {
    expect(codeOf(() => parseCanonicalJson(Buffer.from(text), 'test', 'tuf.document'))).toBe('tuf.document');
  });

  it('is not read from what is no UTF-8', () => {
    const bytes = Buffer.from('2261ff22', 'hex');
    expect(codeOf(() => parseCanonicalJson(bytes, 'test', 'tuf.document'))).toBe('tuf.document');
  });
});

describe('key ids', () => {
  it.each(keys)('of a key: $note', ({ key, keyid }) => {
    expect(tufKeyIdOf(key)).toBe(keyid);
    expect(spkiOf(key).length).toBeGreaterThan(32);
  });

  it('are one for each way of writing a key', () => {
    expect(new Set(keys.map(({ keyid }) => keyid)).size).toBe(keys.length);
  });
});
