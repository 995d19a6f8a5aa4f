/** Schemas of what the keyring file holds. Strict: a field we do not know is a file we do not understand. */
import { z } from 'zod';
import { isKeyAlgorithm, KEY_ALGORITHMS } from '../crypto/algorithms.js';
import type { KeyringAnchor, KeyringRecords } from './key-record.js';
import { isOtpTokenUri } from './otp-uri.js';

const MAX_U32 = 0xffff_ffff;

const keyId = z.string().regex(/^[0-9a-f]{64}$/);
const time = z.string().regex(/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/);
/** RSA-3072 has 564 characters. */
const spki = z.string().max(768);
const hash = z.string().regex(/^[0-9a-f]{64}$/);

const home = z.strictObject({
  token: z.string().startsWith('pkcs11:').max(2048),
  id: z.string().regex(/^(?:[0-9a-f]{2}){1,255}$/),
  label: z.string().min(1).max(255),
});

/** OTP slots are no PKCS#11 tokens and have names of their own. */
const derivationHome = home.extend({
  token: z
    .string()
    .max(2048)
    .refine((token) => token.startsWith('pkcs11:') || isOtpTokenUri(token), 'not the URI of a token'),
});

const keyBase = {
  keyId,
  algorithm: z.enum(KEY_ALGORITHMS).refine(isKeyAlgorithm),
  publicKey: spki,
  createdAt: time,
};

/** A certificate of a card, DER in base64; an RSA-2048 one has about 1,000 bytes. */
const certificate = z.string().max(4096);

const card = z.strictObject({
  serial: z.string().regex(/^[0-9]{1,10}$/),
  firmware: z.string().regex(/^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$/),
  pin: z.enum(['never', 'once', 'always']).optional(),
  touch: z.enum(['never', 'always', 'cached']).optional(),
  attestation: certificate.optional(),
  device: certificate.optional(),
  root: hash.optional(),
});

const root = z.strictObject({
  ...keyBase,
  usage: z.literal('root'),
  name: z.literal('touchstone/root#root'),
  home,
  card: card.optional(),
});

const derivation = z.strictObject({
  usage: z.literal('derive'),
  name: z.literal('touchstone/derivation#derive'),
  backend: z.enum(['ec', 'hmac', 'otp']),
  home: derivationHome,
  publicKey: spki.optional(),
  keyId: keyId.optional(),
  check: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  backup: z.enum(['generated', 'imported']),
  createdAt: time,
  card: card.optional(),
});

const leaf = z.strictObject({
  ...keyBase,
  usage: z.literal('sign'),
  repository: z.string(),
  role: z.string(),
  epoch: z.number().int().min(1).max(MAX_U32),
  index: z.number().int().min(0).max(MAX_U32),
  state: z.enum(['active', 'retired', 'revoked']),
  retiredAt: time.optional(),
  revokedAt: time.optional(),
  revokedReason: z.string().min(1).max(256).optional(),
  homes: z.array(home).max(16),
  origin: z.literal('token').optional(),
});

export const anchorSchema: z.ZodType<KeyringAnchor> = z.strictObject({
  format: z.literal('touchstone-keyring-anchor'),
  version: z.union([z.literal(1), z.literal(2), z.literal(3)]),
  domain: z.string(),
  createdAt: time,
  root,
  derivation,
  audit: leaf,
});

export const recordsSchema: z.ZodType<KeyringRecords> = z.strictObject({
  format: z.literal('touchstone-keyring-records'),
  version: z.union([z.literal(1), z.literal(2)]),
  anchor: hash,
  sequence: z.number().int().min(0),
  leaves: z.array(leaf),
});

const envelope = z.strictObject({
  payloadType: z.string(),
  payload: z.string(),
  signatures: z.array(z.strictObject({ keyid: keyId, sig: z.string().max(256) })).length(1),
});

export const keyringFileSchema = z.strictObject({
  format: z.literal('touchstone-keyring'),
  version: z.literal(1),
  anchor: envelope,
  records: envelope,
});

/** A DSSE envelope with one signature, as the keyring file holds it. */
export type KeyringEnvelope = Readonly<z.infer<typeof envelope>>;

/** First issue of a failed check as `field.path: reason`. */
export function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  return issue === undefined ? 'not valid' : `${issue.path.join('.')}: ${issue.message}`;
}
