/** The other side of the management key: what a program does that knows it. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { FACTORY_MANAGEMENT_KEY } from './management-key.js';
import { contentOf, tlv } from './tlv.js';

const CIPHERS: ReadonlyMap<number, { readonly cipher: string; readonly blockBytes: number }> = new Map([
  [0x03, { cipher: 'des-ede3-ecb', blockBytes: 8 }],
  [0x08, { cipher: 'aes-128-ecb', blockBytes: 16 }],
  [0x0a, { cipher: 'aes-192-ecb', blockBytes: 16 }],
  [0x0c, { cipher: 'aes-256-ecb', blockBytes: 16 }],
]);

/**
 * Proves the management key over `exchange`, which sends one GENERAL AUTHENTICATE for 9B and gives the response with its
 * status word. @throws Error when the card refuses, or cannot prove itself in the mutual dialogue
 */
export function proveManagement(
  exchange: (data: Buffer) => Buffer,
  algorithm: number,
  options: { readonly dialogue?: 'mutual' | 'single'; readonly value?: Buffer } = {},
): void {
  const { dialogue = 'mutual', value = FACTORY_MANAGEMENT_KEY } = options;
  const { cipher, blockBytes } = CIPHERS.get(algorithm) ?? { cipher: 'none', blockBytes: 0 };
  const encrypt = (block: Buffer): Buffer =>
    createCipheriv(cipher, value, null).setAutoPadding(false).update(block);
  const decrypt = (block: Buffer): Buffer =>
    createDecipheriv(cipher, value, null).setAutoPadding(false).update(block);
  const step = (...elements: readonly Buffer[]): Buffer => {
    const response = exchange(tlv(0x7c, ...elements));
    if (response.subarray(-2).toString('hex') !== '9000') throw new Error('management key: refused');
    return response.subarray(0, -2);
  };
  if (dialogue === 'single') {
    const challenge = contentOf(contentOf(step(tlv(0x81)), 0x7c), 0x81);
    step(tlv(0x82, encrypt(challenge)));
    return;
  }
  const witness = contentOf(contentOf(step(tlv(0x80)), 0x7c), 0x80);
  const challenge = randomBytes(blockBytes);
  const proof = contentOf(contentOf(step(tlv(0x80, decrypt(witness)), tlv(0x81, challenge)), 0x7c), 0x82);
  if (!proof.equals(encrypt(challenge))) throw new Error('management key: the card did not prove itself');
}
