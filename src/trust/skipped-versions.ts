/**
 * Versions that a publish jumps over, because they were signed once and never seen on the server. A server takes any higher version, so
 * whoever stores one of them in the last moment would be overwritten without a word: it is looked for before the upload and after.
 */
import type { PendingDocument } from './publication.js';
import type { MetadataSource } from './metadata-source.js';

/** More were never given up in a row by anybody. */
const MAX_SKIPPED = 8;

/**
 * Roles of which the server has a version between the one that was built on and the one that is published.
 * @param builtOn version per role, 0 for none
 */
export async function storedInBetween(
  server: MetadataSource,
  documents: readonly PendingDocument[],
  builtOn: ReadonlyMap<string, number>,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { role, version } of documents) {
    const first = Math.max((builtOn.get(role) ?? 0) + 1, version - MAX_SKIPPED);
    for (let skipped = first; skipped < version; skipped += 1) {
      if ((await server.fetch(role, { version: skipped })) !== undefined) found.push(role);
    }
  }
  return [...new Set(found)];
}
