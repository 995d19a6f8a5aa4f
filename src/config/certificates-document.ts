/** `[certificates]` of touchstone.toml: whether the agent signs only with keys that root keys have certified, and whose roots. */
import { z } from 'zod';
import { keyIdOf } from '../crypto/key-id.js';
import { importPublicKey } from '../crypto/public-key.js';
import { decodeBase64 } from '../encoding/base64.js';

export interface CertificatesConfig {
  /** Keys without a valid certificate are refused. */
  readonly required: boolean;
  /** How many of the roots have to sign a certificate. */
  readonly threshold: number;
  /** Public keys of the roots, DER SubjectPublicKeyInfo. */
  readonly roots: readonly Buffer[];
}

const MAX_ROOTS = 32;

const root = z
  .string('not text: write the public key as base64, the last line of "touchstone key show"')
  .max(1024)
  .refine(isPublicKey, 'not a public key: base64 of its DER, the last line of "touchstone key show"');

export const certificatesSchema = z
  .strictObject({
    required: z.boolean().default(false),
    threshold: z.int().min(1).max(MAX_ROOTS).default(1),
    roots: z.array(root).max(MAX_ROOTS).default([]),
  })
  .prefault({})
  .refine(({ roots }) => new Set(roots.map(idOf)).size === roots.length, {
    path: ['roots'],
    error: 'names a key twice',
  })
  .refine(({ required, roots }) => !required || roots.length > 0, {
    path: ['roots'],
    error: 'is needed where certificates are required',
  })
  .refine(({ threshold, roots }) => roots.length === 0 || threshold <= roots.length, {
    path: ['threshold'],
    error: 'is more than there are roots',
  });

/** The value of a table that the schema accepts. */
export function certificatesOf(written: z.output<typeof certificatesSchema>): CertificatesConfig {
  return { ...written, roots: written.roots.map((text) => Buffer.from(text, 'base64')) };
}

function isPublicKey(text: string): boolean {
  try {
    importPublicKey(decodeBase64(text, 'root'));
    return true;
  } catch {
    return false;
  }
}

/** Refinements run also where a root is none. */
function idOf(text: string): string {
  return keyIdOf(Buffer.from(text, 'base64'));
}
