/**
 * HPKE (RFC 9180), base mode, single shot: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305. A client seals a PIN with it
 * to a one-time key of the keeper, so that nothing between the two can read it.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { AgentError } from '../errors/agent-error.js';

const CIPHER = 'chacha20-poly1305';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HASH_BYTES = 32;
const X25519_SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');
const X25519_PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');

// RFC 9180 sections 4.1 and 5.1: "KEM" || kem_id, and "HPKE" || kem_id || kdf_id || aead_id.
const KEM_SUITE = Buffer.from('4b454d0020', 'hex');
const HPKE_SUITE = Buffer.from('48504b45002000010003', 'hex');
const VERSION_LABEL = Buffer.from('HPKE-v1', 'ascii');
const MODE_BASE = Buffer.from([0]);
const EMPTY = Buffer.alloc(0);

/** What travels: the encapsulated key (32 bytes) and the ciphertext with its tag (plaintext + 16 bytes). */
export interface Sealed {
  readonly enc: Buffer;
  readonly ciphertext: Buffer;
}

/** The receiving side: one key pair, meant to be used once and dropped. */
export class HpkeRecipient implements Disposable {
  /** X25519 public key, 32 bytes. */
  readonly publicKey: Buffer;
  #privateKey: KeyObject | undefined;

  private constructor(privateKey: KeyObject) {
    this.#privateKey = privateKey;
    this.publicKey = rawPublicKey(createPublicKey(privateKey));
  }

  static generate(): HpkeRecipient {
    return new HpkeRecipient(generateKeyPairSync('x25519').privateKey);
  }

