/** `policy.json`: what every ceremony of this root has to keep to. Changed only by a ceremony. */
import { z } from 'zod';
import {
  firmwareField,
  holderField,
  pemField,
  serialField,
  sha256Field,
  spkiField,
  wordsField,
} from './fields.js';
import { readForm, type Loaded } from './one-form.js';

const SCHEMES = ['ecdsa-sha2-nistp256', 'ed25519', 'rsassa-pss-sha256'] as const;

const days = z.int().min(1).max(36_500);

const heldToken = z
  .strictObject({
    serial: serialField,
    model: wordsField,
    /** The root key on it. */
    publicKey: spkiField,
    firmware: firmwareField.nullable(),
    /** Whether its maker vouches for the key: what was checked when it was enrolled. */
    attested: z.boolean(),
  })
  .readonly();

const holder = z
  .strictObject({ name: holderField, tokens: z.array(heldToken).max(16).readonly() })
  .readonly();

const policySchema = z
  .strictObject({
    format: z.literal('touchstone-ceremony-policy'),
    version: z.literal(1),
    /** What this is the root of, in words. */
    name: wordsField.min(1),
    /** Rules for documents that every client takes (docs/spec/tuf-profile.md). */
    profile: z.literal('portable'),
    schemes: z.array(z.enum(SCHEMES)).min(1).readonly(),
    /** Of the root role, both included. */
    threshold: z.strictObject({ min: z.int().min(1).max(64), max: z.int().min(1).max(64) }).readonly(),
    /** The longest time a document may be good for. */
    validityDays: z.strictObject({ root: days, targets: days, snapshot: days, timestamp: days }).readonly(),
    /** Days before a root expires: when signing the next one begins, and when not having it is an alarm. */
    windows: z.strictObject({ signingDays: days, alarmDays: days }).readonly(),
    tokens: z
      .strictObject({
        attestation: z.enum(['required', 'optional']),
        /** Certificates of makers that attestations lead to. */
        anchors: z.array(pemField).max(16).readonly(),
        minimumFirmware: firmwareField.nullable(),
        pin: z.enum(['any', 'once', 'always']),
        touch: z.enum(['any', 'cached', 'always']),
      })
      .readonly(),
    /** Characters that names of delegated roles, and patterns of paths, are made of. */
    characters: z
      .strictObject({ roles: z.string().min(1).max(128), paths: z.string().min(1).max(128) })
      .readonly(),
    holders: z.array(holder).max(64).readonly(),
    /** Ids of keys that derive repository keys: none of them may ever be a root key. */
    derivationKeys: z.array(sha256Field).max(256).readonly(),
  })
  .readonly();

export type CeremonyPolicy = z.infer<typeof policySchema>;
export type Holder = z.infer<typeof holder>;
export type HeldToken = z.infer<typeof heldToken>;

/** @throws AgentError `ceremony.file` */
export function readPolicy(bytes: Buffer): Loaded<CeremonyPolicy> {
  return readForm(bytes, policySchema, 'policy.json');
}
