/** What came out of the room goes into the directory that clients read. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../errors/agent-error.js';
import { errnoOf } from '../platform/errno.js';
import { writeFileAtomic } from '../platform/store/atomic-file.js';
import { readFileBounded } from '../platform/store/bounded-read.js';
import type { DocumentFacts } from './facts.js';
import { MAX_CEREMONY_FILE_BYTES } from './one-form.js';

const PUBLIC_MODE = 0o644;

export interface ImportedFile {
  readonly path: string;
  /** False when it was there already. */
  readonly isNew: boolean;
}

/** A document with the bytes that clients get. */
export interface SignedOutput {
  readonly document: DocumentFacts;
  readonly bytes: Buffer;
}

/**
 * Puts verified metadata of a TUF repository beside the versions before it, under the name that clients ask for. Nothing is overwritten.
 * @throws AgentError `ceremony.import` when the directory has another version before it or another file of this version, `state.write`
 */
export function importInto(directory: string, outputs: readonly SignedOutput[]): readonly ImportedFile[] {
  for (const output of outputs) requireNext(directory, output);
  return outputs.map(({ document, bytes }) => {
    const { role, version } = document.order;
    const path = join(directory, nameOf(role, version));
    const isNew = read(path) === undefined;
    if (isNew) write(directory, path, bytes);
    return { path, isNew };
  });
}

function requireNext(directory: string, { document, bytes }: SignedOutput): void {
  const { id, role, format, version } = document.order;
  if (format !== 'tuf') throw refused(`${id} is no file of a TUF repository`);
  const there = read(join(directory, nameOf(role, version)));
  if (there !== undefined && !there.equals(bytes))
    throw refused(`there is another ${nameOf(role, version)} already`);
  if (read(join(directory, nameOf(role, version + 1))) !== undefined)
    throw refused('there is a later version already');
  requireAuthority(directory, document);
  const base = document.base.at(-1);
  if (base === undefined) return;
  const before = read(join(directory, nameOf(role, version - 1)));
  if (before?.equals(base.bytes) !== true) {
    throw refused(`${nameOf(role, version - 1)} there is not the file that the ceremony began with`);
  }
}

/** The root that a folder brings along proves nothing: it has to be the newest of those that clients get. */
function requireAuthority(directory: string, { authority }: DocumentFacts): void {
  if (authority === undefined) return;
  const { version } = authority.document;
  if (read(join(directory, nameOf('root', version)))?.equals(authority.bytes) !== true)
    throw refused(`${nameOf('root', version)} there is not the root that the ceremony went by`);
  if (read(join(directory, nameOf('root', version + 1))) !== undefined)
    throw refused(
      `the ceremony went by root ${version}, and ${nameOf('root', version + 1)} is there already`,
    );
}

function nameOf(role: string, version: number): string {
  return `${version}.${role}.json`;
}

function read(path: string): Buffer | undefined {
  return readFileBounded(path, MAX_CEREMONY_FILE_BYTES);
}

function write(directory: string, path: string, bytes: Buffer): void {
  try {
    fs.mkdirSync(directory, { recursive: true });
  } catch (cause) {
    throw new AgentError('state.write', { message: `making ${directory}: ${errnoOf(cause)}`, cause });
  }
  writeFileAtomic(path, bytes, PUBLIC_MODE);
}

function refused(problem: string): AgentError {
  return new AgentError('ceremony.import', { message: `importing: ${problem}` });
}
