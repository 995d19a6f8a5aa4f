/** Commands about keys: GENERATE ASYMMETRIC, IMPORT, GENERAL AUTHENTICATE, METADATA, ATTEST, SET MANAGEMENT KEY. */
import type { CommandApdu } from './apdu.js';
import { attest } from './attestation-authority.js';
import { ALGORITHM, ecKey, generateKey, importRsaKey, requireAlgorithm, type CardKey } from './card-key.js';
import { ATTESTATION_SLOT, isKeySlot, type PivState } from './piv-state.js';
import { policyBytes, requestedPolicies, type TouchPolicy } from './policies.js';
import type { ReferenceValue } from './reference-value.js';
import { StatusWordError, SW } from './status-word.js';
import { contentOf, parseTlvMap, tlv } from './tlv.js';

const MANAGEMENT_SLOT = 0x9b;
const TEMPLATE = 0x7c;
const CHALLENGE = 0x81;
const RESPONSE = 0x82;
const EXPONENTIATION = 0x85;
/** P2 of SET MANAGEMENT KEY: whether proving it wants a touch. */
const MANAGEMENT_TOUCH: ReadonlyMap<number, TouchPolicy> = new Map<number, TouchPolicy>([
  [0xff, 'never'],
  [0xfe, 'always'],
  [0xfd, 'cached'],
]);

/** A key's work that waits for a finger, or for nothing. */
export interface KeyUse {
  readonly slot: number;
  readonly act: 'sign' | 'agree' | 'prove';
  readonly touch: TouchPolicy;
  readonly run: () => Buffer;
}

/** P2: slot, data: AC { 80 algorithm, AA PIN policy, AB touch policy }. Answers the public key. */
export function generate(state: PivState, command: CommandApdu): Buffer {
  state.requireManagement();
  requireKeySlot(command.p2);
  const elements = parseTlvMap(contentOf(command.data, 0xac));
  const algorithm = requireAlgorithm(elements.get(0x80)?.[0]);
  const policies = requestedPolicies(elements, command.p2);
  const key = generateKey(algorithm);
  state.keys.set(command.p2, { key, policies, origin: 'generated' });
  return tlv(0x7f49, key.publicPoint);
}

/** P1: algorithm, P2: slot, data: 06 scalar, or 01 to 05 as RSA wants them, and policies. */
export function importKey(state: PivState, command: CommandApdu): Buffer {
  state.requireManagement();
  requireKeySlot(command.p2);
  const elements = parseTlvMap(command.data);
  const key = importedKey(requireAlgorithm(command.p1), elements);
  const policies = requestedPolicies(elements, command.p2);
  state.keys.set(command.p2, { key, policies, origin: 'imported' });
  return Buffer.alloc(0);
}

function importedKey(algorithm: CardKey['algorithm'], elements: ReadonlyMap<number, Buffer>): CardKey {
  if (algorithm === ALGORITHM.rsa2048) return importRsaKey(elements);
  const scalar = elements.get(0x06);
  if (scalar === undefined) throw new StatusWordError(SW.wrongData);
  return ecKey(algorithm, scalar);
}

/** P1: algorithm, P2: slot. What the command may do is settled here; doing it may wait for a touch. */
export function authenticate(state: PivState, command: CommandApdu, isPinFresh: boolean): KeyUse {
  if (command.p2 === MANAGEMENT_SLOT) return proveManagement(state, command);
  requireKeySlot(command.p2);
  const { key, policies } = state.storedKey(command.p2);
  if (command.p1 !== key.algorithm) throw new StatusWordError(SW.wrongData);
  const elements = parseTlvMap(contentOf(command.data, TEMPLATE));
  const message = elements.get(CHALLENGE);
  const point = elements.get(EXPONENTIATION);
  if (elements.get(RESPONSE)?.length !== 0) throw new StatusWordError(SW.wrongData);
  const isAllowed = { never: true, once: state.isPinVerified, always: isPinFresh }[policies.pin];
  if (!isAllowed) throw new StatusWordError(SW.securityNotSatisfied);
  const shared = { slot: command.p2, touch: policies.touch };
  if (point !== undefined)
    return { ...shared, act: 'agree', run: () => tlv(TEMPLATE, tlv(RESPONSE, key.agree(point))) };
  if (message === undefined) throw new StatusWordError(SW.wrongData);
  return { ...shared, act: 'sign', run: () => tlv(TEMPLATE, tlv(RESPONSE, key.sign(message))) };
}

