/** TUF metadata before it is signed, as a statement: kind, version, expiry, and what it names. */
import { createHash } from 'node:crypto';
import { printable } from '../../encoding/utf8.js';
import type { Statement, StatementFacts, TargetFact } from '../statement.js';
import { unrecognised } from '../unrecognised.js';
import {
  TOP_ROLES,
  type TufDelegations,
  type TufDocument,
  type TufTargets,
  type TufType,
} from './document.js';
import { readSigned } from './reader.js';

const TYPES = {
  'tuf.root': 'root',
  'tuf.targets': 'targets',
  'tuf.snapshot': 'snapshot',
  'tuf.timestamp': 'timestamp',
} as const satisfies Record<string, TufType>;

export type TufKind = keyof typeof TYPES;

/** It names no repository: who signs it has to know which one it is for. */
export const TUF_ROOT_KIND = 'tuf.root' satisfies TufKind;

const SHOWN_NAMES = 5;
const SHOWN_CHARACTERS = 64;

/** Whether the kind is one of this format. */
export function isTufKind(kind: string): kind is TufKind {
  return Object.hasOwn(TYPES, kind);
}

/** The kind that the first bytes say. */
export function tufKindOf(bytes: Buffer): TufKind | undefined {
  for (const kind of Object.keys(TYPES) as readonly TufKind[]) {
    const prefix = Buffer.from(`{"_type":"${TYPES[kind]}",`, 'latin1');
    if (bytes.subarray(0, prefix.length).equals(prefix)) return kind;
  }
  return undefined;
}

/** Reads canonical metadata into facts. @throws AgentError `statement.unrecognised` */
export function describeTuf(kind: TufKind, bytes: Buffer): Statement {
  if (tufKindOf(bytes) !== kind) throw unrecognised(kind, 'they begin otherwise');
  const document = readSigned(bytes, {
    what: `reading the bytes as ${kind}`,
    code: 'statement.unrecognised',
  });
  const { version, expires } = document;
  return {
    kind,
    document: {
      version,
      expires,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      ...(document.type === 'targets' ? { targets: targetFacts(document, kind) } : {}),
    },
    summary: [`${kind} version ${version}`, `expires ${expires}; ${contentOf(document)}`],
    facts: { version, expires, ...factsOf(document) },
    blind: false,
  };
}

function targetFacts({ targets }: TufTargets, kind: string): ReadonlyMap<string, TargetFact> {
  const facts = new Map<string, TargetFact>();
  for (const [name, { hashes, length }] of targets) {
    const { sha256 } = hashes;
    if (sha256 === undefined) throw unrecognised(kind, 'a target has no sha256');
    facts.set(name, { sha256: sha256.toLowerCase(), length });
  }
  return facts;
}

function contentOf(document: TufDocument): string {
  switch (document.type) {
    case 'root':
      return TOP_ROLES.map((name) => {
        const { keyids, threshold } = document.roles[name];
        return `${name} ${threshold} of ${keyids.length}`;
      }).join(', ');
    case 'targets':
      return `${document.targets.size} targets, ${delegationCount(document.delegations)} delegations`;
    case 'snapshot':
    case 'timestamp':
      return `${document.meta.size} files`;
  }
}

function factsOf(document: TufDocument): StatementFacts {
  switch (document.type) {
    case 'root': {
      const { root, targets, snapshot, timestamp } = document.roles;
      return {
        rootKeys: shown(root.keyids),
        threshold: root.threshold,
        targetsKeys: shown(targets.keyids),
        targetsThreshold: targets.threshold,
        snapshotKeys: shown(snapshot.keyids),
        timestampKeys: shown(timestamp.keyids),
      };
    }
    case 'targets':
      return { targets: document.targets.size, delegations: delegationNames(document.delegations) };
    case 'snapshot':
    case 'timestamp':
      return { files: shown([...document.meta.keys()].slice(0, SHOWN_NAMES)) };
  }
}

function delegationCount(delegations: TufDelegations | undefined): number {
  const { roles, succinctRoles } = delegations ?? {};
  return succinctRoles === undefined ? (roles?.length ?? 0) : 2 ** succinctRoles.bitLength;
}

function delegationNames(delegations: TufDelegations | undefined): readonly string[] {
  const { roles = [], succinctRoles } = delegations ?? {};
  if (succinctRoles !== undefined) return shown([`${succinctRoles.namePrefix}-*`]);
  return shown(roles.slice(0, SHOWN_NAMES).map(({ name }) => name));
}

function shown(names: readonly string[]): readonly string[] {
  return names.map((name) => printable(name, SHOWN_CHARACTERS));
}
