/**
 * The management key (9B): who proves it may make keys and write objects. Both sides prove themselves (SP 800-73-4, GENERAL
 * AUTHENTICATE with a witness), so that nothing is written to a card that only pretends.
 */
import { createCipheriv, createDecipheriv, randomFillSync, timingSafeEqual } from 'node:crypto';
import { secretBuffer } from '../../crypto/secret-bytes.js';
import { AgentError } from '../../errors/agent-error.js';
import { INS, SW_OK, transceive, type Exchange } from './apdu.js';
import { parseTlv, requireTlv, tlv } from './ber-tlv.js';
import { CARD_WAITED_MS } from './touch-outcome.js';

const ALGORITHMS = [
  { number: 0x03, name: '3des', cipher: 'des-ede3-ecb', keyBytes: 24, blockBytes: 8 },
  { number: 0x08, name: 'aes-128', cipher: 'aes-128-ecb', keyBytes: 16, blockBytes: 16 },
  { number: 0x0a, name: 'aes-192', cipher: 'aes-192-ecb', keyBytes: 24, blockBytes: 16 },
  { number: 0x0c, name: 'aes-256', cipher: 'aes-256-ecb', keyBytes: 32, blockBytes: 16 },
] as const;

export type ManagementAlgorithm = (typeof ALGORITHMS)[number];

const REFERENCE = 0x9b;
const TEMPLATE = 0x7c;
const WITNESS = 0x80;
const CHALLENGE = 0x81;
const RESPONSE = 0x82;
/** P1, P2 of SET MANAGEMENT KEY: no touch is asked for. */
const NO_TOUCH = 0xff;

/** What every YubiKey leaves the factory with, whatever the algorithm. It protects nothing. */
export const FACTORY_MANAGEMENT_KEY = Buffer.from('010203040506070801020304050607080102030405060708', 'hex');

/** 3DES for cards that cannot tell. @throws AgentError `token.unsupported` for a number of a later firmware */
export function managementAlgorithm(number: number | undefined): ManagementAlgorithm {
  const found = ALGORITHMS.find((each) => each.number === (number ?? 0x03));
  if (found !== undefined) return found;
  throw new AgentError('token.unsupported', {
    message: `management key: algorithm ${String(number)} is not one that this release knows`,
  });
}

/** A random key; the caller overwrites it. */
export function drawManagementKey({ keyBytes }: ManagementAlgorithm): Buffer {
  return randomFillSync(secretBuffer(keyBytes));
}

/** @throws AgentError `token.management-key` when it is not the key of the card, or the card cannot prove that it has it; `token.touch-timeout` */
export function proveManagementKey(
  exchange: Exchange,
  algorithm: ManagementAlgorithm,
  key: Uint8Array,
): void {
  const step = (...elements: readonly Uint8Array[]): ReadonlyMap<number, Buffer> => {
    const startedAtMs = performance.now();
    const answer = transceive(exchange, {
      ins: INS.authenticate,
      p1: algorithm.number,
      p2: REFERENCE,
      data: tlv(TEMPLATE, ...elements),
    });
    // Its owner may have given it a touch policy.
    if (answer.statusWord !== SW_OK && performance.now() - startedAtMs >= CARD_WAITED_MS)
      throw new AgentError('token.touch-timeout');
    if (answer.statusWord !== SW_OK) throw refused(answer.statusWord);
    return parseTlv(requireTlv(parseTlv(answer.data), TEMPLATE));
  };
  if (key.length !== algorithm.keyBytes) throw refused();
  const witness = decrypt(algorithm, key, requireTlv(step(tlv(WITNESS)), WITNESS));
  const challenge = randomFillSync(Buffer.alloc(algorithm.blockBytes));
  const proof = requireTlv(step(tlv(WITNESS, witness), tlv(CHALLENGE, challenge)), RESPONSE);
  const expected = encrypt(algorithm, key, challenge);
  if (proof.length === expected.length && timingSafeEqual(proof, expected)) return;
  throw new AgentError('token.management-key', {
    message: 'management key: the card could not prove that it has the same one',
  });
}

/** Gives the card another key; the old one has to be proved. @throws AgentError `token.device` */
export function setManagementKey(exchange: Exchange, algorithm: ManagementAlgorithm, key: Uint8Array): void {
  const data = Buffer.concat([Buffer.of(algorithm.number, REFERENCE, key.length), key]);
  try {
    const { statusWord } = transceive(exchange, { ins: INS.setManagementKey, p1: 0xff, p2: NO_TOUCH, data });
    if (statusWord === SW_OK) return;
    throw new AgentError('token.device', {
      message: `changing the management key: the card refused (${statusWord.toString(16)})`,
    });
  } finally {
    data.fill(0);
  }
}

function encrypt({ cipher }: ManagementAlgorithm, key: Uint8Array, block: Buffer): Buffer {
  return createCipheriv(cipher, key, null).setAutoPadding(false).update(block);
}

function decrypt({ cipher, blockBytes }: ManagementAlgorithm, key: Uint8Array, block: Buffer): Buffer {
  if (block.length !== blockBytes) throw refused();
  return createDecipheriv(cipher, key, null).setAutoPadding(false).update(block);
}

function refused(statusWord?: number): AgentError {
  const word = statusWord === undefined ? '' : ` (${statusWord.toString(16)})`;
  return new AgentError('token.management-key', { message: `management key: the card refused it${word}` });
}
