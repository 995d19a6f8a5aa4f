/** Looks for bytes in all writable memory of another process: what a debugger or a core dump would find. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const CHUNK_BYTES = 4 * 1024 * 1024;

interface Region {
  readonly start: number;
  readonly end: number;
}

function writableRegions(pid: number): readonly Region[] {
  const regions: Region[] = [];
  for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) continue;
    regions.push({ start: Number.parseInt(match[1], 16), end: Number.parseInt(match[2], 16) });
  }
  return regions;
}

function occurrences(haystack: Buffer, needle: Buffer): number {
  let count = 0;
  for (let at = haystack.indexOf(needle); at >= 0; at = haystack.indexOf(needle, at + 1)) count += 1;
  return count;
}

/** How often each needle stands in the memory of `pid`. */
export function countInMemory(pid: number, needles: readonly Buffer[]): readonly number[] {
  const counts = needles.map(() => 0);
  const overlap = Math.max(...needles.map((needle) => needle.length)) - 1;
  const chunk = Buffer.alloc(CHUNK_BYTES + overlap);
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const { start, end } of writableRegions(pid)) {
      for (let at = start; at < end; at += CHUNK_BYTES) {
        const wanted = Math.min(chunk.length, end - at);
        const read = readOrNothing(memory, chunk, wanted, at);
        needles.forEach((needle, index) => {
          const inside = chunk.subarray(0, read);
          // What begins in the overlap is counted with the next chunk.
          const beyond = inside.subarray(CHUNK_BYTES);
          counts[index] = (counts[index] ?? 0) + occurrences(inside, needle) - occurrences(beyond, needle);
        });
      }
    }
  } finally {
    closeSync(memory);
  }
  return counts;
}

/** Reserved but never touched pages cannot be read. */
function readOrNothing(memory: number, chunk: Buffer, length: number, position: number): number {
  try {
    return readSync(memory, chunk, 0, length, position);
  } catch {
    return 0;
  }
}
