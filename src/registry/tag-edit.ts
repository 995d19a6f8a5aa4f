/**
 * Changing what a tag holds without losing what others add at the same time. Registries have no compare-and-swap, so: compare right
 * before writing, look again after a pause longer than anybody's gap between comparing and writing, and begin anew when the own
 * change has gone.
 */
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AgentError } from '../errors/agent-error.js';
import type { StoredManifest } from './manifest.js';

const MAX_ROUNDS = 40;
/** The pause is this many times the slowest write seen, and at least the second number. Milliseconds. */
const SETTLE_FACTOR = 3;
const MIN_SETTLE_MS = 200;
const MAX_JITTER_MS = 60;
const BUSY_PAUSE_MS = 100;

/** What an edit needs of a repository. */
export interface TagStore {
  readonly name: string;
  findManifest(tag: string): Promise<StoredManifest | undefined>;
  putManifest(tag: string, mediaType: string, content: Buffer): Promise<boolean>;
}

export interface TagEdit {
  readonly tag: string;
  readonly mediaType: string;
  /** Whether the change is there. */
  readonly isDone: (current: Buffer | undefined) => boolean;
  /** The content with the change made; everything else is kept. */
  readonly edit: (current: Buffer | undefined) => Promise<Buffer>;
}

/** @throws AgentError `registry.busy` when others win 40 times in a row, `registry.…` */
export async function editTag(store: TagStore, edit: TagEdit): Promise<void> {
  let slowestMs = 0;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const before = await store.findManifest(edit.tag);
    if (edit.isDone(before?.content)) return;
    const next = await edit.edit(before?.content);
    const began = performance.now();
    const now = await store.findManifest(edit.tag);
    if (now?.descriptor.digest !== before?.descriptor.digest) continue;
    try {
      await store.putManifest(edit.tag, edit.mediaType, next);
    } catch (thrown) {
      await pauseWhenBusy(thrown);
      continue;
    }
    slowestMs = Math.max(slowestMs, performance.now() - began);
    await delay(Math.max(MIN_SETTLE_MS, SETTLE_FACTOR * slowestMs) + randomInt(MAX_JITTER_MS));
  }
  throw new AgentError('registry.busy', {
    message: `${store.name}: others kept changing the tag ${edit.tag}`,
  });
}

/**
 * Writes again what names a blob that the registry has just now not known: docker-registry forgets one for an instant while somebody
 * else uploads the same. Not for a tag, which may have changed in between.
 */
export async function settled<T>(write: () => Promise<T>): Promise<T> {
  for (let round = 1; round < MAX_ROUNDS; round += 1) {
    try {
      return await write();
    } catch (thrown) {
      await pauseWhenBusy(thrown);
    }
  }
  return write();
}

/** @throws what was thrown, when it is anything else */
async function pauseWhenBusy(thrown: unknown): Promise<void> {
  if (!(thrown instanceof AgentError) || thrown.code !== 'registry.busy') throw thrown;
  await delay(BUSY_PAUSE_MS + randomInt(MAX_JITTER_MS));
}