  /** From the 32 bytes of RFC 7748; the caller overwrites them. */
  static fromPrivateKey(raw: Uint8Array): HpkeRecipient {
    const der = Buffer.concat([X25519_PKCS8_PREFIX, raw]);
    try {
      return new HpkeRecipient(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
    } finally {
      der.fill(0);
    }
  }

  /**
   * Opens one sealed message; the caller overwrites the plaintext after use.
   * @throws AgentError `usage.invalid` when it was not sealed to this key with this info and additional data.
   */
  open({ enc, ciphertext }: Sealed, info: Uint8Array, aad: Uint8Array = EMPTY): Buffer {
    if (this.#privateKey === undefined) throw unopened('the one-time key was already dropped');
    if (enc.length !== KEY_BYTES) throw unopened(`the encapsulated key is not ${KEY_BYTES} bytes`);
    if (ciphertext.length < TAG_BYTES) throw unopened('the ciphertext is shorter than its tag');
    const shared = agree(this.#privateKey, enc, { enc, recipient: this.publicKey });
    return withKeySchedule(shared, info, (key, nonce) => {
      const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(aad, { plaintextLength: ciphertext.length - TAG_BYTES });
      decipher.setAuthTag(ciphertext.subarray(-TAG_BYTES));
      const plaintext = decipher.update(ciphertext.subarray(0, -TAG_BYTES));
      try {
        decipher.final();
      } catch (cause) {
        plaintext.fill(0);
        throw unopened('it does not authenticate', cause);
      }
      return plaintext;
    });
  }

  /** Drops the private key; it cannot open anything after that. */
  [Symbol.dispose](): void {
    this.#privateKey = undefined;
  }
}

/**
 * Seals `plaintext` to an X25519 public key of 32 bytes; `info` must be the recipient's.
 * @throws AgentError `usage.invalid` when the public key cannot be used.
 */
export function seal(
  publicKey: Uint8Array,
  plaintext: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array = EMPTY,
): Sealed {
  if (publicKey.length !== KEY_BYTES) {
    throw new AgentError('usage.invalid', { message: `sealing: the public key is not ${KEY_BYTES} bytes` });
  }
  const ephemeral = generateKeyPairSync('x25519');
  const enc = rawPublicKey(ephemeral.publicKey);
  const shared = agree(ephemeral.privateKey, publicKey, { enc, recipient: publicKey });
  const ciphertext = withKeySchedule(shared, info, (key, nonce) => {
    const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(aad, { plaintextLength: plaintext.length });
    const body = cipher.update(plaintext);
    cipher.final();
    return Buffer.concat([body, cipher.getAuthTag()]);
  });
  return { enc, ciphertext };
}

/** Both sides of DHKEM (section 4.1): Diffie-Hellman, then ExtractAndExpand over the two public keys. */
function agree(
  own: KeyObject,
  peer: Uint8Array,
  context: { readonly enc: Uint8Array; readonly recipient: Uint8Array },
): Buffer {
  const peerKey = createPublicKey({
    key: Buffer.concat([X25519_SPKI_PREFIX, peer]),
    format: 'der',
    type: 'spki',
  });
  const dh = exchange(own, peerKey);
  const prk = labeledExtract(KEM_SUITE, EMPTY, 'eae_prk', dh);
  const shared = labeledExpand(KEM_SUITE, prk, {
    label: 'shared_secret',
    info: Buffer.concat([context.enc, context.recipient]),
    length: HASH_BYTES,
  });
  dh.fill(0);
  prk.fill(0);
  return shared;
}

function exchange(privateKey: KeyObject, publicKey: KeyObject): Buffer {
  try {
    return diffieHellman({ privateKey, publicKey });
  } catch (cause) {
    // OpenSSL refuses an all-zero result, as section 7.1.4 asks.
    throw new AgentError('usage.invalid', {
      message: 'agreeing on a key: the public key cannot be used',
      cause,
    });
  }
}

/** Section 5.1 with an empty psk: calls `use` with key and base nonce, and overwrites every secret, `shared` included. */
function withKeySchedule<T>(shared: Buffer, info: Uint8Array, use: (key: Buffer, nonce: Buffer) => T): T {
  const pskIdHash = labeledExtract(HPKE_SUITE, EMPTY, 'psk_id_hash', EMPTY);
  const infoHash = labeledExtract(HPKE_SUITE, EMPTY, 'info_hash', info);
  const context = Buffer.concat([MODE_BASE, pskIdHash, infoHash]);
  const secret = labeledExtract(HPKE_SUITE, shared, 'secret', EMPTY);
  const key = labeledExpand(HPKE_SUITE, secret, { label: 'key', info: context, length: KEY_BYTES });
  const nonce = labeledExpand(HPKE_SUITE, secret, {
    label: 'base_nonce',
    info: context,
    length: NONCE_BYTES,
  });
  try {
    return use(key, nonce);
  } finally {
    for (const bytes of [shared, secret, key, nonce]) bytes.fill(0);
  }
}

function labeledExtract(suite: Buffer, salt: Uint8Array, label: string, ikm: Uint8Array): Buffer {
  return createHmac('sha256', salt)
    .update(VERSION_LABEL)
    .update(suite)
    .update(label, 'ascii')
    .update(ikm)
    .digest();
}

interface Expansion {
  readonly label: string;
  readonly info: Uint8Array;
  /** At most 32: one block of HKDF-Expand is enough for every output of this suite. */
  readonly length: number;
}

function labeledExpand(suite: Buffer, prk: Buffer, { label, info, length }: Expansion): Buffer {
  const block = createHmac('sha256', prk)
    .update(Buffer.from([0, length]))
    .update(VERSION_LABEL)
    .update(suite)
    .update(label, 'ascii')
    .update(info)
    .update(Buffer.from([1]))
    .digest();
  const output = Buffer.from(block.subarray(0, length));
  block.fill(0);
  return output;
}

function rawPublicKey(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'der', type: 'spki' }).subarray(-KEY_BYTES));
}

function unopened(problem: string, cause?: unknown): AgentError {
  return new AgentError('usage.invalid', { message: `opening a sealed message: ${problem}`, cause });
}
