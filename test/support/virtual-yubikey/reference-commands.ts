/** Commands about PIN and PUK: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER, SET PIN RETRIES, RESET. */
import type { CommandApdu } from './apdu.js';
import type { PivState } from './piv-state.js';
import { REFERENCE_BYTES, requireWellFormed, type ReferenceValue } from './reference-value.js';
import { StatusWordError, SW } from './status-word.js';

const PIN_REFERENCE = 0x80;
const PUK_REFERENCE = 0x81;
const FORGET = 0xff;
const NOTHING = Buffer.alloc(0);

/** With a PIN: checks it. Empty: says how many tries are left. P1 FF: forgets that it was verified. */
export function verify(state: PivState, command: CommandApdu): Buffer {
  if (command.p2 !== PIN_REFERENCE) throw new StatusWordError(SW.referenceNotFound);
  if (command.p1 === FORGET && command.data.length === 0) {
    state.isPinVerified = false;
    return NOTHING;
  }
  if (command.p1 !== 0) throw new StatusWordError(SW.wrongParameters);
  if (command.data.length === 0) {
    if (!state.isPinVerified) throw state.pin.statusQuery();
    return NOTHING;
  }
  if (command.data.length !== REFERENCE_BYTES) throw new StatusWordError(SW.wrongData);
  state.isPinVerified = false;
  state.pin.check(command.data);
  state.isPinVerified = true;
  state.isPinFresh = true;
  return NOTHING;
}

/** Old and new value; a wrong old one costs a try. */
export function changeReference(state: PivState, command: CommandApdu): Buffer {
  if (command.p1 !== 0) throw new StatusWordError(SW.wrongParameters);
  const target = referenceOf(state, command.p2);
  const { current, next } = twoValues(command.data);
  if (target === state.pin) state.isPinVerified = false;
  target.check(current);
  target.set(next);
  return NOTHING;
}

/** PUK and new PIN: unblocks the PIN. */
export function resetRetryCounter(state: PivState, command: CommandApdu): Buffer {
  if (command.p1 !== 0) throw new StatusWordError(SW.wrongParameters);
  if (command.p2 !== PIN_REFERENCE) throw new StatusWordError(SW.referenceNotFound);
  const { current, next } = twoValues(command.data);
  state.puk.check(current);
  state.pin.set(next);
  return NOTHING;
}

/** Tries of PIN and PUK in P1 and P2; both values become the factory's. */
export function setPinRetries(state: PivState, command: CommandApdu): Buffer {
  state.requireManagement();
  if (!state.isPinVerified) throw new StatusWordError(SW.securityNotSatisfied);
  if (command.p1 === 0 || command.p2 === 0) throw new StatusWordError(SW.wrongParameters);
  state.pin.restore(command.p1);
  state.puk.restore(command.p2);
  state.isPinVerified = false;
  return NOTHING;
}

/** Factory state; only when nobody can get in any more. */
export function reset(state: PivState): Buffer {
  if (!state.pin.isBlocked || !state.puk.isBlocked) throw new StatusWordError(SW.conditionsNotSatisfied);
  state.restoreFactory();
  return NOTHING;
}

function referenceOf(state: PivState, reference: number): ReferenceValue {
  if (reference === PIN_REFERENCE) return state.pin;
  if (reference === PUK_REFERENCE) return state.puk;
  throw new StatusWordError(SW.referenceNotFound);
}

function twoValues(data: Buffer): { readonly current: Buffer; readonly next: Buffer } {
  if (data.length !== 2 * REFERENCE_BYTES) throw new StatusWordError(SW.wrongData);
  const next = data.subarray(REFERENCE_BYTES);
  requireWellFormed(next);
  return { current: data.subarray(0, REFERENCE_BYTES), next };
}
