/** Rules about keys and their ids. */
import { AgentError } from '../../../errors/agent-error.js';
import { schemeOf, spkiOf, tufKeyIdOf, type TufKey } from '../key.js';
import { keyMapsOf, keysOf, type Problem, type Rule } from './rule.js';

const TYPES: readonly string[] = ['ecdsa', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ed25519', 'rsa'];
const FIELDS: readonly string[] = ['keytype', 'scheme', 'keyval'];
/** `keyid_hash_algorithms` is a relic that all clients know. */
const RELIC = 'keyid_hash_algorithms';

/** One key of a type that is not known makes half of the clients refuse the whole file, used or not. */
export const keyType: Rule = ({ signed }) =>
  keysOf(signed).flatMap(({ key, where }) =>
    TYPES.includes(key.keytype) && schemeOf(key) !== undefined
      ? []
      : [{ where, message: 'the type or scheme is not ecdsa, ed25519 or rsa with PSS and SHA-256' }],
  );

export const ecdsaCurve: Rule = ({ signed }) =>
  keysOf(signed).flatMap(({ key, where }) =>
    schemeOf(key) === 'ecdsa-p384'
      ? [{ where, message: 'half of the clients verify P-384 wrongly; P-256 works everywhere' }]
      : [],
  );

/** How a key of a known type is written: `ecdsa` with PEM, Ed25519 in hex. */
export const keyForm: Rule = ({ signed }) =>
  keysOf(signed).flatMap(({ key, where }) => {
    const problem = schemeOf(key) === undefined ? undefined : formProblem(key);
    return problem === undefined ? [] : [{ where, message: problem }];
  });

export const keyFields: Rule = ({ signed }) =>
  keysOf(signed).flatMap(({ key, where }) => {
    const more = Object.keys(key).filter((name) => !FIELDS.includes(name) && name !== RELIC);
    const held = Object.keys(key.keyval).filter((name) => name !== 'public');
    return more.length + held.length === 0
      ? []
      : [{ where, message: 'a further field changes the id of the key, and not every writer counts it' }];
  });

export const keyId: Rule = ({ signed }) =>
  keysOf(signed).flatMap(({ id, key, where }) =>
    tufKeyIdOf(key) === id ? [] : [{ where, message: 'the id is not the SHA-256 of the key object' }],
  );

/** Under two ids, one person would meet a threshold of two. */
export const oneKeyOneId: Rule = ({ signed }) =>
  keyMapsOf(signed).flatMap(([field, keys]) => {
    const seen = new Set<string>();
    const found: Problem[] = [];
    for (const [id, key] of keys) {
      const spki = readableSpki(key);
      if (spki === undefined) continue;
      if (seen.has(spki)) {
        found.push({
          where: `${field}["${id}"]`,
          message: 'the same public key stands under another id too',
        });
      }
      seen.add(spki);
    }
    return found;
  });

function formProblem(key: TufKey): string | undefined {
  if (key.keytype.startsWith('ecdsa-')) return 'the type is written the old way; it is "ecdsa"';
  if (schemeOf(key) !== 'ed25519' && !key.keyval.public.startsWith('-----BEGIN PUBLIC KEY-----')) {
    return 'the public key is not PEM';
  }
  return readableSpki(key) === undefined ? 'the public key cannot be read' : undefined;
}

function readableSpki(key: TufKey): string | undefined {
  try {
    return spkiOf(key).toString('hex');
  } catch (thrown) {
    if (thrown instanceof AgentError) return undefined;
    throw thrown;
  }
}
