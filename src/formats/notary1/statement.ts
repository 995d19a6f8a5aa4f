/** Metadata before it is signed, as a statement: kind, version, expiry, and what it lists. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../../encoding/canonical-json.js';
import { printable } from '../../encoding/utf8.js';
import type { Statement, StatementFacts, TargetFact } from '../statement.js';
import { unrecognised } from '../unrecognised.js';
import { WIRE_TYPES, type NotaryDocument, type TargetsDocument } from './document.js';
import { readSignedBytes } from './reader.js';
import { repositoryOfRoot } from './root-certificate.js';
import { signedBytesOf } from './writer.js';

/** Kinds and the type of document that each is. Targets and delegations look alike: the role of the key tells them apart. */
const TYPES = {
  'notary.root': 'root',
  'notary.targets': 'targets',
  'notary.delegation': 'targets',
  'notary.snapshot': 'snapshot',
  'notary.timestamp': 'timestamp',
} as const satisfies Record<string, NotaryDocument['type']>;

export type NotaryKind = keyof typeof TYPES;

const SHOWN_NAMES = 5;
const CODE = 'statement.unrecognised';

/** Whether the kind is one of this format. */
export function isNotaryKind(kind: string): kind is NotaryKind {
  return Object.hasOwn(TYPES, kind);
}

/** The kind that the first bytes say; of targets and delegations, which begin alike, the first. */
export function notaryKindOf(bytes: Buffer): NotaryKind | undefined {
  for (const [kind, type] of Object.entries(TYPES) as readonly (readonly [
    NotaryKind,
    NotaryDocument['type'],
  ])[]) {
    const prefix = `{"_type":"${WIRE_TYPES[type]}",`;
    if (bytes.subarray(0, prefix.length).equals(Buffer.from(prefix, 'latin1'))) return kind;
  }
  return undefined;
}

/** Reads metadata into facts. @throws AgentError `statement.unrecognised` */
export function describeNotary(kind: NotaryKind, bytes: Buffer): Statement {
  const document = readSignedBytes(bytes, TYPES[kind], `reading the bytes as ${kind}`, CODE);
  // What is written again from what was read is what a server will store: anything else would be dropped with the signature.
  if (!signedBytesOf(document).equals(bytes))
    throw unrecognised(kind, 'they hold a field that is not of this format');
  const { version, expires } = document;
  return {
    kind,
    ...(document.type === 'root' ? { repository: repositoryFrom(document, kind) } : {}),
    document: {
      version,
      expires,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      ...(document.type === 'targets' ? { targets: targetFacts(document) } : {}),
    },
    summary: [`${kind} version ${version}`, `expires ${expires}; ${contentOf(document)}`],
    facts: { version, expires, ...factsOf(document) },
    blind: false,
  };
}

function repositoryFrom(document: Extract<NotaryDocument, { type: 'root' }>, kind: string): string {
  try {
    return repositoryOfRoot(document);
  } catch {
    throw unrecognised(kind, 'the root keys are not certificates of one repository');
  }
}

function targetFacts({ targets }: TargetsDocument): ReadonlyMap<string, TargetFact> {
  return new Map(
    [...targets].map(([name, { hashes, length, custom }]) => {
      const { sha256, sha512 } = hashes;
      const isBare = sha512 === undefined && custom === undefined;
      const rest = isBare ? undefined : canonicalJson({ sha512, custom }, 'reading a target', CODE);
      return [name, { sha256, length, rest }];
    }),
  );
}

function contentOf(document: NotaryDocument): string {
  switch (document.type) {
    case 'root': {
      const { keyids, threshold } = document.roles.root;
      return `${threshold} of ${keyids.length} root keys`;
    }
    case 'targets':
      return `${document.targets.size} targets, ${document.delegations.roles.length} delegations`;
    case 'snapshot':
    case 'timestamp':
      return `${document.meta.size} files`;
  }
}

function factsOf(document: NotaryDocument): StatementFacts {
  switch (document.type) {
    case 'root': {
      const { root, targets, snapshot, timestamp } = document.roles;
      return {
        rootKeys: root.keyids,
        threshold: root.threshold,
        targetsKeys: targets.keyids,
        snapshotKeys: snapshot.keyids,
        timestampKeys: timestamp.keyids,
      };
    }
    case 'targets':
      return {
        targets: document.targets.size,
        delegations: document.delegations.roles.slice(0, SHOWN_NAMES).map(({ name }) => printable(name, 64)),
      };
    case 'snapshot':
    case 'timestamp':
      return { files: [...document.meta.keys()].slice(0, SHOWN_NAMES).map((name) => printable(name, 64)) };
  }
}
