/**
 * Parameters of requests, checked field by field although the keeper is trusted: what reaches a driver has a known type and
 * length. Errors name the field.
 */
import { AgentError } from '../errors/agent-error.js';
import { decodeBase64 } from '../encoding/base64.js';
import { isKeyAlgorithm, type KeyAlgorithm } from '../crypto/algorithms.js';
import type { ObjectBackend } from '../keys/key-record.js';
import type { KeyReference, SignMechanism } from '../token/token.js';
import type { CardPolicies } from './messages.js';

/** CKA_ID and CKA_LABEL have no limit of their own; these are ours. */
const MAX_ID_BYTES = 64;
const MAX_TEXT_BYTES = 4096;
const MAX_LABEL_BYTES = 128;

const SO_PIN_LENGTH_BYTES = 2;

const MECHANISMS: readonly SignMechanism[] = [
  'ecdsa',
  'eddsa',
  'rsa-pkcs1',
  'rsa-pss-sha256',
  'rsa-pss-sha384',
  'rsa-pss-sha512',
];

/** One request's parameters. */
export class HostParams {
  readonly #fields: Readonly<Record<string, unknown>>;

  /** @throws AgentError `usage.invalid` when `params` is not an object */
  constructor(params: unknown) {
    if (typeof params !== 'object' || params === null) throw invalid('params', 'an object is needed');
    this.#fields = params as Readonly<Record<string, unknown>>;
  }

  /** Text of 1 to 4096 bytes without control characters. */
  text(name: string, maxBytes = MAX_TEXT_BYTES): string {
    const value = this.#fields[name];
    if (typeof value !== 'string' || value === '') throw invalid(name, 'text is needed');
    if (Buffer.byteLength(value) > maxBytes) throw invalid(name, `longer than ${maxBytes} bytes`);
    if (/\p{Cc}/u.test(value)) throw invalid(name, 'it holds control characters');
    return value;
  }

  key(): KeyReference {
    const id = this.text('id', 2 * MAX_ID_BYTES);
    if (!/^([0-9a-f]{2})+$/.test(id)) throw invalid('id', 'lower-case hex is needed');
    return { id, label: this.text('label', MAX_LABEL_BYTES) };
  }

  backend(): ObjectBackend {
    const value = this.#fields['backend'];
    if (value !== 'ec' && value !== 'hmac') throw invalid('backend', 'not ec or hmac');
    return value;
  }

  /** P-256 when it is left out. */
  algorithm(): KeyAlgorithm {
    const value = this.#fields['algorithm'] ?? 'ecdsa-p256';
    if (typeof value !== 'string' || !isKeyAlgorithm(value))
      throw invalid('algorithm', 'not a key algorithm');
    return value;
  }

  mechanism(): SignMechanism {
    const value = this.#fields['mechanism'];
    const known = MECHANISMS.find((mechanism) => mechanism === value);
    if (known === undefined) throw invalid('mechanism', `not one of ${MECHANISMS.join(', ')}`);
    return known;
  }

  optionalText(name: string): string | undefined {
    return this.#fields[name] === undefined ? undefined : this.text(name);
  }

  /** False when it is left out. */
  isTrue(name: string): boolean {
    return this.#fields[name] === true;
  }

  slot(): 1 | 2 {
    const value = this.#fields['slot'];
    if (value !== 1 && value !== 2) throw invalid('slot', 'not 1 or 2');
    return value;
  }

  enrol(): 'program' | 'adopt' | undefined {
    const value = this.#fields['enrol'];
    if (value !== undefined && value !== 'program' && value !== 'adopt')
      throw invalid('enrol', 'not program or adopt');
    return value;
  }

  policies(): CardPolicies {
    const { pin, touch } = this.#fields;
    if (pin !== 'never' && pin !== 'once' && pin !== 'always') throw invalid('pin', 'not a PIN policy');
    if (touch !== 'never' && touch !== 'always' && touch !== 'cached')
      throw invalid('touch', 'not a touch policy');
    return { pin, touch };
  }

  base64(name: string): Buffer {
    return decodeBase64(this.text(name), name);
  }
}

/** Raw bytes of exactly this length. @throws AgentError `usage.invalid` */
export function requireRawBytes(raw: Buffer, bytes: number, what: string): Buffer {
  if (raw.length !== bytes) throw invalid('raw', `${what} of ${bytes} bytes is needed, not ${raw.length}`);
  return raw;
}

/** `initialise`: u16 length of the SO PIN, SO PIN, PIN; views of `raw`. */
export function splitPins(raw: Buffer): { readonly soPin: Buffer; readonly pin: Buffer } {
  const soEnd = raw.length < SO_PIN_LENGTH_BYTES ? 0 : SO_PIN_LENGTH_BYTES + raw.readUInt16BE(0);
  if (soEnd <= SO_PIN_LENGTH_BYTES || soEnd >= raw.length) throw invalid('raw', 'two PINs are needed');
  return { soPin: raw.subarray(SO_PIN_LENGTH_BYTES, soEnd), pin: raw.subarray(soEnd) };
}

function invalid(field: string, problem: string): AgentError {
  return new AgentError('usage.invalid', {
    message: `token host call: ${field}: ${problem}`,
    details: { field },
  });
}
