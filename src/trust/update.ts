/** Reads a repository and verifies everything from a believed root down. What was verified is remembered, against roll-backs. */
import { setTimeout as delay } from 'node:timers/promises';
import { asAgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';
import type { Collection } from './collection.js';
import type { SeenFile, TrustMemory } from './memory.js';
import type { MetadataSource } from './metadata-source.js';
import type { PinSet } from './pins.js';
import { trustedRoot } from './root-chain.js';
import { walk } from './walk.js';

export interface UpdateOptions {
  readonly pins: PinSet;
  readonly memory: TrustMemory;
  /** Milliseconds since 1970; expiry is judged at it. */
  readonly nowMs: number;
  /** Also takes what has expired: for whoever renews it. */
  readonly tolerateExpired?: boolean | undefined;
}

/** A publish between two of our requests looks like these, once. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'notary.checksum',
  'notary.threshold',
  'notary.rollback',
  'notary.expired',
  'notary.document',
]);
const PAUSES_MS = [50, 250] as const;

/**
 * The verified view of a repository.
 * @throws AgentError `notary.…` naming what does not hold
 */
export async function updateCollection(source: MetadataSource, options: UpdateOptions): Promise<Collection> {
  for (const pause of PAUSES_MS) {
    try {
      return await readOnce(source, options);
    } catch (thrown) {
      if (!PASSING.has(asAgentError(thrown).code)) throw thrown;
    }
    await delay(pause);
  }
  return readOnce(source, options);
}

async function readOnce(source: MetadataSource, options: UpdateOptions): Promise<Collection> {
  const { repository } = source;
  const { memory, nowMs, pins } = options;
  const tolerateExpired = options.tolerateExpired ?? false;
  const seen = memory.load(repository);
  const { root, anchor, warnings } = await trustedRoot(source, { pins, seen, nowMs, tolerateExpired });
  const roles = seen?.roles ?? new Map<string, SeenFile>();
  // A rotation that was seen stays seen, whatever the server does next; a first root has to lead somewhere first.
  if (seen?.anchor === anchor && !seen.root.equals(root.file)) {
    memory.save(repository, { root: root.file, anchor, roles });
  }
  const walked = await walk(source, root, { seen: roles, nowMs, tolerateExpired });
  memory.save(repository, { root: root.file, anchor, roles: walked.seen });
  return {
    ...walked.view,
    repository,
    root,
    anchor,
    warnings: [...warnings, ...walked.view.warnings],
  };
}
