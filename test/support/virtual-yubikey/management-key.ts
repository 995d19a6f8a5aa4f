/** The management key (9B): what it is, and the two dialogues that prove it (SP 800-73-4, GENERAL AUTHENTICATE). */
import { createCipheriv, randomBytes } from 'node:crypto';
import type { Firmware } from './firmware.js';
import type { TouchPolicy } from './policies.js';
import { StatusWordError, SW } from './status-word.js';
import { contentOf, parseTlvMap, tlv } from './tlv.js';

const KINDS = [
  { algorithm: 0x03, cipher: 'des-ede3-ecb', keyBytes: 24, blockBytes: 8 },
  { algorithm: 0x08, cipher: 'aes-128-ecb', keyBytes: 16, blockBytes: 16 },
  { algorithm: 0x0a, cipher: 'aes-192-ecb', keyBytes: 24, blockBytes: 16 },
  { algorithm: 0x0c, cipher: 'aes-256-ecb', keyBytes: 32, blockBytes: 16 },
] as const;
type Kind = (typeof KINDS)[number];

const TRIPLE_DES = 0x03;
const AES_192 = 0x0a;
const TEMPLATE = 0x7c;
const WITNESS = 0x80;
const CHALLENGE = 0x81;
const RESPONSE = 0x82;

export const FACTORY_MANAGEMENT_KEY = Buffer.from('010203040506070801020304050607080102030405060708', 'hex');

/** What the card waits to hear: its own witness decrypted, or its challenge encrypted. */
interface Question {
  readonly tag: typeof WITNESS | typeof RESPONSE;
  readonly answer: Buffer;
}

export class ManagementKey {
  #kind: Kind;
  #value: Buffer = FACTORY_MANAGEMENT_KEY;
  #question: Question | undefined;
  #touch: TouchPolicy = 'never';

  constructor(readonly firmware: Firmware) {
    this.#kind = kindOf(firmware.isModern ? AES_192 : TRIPLE_DES);
  }

  get algorithm(): number {
    return this.#kind.algorithm;
  }

  get touch(): TouchPolicy {
    return this.#touch;
  }

  get isFactory(): boolean {
    return this.#value.equals(FACTORY_MANAGEMENT_KEY);
  }

  /** @throws StatusWordError 6a80 for a length or an algorithm that the firmware does not take */
  set(algorithm: number, value: Buffer, touch: TouchPolicy): void {
    const kind = kindOf(algorithm);
    const isKnown = algorithm === TRIPLE_DES || this.firmware.hasAesManagementKey;
    if (!isKnown || value.length !== kind.keyBytes) throw new StatusWordError(SW.wrongData);
    this.#kind = kind;
    this.#value = Buffer.from(value);
    this.#touch = touch;
    this.forget();
  }

  /** Ends a dialogue that was begun. */
  forget(): void {
    this.#question = undefined;
  }

  /** True when this step still asks for something, and so needs no touch yet. */
  isOpening(data: Buffer): boolean {
    const elements = parseTlvMap(templateOf(data));
    return elements.get(WITNESS)?.length === 0 || elements.get(CHALLENGE)?.length === 0;
  }

  /** One step: what to answer, and whether the key is proved now. @throws StatusWordError 6982 for a wrong proof, 6a80, 6a86 */
  step(algorithm: number, data: Buffer): { readonly reply: Buffer; readonly proved: boolean } {
    if (algorithm !== this.#kind.algorithm) throw new StatusWordError(SW.wrongParameters);
    const elements = parseTlvMap(templateOf(data));
    const question = this.#question;
    this.forget();
    if (elements.get(WITNESS)?.length === 0) return { reply: this.#askWitness(), proved: false };
    if (elements.get(CHALLENGE)?.length === 0) return { reply: this.#askChallenge(), proved: false };
    if (question === undefined || elements.get(question.tag)?.equals(question.answer) !== true)
      throw new StatusWordError(SW.securityNotSatisfied);
    if (question.tag === RESPONSE) return { reply: Buffer.alloc(0), proved: true };
    return { reply: this.#answerChallenge(elements.get(CHALLENGE)), proved: true };
  }

  #askWitness(): Buffer {
    const answer = randomBytes(this.#kind.blockBytes);
    this.#question = { tag: WITNESS, answer };
    return tlv(TEMPLATE, tlv(WITNESS, this.#encrypt(answer)));
  }

  #askChallenge(): Buffer {
    const challenge = randomBytes(this.#kind.blockBytes);
    this.#question = { tag: RESPONSE, answer: this.#encrypt(challenge) };
    return tlv(TEMPLATE, tlv(CHALLENGE, challenge));
  }

  #answerChallenge(challenge: Buffer | undefined): Buffer {
    if (challenge?.length !== this.#kind.blockBytes) throw new StatusWordError(SW.wrongData);
    return tlv(TEMPLATE, tlv(RESPONSE, this.#encrypt(challenge)));
  }

  #encrypt(block: Buffer): Buffer {
    const cipher = createCipheriv(this.#kind.cipher, this.#value, null).setAutoPadding(false);
    return Buffer.concat([cipher.update(block), cipher.final()]);
  }
}

function templateOf(data: Buffer): Buffer {
  return contentOf(data, TEMPLATE);
}

function kindOf(algorithm: number): Kind {
  const kind = KINDS.find((each) => each.algorithm === algorithm);
  if (kind === undefined) throw new StatusWordError(SW.wrongData);
  return kind;
}
