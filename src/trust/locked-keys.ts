/** Keys that would sign if somebody unlocked them: named before anything is begun, because the agent says only that one is missing. */
import { AgentError } from '../errors/agent-error.js';
import type { PendingDocument } from './publication.js';
import type { RoleKey } from './role-signer.js';

/** All keys that are still to sign can. @throws AgentError `key.locked` naming those that cannot */
export function requireUnlocked(documents: readonly PendingDocument[], keys: readonly RoleKey[]): void {
  const wanted = documents.flatMap(({ role, file, signatures }) =>
    file === undefined ? signatures.map(({ key }) => ({ role, key })) : [],
  );
  const locked = wanted.filter(({ key }) => keys.some((one) => one.name === key && one.isLocked === true));
  const [first] = locked;
  if (first === undefined) return;
  throw lockedError(first.role, [...new Set(locked.map(({ key }) => key))]);
}

/** `key.locked` that names the keys. @param what is to be signed, in words @param names at least one */
export function lockedError(what: string, names: readonly string[]): AgentError {
  return new AgentError('key.locked', {
    message: `signing ${what}: locked: ${names.join(', ')}`,
    hint: `see the token with "touchstone key show '${names[0] ?? ''}'", then: touchstone unlock --token NAME`,
    details: { keys: names },
  });
}
