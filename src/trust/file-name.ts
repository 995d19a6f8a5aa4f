/** Names of repositories as names of files and folders. */
import { createHash } from 'node:crypto';

/** Of a file, on any file system that matters, bytes. */
const MAX_BYTES = 255;
/** What is left of a long name, for people. */
const KEPT = 96;

/**
 * Equal only for equal repositories. One that is too long keeps its beginning and ends in a hash; every other one stands there as it is, as
 * it always did.
 * @param room bytes that are added, endings and those of a temporary file included
 */
export function fileNameOf(repository: string, room: number): string {
  const name = encodeURIComponent(repository);
  if (name.length + room <= MAX_BYTES) return name;
  const hash = createHash('sha256').update(repository, 'utf8').digest('hex');
  // A percent sign is cut off with what belongs to it.
  return `${name.slice(0, KEPT).replace(/%.?$/, '')}~${hash}`;
}
