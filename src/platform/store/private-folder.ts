/** Folders that belong to this user alone, judged by descriptor so that nothing can be swapped in between. */
import * as fs from 'node:fs';
import { AgentError } from '../../errors/agent-error.js';
import type { ErrorCode } from '../../errors/codes.js';
import { errnoOf } from '../errno.js';
import { nativeShims } from '../native-shims.js';

/** What a folder is for decides how a fault is named. */
export type FolderPurpose = 'state' | 'socket';

const CODES: Readonly<Record<FolderPurpose, ErrorCode>> = {
  state: 'state.folder',
  socket: 'agent.socket-directory',
};

/**
 * Makes the folder (0700) and those above it where they are missing, then checks it.
 * @throws AgentError `state.folder` or `agent.socket-directory`, `state.write` when it cannot be made
 */
export function ensurePrivateFolder(path: string, purpose: FolderPurpose): void {
  try {
    fs.mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const errno = errnoOf(cause);
    throw new AgentError('state.write', {
      message: `making ${path}: ${errno}`,
      details: { path, errno },
      cause,
    });
  }
  checkPrivateFolder(path, purpose);
}

/**
 * Checks owner (us), mode (nothing for group and others) and that it is a real folder, no link.
 * @throws AgentError `state.folder` or `agent.socket-directory` naming what is wrong
 */
export function checkPrivateFolder(path: string, purpose: FolderPurpose): void {
  const facts = factsOf(path, purpose);
  const uid = process.getuid?.();
  if (facts.uid !== uid) throw notPrivate(path, purpose, `it belongs to uid ${facts.uid}`);
  if ((facts.mode & 0o077) !== 0) {
    throw notPrivate(path, purpose, `its mode is 0${facts.mode.toString(8)}, it must be 0700`);
  }
}

function factsOf(path: string, purpose: FolderPurpose): { readonly uid: number; readonly mode: number } {
  const shims = nativeShims();
  try {
    return shims.directoryFacts(path);
  } catch (cause) {
    throw notPrivate(path, purpose, errnoOf(cause), cause);
  }
}

function notPrivate(path: string, purpose: FolderPurpose, what: string, cause?: unknown): AgentError {
  return new AgentError(CODES[purpose], { message: `checking ${path}: ${what}`, details: { path }, cause });
}
