/**
 * Tokens behind a driver and the one a URI (RFC 7512) means. Slot numbers are never used to tell tokens apart: they change
 * with every start, labels and serial numbers do not.
 */
import type { Handle, TokenInfo as DriverTokenInfo } from 'pkcs11js';
import { AgentError } from '../../errors/agent-error.js';
import { formatKeyUri, matchesToken, type KeyUri } from '../../keys/key-uri.js';
import type { TokenInfo } from '../token.js';
import {
  CKF_LOGIN_REQUIRED,
  CKF_TOKEN_INITIALIZED,
  CKF_USER_PIN_COUNT_LOW,
  CKF_USER_PIN_FINAL_TRY,
  CKF_USER_PIN_LOCKED,
  CKR_GENERAL_ERROR,
} from './cryptoki.js';
import type { Pkcs11Module } from './module.js';
import { driverCall, driverValueOf } from './rv.js';

/** A token and the slot it is in now. */
export interface FoundToken {
  readonly slot: Handle;
  readonly info: TokenInfo;
  /** PIN lengths the token takes, bytes; undefined when it does not say. */
  readonly pinBytes: { readonly min: number; readonly max: number } | undefined;
}

/** SoftHSM rewrites its files at each login and then misses tokens for a moment; pauses before looking again, milliseconds. */
const RETRY_MS = [10, 20, 40, 80, 160] as const;

/** Reads what the token in a slot says of itself. */
export function describeToken(module: Pkcs11Module, slot: Handle): FoundToken {
  const raw = readTokenInfo(module, slot);
  return { slot, info: tokenInfoOf(raw), pinBytes: pinBytesOf(raw) };
}

/** SoftHSM 2.6 answers CKR_GENERAL_ERROR while another process writes the token's file: asked again, it knows. */
function readTokenInfo(module: Pkcs11Module, slot: Handle): DriverTokenInfo {
  for (const pauseMs of RETRY_MS) {
    try {
      return driverCall('C_GetTokenInfo', () => module.calls.C_GetTokenInfo(slot));
    } catch (error) {
      if (driverValueOf(error) !== CKR_GENERAL_ERROR) throw error;
      sleep(pauseMs);
    }
  }
  return driverCall('C_GetTokenInfo', () => module.calls.C_GetTokenInfo(slot));
}

/** All tokens that answer, uninitialised ones included. */
export function listTokens(module: Pkcs11Module): readonly FoundToken[] {
  const slots = driverCall('C_GetSlotList', () => module.calls.C_GetSlotList(true));
  const found: FoundToken[] = [];
  let failure: unknown;
  for (const slot of slots) {
    try {
      found.push(describeToken(module, slot));
    } catch (error) {
      failure ??= error;
    }
  }
  // One broken slot does not hide the others; if nothing else is there, its error says why.
  if (found.length === 0 && failure !== undefined) throw failure as Error;
  return found;
}

/**
 * The one initialised token that the URI matches; looks again a few times, because a token can be missing for a moment. A
 * driver with nothing but an uninitialised token yields that one, under the label of the URI and marked as it is.
 * @throws AgentError `token.absent`, `token.ambiguous`
 */
export function selectToken(module: Pkcs11Module, uri: KeyUri): FoundToken {
  let pauses = 0;
  for (;;) {
    const all = listTokens(module);
    const [match, second] = all.filter((token) => token.info.initialised && matchesToken(uri, token.info));
    if (second !== undefined) throw ambiguous(uri, all);
    if (match !== undefined) return match;
    const pauseMs = RETRY_MS[pauses];
    if (pauseMs === undefined) return blankToken(uri, all);
    pauses += 1;
    sleep(pauseMs);
    module.restart();
  }
}

/** Whether the driver still lists this slot with a token in it; also makes it notice that one was pulled. */
export function isSlotListed(module: Pkcs11Module, slot: Handle): boolean {
  return driverCall('C_GetSlotList', () => module.calls.C_GetSlotList(true)).some((listed) =>
    listed.equals(slot),
  );
}

function tokenInfoOf(raw: DriverTokenInfo): TokenInfo {
  const facts = {
    label: unpad(raw.label),
    serial: unpad(raw.serialNumber),
    manufacturer: unpad(raw.manufacturerID),
    model: unpad(raw.model),
  };
  return {
    ...facts,
    firmware: `${raw.firmwareVersion.major}.${raw.firmwareVersion.minor}`,
    initialised: (raw.flags & CKF_TOKEN_INITIALIZED) !== 0,
    loginRequired: (raw.flags & CKF_LOGIN_REQUIRED) !== 0,
    triesLeft: triesLeftOf(raw.flags),
    uri: formatKeyUri({
      token: facts.label,
      serial: orAbsent(facts.serial),
      manufacturer: orAbsent(facts.manufacturer),
      model: orAbsent(facts.model),
    }),
  };
}

function orAbsent(text: string): string | undefined {
  return text === '' ? undefined : text;
}

function triesLeftOf(flags: number): TokenInfo['triesLeft'] {
  if ((flags & CKF_USER_PIN_LOCKED) !== 0) return 'locked';
  if ((flags & CKF_USER_PIN_FINAL_TRY) !== 0) return 'last';
  return (flags & CKF_USER_PIN_COUNT_LOW) === 0 ? 'full' : 'low';
}

function pinBytesOf(raw: DriverTokenInfo): FoundToken['pinBytes'] {
  const { minPinLen: min, maxPinLen: max } = raw;
  return max > 0 && min <= max ? { min, max } : undefined;
}

/** Fields are padded with blanks (PKCS#11 v2.40 §3.2); some drivers pad with zero bytes. */
function unpad(field: string): string {
  return field.replace(/[\0 ]+$/, '');
}

function namesOf(tokens: readonly FoundToken[]): readonly string[] {
  return tokens.filter((token) => token.info.initialised).map((token) => token.info.uri);
}

function ambiguous(uri: KeyUri, all: readonly FoundToken[]): AgentError {
  const matching = namesOf(all.filter((token) => matchesToken(uri, token.info)));
  return new AgentError('token.ambiguous', {
    message: `token ${formatKeyUri(uri)}: ${matching.length} tokens match`,
    details: { uri: formatKeyUri(uri), tokens: matching },
  });
}

/** A URI with a serial number means a token that was seen before: that one is absent, not uninitialised. */
function blankToken(uri: KeyUri, all: readonly FoundToken[]): FoundToken {
  const [blank, second] = all;
  if (blank === undefined || blank.info.initialised || second !== undefined) throw absent(uri, all);
  if (uri.token === undefined || uri.serial !== undefined) throw absent(uri, all);
  return { ...blank, info: { ...blank.info, label: uri.token, uri: formatKeyUri({ token: uri.token }) } };
}

function absent(uri: KeyUri, all: readonly FoundToken[]): AgentError {
  return new AgentError('token.absent', {
    message: `token ${formatKeyUri(uri)}: it is not connected`,
    details: { uri: formatKeyUri(uri), tokens: namesOf(all) },
  });
}

/** Blocks this process, which does nothing else; the keeper's deadline is above it. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
