/** Folders that only this user can write, judged by descriptor so that nothing can be swapped in between. */
import * as fs from 'node:fs';
import { AgentError } from '../../errors/agent-error.js';
import type { ErrorCode } from '../../errors/codes.js';
import { errnoOf } from '../errno.js';
import { nativeShims } from '../native-shims.js';

/** What a folder is for decides its mode and how a fault is named. Into the folder of a shared socket others may step. */
export type FolderPurpose = 'state' | 'socket' | 'shared-socket';

interface FolderRule {
  readonly code: ErrorCode;
  readonly mode: number;
  /** Mode bits that must not be set. */
  readonly forbidden: number;
}

const RULES: Readonly<Record<FolderPurpose, FolderRule>> = {
  state: { code: 'state.folder', mode: 0o700, forbidden: 0o077 },
  socket: { code: 'agent.socket-directory', mode: 0o700, forbidden: 0o077 },
  'shared-socket': { code: 'agent.socket-directory', mode: 0o711, forbidden: 0o022 },
};

/**
 * Makes the folder (0700, or 0711 for a shared socket) and those above it where they are missing, then checks it.
 * @throws AgentError `state.folder` or `agent.socket-directory`, `state.write` when it cannot be made
 */
export function ensurePrivateFolder(path: string, purpose: FolderPurpose): void {
  try {
    const made = fs.mkdirSync(path, { recursive: true, mode: 0o700 });
    if (made !== undefined) fs.chmodSync(path, RULES[purpose].mode);
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
 * Checks owner (us), mode (nothing for group and others, or no right to write for a shared socket) and that it is a real folder, no link.
 * @throws AgentError `state.folder` or `agent.socket-directory` naming what is wrong
 */
export function checkPrivateFolder(path: string, purpose: FolderPurpose): void {
  const facts = factsOf(path, purpose);
  const uid = process.getuid?.();
  if (facts.uid !== uid) throw notPrivate(path, purpose, `it belongs to uid ${facts.uid}`);
  const { forbidden, mode } = RULES[purpose];
  if ((facts.mode & forbidden) !== 0) {
    throw notPrivate(
      path,
      purpose,
      `its mode is 0${facts.mode.toString(8)}, it must be 0${mode.toString(8)}`,
    );
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
  return new AgentError(RULES[purpose].code, {
    message: `checking ${path}: ${what}`,
    details: { path },
    cause,
  });
}
