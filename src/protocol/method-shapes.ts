/** Shapes that more than one method takes or gives. */
import { z } from 'zod';
import { RSA_SCHEMES } from '../crypto/algorithms.js';
import { LIMITS } from './limits.js';
import { PLACE_FORMS } from './prompt-place.js';

export const text = (max: number): z.ZodString => z.string().min(1).max(max);
export const keyName = text(512).describe('REPOSITORY#ROLE[@EPOCH][~ALGORITHM][:INDEX], or a key URI');
export const base64 = z.string().max(LIMITS.frameBytes).describe('base64, RFC 4648 section 4, padded');
export const timeoutMs = z
  .number()
  .int()
  .min(1)
  .max(LIMITS.maxDeadlineMs)
  .optional()
  .describe('milliseconds; default 30000');
export const tokenName = text(64).describe('name of the token in touchstone.toml');
export const empty = z.strictObject({});
export const seconds = z.number().int().min(1).max(31_536_000);

export const sealedPin = z.strictObject({
  attempt: text(64),
  enc: base64.describe('HPKE encapsulated key, 32 bytes'),
  ciphertext: base64.describe('HPKE ciphertext of the PIN'),
});

const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .describe('lower-case hex SHA-256 of signed bytes');
const version = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
export const guardedContent = z.object({ version, sha256 });
export const guardName = {
  repository: text(255),
  role: text(64).describe('root, targets, targets/NAME, snapshot or timestamp'),
} as const;
export const guardContent = z.strictObject({ ...guardName, version, sha256 });

export const triesLeft = z.enum(['full', 'low', 'last', 'locked']);

export const errorData = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
});

export const tokenKind = z.enum(['pkcs11', 'yubikey-piv', 'yubikey-otp']);

export const tokenStatusSchema = z.object({
  name: z.string(),
  state: z
    .enum(['absent', 'present', 'identified', 'unlocked', 'degraded'])
    .describe('identified: a card whose keys are those of the keyring'),
  kind: tokenKind,
  uri: z.string(),
  module: z.string().optional(),
  label: z.string().optional(),
  serial: z.string().optional(),
  manufacturer: z.string().optional(),
  model: z.string().optional(),
  firmware: z.string().optional(),
  slot: z
    .object({ number: z.union([z.literal(1), z.literal(2)]), programmed: z.boolean(), touch: z.boolean() })
    .optional()
    .describe('of an OTP slot, when it was last looked at'),
  onRemoval: z.enum(['keep', 'lock']),
  triesLeft: triesLeft.optional(),
  tries: z.object({ left: z.number(), total: z.number() }).optional().describe('where the token tells them'),
  alert: errorData
    .optional()
    .describe('tries of the PIN were used up that nobody entered here, since it was last entered right'),
  reason: errorData.optional(),
});

export const leaseStatusSchema = z.object({
  id: z.string(),
  token: z.string(),
  owner: z.number(),
  keys: z.array(z.string()),
  kinds: z.array(z.string()),
  usesLeft: z.number().nullable(),
  expiresAt: z.string(),
  blind: z.boolean(),
});

/** A certificate of a key, or a revocation of its certificates. */
export const keyCertificate = z.object({
  action: z.enum(['certify', 'revoke']),
  repository: z.string(),
  role: z.string(),
  epoch: z.number(),
  keyId: z.string(),
  kinds: z.array(z.string()),
  notBefore: z.string(),
  notAfter: z.string(),
  previous: z.string().nullable(),
  hash: z.string().describe('lower-case hex SHA-256 of the payload'),
  signers: z.array(z.string()).describe('ids of the root keys that signed'),
});

export const pinPolicy = z.enum(['never', 'once', 'always']);
export const touchPolicy = z.enum(['never', 'always', 'cached']);

export const cardEvidence = z.object({
  serial: z.string(),
  firmware: z.string(),
  pin: pinPolicy.optional(),
  touch: touchPolicy.optional(),
  attestation: z.string().optional().describe('what the card says of the key: a certificate, DER in base64'),
  device: z.string().optional().describe('what the vendor says of the card: a certificate, DER in base64'),
  root: z.string().optional().describe('hex SHA-256 of the root that vouches for it; left out: unchecked'),
});

export const keyInfoSchema = z.object({
  name: z.string(),
  usage: z.enum(['root', 'derive', 'sign']),
  keyId: z.string().optional(),
  algorithm: z.string(),
  publicKey: z.string().optional().describe('DER SubjectPublicKeyInfo, base64'),
  state: z.enum(['active', 'retired', 'revoked']),
  createdAt: z.string(),
  retiredAt: z.string().optional(),
  revokedAt: z.string().optional(),
  revokedReason: z.string().optional(),
  backend: z.string().optional(),
  homes: z.array(z.object({ token: z.string(), id: z.string(), label: z.string() })),
  card: cardEvidence.optional().describe('of a key on a card, when the keyring was made'),
  kinds: z.array(z.string()).describe('what its role lets it sign'),
  loaded: z.boolean().describe('a lease covers it now'),
  certificate: z
    .object({
      state: z.enum(['valid', 'missing', 'not-yet', 'expired', 'revoked', 'forked']),
      hash: z.string().optional(),
      notBefore: z.string().optional(),
      notAfter: z.string().optional(),
    })
    .optional()
    .describe('where the configuration names roots that certify keys'),
});

export const from = z.number().int().min(0).optional().describe('`next` of the page before');
export const next = z.number().nullable().describe('null on the last page');

export const signRequest = z.strictObject({
  key: keyName,
  kind: text(255).describe('for example sshsig:file; the bytes must be of this kind'),
  payload: z
    .string()
    .max(LIMITS.socketFrameBytes)
    .describe('the exact bytes to sign, base64; repository metadata may be larger than a frame'),
  scheme: z.enum(RSA_SCHEMES).optional().describe('RSA keys only; default rsa-pkcs1-sha256'),
  notStored: sha256
    .optional()
    .describe(
      'snapshot and timestamp only: content of this version that was signed and that the server did not store',
    ),
});

export const leaseParams = {
  keys: z.array(keyName).min(1).max(LIMITS.batch).optional(),
  kinds: z.array(text(255)).min(1).max(64).optional(),
  uses: z
    .number()
    .int()
    .min(1)
    .max(2 ** 48)
    .optional(),
  seconds: seconds.optional(),
  blind: z.boolean().optional(),
} as const;

export const promptPlace = z.strictObject({
  tty: z.string().regex(PLACE_FORMS.tty).optional().describe('terminal of the caller, who has to own it'),
  type: z.string().regex(PLACE_FORMS.type).optional().describe('TERM'),
  locale: z.string().regex(PLACE_FORMS.locale).optional().describe('LC_CTYPE'),
  display: z.string().regex(PLACE_FORMS.display).optional(),
  wayland: z.string().regex(PLACE_FORMS.wayland).optional(),
});
