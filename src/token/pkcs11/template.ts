/**
 * Attribute templates. The binding frees memory it never allocated when an element has a wrong type, so every template is
 * built here, from a closed table, and nothing a request says can add to it.
 */
import type { Template } from 'pkcs11js';
import { invariant } from '../../errors/agent-error.js';

/** Attributes of PKCS#11 v2.40 in use: number, and what their value is. */
export const ATTRIBUTES = {
  CKA_CLASS: { type: 0x0, kind: 'number' },
  CKA_TOKEN: { type: 0x1, kind: 'boolean' },
  CKA_PRIVATE: { type: 0x2, kind: 'boolean' },
  CKA_LABEL: { type: 0x3, kind: 'bytes' },
  CKA_VALUE: { type: 0x11, kind: 'bytes' },
  CKA_KEY_TYPE: { type: 0x100, kind: 'number' },
  CKA_ID: { type: 0x102, kind: 'bytes' },
  CKA_SENSITIVE: { type: 0x103, kind: 'boolean' },
  CKA_ENCRYPT: { type: 0x104, kind: 'boolean' },
  CKA_DECRYPT: { type: 0x105, kind: 'boolean' },
  CKA_WRAP: { type: 0x106, kind: 'boolean' },
  CKA_UNWRAP: { type: 0x107, kind: 'boolean' },
  CKA_SIGN: { type: 0x108, kind: 'boolean' },
  CKA_VERIFY: { type: 0x10a, kind: 'boolean' },
  CKA_DERIVE: { type: 0x10c, kind: 'boolean' },
  CKA_MODULUS: { type: 0x120, kind: 'bytes' },
  CKA_MODULUS_BITS: { type: 0x121, kind: 'number' },
  CKA_PUBLIC_EXPONENT: { type: 0x122, kind: 'bytes' },
  CKA_VALUE_LEN: { type: 0x161, kind: 'number' },
  CKA_EXTRACTABLE: { type: 0x162, kind: 'boolean' },
  CKA_LOCAL: { type: 0x163, kind: 'boolean' },
  CKA_NEVER_EXTRACTABLE: { type: 0x164, kind: 'boolean' },
  CKA_ALWAYS_SENSITIVE: { type: 0x165, kind: 'boolean' },
  CKA_EC_PARAMS: { type: 0x180, kind: 'bytes' },
  CKA_EC_POINT: { type: 0x181, kind: 'bytes' },
  CKA_ALWAYS_AUTHENTICATE: { type: 0x202, kind: 'boolean' },
} as const;

export type AttributeName = keyof typeof ATTRIBUTES;

interface ValueOfKind {
  readonly boolean: boolean;
  readonly number: number;
  readonly bytes: Buffer;
}

export type AttributeValues = {
  readonly [N in AttributeName]?: ValueOfKind[(typeof ATTRIBUTES)[N]['kind']];
};

/** The names of attributes that hold true or false. */
export type FlagName = {
  [N in AttributeName]: (typeof ATTRIBUTES)[N]['kind'] extends 'boolean' ? N : never;
}[AttributeName];

function fits(kind: keyof ValueOfKind, value: unknown): boolean {
  if (kind === 'bytes') return Buffer.isBuffer(value);
  if (kind === 'number') return Number.isSafeInteger(value) && (value as number) >= 0;
  return typeof value === 'boolean';
}

/** A template for the binding; its values are checked once more at run time. */
export function buildTemplate(values: AttributeValues): Template {
  return Object.entries(values).map(([name, value]) => {
    const row = ATTRIBUTES[name as AttributeName];
    invariant(fits(row.kind, value), `attribute ${name} has a wrong type`);
    return { type: row.type, value };
  });
}
