/**
 * The portable profile: what every client reads the same way (docs/spec/tuf-profile.md). A file that one client takes is not proof enough,
 * for each of these rules some client breaks where others go on.
 */
import { printable } from '../../encoding/utf8.js';
import { AgentError } from '../../errors/agent-error.js';
import type { TufDocument, TufEnvelope } from './document.js';
import type { TufKey } from './key.js';
import {
  customObject,
  expiresForm,
  fieldNames,
  sha256,
  sizeLimits,
  snapshotMeta,
  targetName,
  timestampMeta,
} from './rules/fields.js';
import { ecdsaCurve, keyFields, keyForm, keyId, keyType, oneKeyOneId } from './rules/keys.js';
import {
  consistentSnapshot,
  hashBins,
  keyidsKnown,
  pathPattern,
  roleName,
  terminating,
  threshold,
  topLevelRoles,
} from './rules/roles.js';
import type { Rule } from './rules/rule.js';
import { signatureForm } from './rules/signatures.js';
import { envelopeBytes } from './writer.js';

const RULES = {
  'expires-form': expiresForm,
  'field-names': fieldNames,
  'size-limits': sizeLimits,
  'consistent-snapshot': consistentSnapshot,
  'top-level-roles': topLevelRoles,
  'keyids-known': keyidsKnown,
  threshold,
  'key-type': keyType,
  'ecdsa-curve': ecdsaCurve,
  'key-form': keyForm,
  'key-fields': keyFields,
  'key-id': keyId,
  'one-key-one-id': oneKeyOneId,
  'signature-form': signatureForm,
  terminating,
  'role-name': roleName,
  'path-pattern': pathPattern,
  'hash-bins': hashBins,
  sha256,
  'custom-object': customObject,
  'target-name': targetName,
  'snapshot-meta': snapshotMeta,
  'timestamp-meta': timestampMeta,
} as const satisfies Record<string, Rule>;

/** A name that stays: files and scripts refer to it. */
export type LintRule = keyof typeof RULES;

export interface LintFinding {
  readonly rule: LintRule;
  /** The field, printable. */
  readonly where: string;
  readonly message: string;
}

/** In the order in which they are applied. */
export const LINT_RULES = Object.keys(RULES) as readonly LintRule[];

const SHOWN_CHARACTERS = 120;

export interface LintOptions {
  /** Keys that sign the document, by id, where its own form is known; those of a root are in it. */
  readonly signers?: ReadonlyMap<string, TufKey> | undefined;
  /** Length of the file; as `envelopeBytes` writes it when left out. */
  readonly bytes?: number | undefined;
}

/** Everything in the file that some client would read otherwise than another; empty where it is portable. @throws AgentError `tuf.document` */
export function lintTuf(envelope: TufEnvelope, options: LintOptions = {}): readonly LintFinding[] {
  const { signed, signatures, raw } = envelope;
  const bytes = options.bytes ?? envelopeBytes(signed, signatures, raw).length;
  const signers = options.signers ?? (signed.type === 'root' ? signed.keys : new Map<string, TufKey>());
  return LINT_RULES.flatMap((rule) =>
    RULES[rule]({ ...envelope, bytes, signers }).map(({ where, message }) => ({
      rule,
      where: printable(where, SHOWN_CHARACTERS),
      message,
    })),
  );
}

/**
 * For writers: a version may keep what others put into the one before it, and adds nothing that is not portable.
 * @throws AgentError `tuf.profile` naming the first finding, `tuf.document`
 */
export function requirePortable(signed: TufDocument, before?: TufDocument): void {
  const known = new Set(before === undefined ? [] : lintTuf({ signed: before, signatures: [] }).map(nameOf));
  const [first, ...more] = lintTuf({ signed, signatures: [] }).filter((one) => !known.has(nameOf(one)));
  if (first === undefined) return;
  const others = more.length === 0 ? '' : `, and ${more.length} more`;
  throw new AgentError('tuf.profile', {
    message: `checking ${signed.type} by ${first.rule}: ${first.where}: ${first.message}${others}`,
    details: { rule: first.rule, where: first.where },
  });
}

function nameOf({ rule, where }: LintFinding): string {
  return `${rule} ${where}`;
}
