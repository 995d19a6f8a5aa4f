/**
 * Setting up a card: PIN, PUK and management key, keys and certificates. The card is held in one transaction from the PIN to the end,
 * so that no other program finds it open, and is reset then.
 */
import { spkiFromRaw } from '../../crypto/public-key.js';
import { secretBuffer } from '../../crypto/secret-bytes.js';
import { ecdsaRawFromDer } from '../../encoding/der.js';
import { AgentError } from '../../errors/agent-error.js';
import { INS, SW_OK, transceive, type Answer, type Command } from './apdu.js';
import { parseTlv, requireTlv, tlv } from './ber-tlv.js';
import { writeCertificate } from './card-objects.js';
import type { HeldCard } from './card-reader.js';
import { attestationOf, managementNumber, readCardState } from './card-state.js';
import {
  drawManagementKey,
  FACTORY_MANAGEMENT_KEY,
  managementAlgorithm,
  proveManagementKey,
  setManagementKey,
} from './management-key.js';
import { FACTORY, fillPin, requirePin, requirePuk } from './pin-form.js';
import { PivCard } from './piv-card.js';
import type { PivSlot } from './piv-slots.js';
import { policyCodes, type SlotPolicies } from '../../formats/piv-policies.js';
import { readStoredManagementKey, storeManagementKey } from './stored-management-key.js';
import { CARD_WAITED_MS } from './touch-outcome.js';

const REFERENCE = { pin: 0x80, puk: 0x81 } as const;
const NAMES = { pin: 'PIN', puk: 'PUK' } as const;
const P256 = 0x11;
const TAG = { template: 0xac, algorithm: 0x80, pinPolicy: 0xaa, touchPolicy: 0xab, point: 0x86 } as const;
const SIGN = { template: 0x7c, response: 0x82, digest: 0x81 } as const;
const PUBLIC_KEY = 0x7f49;
const SW_BLOCKED = 0x6983;
const SW_NOT_ALLOWED = 0x6982;
const SW_TRIES = 0x63c0;

export interface MadeKey {
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Buffer;
  /** DER of what the card says about it. */
  readonly attestation: Buffer | undefined;
}

export class PivAdmin implements Disposable {
  readonly #held: HeldCard;

  /** @throws AgentError `token.removed` when another card is in the reader */
  constructor(held: HeldCard, serial: string) {
    this.#held = held;
    try {
      if (new PivCard(held.exchange).identify().serial !== serial)
        throw new AgentError('token.removed', { message: `YubiKey ${serial}: another card is in its place` });
    } catch (error) {
      held.close();
      throw error;
    }
  }

  /**
   * Logs in with one attempt. A PIN of the factory is changed first, and only where the card itself says that it is one.
   * @throws AgentError `token.pin-…`
   */
  enterPin(pin: Uint8Array, isNew: boolean): void {
    requirePin(pin);
    if (isNew) this.#changeFactory('pin', pin);
    const data = fillPin(pin);
    this.#requireRight('pin', this.#sendSecret({ ins: INS.verify, p2: REFERENCE.pin, data }));
  }

  /** Changes a PUK of the factory. @throws AgentError `token.pin-format`, `token.object-exists` when somebody has changed it */
  changePuk(puk: Uint8Array): void {
    requirePuk(puk);
    this.#changeFactory('puk', puk);
  }

  /**
   * Proves the management key that is on the card, or replaces the one of the factory by a random one. That one is stored before it
   * counts: a card that is pulled in between still has the factory's, and can be set up again.
   * @throws AgentError `token.management-key`
   */
  openManagement(): void {
    const { exchange } = this.#held;
    const algorithm = managementAlgorithm(managementNumber(exchange));
    const { isFactory, isStored } = readCardState(exchange).management;
    if (isFactory !== true) {
      if (!isStored) throw unknownManagementKey();
      const stored = readStoredManagementKey(exchange);
      try {
        proveManagementKey(exchange, algorithm, stored);
      } finally {
        stored.fill(0);
      }
      return;
    }
    proveManagementKey(exchange, algorithm, FACTORY_MANAGEMENT_KEY);
    const fresh = drawManagementKey(algorithm);
    try {
      storeManagementKey(exchange, fresh);
      setManagementKey(exchange, algorithm, fresh);
      proveManagementKey(exchange, algorithm, fresh);
    } finally {
      fresh.fill(0);
    }
  }

