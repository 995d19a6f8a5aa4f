/**
 * A touch that never comes: libykcs11 calls it "not logged in" for a signature, as it calls a missing PIN, and "function failed" for a
 * derivation. Only the time tells what it was.
 */
import { AgentError } from '../../errors/agent-error.js';
import { CKR_FUNCTION_FAILED, CKR_USER_NOT_LOGGED_IN } from '../pkcs11/cryptoki.js';
import { driverValueOf } from '../pkcs11/rv.js';

const UNTOUCHED: ReadonlySet<number | undefined> = new Set([CKR_FUNCTION_FAILED, CKR_USER_NOT_LOGGED_IN]);

/** A card gives up after 15 s; one that lacks the PIN says so in milliseconds. */
export const CARD_WAITED_MS = 10_000;

/** Runs what may wait for a finger. @throws AgentError `token.touch-timeout`, and what `work` throws */
export function touchOutcome<T>(work: () => T): T {
  const startedAtMs = performance.now();
  try {
    return work();
  } catch (cause) {
    const isLate = performance.now() - startedAtMs >= CARD_WAITED_MS;
    if (!isLate || !UNTOUCHED.has(driverValueOf(cause))) throw cause;
    throw new AgentError('token.touch-timeout', { cause });
  }
}
