/** What a key on the token may do: required attributes, checked whenever a key is made or found. */
import type { Handle } from 'pkcs11js';
import { AgentError } from '../../errors/agent-error.js';
import type { KeyReference } from '../token.js';
import { readFlag } from './objects.js';
import type { Pkcs11Session } from './session.js';
import type { FlagName } from './template.js';

export type RequiredFlags = { readonly [N in FlagName]?: boolean };

/** DER of the P-256 object identifier: CKA_EC_PARAMS (RFC 5480 §2.1.1.1). */
export const P256_PARAMS = Buffer.from('06082a8648ce3d030107', 'hex');

/** A private key or secret that stays on the token. */
export const KEPT_ON_TOKEN = { CKA_SENSITIVE: true, CKA_EXTRACTABLE: false } as const satisfies RequiredFlags;

/** A key the token says it made itself must never have been readable; an imported one was known outside once. */
const MADE_ON_TOKEN = {
  CKA_NEVER_EXTRACTABLE: true,
  CKA_ALWAYS_SENSITIVE: true,
} as const satisfies RequiredFlags;

/**
 * @param use how the error calls it: `sign` or `derive`
 * @throws AgentError `key.usage` naming the first attribute that is not as required
 */
export function requireFlags(
  session: Pkcs11Session,
  object: Handle,
  key: KeyReference,
  use: 'sign' | 'derive',
  required: RequiredFlags,
): void {
  const madeHere = readFlag(session, object, 'CKA_LOCAL') === true;
  const flags: RequiredFlags = { ...KEPT_ON_TOKEN, ...required, ...(madeHere ? MADE_ON_TOKEN : {}) };
  for (const [name, wanted] of Object.entries(flags)) {
    const value = readFlag(session, object, name as FlagName);
    if (value === wanted) continue;
    throw new AgentError('key.usage', {
      message: `key "${key.label}": not a key that may only ${use}: ${name} is ${value ?? 'not known'}`,
      details: { label: key.label, id: key.id, attribute: name, value: value ?? null },
    });
  }
}
