/** The part of the log after the remembered head: read and checked line by line before the agent writes another one. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { hashLine } from '../audit/chain.js';
import { MAX_LINE_BYTES, parseLine } from '../audit/line-schema.js';
import { LineSplitter } from '../audit/line-splitter.js';
import { segmentsAmong } from '../audit/segment-name.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { AuditHead } from './audit-head-file.js';
import { advancePosition, type AuditPosition } from './audit-position.js';

const CHUNK_BYTES = 256 * 1024;

/**
 * Walks from the remembered head to the end of the last file.
 * @throws AgentError `audit.shorter` when remembered lines are gone, `audit.broken` naming file and line.
 */
export function walkTail(folder: string, remembered: AuditHead): AuditPosition {
  const segments = segmentsAmong(fs.readdirSync(folder));
  if (remembered.seq > 0) checkRemembered(join(folder, remembered.file), remembered);
  let position: AuditPosition = {
    head: { seq: remembered.seq, hash: remembered.head },
    instance: remembered.instance,
    order: remembered.order,
    sealed: remembered.sealed,
  };
  for (const name of segments) {
    if (name < remembered.file) continue;
    const from = name === remembered.file ? remembered.bytes : 0;
    position = walkSegment(join(folder, name), from, position);
  }
  return position;
}

/** The last remembered line must still stand where it stood. */
function checkRemembered(path: string, remembered: AuditHead): void {
  const { size } = fs.lstatSync(path);
  if (size < remembered.bytes) {
    throw new AgentError('audit.shorter', {
      message: `${path} holds ${size} bytes, it held ${remembered.bytes}`,
      details: { path, bytes: size, expectedBytes: remembered.bytes },
    });
  }
  const line = lineEndingAt(path, remembered.bytes);
  if (line === undefined || hashLine(line) !== remembered.head) {
    throw new AgentError('audit.broken', {
      message: `${path}: line ${remembered.seq} is not the one that was written`,
      details: { path, seq: remembered.seq },
    });
  }
}

/** The line whose line feed is the byte before `end`. */
function lineEndingAt(path: string, end: number): Buffer | undefined {
  const start = Math.max(0, end - MAX_LINE_BYTES - 1);
  const bytes = Buffer.alloc(end - start);
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    if (fs.readSync(fd, bytes, 0, bytes.length, start) !== bytes.length) return undefined;
  } finally {
    fs.closeSync(fd);
  }
  if (bytes.at(-1) !== 0x0a) return undefined;
  const before = bytes.lastIndexOf(0x0a, -2);
  if (before === -1 && start > 0) return undefined;
  return bytes.subarray(before + 1, -1);
}

function walkSegment(path: string, from: number, start: AuditPosition): AuditPosition {
  let position = start;
  const splitter = new LineSplitter((line) => {
    position = follow(path, line, position);
  });
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    let at = from;
    for (;;) {
      // A fresh block each time: the splitter keeps parts of it.
      const block = Buffer.allocUnsafe(CHUNK_BYTES);
      const got = fs.readSync(fd, block, 0, block.length, at);
      if (got === 0) break;
      splitter.push(block.subarray(0, got));
      at += got;
    }
  } finally {
    fs.closeSync(fd);
  }
  if (splitter.takeRest().length > 0)
    throw brokenAt(path, position.head.seq + 1, 'the file ends inside a line');
  return position;
}

function follow(path: string, bytes: Buffer, before: AuditPosition): AuditPosition {
  const seq = before.head.seq + 1;
  try {
    const line = parseLine(bytes);
    if (line.seq !== seq) throw brokenAt(path, seq, `line ${line.seq} stands in its place`);
    if (line.prev !== before.head.hash)
      throw brokenAt(path, seq - 1, 'it was changed after the next line was written');
    return advancePosition(before, { seq, hash: hashLine(bytes) }, line);
  } catch (thrown) {
    const error = asAgentError(thrown);
    throw error.details === undefined ? brokenAt(path, seq, error.message) : error;
  }
}

function brokenAt(path: string, seq: number, what: string): AgentError {
  return new AgentError('audit.broken', {
    message: `${path}: line ${seq}: ${what}`,
    details: { path, seq },
  });
}
