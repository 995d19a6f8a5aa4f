/** Answers queries from the log files: reads only as much as is needed, in blocks, without holding up the process. */
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_LINE_BYTES, parseLine } from '../audit/line-schema.js';
import { LineSplitter } from '../audit/line-splitter.js';
import { matchesQuery, type AuditQuery } from '../audit/query.js';
import type { AuditLine } from '../audit/record.js';
import { segmentsAmong } from '../audit/segment-name.js';

const BLOCK_BYTES = 128 * 1024;
const LINE_FEED = 0x0a;
const SEQUENCE = /^\{"seq":(\d+),/;

export interface AuditPage {
  /** In order of sequence, newest last. */
  readonly records: readonly AuditLine[];
  /** Highest sequence looked at: `after` of the next page. */
  readonly last: number;
}

/** Runs a query over the files in `folder`. @throws AgentError `audit.broken` for a line that cannot be read */
export async function queryAudit(folder: string, query: AuditQuery): Promise<AuditPage> {
  const paths = segmentsAmong(await readdir(folder)).map((name) => join(folder, name));
  return query.after === undefined ? newest(paths, query) : following(paths, query, query.after);
}

async function newest(paths: readonly string[], query: AuditQuery): Promise<AuditPage> {
  const found: AuditLine[] = [];
  let last = 0;
  for (const path of paths.toReversed()) {
    await using file = await open(path, 'r');
    for await (const bytes of linesBackwards(file)) {
      const line = parseLine(bytes);
      last = Math.max(last, line.seq);
      if (matchesQuery(line, query)) found.push(line);
      if (found.length === query.limit) return { records: found.reverse(), last };
    }
  }
  return { records: found.reverse(), last };
}

async function following(paths: readonly string[], query: AuditQuery, after: number): Promise<AuditPage> {
  const records: AuditLine[] = [];
  let last = after;
  for (const path of await pathsAfter(paths, after)) {
    await using file = await open(path, 'r');
    for await (const bytes of linesFrom(file, await offsetBefore(file, after))) {
      const line = parseLine(bytes);
      last = Math.max(last, line.seq);
      if (matchesQuery(line, query)) records.push(line);
      if (records.length === query.limit) return { records, last };
    }
  }
  return { records, last };
}

/** Drops files whose successor begins at or before the first wanted line. */
async function pathsAfter(paths: readonly string[], after: number): Promise<readonly string[]> {
  let first = paths.length - 1;
  while (first > 0) {
    await using file = await open(paths[first] ?? '', 'r');
    const sequence = await sequenceAfter(file, 0);
    if (sequence !== undefined && sequence.value <= after + 1) break;
    first -= 1;
  }
  return paths.slice(Math.max(0, first));
}

/** A line start at or before the first line after sequence `after`, found by halving. */
async function offsetBefore(file: FileHandle, after: number): Promise<number> {
  let low = 0;
  let high = (await file.stat()).size;
  while (high - low > BLOCK_BYTES) {
    const middle = Math.floor((low + high) / 2);
    const next = await sequenceAfter(file, middle);
    if (next !== undefined && next.offset < high && next.value <= after) low = next.offset;
    else high = middle;
  }
  return low;
}

/** Sequence of the first line that begins after `offset` (or at 0), and where it begins. */
async function sequenceAfter(
  file: FileHandle,
  offset: number,
): Promise<{ readonly value: number; readonly offset: number } | undefined> {
  const block = Buffer.alloc(MAX_LINE_BYTES + 64);
  const { bytesRead } = await file.read(block, 0, block.length, offset);
  const bytes = block.subarray(0, bytesRead);
  const start = offset === 0 ? 0 : bytes.indexOf(LINE_FEED) + 1;
  if (offset > 0 && start === 0) return undefined;
  const digits = SEQUENCE.exec(bytes.toString('latin1', start, start + 32))?.[1];
  return digits === undefined ? undefined : { value: Number(digits), offset: offset + start };
}

async function* linesFrom(file: FileHandle, offset: number): AsyncGenerator<Buffer> {
  let ready: Buffer[] = [];
  const splitter = new LineSplitter((line) => ready.push(line));
  for (let at = offset; ;) {
    const block = Buffer.alloc(BLOCK_BYTES);
    const { bytesRead } = await file.read(block, 0, block.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    splitter.push(block.subarray(0, bytesRead));
    yield* ready;
    ready = [];
  }
}

async function* linesBackwards(file: FileHandle): AsyncGenerator<Buffer> {
  let end = (await file.stat()).size;
  let rest = Buffer.alloc(0);
  // What stands after the last line feed is being written now, and no line yet.
  let isWhole = false;
  while (end > 0) {
    const start = Math.max(0, end - BLOCK_BYTES);
    const block = Buffer.alloc(end - start);
    await file.read(block, 0, block.length, start);
    const bytes = Buffer.concat([block, rest]);
    let lineEnd = bytes.length;
    for (
      let feed = bytes.lastIndexOf(LINE_FEED);
      feed !== -1;
      feed = bytes.lastIndexOf(LINE_FEED, feed - 1)
    ) {
      if (isWhole) yield bytes.subarray(feed + 1, lineEnd);
      isWhole = true;
      lineEnd = feed;
      if (feed === 0) break;
    }
    rest = bytes.subarray(0, lineEnd);
    end = start;
  }
  if (isWhole && rest.length > 0) yield rest;
}
