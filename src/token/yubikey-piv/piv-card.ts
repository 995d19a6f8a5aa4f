/**
 * What a YubiKey says of its PIV applet, APDU by APDU: libykcs11 shows the counter only as it last saw it, and guesses policies.
 * No command here needs a PIN or sends one.
 */
import { spkiFromRaw } from '../../crypto/public-key.js';
import { AgentError } from '../../errors/agent-error.js';
import { INS, SW_OK, transceive, type Answer, type Command, type Exchange } from './apdu.js';
import { parseAttestation, spkiOf } from '../../formats/piv-attestation.js';
import { parseTlv, requireTlv, tlv } from './ber-tlv.js';
import { policiesOf, type SlotPolicies } from '../../formats/piv-policies.js';
import type { PinTries } from '../token.js';
import type { PivSlot } from './piv-slots.js';

const PIV_AID = Buffer.from('a000000308', 'hex');
const OTP_AID = Buffer.from('a0000005272001', 'hex');
const SELECT_BY_NAME = 0x04;
const OTP_REQUEST = 0x01;
const OTP_SERIAL = 0x10;
const PIN_REFERENCE = 0x80;
const OBJECT = 0x3fff;
const SW_BLOCKED = 0x6983;
const SW_TRIES = 0x63c0;
const STANDARD_TRIES = 3;

const TAG = { algorithm: 0x01, policies: 0x02, origin: 0x03, publicKey: 0x04, tries: 0x06 } as const;
const P256 = 0x11;
const IMPORTED = 2;

export interface CardFacts {
  /** Decimal, as printed on the key. */
  readonly serial: string;
  /** Such as 5.4.3. */
  readonly firmware: string;
}

export interface SlotFacts {
  /** DER SubjectPublicKeyInfo of a P-256 key. */
  readonly spki: Buffer;
  /** What the card says; undefined where it cannot tell. */
  readonly policies: SlotPolicies | undefined;
  readonly isImported: boolean;
}

export class PivCard {
  readonly exchange: Exchange;

  constructor(exchange: Exchange) {
    this.exchange = exchange;
  }

  /**
   * Selects the applet and says which card it is. Ends the login of everybody, where another applet was selected.
   * @throws AgentError `token.unsupported` for a card that is no YubiKey with PIV
   */
  identify(): CardFacts {
    this.#select(PIV_AID);
    const { data: version } = this.#ask({ ins: INS.version });
    if (version.length !== 3) throw notPiv();
    const own = this.#send({ ins: INS.serial });
    const serial = own.statusWord === SW_OK ? own.data : this.#serialOfOtp();
    if (serial.length !== 4) throw notPiv();
    return { serial: String(serial.readUInt32BE()), firmware: [...version].join('.') };
  }

  /** The counter of the PIN. Undefined when somebody is logged in and the firmware has no other way to say it. */
  pinTries(): PinTries | undefined {
    const metadata = this.#send({ ins: INS.metadata, p2: PIN_REFERENCE });
    if (metadata.statusWord === SW_OK) {
      const [total = 0, left = 0] = requireTlv(parseTlv(metadata.data), TAG.tries);
      return { left, total };
    }
    const state = this.pinState();
    return state === 'open' ? undefined : state;
  }

  /**
   * Whether somebody has entered the PIN since the card was reset, which also means that its counter is full; else the counter.
   * Changes nothing on the card; undefined while another applet is selected.
   */
  pinState(): 'open' | PinTries | undefined {
    const { statusWord } = this.#send({ ins: INS.verify, p2: PIN_REFERENCE });
    if (statusWord === SW_OK) return 'open';
    if (statusWord === SW_BLOCKED) return { left: 0, total: STANDARD_TRIES };
    if ((statusWord & 0xfff0) !== SW_TRIES) return undefined;
    const left = statusWord & 0x0f;
    return { left, total: Math.max(left, STANDARD_TRIES) };
  }

  /**
   * The key in a slot: from its metadata (firmware 5.3 and later), its attestation (keys made on the card), or its certificate.
   * @throws AgentError `token.key-missing`, `token.unsupported` when it is not of P-256
   */
  slot(slot: PivSlot): SlotFacts {
    const metadata = this.#send({ ins: INS.metadata, p2: slot.number });
    if (metadata.statusWord === SW_OK) return slotFacts(parseTlv(metadata.data), slot);
    const attestation = this.#send({ ins: INS.attest, p1: slot.number });
    if (attestation.statusWord === SW_OK) {
      const { spki, policies } = parseAttestation(attestation.data);
      return { spki, policies, isImported: false };
    }
    const object = tlv(0x5c, Buffer.from(slot.certificate, 'hex'));
    const stored = this.#send({ ins: INS.getData, p1: OBJECT >> 8, p2: OBJECT & 0xff, data: object });
    if (stored.statusWord !== SW_OK) throw missing(slot);
    const certificate = requireTlv(parseTlv(requireTlv(parseTlv(stored.data), 0x53)), 0x70);
    return { spki: spkiOf(certificate), policies: undefined, isImported: true };
  }

  #serialOfOtp(): Buffer {
    try {
      this.#select(OTP_AID);
      return this.#ask({ ins: OTP_REQUEST, p1: OTP_SERIAL }).data;
    } finally {
      this.#select(PIV_AID);
    }
  }

  #select(aid: Buffer): void {
    this.#ask({ ins: INS.select, p1: SELECT_BY_NAME, data: aid });
  }

  #send(command: Command): Answer {
    return transceive(this.exchange, command);
  }

  #ask(command: Command): Answer {
    const answer = this.#send(command);
    if (answer.statusWord === SW_OK) return answer;
    throw notPiv(answer.statusWord);
  }
}

function slotFacts(metadata: ReadonlyMap<number, Buffer>, slot: PivSlot): SlotFacts {
  if (requireTlv(metadata, TAG.algorithm)[0] !== P256) {
    throw new AgentError('token.unsupported', { message: `${slot.key.label}: its key is not of P-256` });
  }
  const point = requireTlv(parseTlv(requireTlv(metadata, TAG.publicKey)), 0x86);
  return {
    spki: spkiFromRaw('ecdsa-p256', point),
    policies: policiesOf(requireTlv(metadata, TAG.policies)),
    isImported: metadata.get(TAG.origin)?.[0] === IMPORTED,
  };
}

function missing({ key }: PivSlot): AgentError {
  return new AgentError('token.key-missing', {
    message: `${key.label}: there is no key in it, or none that shows itself`,
  });
}

function notPiv(statusWord?: number): AgentError {
  const word = statusWord === undefined ? '' : ` (${statusWord.toString(16)})`;
  return new AgentError('token.unsupported', { message: `reading a card: it is no YubiKey with PIV${word}` });
}