  /** Makes a P-256 key; what was in the slot is lost. @throws AgentError `token.device` */
  generate(slot: PivSlot, policies: SlotPolicies): MadeKey {
    const { exchange } = this.#held;
    const { pin, touch } = policyCodes(policies);
    const data = tlv(
      TAG.template,
      tlv(TAG.algorithm, Buffer.of(P256)),
      tlv(TAG.pinPolicy, Buffer.of(pin)),
      tlv(TAG.touchPolicy, Buffer.of(touch)),
    );
    const answer = this.#ask(`making a key in ${slot.key.label}`, {
      ins: INS.generate,
      p2: slot.number,
      data,
    });
    const point = requireTlv(parseTlv(requireTlv(parseTlv(answer), PUBLIC_KEY)), TAG.point);
    return { spki: spkiFromRaw('ecdsa-p256', point), attestation: attestationOf(exchange, slot) };
  }

  /** Signs a digest of 32 bytes: r||s. Waits for a finger where the key wants one. @throws AgentError `token.touch-timeout` */
  sign(slot: PivSlot, digest: Uint8Array): Buffer {
    const data = tlv(SIGN.template, tlv(SIGN.response), tlv(SIGN.digest, digest));
    const startedAtMs = performance.now();
    const answer = this.#send({ ins: INS.authenticate, p1: P256, p2: slot.number, data });
    if (answer.statusWord === SW_NOT_ALLOWED && performance.now() - startedAtMs >= CARD_WAITED_MS)
      throw new AgentError('token.touch-timeout');
    const elements = parseTlv(requireTlv(parseTlv(requireOk('signing', answer)), SIGN.template));
    return ecdsaRawFromDer(requireTlv(elements, SIGN.response), 'token.bad-signature');
  }

  /** @param certificate DER */
  putCertificate(slot: PivSlot, certificate: Uint8Array): void {
    writeCertificate(this.#held.exchange, slot.certificate, certificate);
  }

  [Symbol.dispose](): void {
    this.#held.close();
  }

  #changeFactory(which: keyof typeof REFERENCE, value: Uint8Array): void {
    if (readCardState(this.#held.exchange)[which]?.isFactory !== true) {
      throw new AgentError('token.object-exists', {
        message: `changing the ${NAMES[which]}: the card does not say that it is still the one of the factory`,
        hint: 'run the command again: it reads the card anew',
      });
    }
    const [old, next] = [fillPin(FACTORY[which]), fillPin(value)];
    const data = secretBuffer(old.length + next.length);
    old.copy(data);
    next.copy(data, old.length);
    next.fill(0);
    this.#requireRight(which, this.#sendSecret({ ins: INS.changeReference, p2: REFERENCE[which], data }));
  }

  #requireRight(which: keyof typeof REFERENCE, { statusWord }: Answer): void {
    if (statusWord === SW_OK) return;
    const message = `${NAMES[which]} of the YubiKey: the card refused it`;
    if (statusWord === SW_BLOCKED) throw new AgentError('token.pin-locked', { message });
    if ((statusWord & 0xfff0) === SW_TRIES) throw new AgentError('token.pin-incorrect', { message });
    throw new AgentError('token.pin-format', {
      message: `${message} (${statusWord.toString(16)}); it may be too simple for this card`,
    });
  }

  #ask(what: string, command: Command): Buffer {
    return requireOk(what, this.#send(command));
  }

  /** Overwrites the data, whatever becomes of them. */
  #sendSecret(command: Command & { readonly data: Buffer }): Answer {
    try {
      return this.#send(command);
    } finally {
      command.data.fill(0);
    }
  }

  #send(command: Command): Answer {
    return transceive(this.#held.exchange, command);
  }
}

function requireOk(what: string, { data, statusWord }: Answer): Buffer {
  if (statusWord === SW_OK) return data;
  throw new AgentError('token.device', {
    message: `${what}: the card refused (${statusWord.toString(16)})`,
  });
}

function unknownManagementKey(): AgentError {
  return new AgentError('token.management-key', {
    message: 'management key: it is neither the one of the factory nor stored on the card',
    hint: 'have it stored: ykman piv access change-management-key --generate --protect',
  });
}
