/**
 * The one table of methods: name → parameters, result, what it is for. Server dispatch, typed client, JSON Schema and
 * docs/spec/protocol.md all come from it. JSON-RPC 2.0 over a WebSocket on a Unix socket.
 */
import { z } from 'zod';
import { cardChoices, cardPlanSchema, type setupStep } from './card-shapes.js';
import { LIMITS } from './limits.js';
import {
  text,
  keyName,
  keyCertificate,
  cardEvidence,
  base64,
  timeoutMs,
  tokenName,
  empty,
  seconds,
  sealedPin,
  guardedContent,
  guardName,
  guardContent,
  triesLeft,
  errorData,
  tokenKind,
  tokenStatusSchema,
  leaseStatusSchema,
  keyInfoSchema,
  from,
  next,
  signRequest,
  leaseParams,
  promptPlace,
} from './method-shapes.js';
import { UNTOUCHED_PHRASE } from './untouched.js';

/** `owner`: only the uid that the agent runs as. `caller`: everybody who is let in. */
export type Access = 'owner' | 'caller';

interface Method<P extends z.ZodType, R extends z.ZodType> {
  readonly summary: string;
  readonly params: P;
  readonly result: R;
  readonly access: Access;
}

function method<P extends z.ZodType, R extends z.ZodType>(
  summary: string,
  params: P,
  result: R,
  access: Access = 'owner',
): Method<P, R> {
  return { summary, params, result, access };
}

