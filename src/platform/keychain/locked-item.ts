/**
 * Whether an item is there but locked. The library says "nothing" for one of a locked keyring whose prompt nobody answered, and to take
 * that for an empty keychain would be wrong twice: it was stored, and it stays stored.
 */
import { busText, callSessionBus } from '../session-bus.js';
import { KEYCHAIN_SERVICE } from './answer.js';

const SERVICE = 'org.freedesktop.secrets';
const MAX_ANSWER_BYTES = 16_384;
/** Two lists of paths: the open items, and the locked ones. */
const SOME_LOCKED = /^\(.*\], \[(?:objectpath )?'/;

/** By the Secret Service of the session; false where it does not say. @param account name of the item under our service */
export async function isItemLocked(account: string): Promise<boolean> {
  const wanted = `{"service": ${busText(KEYCHAIN_SERVICE)}, "account": ${busText(account)}}`;
  const answer = await callSessionBus({
    service: SERVICE,
    path: '/org/freedesktop/secrets',
    method: 'org.freedesktop.Secret.Service.SearchItems',
    parameters: [wanted],
    maxAnswerBytes: MAX_ANSWER_BYTES,
  });
  return SOME_LOCKED.test(answer);
}
