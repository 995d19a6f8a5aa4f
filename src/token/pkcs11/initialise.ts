/** Initialising an empty token: C_InitToken by the security officer, then the user's PIN. */
import type { Handle } from 'pkcs11js';
import { AgentError } from '../../errors/agent-error.js';
import { nativeShims } from '../../platform/native-shims.js';
import { CKF_RW_SESSION, CKF_SERIAL_SESSION, CKR_OK, CKU_SO } from './cryptoki.js';
import type { Pkcs11Module } from './module.js';
import { driverCall, returnValueError } from './rv.js';
import { describeToken, listTokens, selectToken, type FoundToken } from './slots.js';

/** CKA_LABEL of a token is a field of 32 bytes. */
const LABEL_BYTES = 32;

/**
 * Initialises the one uninitialised token of the driver. An initialised token is never touched.
 * @throws AgentError `usage.invalid` for a label that does not fit, `token.object-exists` when it is taken, `token.absent`
 */
export function initialiseToken(
  module: Pkcs11Module,
  label: string,
  soPin: Uint8Array,
  pin: Uint8Array,
): FoundToken {
  const slot = emptySlot(module, label);
  const shims = nativeShims();
  requireOk('C_InitToken', shims.pkcs11InitToken(module.path, slot, soPin, label));
  setUserPin(module, slot, soPin, pin);
  const { serial } = describeToken(module, slot).info;
  // Slots are numbered anew for initialised tokens.
  module.restart();
  return selectToken(module, { token: label, serial });
}

function emptySlot(module: Pkcs11Module, label: string): Handle {
  const bytes = Buffer.byteLength(label);
  if (bytes === 0 || bytes > LABEL_BYTES) {
    throw new AgentError('usage.invalid', {
      message: `label: 1 to ${LABEL_BYTES} bytes are needed, not ${bytes}`,
    });
  }
  const tokens = listTokens(module);
  if (tokens.some((token) => token.info.initialised && token.info.label === label)) {
    throw new AgentError('token.object-exists', {
      message: `a token with the label "${label}" exists already`,
      hint: 'choose another label; nothing was changed',
    });
  }
  const [empty, second] = tokens.filter((token) => !token.info.initialised);
  if (empty === undefined)
    throw new AgentError('token.absent', { message: 'no uninitialised token is connected' });
  if (second !== undefined) {
    throw new AgentError('token.ambiguous', {
      message: 'more than one uninitialised token is connected',
      hint: 'leave only the one to initialise',
    });
  }
  return empty.slot;
}

function setUserPin(module: Pkcs11Module, slot: Handle, soPin: Uint8Array, pin: Uint8Array): void {
  const { calls, path } = module;
  const session = driverCall('C_OpenSession', () =>
    calls.C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION),
  );
  try {
    requireOk('C_Login', nativeShims().pkcs11Login(path, session, CKU_SO, soPin));
    requireOk('C_InitPIN', nativeShims().pkcs11InitPin(path, session, pin));
  } finally {
    driverCall('C_CloseSession', () => {
      calls.C_CloseSession(session);
    });
  }
}

function requireOk(call: string, value: number): void {
  if (value !== CKR_OK) throw returnValueError(call, value);
}