export const METHODS = {
  hello: method(
    'Says who is on each end; the first call of a client.',
    z.strictObject({ client: text(128), protocol: z.number().int().min(1) }),
    z.object({
      agent: z.string(),
      protocol: z.number(),
      pid: z.number().describe('of the keeper'),
      uid: z.number().describe('of the caller, as the kernel says'),
      limits: z.record(z.string(), z.number()),
    }),
    'caller',
  ),
  status: method(
    'The agent at a glance: tokens, leases, keys, audit.',
    empty,
    z.object({
      agent: z.string(),
      pid: z.number(),
      frontPid: z.number(),
      startedAt: z.string(),
      socket: z.string(),
      domain: z.string().nullable(),
      tokens: z.array(tokenStatusSchema),
      leases: z.array(leaseStatusSchema),
      keys: z.object({ total: z.number(), active: z.number(), loaded: z.number() }),
      orders: z.object({ count: z.number(), hash: z.string() }),
      audit: z.object({
        sequence: z.number(),
        head: z.string(),
        unsealed: z.number(),
        writable: z.boolean(),
      }),
      policy: z.object({ file: z.string(), rules: z.number(), problem: errorData.nullable() }),
      connections: z.number(),
    }),
    'caller',
  ),
  'tokens.list': method(
    'Every configured token and its state.',
    z.strictObject({
      glance: z
        .boolean()
        .optional()
        .describe('ask readers, not cards: a card that is asked ends what other programs do with it'),
    }),
    z.object({ tokens: z.array(tokenStatusSchema) }),
  ),
  'tokens.plan': method(
    'What a set-up would do with a card, and what it would ask for. Changes nothing, and needs no PIN.',
    z.strictObject({
      token: tokenName,
      adopt: z.boolean().optional().describe('as for tokens.setup'),
      ...cardChoices,
    }),
    z.object({ plan: cardPlanSchema }),
  ),
  'tokens.setup': method(
    'Makes the root and the derivation key on a token, and the keyring.',
    z.strictObject({
      pin: sealedPin,
      backend: z.enum(['ec', 'hmac']).optional(),
      adopt: z
        .boolean()
        .optional()
        .describe('take the keys that are already there, for a spare or restored token'),
      rootPin: sealedPin.optional().describe('where another token holds the root: its PIN'),
      programSlotOf: text(10)
        .optional()
        .describe(
          'serial number of the YubiKey whose OTP slot, or slots in use, are written anew, as a person typed it',
        ),
      puk: sealedPin.optional().describe('for a card with the PUK of the factory: the new one'),
      withoutTouch: text(64)
        .optional()
        .describe(`"${UNTOUCHED_PHRASE}": a person takes a derivation key that works without a touch`),
      ...cardChoices,
      seconds: seconds.optional(),
      useLastTry: text(64).optional(),
    }),
    z.object({
      root: keyInfoSchema,
      derivation: keyInfoSchema,
      audit: keyInfoSchema,
      lease: leaseStatusSchema,
    }),
  ),
  'keys.list': method(
    'Keys, a page at a time; retired and revoked ones only when asked.',
    z.strictObject({
      all: z.boolean().optional(),
      repository: text(255).optional(),
      role: text(64).optional(),
      from,
    }),
    z.object({ domain: z.string().nullable(), keys: z.array(keyInfoSchema), next }),
    'caller',
  ),
  'keys.show': method(
    'One key.',
    z.strictObject({ key: keyName }),
    z.object({ key: keyInfoSchema }),
    'caller',
  ),
  'keys.derive': method(
    'Derives a repository key from the unlocked token and records it; the same call again returns the same key.',
    z.strictObject({ key: keyName }),
    z.object({ key: keyInfoSchema, created: z.boolean() }),
  ),
  'keys.create': method(
    'Makes a repository key on a token, of any algorithm the token has, and records it; it never leaves the token.',
    z.strictObject({
      key: keyName,
      token: tokenName,
      pin: sealedPin.optional().describe('for a token that is not unlocked'),
      useLastTry: text(64).optional(),
    }),
    z.object({ key: keyInfoSchema }),
  ),
  'tokens.find': method(
    'Whether a token holds the key with this public half; asks for no PIN.',
    z.strictObject({
      token: tokenName,
      publicKey: base64.max(1024).describe('DER SubjectPublicKeyInfo, base64'),
    }),
    z.object({ home: z.object({ token: z.string(), id: z.string(), label: z.string() }) }),
  ),
  'tokens.evidence': method(
    'What a card shows of the key in its slot for roots, and what its maker says of it; null for a token that attests nothing. Asks for no PIN.',
    z.strictObject({ token: tokenName }),
    z.object({
      evidence: cardEvidence
        .extend({
          slot: z.string().describe('two hex digits'),
          publicKey: z.string().describe('DER SubjectPublicKeyInfo, base64'),
          derivationKey: z.string().optional().describe('the one in the slot for deriving, if there is one'),
        })
        .nullable(),
    }),
  ),
  'keys.adopt': method(
    'Records a key that is on a token already, found there by its public half, as root or targets of a repository; asks for no PIN.',
    z.strictObject({
      key: keyName,
      token: tokenName,
      publicKey: base64.max(1024).describe('DER SubjectPublicKeyInfo, base64'),
    }),
    z.object({ key: keyInfoSchema, adopted: z.boolean() }),
  ),
  'keys.rotate': method(
    'Moves a key to its next epoch; the old one is kept as retired, or as revoked when it was.',
    z.strictObject({ key: keyName }),
    z.object({ key: keyInfoSchema, retired: keyInfoSchema }),
  ),
  'keys.revoke': method(
    'Marks a key as revoked, with a reason; it never signs again.',
    z.strictObject({ key: keyName, reason: text(256) }),
    z.object({ key: keyInfoSchema }),
  ),
  'keys.install': method(
    'Puts a repository key into a second token as a non-extractable key.',
    z.strictObject({ key: keyName, pin: sealedPin, useLastTry: text(64).optional() }),
    z.object({ key: keyInfoSchema }),
  ),
  'certificates.add': method(
    'Takes a certificate of a key, or a revocation, that enough of the root keys have signed.',
    z.strictObject({ envelope: base64.describe('DSSE envelope, base64') }),
    z.object({ certificate: keyCertificate, added: z.boolean() }),
  ),
  'certificates.list': method(
    'The certificates of one key, or of all.',
    z.strictObject({ key: keyName.optional(), from }),
    z.object({ required: z.boolean(), certificates: z.array(keyCertificate), next }),
    'caller',
  ),
  sign: method(
    'Signs a list of statements: one decision, one audit group, one reply. All or none.',
    z.strictObject({ requests: z.array(signRequest).min(1), timeoutMs }),
    z.object({
      signatures: z.array(
        z.object({
          signature: z.string().describe('base64; r||s for ECDSA, else as the algorithm gives it'),
          keyId: z.string(),
          auditId: z.number(),
        }),
      ),
    }),
    'caller',
  ),
  'unlock.begin': method(
    'Starts an unlock: a one-time key to seal the PIN to, and what the token says of itself.',
    z.strictObject({
      token: tokenName.optional(),
      waitSeconds: z
        .number()
        .int()
        .min(1)
        .max(LIMITS.waitMs / 1000)
        .optional()
        .describe('waits so long for a token that is not there'),
    }),
    z.object({
      attempt: z.string(),
      publicKey: z.string(),
      info: z.string(),
      token: z.string(),
      kind: tokenKind.describe('yubikey-otp takes a passphrase, the others a PIN'),
      serial: z.string(),
      label: z.string(),
      triesLeft,
      initialised: z.boolean().describe('false: setup will give this blank token the PIN that is sealed now'),
      expiresAt: z.string(),
      asks: z
        .enum(['pinentry', 'askpass', 'keychain'])
        .optional()
        .describe(
          'the configuration lets the agent have the PIN asked for, or take the stored one: unlock.ask goes on',
        ),
    }),
  ),
  'unlock.ask': method(
    'Ends an unlock with a PIN that a person is asked for by the program that the configuration names, or with the one in the keychain.',
    z.strictObject({
      attempt: text(64),
      place: promptPlace.describe('where the person sits'),
      useLastTry: text(64).optional(),
      ...leaseParams,
    }),
    z.object({ lease: leaseStatusSchema, loaded: z.number() }),
  ),
  'unlock.finish': method(
    'Ends an unlock with the sealed PIN; leaves are derived and a lease begins.',
    z.strictObject({ pin: sealedPin, useLastTry: text(64).optional(), ...leaseParams }),
    z.object({ lease: leaseStatusSchema, loaded: z.number() }),
  ),
  'pin.store': method(
    'Tries a sealed PIN once, and puts it into the keychain of the session that the agent runs in.',
    z.strictObject({ pin: sealedPin, useLastTry: text(64).optional() }),
    z.object({ token: z.string(), serial: z.string() }),
  ),
  'pin.forget': method(
    'Takes the PIN of a token out of the keychain.',
    z.strictObject({ token: tokenName.optional() }),
    z.object({ token: z.string(), forgotten: z.boolean().describe('false: none was stored') }),
  ),
  lock: method(
    'Wipes leaves and ends token sessions; all tokens, or one.',
    z.strictObject({ token: tokenName.optional() }),
    z.object({ locked: z.number() }),
  ),
  'audit.query': method(
    'Records of the audit log, newest last.',
    z.strictObject({
      after: z.number().int().min(0).optional().describe('sequence'),
      limit: z.number().int().min(1).max(LIMITS.auditRecords).optional(),
      key: keyName.optional(),
      outcome: z.enum(['signed', 'refused']).optional(),
    }),
    z.object({ records: z.array(z.record(z.string(), z.unknown())), last: z.number() }),
  ),
  'policy.explain': method(
    'What the policy would decide for a request of the caller, and which rule says so.',
    z.strictObject({ key: keyName, kind: text(255), uid: z.number().int().min(0).optional() }),
    z.object({
      outcome: z.enum(['allow', 'deny']),
      rule: z.string().nullable(),
      reason: z.string(),
      trace: z.array(z.object({ rule: z.string(), matched: z.boolean(), why: z.string() })),
    }),
    'caller',
  ),
  'guard.show': method(
    'What is signed and what is published of repository metadata.',
    z.strictObject({ repository: text(255).optional(), role: text(64).optional(), from }),
    z.object({
      entries: z.array(
        z.object({
          ...guardName,
          published: guardedContent.nullable().describe('highest version that a reader has seen'),
          signed: guardedContent
            .extend({ contents: z.number().describe('how many contents this version was signed with') })
            .nullable()
            .describe('the one version above it that is signed'),
        }),
      ),
      next,
    }),
    'caller',
  ),
  'guard.published': method(
    'A reader has seen this content: if it is one that was signed here, its version is published from now on. For who may sign it.',
    guardContent,
    z.object({ matched: z.boolean() }),
    'caller',
  ),
  'guard.abandon': method(
    'Forgets what is signed and not published, so that its version may have another content.',
    guardContent,
    z.object({ abandoned: z.literal(true) }),
  ),
  'guard.forget': method(
    'Forgets every version of a repository that its server has deleted, so that it may begin anew with version 1.',
    z.strictObject({ repository: text(255) }),
    z.object({ roles: z.array(z.string()) }),
  ),
  'events.subscribe': method(
    'Sends `event` notifications on this connection from now on.',
    empty,
    z.object({ subscribed: z.literal(true) }),
    'caller',
  ),
  cancel: method(
    'Cancels a request of this connection that still waits.',
    z.strictObject({ id: z.union([z.number().int(), text(64)]) }),
    z.object({ cancelled: z.boolean() }),
    'caller',
  ),
} as const;

export type MethodName = keyof typeof METHODS;
export type Params<M extends MethodName> = z.input<(typeof METHODS)[M]['params']>;
export type Result<M extends MethodName> = z.output<(typeof METHODS)[M]['result']>;
export type SignRequest = z.infer<typeof signRequest>;
export type CardPlanInfo = z.infer<typeof cardPlanSchema>;
export type SetupStep = z.infer<typeof setupStep>;
export type TokenStatusInfo = z.infer<typeof tokenStatusSchema>;
export type KeyInfo = z.infer<typeof keyInfoSchema>;
