/** From the root that is trusted to the newest one in a folder. */
import { AgentError } from '../../errors/agent-error.js';
import type { TufEnvelope, TufRoot } from '../../formats/tuf/document.js';
import { readTufRoot } from '../../formats/tuf/reader.js';
import { walkRoots } from '../../formats/tuf/root-chain.js';
import { versionedFile, type TufFolder } from './folder.js';
import { contentHash, type RootFile } from './signed-file.js';

/** Clients take as many in one update. */
const MAX_STEPS = 256;

/**
 * The newest root; whether it has expired is for the caller to say.
 * @param trusted file of a root that somebody compared
 * @throws AgentError `tuf.pin` when the folder has another root of that version, `tuf.rollback` when it has none, `tuf.threshold`, `tuf.version`
 */
export function newestRoot(folder: TufFolder, trusted: Buffer): RootFile {
  const first = readTufRoot(trusted);
  const { version } = first.signed;
  const held = folder.read(versionedFile('root', version), 'root');
  if (held === undefined) {
    throw new AgentError('tuf.rollback', {
      message: `reading ${folder.path}: root ${version} is trusted here, and the folder does not have it`,
    });
  }
  if (contentHash({ document: readTufRoot(held).signed }) !== contentHash({ document: first.signed })) {
    throw new AgentError('tuf.pin', {
      message: `reading ${folder.path}: root ${version} is another one than the root ${version} that is trusted here`,
    });
  }
  // The signatures of the one in the folder: a root that was begun here was trusted before everybody had signed it.
  const start = readTufRoot(held);
  const next: TufEnvelope<TufRoot>[] = [];
  let bytes = held;
  for (let step = 1; step <= MAX_STEPS; step += 1) {
    const following = folder.read(versionedFile('root', version + step), 'root');
    if (following === undefined) break;
    next.push(readTufRoot(following));
    bytes = following;
  }
  const envelope = walkRoots(start, next);
  return { role: 'root', envelope, document: envelope.signed, bytes };
}
