/** Whether the documents are what the action makes of the base, and nothing besides. */
import { asAgentError } from '../../errors/agent-error.js';
import type { CeremonyAction } from '../action.js';
import { certificateId, onlineOf } from '../action.js';
import { changesOf, type Change } from '../diff.js';
import { openDocument } from '../document.js';
import type { CeremonyFacts, DocumentFacts } from '../facts.js';
import { reproduce } from '../payload.js';
import { sentenceOf } from '../sentences.js';
import { perDocument, type Check } from './check.js';

/** Made again from base, action, policy and enrolments, every byte is the same. */
export const payloadReproduced: Check = perDocument(
  'PAYLOAD-REPRODUCED',
  'made again here, it is the same byte for byte',
  (document, facts) => {
    const { order, proposed } = document;
    try {
      const again = openDocument(reproduce(order, payloadInput(document, facts)), order);
      return again.payload.equals(proposed.payload)
        ? undefined
        : firstDifference(again.payload, proposed.payload);
    } catch (thrown) {
      return asAgentError(thrown).message;
    }
  },
);

/** Every change is one that the action declares. */
export const diffDeclared: Check = perDocument(
  'DIFF-DECLARED',
  'it changes what the action says, and nothing else',
  ({ order, base, proposed }, { request, holders }) => {
    const changes = changesOf(base.at(-1)?.document, proposed);
    const { action, expires } = request.value;
    const from =
      action.type === 'heal' ? base.find(({ document }) => document.version === action.from) : undefined;
    const judged = from === undefined ? changes : changesOf(from.document, proposed);
    const wrong = judged.find(
      (change) => !isDeclared(change, { action, expires, document: order.id, isFirst: base.length === 0 }),
    );
    return wrong === undefined ? undefined : `not declared: ${sentenceOf(wrong, holders)}`;
  },
);

/** What the documents are made of again. */
function payloadInput(
  { order, base }: DocumentFacts,
  { request, holders, enrolments }: CeremonyFacts,
): Parameters<typeof reproduce>[1] {
  return {
    id: order.id,
    action: request.value.action,
    expires: request.value.expires,
    base: base.map(({ document }) => document),
    holders,
    enrolments: enrolments.map(({ value }) => value),
  };
}

interface Declared {
  readonly action: CeremonyAction;
  readonly expires: string;
  readonly document: string;
  readonly isFirst: boolean;
}

function isDeclared(change: Change, declared: Declared): boolean {
  const { action } = declared;
  switch (change.kind) {
    case 'version':
      return true;
    case 'expires':
      return change.to === declared.expires;
    case 'enters':
    case 'leaves':
      return isKeyDeclared(change, declared);
    case 'threshold':
      return isThresholdDeclared(change, declared);
    case 'delegated':
    case 'changed':
      return action.type === 'certify' && action.delegations.some(({ name }) => name === change.name);
    case 'undelegated':
      return action.type === 'revoke' && action.delegations.includes(change.name);
    case 'certified':
      return (
        action.type === change.certificate.action &&
        action.certificates.some((one) => certificateId(one) === declared.document)
      );
    case 'field':
      return false;
  }
}

function isKeyDeclared(
  { kind, role, keyId }: Extract<Change, { kind: 'enters' | 'leaves' }>,
  { action, document }: Declared,
): boolean {
  if (role !== 'root') {
    return 'online' in action && onlineOf(action.online, document).some((one) => one.role === role);
  }
  if (kind === 'enters') return 'enters' in action && action.enters.includes(keyId);
  return 'leaves' in action && action.leaves.includes(keyId);
}

function isThresholdDeclared(
  { role, to }: Extract<Change, { kind: 'threshold' }>,
  { action, document }: Declared,
): boolean {
  if (role === 'root') return 'threshold' in action && action.threshold === to;
  return (
    'online' in action &&
    onlineOf(action.online, document).some((one) => one.role === role && one.threshold === to)
  );
}

function firstDifference(made: Buffer, carried: Buffer): string {
  const most = Math.min(made.length, carried.length);
  let at = 0;
  while (at < most && made[at] === carried[at]) at += 1;
  return `made again here it differs from byte ${at + 1} on`;
}
