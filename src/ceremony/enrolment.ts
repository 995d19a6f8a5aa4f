/** `enrol-NAME.json`: a key that was made on a holder's token, with the proof that the holder has it. */
import { z } from 'zod';
import { pae } from '../encoding/dsse-pae.js';
import {
  algorithmField,
  ceremonyIdField,
  firmwareField,
  holderField,
  pemField,
  serialField,
  sha256Field,
  spkiField,
  timeField,
  wordsField,
} from './fields.js';
import { readForm, sha256Hex, writeForm, type Loaded } from './one-form.js';

/** DSSE payload type of the proof of possession. */
export const POSSESSION_TYPE = 'application/vnd.touchstone.ceremony-possession+json';

const enrolmentSchema = z
  .strictObject({
    format: z.literal('touchstone-ceremony-enrolment'),
    version: z.literal(1),
    /** Id of the ceremony that it is for. */
    ceremony: ceremonyIdField,
    holder: holderField,
    publicKey: spkiField,
    /** SHA-256 of the DER SubjectPublicKeyInfo, as `touchstone key list` shows it. */
    keyId: sha256Field,
    algorithm: algorithmField,
    token: z
      .strictObject({
        serial: serialField,
        manufacturer: wordsField,
        model: wordsField,
        label: wordsField,
        firmware: firmwareField.nullable(),
        /** Slot or object id on the token, as it names it. */
        slot: wordsField,
      })
      .readonly(),
    pinPolicy: z.enum(['once', 'always', 'never', 'unknown']),
    touchPolicy: z.enum(['cached', 'always', 'never', 'unknown']),
    /** Certificates of the maker about this key, that of the key first; empty where the token has none. */
    attestation: z.array(pemField).max(8).readonly(),
    /** Ids of derivation keys that are on the same token or known to the agent that enrolled it. */
    derivationKeys: z.array(sha256Field).max(256).readonly(),
    /** Certificates of the key made out to repositories of a notary-server. */
    certificates: z
      .array(z.strictObject({ repository: z.string().min(1).max(255), pem: pemField }).readonly())
      .max(4_096)
      .readonly(),
    /** Number of the bag that the token goes back into; empty when there is none. */
    bag: wordsField,
    time: timeField,
    /** Hex of the signature (DER for ECDSA) over the pre-authentication encoding of `possessionPayload`. */
    proof: z.string().regex(/^(?:[0-9a-f]{2}){32,512}$/),
  })
  .readonly();

export type Enrolment = z.infer<typeof enrolmentSchema>;

/** What a new holder proves with the new key: that it is for this ceremony and this person. */
export interface Possession {
  readonly ceremony: string;
  readonly holder: string;
  readonly keyId: string;
}

/** @throws AgentError `ceremony.file` */
export function readEnrolment(bytes: Buffer, file: string): Loaded<Enrolment> {
  return readForm(bytes, enrolmentSchema, file);
}

/** Payload of the proof, in the one form. */
function possessionPayload({ ceremony, holder, keyId }: Possession): Buffer {
  return writeForm({ format: 'touchstone-ceremony-possession', version: 1, ceremony, holder, keyId });
}

/** The exact bytes that the new key signs. */
export function possessionMessage(possession: Possession): Buffer {
  return pae(POSSESSION_TYPE, possessionPayload(possession));
}

/** Key id of a public key in base64. */
export function keyIdOfSpki(publicKey: string): string {
  return sha256Hex(Buffer.from(publicKey, 'base64'));
}
