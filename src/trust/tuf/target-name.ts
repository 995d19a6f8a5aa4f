/** Names of targets: paths that every client asks for in the same way, and that stay inside the folder of the targets. */
import { printable } from '../../encoding/utf8.js';
import { AgentError } from '../../errors/agent-error.js';

const MAX_LENGTH = 1_024;
/** A file name of 255 bytes has to hold 64 digits of hash and a point as well. */
const MAX_SEGMENT_BYTES = 190;
/** Letters and digits of any script, and marks that no client and no web server treats in a way of its own. */
const SEGMENT = /^[\p{L}\p{M}\p{N}_+@~=,-][\p{L}\p{M}\p{N}._+@~=,-]*$/u;
const BEYOND_BASIC_PLANE = /[\u{10000}-\u{10ffff}]/u;

/**
 * The name itself, for example `dist/app-1.0.tar.gz`.
 * @throws AgentError `tuf.target` saying what is wrong with it
 */
export function checkTargetName(name: string): string {
  const problem = problemOf(name);
  if (problem === undefined) return name;
  throw new AgentError('tuf.target', {
    message: `the target name "${printable(name, 120)}": ${problem}`,
    details: { name: printable(name, 240) },
  });
}

/** Path below the folder of the targets: consistent snapshots have the hash in front of the last part of the name. */
export function storedPath(name: string, hash: string): string {
  const slash = name.lastIndexOf('/') + 1;
  return `${name.slice(0, slash)}${hash}.${name.slice(slash)}`;
}

function problemOf(name: string): string | undefined {
  if (name.length === 0 || name.length > MAX_LENGTH) return `1 to ${MAX_LENGTH} characters are needed`;
  if (name.normalize('NFC') !== name) return 'it has to be in Unicode normal form C';
  if (BEYOND_BASIC_PLANE.test(name)) return 'a character in it is sorted differently by different clients';
  for (const segment of name.split('/')) {
    if (segment === '') return 'it has an empty part';
    if (segment.startsWith('.'))
      return 'a part begins with a point: some patterns match it for some clients only';
    if (!SEGMENT.test(segment)) return 'only letters, digits and . _ + @ ~ = , - / may stand in it';
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES)
      return `a part of it has more than ${MAX_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}
