/** Real roots: those of Sigstore, signed by people with YubiKeys, as the npm package @sigstore/tuf carried them. Version 11 is in no release. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TufEnvelope, TufRoot } from '../../src/formats/tuf/document.js';
import { tufKeyIdOf } from '../../src/formats/tuf/key.js';
import { lintTuf } from '../../src/formats/tuf/linter.js';
import { readSigned, readTufRoot } from '../../src/formats/tuf/reader.js';
import { walkRoots } from '../../src/formats/tuf/root-chain.js';
import { countSignatures } from '../../src/formats/tuf/verify.js';
import { envelopeBytes, signedBytes } from '../../src/formats/tuf/writer.js';
import { codeOf } from '../support/error-code.js';
import { PROJECT_ROOT } from '../support/project-root.js';

const CHAINS = [
  [8, 9, 10],
  [12, 13, 14, 15, 16],
];
const VERSIONS = CHAINS.flat();

function root(version: number): TufEnvelope<TufRoot> {
  const file = path.join(PROJECT_ROOT, 'test/vectors/tuf/sigstore', `${version}.root.json`);
  return readTufRoot(readFileSync(file));
}

function walk([first = 0, ...rest]: readonly number[]): TufEnvelope<TufRoot> {
  return walkRoots(root(first), rest.map(root));
}

describe('roots of Sigstore', () => {
  it.each(CHAINS.map((chain) => [chain.join(', '), chain] as const))('%s are a chain', (_, chain) => {
    expect(walk(chain).signed.version).toBe(chain.at(-1));
  });

  it('10 and 12 are none: 11 is missing', () => {
    expect(codeOf(() => walk([10, 12]))).toBe('tuf.version');
  });

  it.each(VERSIONS)('%i has the key ids that its keys have, and its own threshold', (version) => {
    const envelope = root(version);
    const { keys, roles } = envelope.signed;
    for (const [id, key] of keys) expect(tufKeyIdOf(key)).toBe(id);
    expect(countSignatures(envelope, keys, roles.root)).toMatchObject({ threshold: 3, bad: [], isMet: true });
  });

  it.each(VERSIONS)('%i is written again with nothing lost', (version) => {
    const { signed, signatures, raw } = root(version);
    const again = readTufRoot(envelopeBytes(signed, signatures, raw));
    expect(signedBytes(again.signed).equals(signedBytes(signed))).toBe(true);
    expect(again.signatures).toHaveLength(signatures.length);
    expect(signedBytes(readSigned(signedBytes(signed))).equals(signedBytes(signed))).toBe(true);
  });

  it('do not verify with a single field changed', () => {
    const { signed, signatures } = root(16);
    const later = { ...signed, expires: '2099-01-01T00:00:00Z' };
    expect(countSignatures({ signed: later, signatures }, signed.keys, signed.roles.root).good).toEqual([]);
  });

  it('are portable but for what tuf-on-ci writes into its keys', () => {
    const rules = VERSIONS.map((version) => [...new Set(lintTuf(root(version)).map(({ rule }) => rule))]);
    // The old tool wrote the old name of the type; version 8 is the last of its kind.
    expect(rules).toEqual([['key-form'], [], ...VERSIONS.slice(2).map(() => ['key-fields'])]);
  });
});
