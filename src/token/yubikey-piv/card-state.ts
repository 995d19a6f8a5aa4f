/** A card as a set-up finds it: what is still the factory's, and what is in the slots. Nothing is sent but questions. */
import { spkiFromRaw } from '../../crypto/public-key.js';
import { INS, SW_OK, transceive, type Exchange } from './apdu.js';
import { parseAttestation, spkiOf } from '../../formats/piv-attestation.js';
import { parseTlv, requireTlv } from './ber-tlv.js';
import { DEVICE_CERTIFICATE, readCertificate } from './card-objects.js';
import { managementAlgorithm } from './management-key.js';
import type { PivSlot } from './piv-slots.js';
import { policiesOf, type SlotPolicies } from '../../formats/piv-policies.js';
import { isManagementKeyStored } from './stored-management-key.js';

const REFERENCES = { pin: 0x80, puk: 0x81, management: 0x9b } as const;
const TAG = {
  algorithm: 0x01,
  policies: 0x02,
  origin: 0x03,
  publicKey: 0x04,
  factory: 0x05,
  tries: 0x06,
} as const;
const P256 = 0x11;
const TOUCH_NEVER = 1;
const IMPORTED = 2;

/** PIN or PUK, from firmware 5.3 on. */
export interface ReferenceState {
  readonly isFactory: boolean;
  readonly triesLeft: number;
}

export interface CardState {
  /** Undefined where the firmware does not tell, as for PUK and management key. */
  readonly pin: ReferenceState | undefined;
  readonly puk: ReferenceState | undefined;
  readonly management: {
    readonly algorithm: string;
    readonly isFactory: boolean | undefined;
    /** Whether it can be read with the PIN. */
    readonly isStored: boolean;
    /** Whether to prove it takes a finger. */
    readonly touch: boolean | undefined;
  };
  /** DER of the certificate of the key that attests. */
  readonly device: Buffer | undefined;
}

/** What is in a slot. A key of another algorithm has no `spki`. */
export type SlotContent =
  | { readonly content: 'empty' }
  /** Where the firmware shows no imported keys, one may be behind it. */
  | { readonly content: 'certificate'; readonly spki: Buffer | undefined }
  | {
      readonly content: 'key';
      readonly spki: Buffer | undefined;
      readonly policies: SlotPolicies | undefined;
      readonly isImported: boolean;
      /** DER, for keys that were made on the card. */
      readonly attestation: Buffer | undefined;
    };

/** @throws AgentError `token.device`, `token.unsupported` */
export function readCardState(exchange: Exchange): CardState {
  const management = metadataOf(exchange, REFERENCES.management);
  return {
    pin: referenceOf(metadataOf(exchange, REFERENCES.pin)),
    puk: referenceOf(metadataOf(exchange, REFERENCES.puk)),
    management: {
      algorithm: managementAlgorithm(management?.get(TAG.algorithm)?.[0]).name,
      isFactory: management === undefined ? undefined : isFactory(management),
      isStored: isManagementKeyStored(exchange),
      touch: management === undefined ? undefined : requireTlv(management, TAG.policies)[1] !== TOUCH_NEVER,
    },
    device: readCertificate(exchange, DEVICE_CERTIFICATE),
  };
}

/** @throws AgentError `token.device` */
export function readSlot(exchange: Exchange, slot: PivSlot): SlotContent {
  const metadata = metadataOf(exchange, slot.number);
  const attestation = attestationOf(exchange, slot);
  if (metadata !== undefined) {
    const isImported = metadata.get(TAG.origin)?.[0] === IMPORTED;
    const policies = policiesOf(requireTlv(metadata, TAG.policies));
    return { content: 'key', spki: spkiIn(metadata), policies, isImported, attestation };
  }
  if (attestation !== undefined) {
    const { spki, policies } = parseAttestation(attestation);
    return { content: 'key', spki, policies, isImported: false, attestation };
  }
  const certificate = readCertificate(exchange, slot.certificate);
  return certificate === undefined
    ? { content: 'empty' }
    : { content: 'certificate', spki: spkiOf(certificate) };
}

/** DER of what the card says about a key that was made on it. @throws AgentError `token.device` */
export function attestationOf(exchange: Exchange, slot: PivSlot): Buffer | undefined {
  const answer = transceive(exchange, { ins: INS.attest, p1: slot.number });
  return answer.statusWord === SW_OK ? answer.data : undefined;
}

/** The number of the management key's algorithm; undefined where the firmware does not tell. */
export function managementNumber(exchange: Exchange): number | undefined {
  return metadataOf(exchange, REFERENCES.management)?.get(TAG.algorithm)?.[0];
}

function metadataOf(exchange: Exchange, reference: number): ReadonlyMap<number, Buffer> | undefined {
  const answer = transceive(exchange, { ins: INS.metadata, p2: reference });
  return answer.statusWord === SW_OK ? parseTlv(answer.data) : undefined;
}

function referenceOf(metadata: ReadonlyMap<number, Buffer> | undefined): ReferenceState | undefined {
  if (metadata === undefined) return undefined;
  return { isFactory: isFactory(metadata), triesLeft: requireTlv(metadata, TAG.tries)[1] ?? 0 };
}

function isFactory(metadata: ReadonlyMap<number, Buffer>): boolean {
  return requireTlv(metadata, TAG.factory)[0] === 1;
}

function spkiIn(metadata: ReadonlyMap<number, Buffer>): Buffer | undefined {
  if (metadata.get(TAG.algorithm)?.[0] !== P256) return undefined;
  return spkiFromRaw('ecdsa-p256', requireTlv(parseTlv(requireTlv(metadata, TAG.publicKey)), 0x86));
}