function proveManagement(state: PivState, command: CommandApdu): KeyUse {
  const { management } = state;
  return {
    slot: MANAGEMENT_SLOT,
    act: 'prove',
    touch: management.isOpening(command.data) ? 'never' : management.touch,
    run: () => {
      const { reply, proved } = management.step(command.p1, command.data);
      if (proved) state.isManagementProved = true;
      return reply;
    },
  };
}

/** P1 FF, data: algorithm, 9B, length, key. */
export function setManagementKey(state: PivState, command: CommandApdu): Buffer {
  state.requireManagement();
  const touch = MANAGEMENT_TOUCH.get(command.p2);
  if (command.p1 !== 0xff || touch === undefined) throw new StatusWordError(SW.wrongParameters);
  const [algorithm, slot, length] = command.data;
  const value = command.data.subarray(3);
  if (algorithm === undefined || slot !== MANAGEMENT_SLOT || length !== value.length)
    throw new StatusWordError(SW.wrongData);
  state.management.set(algorithm, value, touch);
  return Buffer.alloc(0);
}

/** P2: slot, 80, 81 or 9B. */
export function getMetadata(state: PivState, command: CommandApdu): Buffer {
  if (!state.firmware.hasMetadata) throw new StatusWordError(SW.unknownInstruction);
  if (command.p2 === 0x80) return referenceMetadata(state.pin);
  if (command.p2 === 0x81) return referenceMetadata(state.puk);
  if (command.p2 === MANAGEMENT_SLOT) return managementMetadata(state);
  const { key, policies, origin } = state.storedKey(command.p2);
  return Buffer.concat([
    tlv(0x01, Buffer.from([key.algorithm])),
    tlv(0x02, policyBytes(policies)),
    tlv(0x03, Buffer.from([origin === 'generated' ? 1 : 2])),
    tlv(0x04, key.publicPoint),
  ]);
}

function referenceMetadata(reference: ReferenceValue): Buffer {
  return Buffer.concat([
    tlv(0x01, Buffer.from([0xff])),
    flag(0x05, reference.isFactory),
    tlv(0x06, Buffer.from([reference.maxTries, reference.triesLeft])),
  ]);
}

function managementMetadata({ management }: PivState): Buffer {
  const touch = policyBytes({ pin: 'never', touch: management.touch }).subarray(1);
  return Buffer.concat([
    tlv(0x01, Buffer.from([management.algorithm])),
    tlv(0x02, Buffer.from([0]), touch),
    flag(0x05, management.isFactory),
  ]);
}

/** P1: slot. A certificate about a key that was made on the card. */
export function getAttestation(state: PivState, command: CommandApdu): Buffer {
  requireKeySlot(command.p1);
  const { key, policies, origin } = state.storedKey(command.p1);
  if (origin === 'imported') throw new StatusWordError(SW.wrongData);
  const { firmware, serial } = state;
  const { publicKey } = key;
  const attestationKey = state.storedKey(ATTESTATION_SLOT).key;
  return attest(attestationKey, { slot: command.p1, publicKey, policies, firmware, serial });
}

function requireKeySlot(slot: number): void {
  if (!isKeySlot(slot)) throw new StatusWordError(SW.wrongSlot);
}

function flag(tag: number, value: boolean): Buffer {
  return tlv(tag, Buffer.from([value ? 1 : 0]));
}
