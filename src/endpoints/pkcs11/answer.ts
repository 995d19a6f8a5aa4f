/** What a call comes to: values to write, or a return value of PKCS#11 that is not CKR_OK. */
import type { AgentError } from '../../errors/agent-error.js';
import type { ErrorCode } from '../../errors/codes.js';
import { CKR } from './cryptoki.js';
import type { RpcWriter } from './rpc-writer.js';

export type Answer =
  | { readonly outcome: 'values'; readonly write: (writer: RpcWriter) => void }
  | { readonly outcome: 'failed'; readonly rv: number };

/** An answer that comes later: takes what is to be called with it, once. */
export type LateAnswer = (deliver: (answer: Answer) => void) => void;

export function values(write: (writer: RpcWriter) => void): Answer {
  return { outcome: 'values', write };
}

/** CKR_OK and nothing else. */
export const DONE: Answer = values(() => undefined);

/** @param rv not CKR_OK */
export function failed(rv: number): Answer {
  return { outcome: 'failed', rv };
}

/** Bytes for a caller with `room` for them; too little room, or none, is answered with how many there are. */
export function bytesFor(room: number, bytes: Uint8Array): Answer {
  return values((writer) => {
    if (hasRoom(room, bytes.length)) writer.byteArray(bytes);
    else writer.count(bytes.length);
  });
}

/** Numbers for a caller with `room` for them. */
export function numbersFor(room: number, numbers: readonly number[]): Answer {
  return values((writer) => {
    if (room >= numbers.length && room > 0) writer.ulongArray(numbers);
    else writer.count(numbers.length);
  });
}

/** A buffer of no bytes at all travels as this. */
const EMPTY_BUFFER = 0xffffffff;

export function hasRoom(room: number, length: number): boolean {
  return room !== EMPTY_BUFFER && room >= length && room > 0;
}

/** PKCS#11 has no words: the nearest return value for what the agent said. Its log has the reason. */
export function returnValueOf(error: AgentError): number {
  return (
    EXACT.get(error.code) ??
    (error.code.startsWith('policy.') ? CKR.KEY_FUNCTION_NOT_PERMITTED : CKR.FUNCTION_FAILED)
  );
}

const EXACT: ReadonlyMap<ErrorCode, number> = new Map<ErrorCode, number>([
  ['statement.unrecognised', CKR.KEY_FUNCTION_NOT_PERMITTED],
  ['statement.kind', CKR.KEY_FUNCTION_NOT_PERMITTED],
  ['lease.kind', CKR.KEY_FUNCTION_NOT_PERMITTED],
  ['key.unknown', CKR.KEY_HANDLE_INVALID],
  ['key.retired', CKR.KEY_HANDLE_INVALID],
  ['key.revoked', CKR.KEY_HANDLE_INVALID],
  ['key.ambiguous', CKR.KEY_HANDLE_INVALID],
  ['key.locked', CKR.USER_NOT_LOGGED_IN],
  ['lease.expired', CKR.USER_NOT_LOGGED_IN],
  ['lease.uses', CKR.USER_NOT_LOGGED_IN],
  ['token.locked', CKR.USER_NOT_LOGGED_IN],
  ['token.pin-needed', CKR.USER_NOT_LOGGED_IN],
  ['token.absent', CKR.TOKEN_NOT_PRESENT],
  ['token.removed', CKR.TOKEN_NOT_PRESENT],
  ['limits.cancelled', CKR.FUNCTION_CANCELED],
  ['limits.deadline', CKR.FUNCTION_CANCELED],
  ['token.timeout', CKR.FUNCTION_CANCELED],
  ['limits.queue', CKR.DEVICE_MEMORY],
]);
