/** What a ceremony is for. Everything that the proposed documents change has to follow from this and the policy. */
import { z } from 'zod';
import { algorithmField, sha256Field, spkiField, timeField } from './fields.js';

export const ONLINE_ROLES = ['targets', 'snapshot', 'timestamp'] as const;

const threshold = z.int().min(1).max(64);
const keyIds = z.array(sha256Field).max(64).readonly();

const roleKeys = z
  .strictObject({
    /** Id of the document that it is for; null for all of them. A notary-server has keys of its own for each repository. */
    document: z.string().min(1).max(300).nullable(),
    role: z.enum(ONLINE_ROLES),
    publicKeys: z.array(spkiField).min(1).max(64).readonly(),
    threshold,
  })
  .readonly();

/** Keys that roots name beside their own. */
export const onlineRoles = z.array(roleKeys).max(4_096).readonly();

const delegation = z
  .strictObject({
    /** Name of the delegated role, for example `repo-app`. */
    name: z.string().min(1).max(128),
    publicKeys: z.array(spkiField).min(1).max(64).readonly(),
    threshold,
    paths: z.array(z.string().max(512)).min(1).max(256).readonly(),
  })
  .readonly();

/** What the agent's own certificate says of a repository key. */
const certificateOrder = z
  .strictObject({
    repository: z.string().min(1).max(255),
    role: z.string().min(1).max(64),
    publicKey: spkiField,
    keyId: sha256Field,
    algorithm: algorithmField,
    epoch: z.int().min(1).max(0xffff_ffff),
    /** Globs of what it may sign; none where certificates are taken back. */
    kinds: z.array(z.string().min(1).max(255)).max(16).readonly(),
    notBefore: timeField,
    notAfter: timeField,
    /** SHA-256 of the certificate before this one; null for the first. */
    previous: sha256Field.nullable(),
  })
  .readonly();

const certificateOrders = z.array(certificateOrder).max(4_096).readonly();

/** Root keys are named by the SHA-256 of their DER SubjectPublicKeyInfo, which `touchstone key list` shows. */
export const actionSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('init'), enters: keyIds, threshold, online: onlineRoles }).readonly(),
  z.strictObject({ type: z.literal('extend') }).readonly(),
  z
    .strictObject({
      type: z.literal('rotate'),
      leaves: keyIds,
      enters: keyIds,
      /** null leaves it as it is. */
      threshold: threshold.nullable(),
    })
    .readonly(),
  z.strictObject({ type: z.literal('threshold'), threshold }).readonly(),
  z
    .strictObject({
      type: z.literal('certify'),
      /** In the targets of a TUF repository. */
      delegations: z.array(delegation).max(4_096).readonly(),
      certificates: certificateOrders,
    })
    .readonly(),
  z
    .strictObject({
      type: z.literal('revoke'),
      leaves: keyIds,
      enters: keyIds,
      threshold: threshold.nullable(),
      /** Names of delegated roles that go. */
      delegations: z.array(z.string().min(1).max(128)).max(4_096).readonly(),
      certificates: certificateOrders,
    })
    .readonly(),
  z.strictObject({ type: z.literal('online-keys'), online: onlineRoles }).readonly(),
  z
    .strictObject({
      type: z.literal('heal'),
      /** The version whose content comes back, under the next number; the base itself when it has only expired. */
      from: z.int().min(1),
    })
    .readonly(),
]);

export type CeremonyAction = z.infer<typeof actionSchema>;
/** Id of the document that a certificate is. */
export function certificateId({ repository, role, epoch }: CertificateOrder): string {
  return `${repository}#${role}@${epoch}`;
}

/** The online keys of one document. */
export function onlineOf(orders: readonly RoleKeyOrder[], document: string): readonly RoleKeyOrder[] {
  return orders.filter((one) => one.document === null || one.document === document);
}

export type RoleKeyOrder = z.infer<typeof roleKeys>;
export type DelegationOrder = z.infer<typeof delegation>;
export type CertificateOrder = z.infer<typeof certificateOrder>;
